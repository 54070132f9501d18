"""Timing: both modules and the floor side by side, in the same rounds, the minimum of each.

The machine's speed drifts, so each round measures every side, in turning order, and what counts is
the fastest round of each: everything that disturbs a measurement makes it slower, never faster.
"""

from __future__ import annotations

import gc
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from . import floors
from .row import Loop, Row, loop_of

SIDES = ("stdlib", "oxisock")


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

    @property
    def ratio(self) -> float | None:
        """How many times faster than the standard library (above 1: oxisock is faster)."""
        if self.error or any(side not in self.times for side in SIDES):
            return None
        theirs, ours = (self.times[side] for side in SIDES)
        if self.row.above_floor:
            floor = self.times["floor"]
            # At the floor or below it by chance: no more can be told apart than a nanosecond.
            theirs, ours = theirs - floor, max(ours - floor, 1e-9)
        return theirs / ours

    @property
    def reached(self) -> bool:
        """Whether the row's target is reached."""
        return self.ratio is not None and self.ratio >= self.row.goal


def _spin(running: threading.Event, stop: list[bool]) -> None:
    running.set()
    count = 0
    while not stop:
        count += 1


@contextmanager
def cpu_bound_thread() -> Iterator[None]:
    """Run a Python thread that computes and never waits, for as long as the block lasts."""
    running, stop = threading.Event(), []  # type: tuple[threading.Event, list[bool]]
    thread = threading.Thread(target=_spin, args=(running, stop), daemon=True)
    thread.start()
    running.wait()
    try:
        yield
    finally:
        stop.append(True)
        thread.join()


def _beside_cpu_bound_thread(loop: Loop) -> Loop:
    def measured(n: int) -> float:
        with cpu_bound_thread():
            return loop(n)

    return measured


def _calibrate(loop: Loop, least: int, seconds: float) -> int:
    """Find how many operations take about that long."""
    n = least
    while True:
        elapsed = loop(n)
        if elapsed >= seconds / 3:
            return max(least, round(n * seconds / elapsed))
        n *= 2 if elapsed > seconds / 16 else 8


def _loops(row: Row, modules: dict[str, Any], stack: ExitStack) -> dict[str, Loop]:
    loops = {side: loop_of(row.op, row.setup(modules[side], stack)) for side in SIDES}
    if row.floor is not None:
        loops["floor"] = floors.loop_of(row.floor, row.setup(modules["stdlib"], stack))
    if row.busy:
        loops = {side: _beside_cpu_bound_thread(loop) for side, loop in loops.items()}
    return loops


def measure(row: Row, modules: dict[str, Any], config: Config) -> Result:
    """Measure one row. What goes wrong in it becomes the result's error."""
    times: dict[str, float] = {}
    try:
        with ExitStack() as stack, _quiet_collector():
            loops = _loops(row, modules, stack)
            counts = {
                side: _calibrate(loop, row.least, row.slice * config.scale)
                for side, loop in loops.items()
            }
            order = list(loops)
            times = dict.fromkeys(order, math.inf)
            end = time.monotonic() + config.budget
            for turn in range(max(2, round(config.rounds * row.rounds))):
                for side in order:
                    times[side] = min(times[side], loops[side](counts[side]) / counts[side])
                order.reverse()
                if turn > 0 and time.monotonic() > end:
                    break
    except Exception as error:
        return Result(row, {}, f"{type(error).__name__}: {error}")
    return Result(row, times)


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


def measure_all(
    rows: list[Row],
    modules: dict[str, Any],
    config: Config,
    progress: Callable[[Row], object] = lambda row: None,
) -> list[Result]:
    """Measure rows one after the other; `progress` hears of each before it starts."""
    results = []
    for row in rows:
        progress(row)
        results.append(measure(row, modules, config))
    return results


def geometric_mean(results: list[Result]) -> float | None:
    """Geometric mean of the ratios of whole times, without the convoy rows."""
    ratios = [
        result.ratio
        for result in results
        if result.ratio and not (result.row.busy or result.row.convoy or result.row.above_floor)
    ]
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else None
