"""No system call is made on a number that is somebody else's by then."""

import json
from pathlib import Path

from tests.engine.owners import preloaded
from tests.helpers.process import needs, output


def test_no_call_on_a_number_that_was_used_again(tmp_path: Path) -> None:
    """A share of `python -m tests.engine.owners 100000`."""
    needs("cc")
    done = preloaded(500, tmp_path, capture_output=True, timeout=100)
    reports = [json.loads(line) for line in output(done).splitlines()]
    assert {report["strangers"] for report in reports} == {0}, reports
    assert sum(report["checks"] for report in reports) > 1000
    assert sum(report["reused"] for report in reports) > 100
