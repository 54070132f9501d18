"""Timing of rows whose every request is timed: the distribution of waits, and what it costs.

Requests come in chunks, and the sides take turns after each, so that all of them see the machine in
the same states. The distribution is that of all requests of a side together.
"""

from __future__ import annotations

import statistics
import time
from contextlib import ExitStack
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from .computing import switch_interval
from .row import Observation, Probe, Row

if TYPE_CHECKING:
    from .measure import Config, Result

ALONE = "alone"
"""The side that is oxisock without computing threads."""

REQUESTS = 1000
"""Requests for each side, if the row's time allows."""

RIVALS = {"stdlib-0.5ms": 5e-4, "stdlib-0.1ms": 1e-4}
"""The standard library with a shorter switch interval in seconds: what one line of Python gives."""

Details = dict[str, dict[str, float]]
"""For each side: `median`, `p90` and `p99` of a request in seconds, `requests` per second, and
where they can be told `processor`, seconds of processor time for each, and `work`, turns of the
computing threads per second."""


def observe(row: Row, probe: Probe, modules: dict[str, Any], config: Config) -> Details:
    """Measure one row."""
    totals: dict[str, Observation] = {}
    with ExitStack() as stack:
        setups = dict.fromkeys(["stdlib", *RIVALS, "oxisock"], row.setup)
        if probe.alone is not None:
            setups[ALONE] = probe.alone
        names = {}
        for side, setup in setups.items():
            module = modules["stdlib" if side in RIVALS else "oxisock" if side == ALONE else side]
            # A server of the setup takes over the interval, too.
            with switch_interval(RIVALS.get(side)):
                names[side] = SimpleNamespace(**setup(module, stack))
        order = list(names)
        # The first requests find caches and connections cold.
        for side in order:
            _run(probe, side, names[side], 2)
        requests = max(2 * probe.chunk, round(REQUESTS * config.scale))
        end = time.monotonic() + config.budget
        for turn in range(-(-requests // probe.chunk)):
            for side in order:
                seen = _run(probe, side, names[side], probe.chunk)
                totals[side] = add(totals[side], seen) if side in totals else seen
            order.reverse()
            if turn > 0 and time.monotonic() > end:
                break
    return {side: summary(totals[side]) for side in setups}


def _run(probe: Probe, side: str, names: Any, requests: int) -> Observation:
    with switch_interval(RIVALS.get(side)):
        return probe.run(names, requests)


def add(one: Observation, other: Observation) -> Observation:
    """Put two observations of the same side together."""
    return replace(
        one,
        latencies=one.latencies + other.latencies,
        elapsed=one.elapsed + other.elapsed,
        processor=_sum(one.processor, other.processor),
        work=_sum(one.work, other.work),
    )


def _sum(one: Any, other: Any) -> Any:
    return None if one is None or other is None else one + other


def summary(seen: Observation) -> dict[str, float]:
    """Reduce an observation to its figures."""
    count = len(seen.latencies)
    cuts = statistics.quantiles(seen.latencies, n=100, method="inclusive")
    figures = {
        "median": statistics.median(seen.latencies),
        "p90": cuts[89],
        "p99": cuts[98],
        "requests": count / seen.elapsed,
    }
    if seen.processor is not None:
        figures["processor"] = seen.processor / count
    if seen.work is not None:
        figures["work"] = seen.work / seen.elapsed
    return figures


def unmet(result: Result) -> list[str]:
    """Say which goals of its probe a result misses, for `--check`."""
    probe, details = result.row.op, result.details
    assert isinstance(probe, Probe)
    found = []
    ours, theirs = details["oxisock"], details["stdlib"]
    if probe.added is not None and ALONE in details:
        for figure, limit in zip(("median", "p90"), probe.added, strict=True):
            added = ours[figure] - details[ALONE][figure]
            if added > limit:
                found.append(f"adds {added * 1e3:.2f} ms at the {figure}, {limit * 1e3:g} allowed")
            # In each such row, one line of Python must not do better.
            if ours[figure] > details["stdlib-0.1ms"][figure]:
                found.append(f"slower at the {figure} than a switch interval of 0.1 ms")
    if probe.p90 is not None and ours["p90"] > probe.p90:
        found.append(f"{ours['p90'] * 1e3:.2f} ms at the p90, {probe.p90 * 1e3:g} allowed")
    if probe.share is not None and ours["work"] < probe.share * theirs["work"]:
        found.append(f"computing threads get {ours['work'] / theirs['work']:.2f} of their share")
    if probe.processor is not None and ours["processor"] > probe.processor * theirs["processor"]:
        factor = ours["processor"] / theirs["processor"]
        found.append(f"{factor:.2f} times the processor time, {probe.processor:g} allowed")
    return found
