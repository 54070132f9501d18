"""The results as tables on a terminal, with a progress bar while they are measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from .measure import Result, geometric_mean
from .record import MEAN_TARGET
from .row import Group, Row

LEGEND = (
    "Times are for one operation: the fastest of the rounds, or their median where other threads "
    "or processes take part. baseline: the same system calls without Python. faster: the standard "
    "library's time by oxisock's; above a baseline, the ratio of what is above it."
)


@contextmanager
def progress_bar(console: Console, total: int) -> Iterator[Callable[[Row], object]]:
    """Show a progress bar; the function given is to be called with each row before it starts.

    It is redrawn only between rows: a thread that redraws would be measured too.
    """
    columns = [
        BarColumn(),
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


def show_rows(console: Console, groups: list[Group], rows: list[Row]) -> None:
    """List rows without measuring them."""
    table = Table(box=None, pad_edge=False)
    for heading in ("Row", "Operation", "Target"):
        table.add_column(heading, overflow="fold")
    for group in groups:
        chosen = [row for row in group.rows if row in rows]
        if chosen:
            table.add_row(f"[bold]{group.name}[/]", f"[bold]{group.title}[/]", "")
        for row in chosen:
            operation = row.note or "; ".join(row.text.strip().splitlines())
            table.add_row(f"  {row.name}", f"[dim]{escape(operation)}[/]", f"{row.goal:g}")
    console.print(table)


def show(
    console: Console, groups: list[Group], results: list[Result], machine: dict[str, Any]
) -> None:
    """Show the results group by group, then what they add up to."""
    for group in groups:
        shown = [result for result in results if result.row in group.rows]
        if shown:
            console.print(_table(group, shown))
            console.print()
    console.print(LEGEND)
    _summary(console, results)
    console.print("[dim]" + ", ".join(f"{key}: {value}" for key, value in machine.items()) + "[/]")


def _table(group: Group, results: list[Result]) -> Table:
    table = Table(title=group.title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.title_style = "bold"
    table.add_column("row", overflow="fold")
    for heading in ("stdlib", "oxisock", "baseline", "faster", "target"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, min_width=1)
    for result in results:
        if result.error:
            table.add_row(result.row.name, *["failed"] * 2, "", "", "", "[red]✗[/]")
            continue
        times = [seconds(result.times.get(side)) for side in ("stdlib", "oxisock", "baseline")]
        ratio = f"{result.ratio:,.3g}" if result.ratio is not None else ""
        mark = "[green]✓[/]" if result.reached else "[red]✗[/]"
        goal = f"{result.row.goal:g}" if result.row.target else f"[dim]{result.row.goal:g}[/]"
        table.add_row(result.row.name, *times, f"[bold]{ratio}[/]", goal, mark)
    return table


def _summary(console: Console, results: list[Result]) -> None:
    mean = geometric_mean(results)
    if mean is not None:
        mark = "[green]✓[/]" if mean >= MEAN_TARGET else "[red]✗[/]"
        console.print(
            f"Geometric mean without the rows beside a CPU-bound thread: [bold]{mean:.3g}[/] "
            f"(target {MEAN_TARGET:g}) {mark}"
        )
    for result in results:
        if result.error:
            console.print(f"[red]{result.row.name} failed:[/] {escape(result.error)}")
    missed = [result.row.name for result in results if not result.reached]
    if missed:
        console.print(f"Below target, {len(missed)} of {len(results)}: {', '.join(missed)}")
    else:
        console.print(f"All {len(results)} rows reach their targets.")
