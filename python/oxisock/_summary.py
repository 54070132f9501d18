"""The report of ``oxisock report``: what the processes of a program come to, and what it means."""

from __future__ import annotations

import platform
import textwrap
from typing import TYPE_CHECKING

import oxisock

if TYPE_CHECKING:
    from typing import Any

    Data = dict[str, Any]

VERSION = 1
"""The version of the layout of the JSON document."""

REGAINED = 100e-6
"""Seconds until a thread of oxisock has the interpreter lock back, beside one that computes."""

WORTH_IT = 0.01
"""From this share of the program's time on there is something to gain."""


def summary(parts: list[Data], standard: bool) -> Data:
    """Put the processes of a program together."""
    total: Data = {
        "version": VERSION,
        "oxisock": oxisock.__version__,
        "python": platform.python_version(),
        "module": "standard library" if standard else "oxisock",
        "processes": len(parts),
        "elapsed_seconds": max(part["elapsed_seconds"] for part in parts),
        "own_seconds": sum(part["own_seconds"] for part in parts),
        "why_no_waits": parts[0]["why_no_waits"],
    }
    for group in ("operations", "peers", "sites"):
        merged: Data = {}
        for part in parts:
            for key, entry in part[group].items():
                before = merged.get(key)
                if before is None:
                    merged[key] = dict(entry)
                    continue
                for name, value in entry.items():
                    greater = name == "longest_seconds"
                    before[name] = max(before[name], value) if greater else before[name] + value
        total[group] = merged
    errors: dict[str, int] = {}
    for part in parts:
        for name, count in part["errors"].items():
            errors[name] = errors.get(name, 0) + count
    total["errors"] = errors
    total["open"] = [{"pid": part["pid"], **item} for part in parts for item in part["open"]]
    total["threads"] = [
        {"pid": part["pid"], **thread} for part in parts for thread in part["threads"]
    ]
    total["lock"] = estimate(parts, standard)
    total["verdict"] = verdict(total)
    return total


def estimate(parts: list[Data], standard: bool) -> Data:
    """Estimate what the program loses to the interpreter lock, and what oxisock would save of it.

    A program takes as long as the thread that waits most, so that this one counts.
    """
    most: Data = {"share": 0.0, "lost_seconds": 0.0, "saves_seconds": 0.0}
    for part in parts:
        elapsed = part["elapsed_seconds"] or 1.0
        for thread in part["threads"]:
            lost = thread["lock_seconds"]
            if lost / elapsed > most["share"]:
                # Ready calls keep the lock; one that has slept gets it back soon.
                left = min(lost, thread["waited"] * REGAINED)
                saves = lost - left if standard else 0.0
                most = {
                    "share": lost / elapsed, "lost_seconds": lost, "saves_seconds": saves,
                    "saves_share": saves / elapsed, "thread": thread["name"], "pid": part["pid"],
                }  # fmt: skip
    return {"total_seconds": sum(t["lock_seconds"] for p in parts for t in p["threads"]), **most}


def verdict(total: Data) -> str:
    """Say in one sentence what the lock costs."""
    lock = total["lock"]
    if total["why_no_waits"]:
        return f"Waits for the interpreter lock are not told: {total['why_no_waits']}."
    if total["module"] == "oxisock":
        return (
            f"On oxisock {_percent(lock['share'])} of this program's time goes into waiting for "
            "the interpreter lock after socket calls; --standard tells what it is without."
        )
    if lock["share"] < WORTH_IT or lock["saves_share"] < WORTH_IT:
        return (
            "Nothing to gain here: "
            f"{_percent(lock['share'])} of this program's time goes into waiting for the "
            "interpreter lock after socket calls."
        )
    return (
        f"{_percent(lock['share'])} of this program's time goes into waiting for the interpreter "
        f"lock after socket calls; oxisock would save about {100 * lock['saves_share']:.0f} of it."
    )


def _percent(share: float) -> str:
    value = 100 * share
    return f"{value:.0f} %" if value >= 1 else "less than 1 %" if value > 0.05 else "0 %"


def _count(number: float) -> str:
    for unit, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= 10 * factor:
            return f"{number / factor:.0f} {unit}"
        if number >= factor:
            return f"{number / factor:.1f} {unit}"
    return f"{number:.0f}"


def _time(seconds: float) -> str:
    for unit, factor in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= factor:
            return f"{seconds / factor:.3g} {unit}"
    return "0" if not seconds else "< 1 µs"


def text(total: Data, program: str, width: int) -> str:
    """Return the report as lines that fit a terminal."""
    processes = total["processes"]
    head = (
        f"oxisock report: {program}, {_time(total['elapsed_seconds'])}, {total['module']}, "
        f"Python {total['python']}, {processes} process{'es' if processes > 1 else ''}"
    )
    lines = [*_wrap(head, width), "", *_wrap(total["verdict"], width), ""]
    slow = lambda item: -(item[1]["seconds"])  # noqa: E731
    for title, group, most in (
        ("operations", "operations", 20), ("slowest call sites", "sites", 10),
        ("peers", "peers", 10),
    ):  # fmt: skip
        rows = sorted(total[group].items(), key=slow)
        if rows:
            lines += _table(title, rows[:most], width)
            if len(rows) > most:
                lines.append(f"… and {len(rows) - most} more, see --json")
            lines.append("")
    timeouts = sum(entry["timeouts"] for entry in total["operations"].values())
    if timeouts:
        lines += [f"timeouts: {timeouts}", ""]
    if total["errors"]:
        told = ", ".join(f"{name} {count}" for name, count in sorted(total["errors"].items()))
        lines += [*_wrap(f"errors: {told}", width, subsequent_indent="  "), ""]
    if total["open"]:
        lines.append("open at the end:")
        for item in total["open"][:20]:
            line = f"{item['descriptor']} {item['what']}".rstrip() + f", made at {item['made_at']}"
            lines += _wrap(line, width, initial_indent="  ", subsequent_indent="    ")
        lines.append("")
    share = total["own_seconds"] / (total["elapsed_seconds"] or 1.0)
    cost = f"Watching took about {100 * share:.1f} % of the time."
    return "\n".join([*lines, *_wrap(cost, width)]) + "\n"


def _wrap(text: str, width: int, **indents: str) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False, **indents)  # type: ignore[arg-type]


def _table(title: str, rows: list[tuple[str, Data]], width: int) -> list[str]:
    """Return a table; below 72 columns with the name in a line of its own."""
    columns = ("calls", "bytes", "network", "lock", "in all", "longest")
    cells = [
        (
            name,
            (
                _count(entry["calls"]), _count(entry["bytes"]), _time(entry["network_seconds"]),
                _time(entry["lock_seconds"]), _time(entry["seconds"]),
                _time(entry["longest_seconds"]),
            ),
        )
        for name, entry in rows
    ]  # fmt: skip
    room = 8
    if width < 72:
        lines = [f"{title}:"]
        for name, values in cells:
            lines += _wrap(name, width, initial_indent="  ", subsequent_indent="  ")
            told = [f"{column} {value}" for column, value in zip(columns, values, strict=True)]
            lines += _wrap(", ".join(told), width, initial_indent="    ", subsequent_indent="    ")
        return lines
    first = min(max(len(title), *(len(name) for name, _ in cells)), width - (room + 1) * 6)
    head = "".join(f" {column:>{room}}" for column in columns)
    lines = [f"{title:<{first}}{head}"]
    for name, values in cells:
        shown = name if len(name) <= first else "…" + name[len(name) - first + 1 :]
        lines.append(f"{shown:<{first}}" + "".join(f" {value:>{room}}" for value in values))
    return lines
