"""The benchmark's results as JSON, written and read."""

from __future__ import annotations

import os
import platform
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from .measure import Config, Result, geometric_mean
from .row import Row

VERSION = 2
"""The version of the JSON document's layout."""

MEAN_TARGET = 1.8
"""What the geometric mean of the benchmark has to reach."""


def machine() -> dict[str, Any]:
    """Describe where the figures come from."""
    model = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "oxisock": _version(),
        "load": round(os.getloadavg()[0], 2),
    }


def others(seconds: float = 0.25) -> float | None:
    """Measure what others take of this machine's processor time, from 0 to 1; None: not known."""

    def times() -> tuple[int, int]:
        # user, nice, system, idle, iowait, irq, softirq, steal: see proc_stat(5).
        fields = Path("/proc/stat").read_text().partition("\n")[0].split()[1:9]
        numbers = list(map(int, fields))
        return sum(numbers), numbers[3] + numbers[4]

    try:
        total, idle = times()
        time.sleep(seconds)
        total, idle = (after - before for after, before in zip(times(), (total, idle), strict=True))
    except (OSError, ValueError, IndexError):
        return None
    return 1 - idle / total if total else None


def _version() -> str:
    try:
        return metadata.version("oxisock")
    except metadata.PackageNotFoundError:
        return "unknown"


def document(
    results: list[Result], config: Config, machine: dict[str, Any], complete: bool = True
) -> dict[str, Any]:
    """Make the JSON document of a run: times in seconds per operation, ratio above 1 is faster.

    `machine` is described before the run, as its load afterwards is that of the benchmark.
    """
    return {
        "version": VERSION,
        "complete": complete,
        "machine": machine,
        "rounds": config.rounds,
        "geometric_mean": geometric_mean(results),
        "geometric_mean_target": MEAN_TARGET,
        "rows": [
            {
                "name": result.row.name,
                "group": result.row.group,
                "operation": result.row.text,
                "times": result.times,
                "details": result.details,
                "ratio": result.ratio,
                "target": result.row.goal,
                "reached": result.reached,
                "missed": result.missed,
                "payload": result.row.payload,
                "error": result.error,
            }
            for result in results
        ],
    }


def results_of(data: dict[str, Any], rows: list[Row]) -> list[Result]:
    """Take the results out of a document again, without rows that the benchmark no longer has."""
    if data.get("version") != VERSION:
        raise ValueError(f"not a result file of layout version {VERSION}")
    known = {row.name: row for row in rows}
    return [
        Result(known[entry["name"]], entry["times"], entry["error"], entry["details"])
        for entry in data["rows"]
        if entry["name"] in known
    ]
