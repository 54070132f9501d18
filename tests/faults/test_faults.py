"""Each system call of each operation fails once, with each errno of its man page."""

import errno
import json
import os
import subprocess
import sys

import pytest

from tests.faults.scenarios import SCENARIOS
from tests.helpers.process import needs_strace, output

# What the C library makes of a file that it cannot open, or an interface that it cannot find.
OTHERS = {"openat": "gaierror", "ioctl": "OSError"}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_system_call_fails(name: str) -> None:
    """The operation is done all the same or raises that error; nothing leaks, all goes on."""
    needs_strace()
    command = [sys.executable, "-m", "tests.faults.inject", name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    reports = [json.loads(line) for line in output(done).splitlines()]
    assert reports
    for report in reports:
        number = getattr(errno, report["error"])
        expected = {"done", errno.errorcode[number], OTHERS.get(report["call"])}
        if number == errno.ETIMEDOUT:
            expected.add(TimeoutError.__name__)
        assert report["outcome"] in expected, report
        assert (report["leaked"], report["status"]) == (0, os.EX_OK), report
