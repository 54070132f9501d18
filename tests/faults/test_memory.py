"""Python's allocations fail, and its references are counted."""

import importlib.util
import json
import subprocess
import sys

import pytest

from tests.faults.references import search
from tests.faults.scenarios import SCENARIOS
from tests.helpers.process import output

# Not here: descriptors that came are the program's only when it has got their list, as in the
# standard library.
UNSUITED = {"receive_descriptors"}
# A socket that took the number over, and was then not made, has closed it: so the operation says.
CLOSED = {"adopt": {"OSError"}}
# `io` says so where it has no memory for its lock.
OF_IO = {"read_lines": {"RuntimeError"}, "write_lines": {"RuntimeError"}}


@pytest.mark.parametrize("name", sorted(SCENARIOS.keys() - UNSUITED))
@pytest.mark.skipif(
    importlib.util.find_spec("_testcapi") is None, reason="the interpreter's tests are not here"
)
@pytest.mark.skipif(
    sys.version_info[:2] != (3, 13),
    reason="others allocate elsewhere: python -m tests.faults.memory",
)
def test_an_allocation_fails(name: str) -> None:
    """The operation is done all the same or raises MemoryError; nothing leaks, all goes on."""
    command = [sys.executable, "-m", "tests.faults.memory", name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    report = json.loads(output(done).splitlines()[-1])
    allowed = {"done", "MemoryError"} | CLOSED.get(name, set()) | OF_IO.get(name, set())
    assert report["outcomes"].keys() <= allowed, report
    assert (report["unusable"], report["leaks"]) == ([], [])


@pytest.mark.skipif(not hasattr(sys, "gettotalrefcount"), reason="only debug builds count them")
@pytest.mark.filterwarnings("ignore")
def test_no_references_stay_behind() -> None:
    """A share of `python -m tests.faults.references 30`."""
    *leaks, last = search(1, 0)
    assert leaks == []
    assert last["tried"] > 100
