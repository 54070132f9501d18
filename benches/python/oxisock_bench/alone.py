"""Measures one row in a new interpreter: `python -m oxisock_bench.alone ROW CONFIG`."""

from __future__ import annotations

import importlib
import json
import sys

from .measure import SIDES, Config, measure
from .row import every_row
from .rows import GROUPS


def main() -> None:
    """Measure the row that is named and write its result to stdout."""
    _, name, config = sys.argv
    row = next(row for row in every_row(GROUPS) if row.name == name)
    modules = dict(zip(SIDES, map(importlib.import_module, ["socket", "oxisock"]), strict=True))
    result = measure(row, modules, Config(**json.loads(config)))
    json.dump({"times": result.times, "error": result.error}, sys.stdout)


if __name__ == "__main__":
    main()
