"""CPython's own socket tests, on oxisock, compared with the standard library."""

import fcntl
import os
import pickle
from typing import Any

import pytest

from tests.cpython import runner

pytestmark = pytest.mark.timeout(runner.DEADLINE + 60)


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Any:
    """What one run of the suite has found, for all processes of a parallel pytest."""
    if not hasattr(request.config, "workerinput"):
        return compare()
    # The directory that the processes' own ones are in, gone with the run.
    result = tmp_path_factory.getbasetemp().parent / "comparison"
    with result.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        if saved := file.read():
            return pickle.loads(saved)
        comparison = compare()
        pickle.dump(comparison, file)
    return comparison


def compare() -> runner.Comparison:
    try:
        return runner.run()
    except runner.SuiteMissingError as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))


def test_runs_on_oxisock(comparison: Any) -> None:
    """The tests used sockets of oxisock, and no module kept the standard library's."""
    assert not comparison.problems, "\n".join(comparison.problems)


def test_passes_what_the_standard_library_passes(comparison: Any) -> None:
    assert not comparison.differences, "\n" + comparison.report()


def test_expectations_are_still_true(comparison: Any) -> None:
    assert not comparison.stale, "\n".join(comparison.stale)
