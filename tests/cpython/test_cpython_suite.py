"""CPython's own socket tests, on oxisock, held against the standard library."""

import os

import pytest

from tests.cpython import runner

pytestmark = pytest.mark.timeout(runner.DEADLINE + 60)


@pytest.fixture(scope="module")
def comparison():
    try:
        return runner.run()
    except runner.SuiteMissingError as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))


def test_runs_on_oxisock(comparison):
    """The tests used sockets of oxisock, and no module kept the standard library's."""
    assert not comparison.problems, "\n".join(comparison.problems)


def test_passes_what_the_standard_library_passes(comparison):
    assert not comparison.differences, "\n" + comparison.report()


def test_expectations_are_still_true(comparison):
    assert not comparison.stale, "\n".join(comparison.stale)
