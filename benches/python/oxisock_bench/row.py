"""What a row of the benchmark is: a setup, an operation, its baseline and its target.

A row is data. The same setup and the same operation run on either module, which they know as
`socket`, so that no row can treat one side better than the other.
"""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import repeat
from types import SimpleNamespace
from typing import Any

Names = dict[str, Any]
"""The names an operation works with: sockets, buffers, and the module as `socket`."""

Setup = Callable[[Any, ExitStack], Names]
"""Makes the names of one side from a module; what has to be closed goes on the stack."""

Run = Callable[[Any, int], float]
"""Does an operation n times on the names (as attributes) and returns the seconds it took."""

Loop = Callable[[int], float]
"""Does one side's operation n times and returns the seconds it took."""


@dataclass
class Observation:
    """What some requests in a row came to, each of them timed."""

    latencies: list[float]
    """Seconds from each request to its reply."""
    elapsed: float
    """Seconds that all of it took, pauses included."""
    processor: float | None = None
    """Seconds of processor time of the thread that waits, or None where that cannot be told."""
    work: int | None = None
    """Turns that the computing threads' loops made meanwhile, or None without such threads."""


@dataclass(frozen=True)
class Probe:
    """An operation whose every turn is timed, for the distribution: the slow ones are minded."""

    run: Callable[[Any, int], Observation]
    """Makes n requests on the names (as attributes)."""
    chunk: int
    """Requests in one measurement; sides take turns after each."""
    alone: Setup | None = None
    """The same setup without computing threads, which shows what these add to a request."""
    added: tuple[float, float] | None = None
    """Seconds that they may add on oxisock at the median and at the 90th percentile."""
    p90: float | None = None
    """Seconds that the 90th percentile on oxisock may be."""
    share: float | None = None
    """What the computing threads must get done, as a share of what they get done beside the
    standard library; only for requests that come at the same rate on every side."""
    processor: float | None = None
    """The processor time of a request that is allowed, as a factor on the standard library's."""


NO_WORSE = 0.97
"""The ratio that every row has to reach: 1.0, less what repeated measurements differ by."""


@dataclass(frozen=True)
class Row:
    """One line of the benchmark."""

    name: str
    group: str
    setup: Setup
    op: str | Run | Probe
    """A statement over the setup's names, or a function when a statement does not do."""
    baseline: str | Callable[[Any, int], float] | None = None
    """The operation's system calls (see `syscalls`), or a function, or None where none are made."""
    target: float | None = None
    """The ratio to reach: the standard library's time by ours. None means no worse."""
    concurrent: bool = False
    """Other threads or processes take part, so the scheduler does too: the median counts."""
    busy: bool = False
    """Measured beside a CPU-bound Python thread of this process."""
    busy_server: bool = False
    """The process on the other side has the CPU-bound thread."""
    fresh: bool = False
    """Measured in a new interpreter, because what the process did before changes the result."""
    above_baseline: bool = False
    """The ratio is that of the times above the baseline instead of the whole times."""
    payload: int = 0
    """Bytes that one operation moves, for rows that are shown as a throughput."""
    slice: float = 0.002
    """Seconds that one measurement of one side should take."""
    rounds: float = 1.0
    """Share of the benchmark's rounds that this row gets; slow or steady rows take fewer."""
    setups: int = 1
    """How often the sockets are made anew, for rows where it counts what became of the first ones:
    the kernel fits a TCP connection's buffers to its first megabytes, for good."""
    least: int = 1
    """Operations are done in multiples of this."""
    rivals: bool = False
    """Measured on the standard library with shorter switch intervals, too."""
    variant: bool = False
    """An operation that other rows have, under other conditions: not in the geometric mean, and
    left out by `--quick` unless it is named."""
    note: str = ""
    """What the name does not say, for the list of rows."""

    @property
    def goal(self) -> float:
        """The ratio that decides whether the row passes."""
        return NO_WORSE if self.target is None else self.target

    @property
    def convoy(self) -> bool:
        """Whether the row shows the convoy, which the geometric mean leaves out."""
        return self.busy or self.busy_server

    @property
    def counted(self) -> bool:
        """Whether the row is in the geometric mean."""
        aside = self.convoy or self.above_baseline or self.variant
        return not aside and not isinstance(self.op, Probe)

    @property
    def text(self) -> str:
        """The operation as a human reads it."""
        return self.op if isinstance(self.op, str) else self.note


@dataclass
class Group:
    """Rows that are shown together."""

    name: str
    title: str
    rows: list[Row] = field(default_factory=list)

    def row(
        self, name: str, setup: Setup, op: str | Run | Probe, baseline: Any = None, **more: Any
    ) -> None:
        """Add a row; `more` are the fields of `Row`."""
        self.rows.append(Row(name, self.name, setup, op, baseline, **more))


def loop_of(op: str | Run, names: Names) -> Loop:
    """Make the timed loop of an operation.

    A statement is compiled into a loop whose names are closure variables, as in `timeit`: a look-up
    costs next to nothing, and the same on both sides.
    """
    if callable(op):
        space = SimpleNamespace(**names)
        return lambda n: op(space, n)
    source = (
        f"def make(_clock, _repeat, {', '.join(names)}):\n"
        "    def loop(_n):\n"
        "        _turns = _repeat(None, _n)\n"
        "        _start = _clock()\n"
        "        for _ in _turns:\n"
        f"{textwrap.indent(textwrap.dedent(op), ' ' * 12)}\n"
        "        return _clock() - _start\n"
        "    return loop\n"
    )
    scope: dict[str, Any] = {}
    exec(compile(source, f"<operation {op!r}>", "exec"), scope)
    loop: Loop = scope["make"](time.perf_counter, repeat, *names.values())
    return loop


def timed(op: Callable[[Any], object]) -> Run:
    """Make a `Run` of a function that does the operation once."""

    def run(names: Any, n: int) -> float:
        start = time.perf_counter()
        for _ in repeat(None, n):
            op(names)
        return time.perf_counter() - start

    return run


def every_row(groups: list[Group]) -> Iterator[Row]:
    """Iterate over the rows of all groups, in the order they are shown."""
    for group in groups:
        yield from group.rows
