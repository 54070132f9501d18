"""Python's allocations fail, and its references are counted."""

import contextvars
import importlib.util
import json
import subprocess
import sys
from collections import Counter

import pytest

import oxisock as socket
from oxisock._socket import deadline_left
from tests.faults.expressions import REFUSALS, RESULTS
from tests.faults.memory import SUITED, outcome_of
from tests.faults.references import search
from tests.helpers.process import output, run_python

OTHERS = {
    # A socket that took the number over, and was then not made, has closed it.
    "adopt": {"OSError"},
    # `io` says so where it has no memory for its lock.
    "read_lines": {"RuntimeError"},
    "write_lines": {"RuntimeError"},
    # The interpreter has no memory for a traceback.
    "receive_nothing": {"SystemError"},
    "receive_until_a_deadline": {"SystemError"},
    "accept_nothing": {"SystemError"},
    "tls_receive_nothing": {"SystemError"},
}


@pytest.mark.skipif(
    importlib.util.find_spec("_testcapi") is None, reason="the interpreter's tests are not here"
)
@pytest.mark.skipif(
    sys.version_info[:2] != (3, 13),
    reason="others allocate elsewhere: python -m tests.faults.memory",
)
def test_an_allocation_fails() -> None:
    """A call is done all the same or raises MemoryError; nothing leaks, all goes on."""
    command = [sys.executable, "-m", "tests.faults.memory"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    lines = [json.loads(line) for line in output(done).splitlines()]
    reports = [line for line in lines if "unusable" in line]
    assert [report["scenario"] for report in reports] == SUITED
    for report in reports:
        allowed = {"done", "MemoryError", *OTHERS.get(report["scenario"], ())}
        assert report["outcomes"].keys() <= allowed, report
        assert (report["unusable"], report["leaks"]) == ([], []), report
    reports = [line for line in lines if "expression" in line]
    if getattr(sys, "_is_gil_enabled", lambda: True)():
        assert [report["expression"] for report in reports] == RESULTS + REFUSALS
    for report in reports:
        # The interpreter has SystemError where there is no memory for a traceback.
        allowed = {report["usual"], "MemoryError", "SystemError"}
        assert report["outcomes"].keys() <= allowed, report
        assert report["leaks"] == 0, report
        assert (report["usual"] == "done") == (report["expression"] in RESULTS), report


@pytest.mark.skipif(
    importlib.util.find_spec("_testcapi") is None, reason="the interpreter's tests are not here"
)
def test_a_deadline_is_left_without_memory() -> None:
    """The one around it counts again, and then none; one that cannot be entered never counts."""
    outcomes = Counter[str]()

    def nest() -> None:
        other.set(1)  # so that the context without a deadline is not the empty one, which is there
        for number in range(20):
            outer, inner = socket.deadline(50), socket.deadline(5)
            outer.__enter__()
            inner.__enter__()
            copy = contextvars.copy_context()
            outcomes[outcome_of(inner.__exit__, number, number + 1)] += 1
            assert 40 < (deadline_left() or 0) <= 50
            assert 0 < (copy.run(deadline_left) or 0) <= 50
            entered = outcome_of(inner.__enter__, number, number + 1) == "done"
            assert ((deadline_left() or 0) < 40) == entered
            if entered:
                inner.__exit__()
            outcomes[outcome_of(outer.__exit__, number, number + 1)] += 1
            assert deadline_left() is None

    other = contextvars.ContextVar[int]("other")
    contextvars.copy_context().run(nest)
    assert outcomes == {"done": 40}


LATE = """
import json, sys
from collections import Counter
from oxisock import _socket
from tests.faults.memory import outcome_of
outcomes, number = Counter(), 0
while "done" not in outcomes:
    outcomes[outcome_of(lambda: getattr(_socket, sys.argv[1]), number, number + 1)] += 1
    number += 1
print(json.dumps(outcomes))
"""


@pytest.mark.skipif(
    importlib.util.find_spec("_testcapi") is None, reason="the interpreter's tests are not here"
)
# Where a class has more than five attributes, CPython 3.13.0 crashes as its dictionary cannot grow.
@pytest.mark.parametrize("name", ["FileState", "LockSampler", "TextMethods", "deadline"])
def test_a_class_is_made_late_without_memory(name: str) -> None:
    """It is asked for until there is memory for it."""
    outcomes = json.loads(run_python(LATE, name).stdout)
    assert outcomes.pop("done") == 1
    assert outcomes.pop("MemoryError") > 2
    # CPython fails once without an exception. PyO3, built with assertions, panics about that.
    assert sum(outcomes.values()) <= 1
    assert outcomes.keys() <= {"SystemError", "PanicException"}


@pytest.mark.skipif(not hasattr(sys, "gettotalrefcount"), reason="only debug builds count them")
@pytest.mark.filterwarnings("ignore")
def test_no_references_stay_behind() -> None:
    """A share of `python -m tests.faults.references 10`."""
    *leaks, last = search(1, 0)
    assert leaks == []
    assert last["tried"] > 100
