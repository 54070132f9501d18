"""A plugin for pytest: notes what each test comes to, and runs those alone that are named."""

import json
import os
from pathlib import Path

import pytest

NAMES = json.loads(Path(os.environ["SUITES_NAMES"]).read_text())
RESULTS = Path(os.environ["SUITES_OUTCOMES"])


def note(test: str, outcome: str) -> None:
    with RESULTS.open("a") as file:
        file.write(json.dumps([test, outcome]) + "\n")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if NAMES is None:
        return
    others = [item for item in items if item.nodeid not in NAMES]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item.nodeid in NAMES]


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.outcome != "passed":
        note(report.nodeid, f"collection {report.outcome}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if hasattr(report, "wasxfail"):
        if report.outcome != "passed" or report.when == "call":
            note(report.nodeid, "xpassed" if report.outcome == "passed" else "xfailed")
    elif report.outcome == "failed" and report.when != "call":
        note(report.nodeid, f"{report.when} failed")
    elif report.when == "call" or report.outcome != "passed":
        note(report.nodeid, report.outcome)
