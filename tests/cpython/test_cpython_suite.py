"""CPython's own socket tests, on oxisock, compared with the standard library."""

import os
from typing import Any

import pytest

from tests.cpython import runner

pytestmark = pytest.mark.timeout(runner.DEADLINE + 60)


@pytest.fixture(scope="module")
def comparison() -> Any:
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
