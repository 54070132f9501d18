"""No system call is made on a number that is somebody else's by then."""

import json
from pathlib import Path

import pytest

from tests.engine.owners import preloaded
from tests.helpers.process import needs, output


def test_no_call_on_a_number_that_was_used_again(tmp_path: Path) -> None:
    """A share of `python -m tests.engine.owners 100000`."""
    needs("cc")
    done = preloaded(["500"], tmp_path, capture_output=True, timeout=100)
    reports = [json.loads(line) for line in output(done).splitlines()]
    assert [report for report in reports if report["strangers"]] == []
    assert sum(report["checks"] for report in reports) > 1000
    assert sum(report["reused"] for report in reports) > 100


@pytest.mark.timeout(240)
def test_none_by_a_thread_that_gets_no_processor(tmp_path: Path) -> None:
    """Who takes the socket away waits until it has had one, longer than threads need to wake up."""
    needs("cc")
    done = preloaded(["8", "--starved"], tmp_path, capture_output=True, timeout=200)
    reports = [json.loads(line) for line in output(done).splitlines()]
    assert [report for report in reports if report["strangers"]] == []
    assert sum(report["reused"] for report in reports) == 8
