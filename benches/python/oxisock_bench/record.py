"""The benchmark's results as JSON, written and read."""

from __future__ import annotations

import os
import platform
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


def _version() -> str:
    try:
        return metadata.version("oxisock")
    except metadata.PackageNotFoundError:
        return "unknown"


def document(results: list[Result], config: Config) -> dict[str, Any]:
    """Make the JSON document of a run: times in seconds per operation, ratio above 1 is faster."""
    return {
        "version": VERSION,
        "machine": machine(),
        "rounds": config.rounds,
        "geometric_mean": geometric_mean(results),
        "geometric_mean_target": MEAN_TARGET,
        "rows": [
            {
                "name": result.row.name,
                "group": result.row.group,
                "operation": result.row.text,
                "times": result.times,
                "ratio": result.ratio,
                "target": result.row.goal,
                "reached": result.reached,
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
        Result(known[entry["name"]], entry["times"], entry["error"])
        for entry in data["rows"]
        if entry["name"] in known
    ]
