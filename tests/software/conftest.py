"""What was tried, with which versions, and what came of it, for `tools/software.py`."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.software.running import is_package, version
from tests.software.servers import version_of


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--results", type=Path, help="the file that gets the results, as JSON")


def pytest_configure(config: pytest.Config) -> None:
    line = "software(*names, limits=''): packages of PyPI and programs that the test tries"
    config.addinivalue_line("markers", line)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    result = yield
    mark = item.get_closest_marker("software")
    if mark is not None:
        report = result.get_result()
        # Goes from the process that ran the test to the one that writes the file.
        report.user_properties += [("software", [*mark.args]), ("limits", mark.kwargs["limits"])]
        report.user_properties.append(("how", item.function.__doc__))  # type: ignore[attr-defined]


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    path = config.getoption("--results")
    if path is None:
        return
    tried: dict[str, dict[str, Any]] = {}
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, ()):
            known = dict(report.user_properties)
            if "software" not in known or (report.when != "call" and outcome == "passed"):
                continue
            entry = tried.setdefault(report.nodeid.partition("[")[0], {**known, "outcomes": []})
            entry["outcomes"].append(outcome)
    names = sorted({name for entry in tried.values() for name in entry["software"]})
    found = {name: version(name) if is_package(name) else version_of(name) for name in names}
    path.write_text(json.dumps({"tried": tried, "versions": found}, indent=1))
