"""Timing: both modules and the baseline side by side, in the same rounds.

The machine's speed drifts, so each round measures every side, in turning order. What counts is the
fastest round of each, as everything that disturbs a measurement makes it slower; but where other
threads or processes take part, a round can also be lucky with the scheduler, and the median counts.
"""

from __future__ import annotations

import gc
import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from . import syscalls
from .computing import cpu_bound_thread, switch_interval
from .observe import RIVALS, Details, observe, unmet
from .row import Loop, Probe, Row, loop_of

SIDES = ("stdlib", "oxisock")


SETTLE = 0.03
"""Seconds of sleep before a measurement beside a CPU-bound thread, so that all begin alike."""


@dataclass(frozen=True)
class Config:
    """How much to measure."""

    rounds: int = 40
    scale: float = 1.0
    """Factor on the length of every measurement."""
    budget: float = 8.0
    """Seconds after which a row gets no further rounds (it always gets two)."""


@dataclass
class Result:
    """What one row came to; times are seconds per operation."""

    row: Row
    times: dict[str, float]
    error: str | None = None
    details: Details = field(default_factory=dict)
    """For a row whose every request is timed: what `observe` found; `times` are the medians."""

    @property
    def ratio(self) -> float | None:
        """How many times faster than the standard library (above 1: oxisock is faster)."""
        if self.error or any(side not in self.times for side in SIDES):
            return None
        theirs, ours = (self.times[side] for side in SIDES)
        if self.row.above_baseline:
            baseline = self.times["baseline"]
            # At the baseline or below it by chance: no more can be told apart than a nanosecond.
            theirs, ours = theirs - baseline, max(ours - baseline, 1e-9)
        return theirs / ours

    @property
    def missed(self) -> list[str]:
        """What is wrong with the row, for `--check`: empty when all of its targets are reached."""
        if self.error:
            return [self.error]
        found = unmet(self) if self.details else []
        if self.ratio is None:
            found.append("no ratio")
        elif self.ratio < self.row.goal:
            found.append(f"{self.ratio:.3g} times as fast, {self.row.goal:g} wanted")
        return found

    @property
    def reached(self) -> bool:
        """Whether the row's targets are reached."""
        return not self.missed


def _calibrate(loop: Loop, least: int, seconds: float) -> int:
    """Find how many operations take about that long."""
    n = least
    # The first time, names are fetched and caches filled.
    loop(n)
    while True:
        elapsed = loop(n)
        if elapsed >= seconds / 3:
            return max(least, round(n * seconds / elapsed))
        n *= 2 if elapsed > seconds / 16 else 8


def _lasting(loop: Loop, least: int, seconds: float) -> float:
    """Repeat operations for that long and return the time of one.

    For rows with a CPU-bound thread, where an operation takes microseconds or milliseconds, so that
    no number of operations calibrated at one time would do at another. So the number doubles, and
    the beginnings weigh little.
    """
    elapsed, done, n = 0.0, 0, least
    while elapsed < seconds:
        elapsed += loop(n)
        done += n
        n *= 2
    return elapsed / done


def _samplers(row: Row, loops: dict[str, Loop], config: Config) -> dict[str, Callable[[], float]]:
    """Make for each side the function that measures it once: seconds per operation."""
    seconds = row.slice * config.scale
    samplers: dict[str, Callable[[], float]] = {}
    for side, loop in loops.items():
        if row.convoy:
            lasting = partial(_lasting, loop, row.least, row.slice)
            samplers[side] = partial(_at_interval, RIVALS.get(side), lasting)
        else:
            n = _calibrate(loop, row.least, seconds)
            samplers[side] = partial(lambda loop, n: loop(n) / n, loop, n)
    return samplers


def _at_interval(interval: float | None, sampler: Callable[[], float]) -> float:
    with switch_interval(interval):
        return sampler()


def measure(row: Row, modules: dict[str, Any], config: Config) -> Result:
    """Measure one row. What goes wrong in it becomes the result's error."""
    try:
        with _quiet_collector():
            if isinstance(row.op, Probe):
                details = observe(row, row.op, modules, config)
                times = {side: figures["median"] for side, figures in details.items()}
                return Result(row, times, details=details)
            samples: dict[str, list[float]] = {}
            end = time.monotonic() + config.budget
            rounds = max(2, round(config.rounds * row.rounds))
            for share in _shares(rounds, row.setups):
                with ExitStack() as stack:
                    loops = _loops(row, modules, stack)
                    if row.busy:
                        stack.enter_context(cpu_bound_thread())
                    _rounds(row, _samplers(row, loops, config), share, samples, end)
            statistic: Callable[[list[float]], float] = statistics.median if row.concurrent else min
            return Result(row, {side: statistic(values) for side, values in samples.items()})
    except Exception as error:
        return Result(row, {}, f"{type(error).__name__}: {error}")


def _shares(rounds: int, setups: int) -> list[int]:
    """Divide rounds among setups, two for each at least."""
    setups = min(setups, rounds // 2)
    return [rounds // setups + (index < rounds % setups) for index in range(setups)]


def _loops(row: Row, modules: dict[str, Any], stack: ExitStack) -> dict[str, Loop]:
    """Set every side up."""
    assert not isinstance(row.op, Probe)
    loops = {}
    for side in ("stdlib", *(RIVALS if row.rivals else ()), "oxisock"):
        # A server of the setup takes over the interval, too.
        with switch_interval(RIVALS.get(side)):
            names = row.setup(modules["stdlib" if side in RIVALS else side], stack)
        loops[side] = loop_of(row.op, names)
    if row.baseline is not None:
        names = row.setup(modules["stdlib"], stack)
        loops["baseline"] = syscalls.loop_of(row.baseline, names)
    return loops


def _rounds(
    row: Row,
    samplers: dict[str, Callable[[], float]],
    rounds: int,
    samples: dict[str, list[float]],
    end: float,
) -> None:
    """Measure one setup's rounds into `samples`, until the row's time is over."""
    order = list(samplers)
    for turn in range(rounds):
        for side in order:
            if row.busy:
                time.sleep(SETTLE)
            samples.setdefault(side, []).append(samplers[side]())
        order.reverse()
        if turn > 0 and time.monotonic() > end:
            break


@contextmanager
def _quiet_collector() -> Iterator[None]:
    """Collect garbage now rather than during a measurement."""
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def measure_fresh(row: Row, config: Config) -> Result:
    """Measure one row in a new interpreter."""
    command = [sys.executable, "-m", "oxisock_bench.alone", row.name, json.dumps(asdict(config))]
    process = subprocess.run(command, capture_output=True, text=True)
    if process.returncode:
        last = process.stderr.strip().rpartition("\n")[2]
        return Result(row, {}, f"its interpreter failed: {last}")
    return Result(row, **json.loads(process.stdout))


def measure_each(
    rows: list[Row],
    modules: dict[str, Any],
    config: Config,
    progress: Callable[[Row], object] = lambda row: None,
) -> Iterator[Result]:
    """Measure rows one after the other; `progress` hears of each before it starts."""
    for row in rows:
        progress(row)
        yield measure_fresh(row, config) if row.fresh else measure(row, modules, config)


def geometric_mean(results: list[Result]) -> float | None:
    """Geometric mean of the ratios of whole times: each operation once, nothing beside it."""
    ratios = [result.ratio for result in results if result.ratio and result.row.counted]
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else None
