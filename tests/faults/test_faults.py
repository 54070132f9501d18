"""Each system call of each operation fails once, with each errno of its man page."""

import errno
import json
import os
import re
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.inject import ERRORS, LEFT_ALONE, listed
from tests.faults.scenarios import SCENARIOS
from tests.helpers.process import needs_strace, output

SHARE = "1" if os.environ.get("OXISOCK_EXAMPLES") else "3"
"""In every run a third of the errors, others of each scenario."""
SOURCES = Path(__file__).parents[2] / "src/sys/src"
# What the C library makes of a file that it cannot open or read, or an interface that is none.
OTHERS = {
    "openat": {"gaierror", "OSError"}, "newfstatat": {"gaierror", "OSError"}, "ioctl": {"OSError"},
    "read": {"gaierror", "OSError"},
}  # fmt: skip


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_system_call_fails(name: str) -> None:
    """The operation is done all the same or raises that error; nothing leaks, all goes on."""
    needs_strace()
    command = [sys.executable, "-m", "tests.faults.inject", "--share", SHARE, name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    reports = [json.loads(line) for line in output(done).splitlines()]
    assert reports
    for report in reports:
        number = getattr(errno, report["error"])
        others = OTHERS.get(listed(report["call"]), set())
        expected = {"done", errno.errorcode[number], *others}
        if name.startswith("tls"):
            # On CPython 3.11 any is the end of the connection, by a number of the module `ssl`.
            expected.add(errno.errorcode[ssl.SSL_ERROR_EOF])
        if number == errno.ETIMEDOUT:
            expected.add(TimeoutError.__name__)
        assert report["outcome"] in expected, report
        assert (report["leaked"], report["status"]) == (0, os.EX_OK), report


def test_no_system_call_is_forgotten() -> None:
    """Whatever the crate below Python calls is tried, or has a reason why not."""
    needs_strace()
    others = {"apple.rs", "bsd.rs", "freebsd.rs", "kernel_control.rs"}
    files = [
        file
        for file in SOURCES.rglob("*.rs")
        if file.name not in others and "windows" not in file.relative_to(SOURCES).parts
    ]
    text = "\n".join(file.read_text() for file in files)
    named = set(re.findall(r"syscall!\(\s*(\w+)\(", text))
    assert "recvmmsg" in named
    named = {listed(name) for name in named}
    assert named - ERRORS.keys() - LEFT_ALONE == {"sethostname"}  # of the whole machine
    command = [sys.executable, "-m", "tests.faults.inject", "--seen"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert ERRORS.keys() <= {listed(call) for call in json.loads(output(done))}
