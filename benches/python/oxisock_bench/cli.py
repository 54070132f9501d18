"""The command `python -m oxisock bench`."""

from __future__ import annotations

import argparse
import difflib
import fnmatch
import importlib
import json
import os
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import measure, record
from .row import Group, Row, every_row

STOPPED = 130
"""The exit status after Ctrl-C, as shells have it."""

BUSY = 0.2
"""From this share of the processor time on that others use, a warning is due."""

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
    parser.add_argument(
        "--quick", action="store_true", help="fewer rows, fewer and shorter measurements"
    )
    parser.add_argument(
        "--budget", type=_positive, metavar="S", help="seconds that a row may take (default: 8)"
    )
    parser.add_argument("--rounds", type=_positive, metavar="N", help="measurements of each side")
    parser.add_argument("--plot", metavar="FILE", help="draw the figures (svg, png or pdf)")
    parser.add_argument("--json", metavar="FILE", help="write the results as JSON ('-': to stdout)")
    parser.add_argument("--load", metavar="FILE", help="show earlier results, measure nothing")
    parser.add_argument(
        "--check",
        action="store_true",
        help="show what oxisock's developers aim at, exit with status 1 when it is missed",
    )


def main(args: argparse.Namespace) -> int:
    """Run the command.

    Returns 0, or 1 when a row failed (or with `--check` missed its target), or 2 when the arguments
    or the installation do not allow a run, or 130 after Ctrl-C.
    """
    try:
        return _run(args)
    except BrokenPipeError:
        # Whoever read the output has gone; the interpreter must not try to flush it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
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
    if args.quick and not args.rows:
        rows = [row for row in rows if not row.variant]
    plain = args.json == "-" and not args.list
    report: Any = None if plain else _extra("report")
    if args.plot:
        _extra("plot")
        _writable(args.plot)
    if args.json and not plain:
        _writable(args.json)
    console = report.Console() if report else None
    if args.list:
        report.show_rows(console, GROUPS, rows, args.check)
        return 0

    config = QUICK if args.quick else measure.Config()
    if args.rounds:
        config = replace(config, rounds=args.rounds)
    if args.budget:
        config = replace(config, budget=args.budget)
    stopped = False
    if args.load:
        data = _load(args.load)
        results = [r for r in record.results_of(data, list(every_row(GROUPS))) if r.row in rows]
        machine = data["machine"]
    else:
        machine = record.machine()
        _warn_if_busy()
        results, stopped = _measure(rows, config, report, console)
        data = record.document(results, config, machine, complete=not stopped)
        if stopped:
            print(
                f"oxisock bench: stopped, {len(results)} of {len(rows)} rows are done",
                file=sys.stderr,
            )
            if not results:
                return STOPPED
    if report:
        report.show(console, GROUPS, results, machine, args.check)
    try:
        if args.json:
            text = json.dumps(data, indent=1) + "\n"
            sys.stdout.write(text) if plain else Path(args.json).write_text(text)
        if args.plot:
            _extra("plot").draw(args.plot, results, machine, args.check)
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        raise _RefusedError(str(error)) from error
    if stopped:
        return STOPPED
    failed = any(result.error for result in results)
    missed = any(not result.reached for result in results)
    return int(failed or (args.check and missed))


def _measure(
    rows: list[Row], config: measure.Config, report: Any, console: Any
) -> tuple[list[measure.Result], bool]:
    """Measure rows until all are done or Ctrl-C; give what is done, and whether it was stopped."""
    modules = {"stdlib": importlib.import_module("socket")}
    modules["oxisock"] = importlib.import_module("oxisock")
    results: list[measure.Result] = []
    with ExitStack() as stack:
        progress: Any = lambda row: None  # noqa: E731
        if report is not None:
            progress = stack.enter_context(report.progress_bar(console, len(rows)))
        try:
            # On an exception the list keeps what it has got so far.
            results.extend(measure.measure_each(rows, modules, config, progress))
        except KeyboardInterrupt:
            return results, True
    return results, False


def _warn_if_busy() -> None:
    """Say so when others use the processors: then the figures are theirs as well."""
    share = record.others()
    if share is not None and share > BUSY:
        print(
            f"oxisock bench: other programs use {share:.0%} of this machine's processor time; "
            "rows with threads or processes will say little, and all less than on a quiet machine",
            file=sys.stderr,
        )


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
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number, 1 or more, not {text!r}")
    return value
