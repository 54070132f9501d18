"""The command `python -m oxisock bench`."""

from __future__ import annotations

import argparse
import difflib
import fnmatch
import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from . import measure, record
from .row import Group, Row, every_row

QUICK = measure.Config(rounds=4, scale=0.25, budget=1.0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    parser.description = (
        "Measure every operation on oxisock, on the standard library, and as bare system calls, "
        "side by side."
    )
    parser.add_argument(
        "rows",
        nargs="*",
        metavar="ROW",
        help="a row, a group of rows, or a pattern such as 'send-recv.*' (default: all)",
    )
    parser.add_argument("--list", action="store_true", help="list the rows and measure nothing")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter measurements")
    parser.add_argument("--rounds", type=_positive, metavar="N", help="measurements of each side")
    parser.add_argument("--plot", metavar="FILE", help="draw the figures (svg, png or pdf)")
    parser.add_argument("--json", metavar="FILE", help="write the results as JSON ('-': to stdout)")
    parser.add_argument("--load", metavar="FILE", help="show earlier results, measure nothing")
    parser.add_argument(
        "--check", action="store_true", help="exit with status 1 when a target is missed"
    )


def main(args: argparse.Namespace) -> int:
    """Run the command.

    Returns 0, or 1 when a row failed (or with `--check` missed its target), or 2 when the arguments
    or the installation do not allow a run.
    """
    try:
        return _run(args)
    except _RefusedError as refused:
        print(f"oxisock bench: {refused}", file=sys.stderr)
        return 2


class _RefusedError(Exception):
    """The command cannot run, for a reason the user can do something about."""


def _run(args: argparse.Namespace) -> int:
    try:
        from .rows import GROUPS
    except ImportError as error:
        raise _RefusedError(f"this installation cannot measure: {error}") from error
    # As in a program that uses TLS: from here on oxisock's names are looked up without a hook.
    import ssl  # noqa: F401

    rows = choose(GROUPS, args.rows)
    plain = args.json == "-" and not args.list
    report: Any = None if plain else _extra("report")
    if args.plot:
        _extra("plot")
        _writable(args.plot)
    if args.json and not plain:
        _writable(args.json)
    console = report.Console() if report else None
    if args.list:
        report.show_rows(console, GROUPS, rows)
        return 0

    config = QUICK if args.quick else measure.Config()
    if args.rounds:
        config = measure.Config(args.rounds, config.scale, config.budget)
    if args.load:
        data = _load(args.load)
        results = [r for r in record.results_of(data, list(every_row(GROUPS))) if r.row in rows]
        machine = data["machine"]
    else:
        results = _measure(rows, config, report, console)
        data = record.document(results, config)
        machine = data["machine"]
    if report:
        report.show(console, GROUPS, results, machine)
    if args.json:
        text = json.dumps(data, indent=1) + "\n"
        sys.stdout.write(text) if plain else Path(args.json).write_text(text)
    if args.plot:
        try:
            _extra("plot").draw(args.plot, results, machine)
        except ValueError as error:
            raise _RefusedError(str(error)) from error
    failed = any(result.error for result in results)
    missed = any(not result.reached for result in results)
    return int(failed or (args.check and missed))


def _measure(
    rows: list[Row], config: measure.Config, report: Any, console: Any
) -> list[measure.Result]:
    modules = {"stdlib": importlib.import_module("socket")}
    modules["oxisock"] = importlib.import_module("oxisock")
    if report is None:
        return measure.measure_all(rows, modules, config)
    with report.progress_bar(console, len(rows)) as progress:
        return measure.measure_all(rows, modules, config, progress)


def choose(groups: list[Group], patterns: list[str]) -> list[Row]:
    """Choose the rows that any of the patterns names: by row, by group, or with wildcards."""
    rows = list(every_row(groups))
    if not patterns:
        return rows
    known = [row.name for row in rows] + [group.name for group in groups]
    chosen: set[str] = set()
    for pattern in patterns:
        found = [row for row in rows if pattern == row.group or fnmatch.fnmatch(row.name, pattern)]
        if not found:
            close = difflib.get_close_matches(pattern, known)
            hint = f" (close: {', '.join(close)})" if close else ""
            raise _RefusedError(f"no row is called {pattern!r}{hint}; --list names them")
        chosen.update(row.name for row in found)
    return [row for row in rows if row.name in chosen]


def _extra(module: str) -> Any:
    """Import a part of the benchmark that needs a package beyond Python."""
    try:
        return importlib.import_module(f".{module}", __package__)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in ("rich", "matplotlib"):
            raise
        raise _RefusedError(f"this needs {package}: pip install 'oxisock[bench]'") from error


def _load(path: str) -> dict[str, Any]:
    try:
        data: dict[str, Any] = json.loads(Path(path).read_text())
        if data.get("version") != record.VERSION:
            raise ValueError("another layout")
    except (OSError, ValueError, AttributeError) as error:
        raise _RefusedError(f"cannot read results from {path}: {error}") from error
    return data


def _writable(path: str) -> None:
    """Find out before measuring whether the file can be written in the end."""
    folder = Path(path).absolute().parent
    if not os.access(folder, os.W_OK):
        raise _RefusedError(f"cannot write {path}: no such folder, or no permission")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value
