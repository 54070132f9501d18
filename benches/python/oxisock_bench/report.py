"""The results as tables on a terminal, with a progress bar while they are measured.

Names of rows are never broken: where a terminal is too narrow for a table, each name has a line of
its own above its figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from .measure import Result, geometric_mean
from .observe import ALONE, RIVALS
from .record import MEAN_TARGET
from .row import Group, Row

LEGEND = (
    "Times are for one operation: the fastest of the rounds, or their median where other threads "
    "or processes take part. baseline: the same system calls without Python. faster: the standard "
    "library's time by oxisock's; above a baseline, the ratio of what is above it."
)
RIVALS_LEGEND = (
    "0.5 ms, 0.1 ms: the standard library after sys.setswitchinterval(5e-4) or (1e-4), which lets "
    "threads switch that often."
)
DETAILS_LEGEND = (
    "median, p90, p99: from a request to its reply. CPU: processor time of a request. work: turns "
    "that the loops of the computing threads make per second. oxisock alone: without them."
)

SIDES = {"stdlib": "stdlib", "stdlib-0.5ms": "0.5 ms", "stdlib-0.1ms": "0.1 ms"}
"""Headings of the sides; the others are called what they are."""

WIDTH = 9
"""The width of a figure's column."""


@contextmanager
def progress_bar(console: Console, total: int) -> Iterator[Callable[[Row], object]]:
    """Show a progress bar; the function given is to be called with each row before it starts.

    It is redrawn only between rows: a thread that redraws would be measured too.
    """
    columns = [
        BarColumn(bar_width=min(40, max(10, console.width - 60))),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    ]
    with Progress(*columns, console=console, auto_refresh=False, transient=True) as progress:
        task = progress.add_task("", total=total)
        done = -1

        def step(row: Row) -> None:
            nonlocal done
            done += 1
            progress.update(task, completed=done, description=row.name, refresh=True)

        yield step


def seconds(value: float | None) -> str:
    """Write a time with a unit that fits it."""
    if value is None:
        return ""
    for unit, factor in [("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)]:
        if value >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value / 1e-9:.0f} ns"


def count(value: float | None) -> str:
    """Write a number per second."""
    if value is None:
        return ""
    for unit, factor in [(" M", 1e6), (" k", 1e3)]:
        if value >= factor:
            return f"{value / factor:.3g}{unit}"
    return f"{value:.0f}"


def _print(console: Console, text: str) -> None:
    """Print a line that the console must not wrap, as it would break names."""
    console.print(text.rstrip(), soft_wrap=True, highlight=False)


def _figures(cells: Sequence[str]) -> str:
    return "".join(f"{cell:>{WIDTH}}" for cell in cells)


def _table(
    console: Console, title: str, headings: list[str], rows: list[tuple[str, list[str], str]]
) -> None:
    """Print rows of a name, its figures, and a style for the last of them."""
    widest = max(len(name) for name, _, _ in rows)
    wide = widest + WIDTH * len(headings) <= console.width
    indent = widest if wide else 0
    console.print(f"[bold]{title}[/]", highlight=False)
    _print(console, " " * indent + f"[dim]{_figures(headings)}[/]")
    for name, cells, mark in rows:
        figures = f"{escape(_figures(cells))}{mark}"
        if wide:
            _print(console, f"{escape(name):<{indent}}{figures}")
        else:
            _print(console, escape(name))
            _print(console, figures)
    console.print()


def show_rows(console: Console, groups: list[Group], rows: list[Row], check: bool = False) -> None:
    """List rows without measuring them."""
    for group in groups:
        chosen = [row for row in group.rows if row in rows]
        if chosen:
            console.print(f"[bold]{group.name}[/]: {group.title}", highlight=False)
        for row in chosen:
            operation = row.note or "; ".join(row.text.strip().splitlines())
            target = f" (target {row.goal:g})" if check else ""
            _print(console, f"  {row.name}{target}")
            console.print(f"      [dim]{escape(operation)}[/]", highlight=False)


def show(
    console: Console,
    groups: list[Group],
    results: list[Result],
    machine: dict[str, Any],
    check: bool = False,
) -> None:
    """Show the results group by group, then what they add up to; if asked with our targets."""
    for group in groups:
        shown = [result for result in results if result.row in group.rows]
        if any(result.details for result in shown):
            _show_details(console, group, shown)
        elif shown:
            _show_times(console, group, shown, check)
    console.print(LEGEND)
    if any(side in RIVALS for result in results for side in result.times):
        console.print(RIVALS_LEGEND)
    if any(result.details for result in results):
        console.print(DETAILS_LEGEND)
    _summary(console, results, check)
    console.print("[dim]" + ", ".join(f"{key}: {value}" for key, value in machine.items()) + "[/]")


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:,.3g}"


def _show_times(console: Console, group: Group, results: list[Result], check: bool) -> None:
    measured = {side for result in results for side in result.times}
    sides = [side for side in ("stdlib", *RIVALS, "oxisock", "baseline") if side in measured]
    headings = [*(SIDES.get(side, side) for side in sides), "faster"]
    rows = []
    for result in results:
        mark = ""
        if result.error:
            cells = [*["failed"] * len(sides), ""]
        else:
            times = [seconds(result.times.get(side)) for side in sides]
            cells = [*times, _ratio(result.ratio)]
        if check:
            cells.append(f"{result.row.goal:g}")
            mark = " [green]✓[/]" if result.reached else " [red]✗[/]"
        rows.append((result.row.name, cells, mark))
    _table(console, group.title, [*headings, *(["target"] if check else [])], rows)


def _show_details(console: Console, group: Group, results: list[Result]) -> None:
    figures: dict[str, Callable[[float | None], str]] = {
        "median": seconds,
        "p90": seconds,
        "p99": seconds,
        "processor": seconds,
        "work": count,
    }
    names = {**SIDES, ALONE: "oxisock alone"}
    indent = max(map(len, names.values())) + 2
    headings = ["CPU" if figure == "processor" else figure for figure in figures]
    console.print(f"[bold]{group.title}[/]", highlight=False)
    for result in results:
        _print(console, f"[bold]{escape(result.row.name)}[/]")
        if result.error:
            _print(console, "  failed")
            continue
        _print(console, " " * indent + f"[dim]{_figures(headings)}[/]")
        for side, found in result.details.items():
            cells = [write(found.get(figure)) for figure, write in figures.items()]
            _print(console, f"  {names.get(side, side):<{indent - 2}}{_figures(cells)}")
        ours, theirs = result.details["oxisock"], result.details["stdlib"]
        times = ", ".join(
            f"{_ratio(theirs[figure] / ours[figure])} times ({figure})"
            for figure in ("median", "p90")
        )
        _print(console, f"  faster: {times}")
    console.print()


def _summary(console: Console, results: list[Result], check: bool) -> None:
    mean = geometric_mean(results)
    if mean is not None:
        target = ""
        if check:
            mark = "[green]✓[/]" if mean >= MEAN_TARGET else "[red]✗[/]"
            target = f" (target {MEAN_TARGET:g}) {mark}"
        console.print(
            f"Geometric mean of the operations, nothing beside them: [bold]{mean:.3g}[/]{target}"
        )
    for result in results:
        if result.error:
            console.print(f"[red]{result.row.name} failed:[/] {escape(result.error)}")
    if not check:
        return
    missed = [result for result in results if not result.reached]
    if missed:
        console.print(f"Below target, {len(missed)} of {len(results)}:")
        for result in missed:
            _print(console, f"  {result.row.name}: {escape('; '.join(result.missed))}")
    else:
        console.print(f"All {len(results)} rows reach their targets.")
