"""Compares what tests come to plain and on oxisock."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tests.helpers.process import ON_OXISOCK

Outcomes = dict[str, str]
"""What each test came to, by its name."""

Run = Callable[[Sequence[str], Sequence[str] | None], Outcomes]
"""Runs tests with these arguments for the interpreter: all of them, or those of these names."""

MISSING = "missing"


class Difference(NamedTuple):
    """A test, and all that it came to on each side."""

    test: str
    plain: frozenset[str]
    ours: frozenset[str]

    @property
    def steady(self) -> bool:
        """Whether no run of one side came out as one of the other."""
        return not self.plain & self.ours

    def __str__(self) -> str:
        plain, ours = ("/".join(sorted(each)) for each in (self.plain, self.ours))
        return f"{self.test}: {plain}, on oxisock {ours}"


def compared(run: Run, attempts: int) -> tuple[Counter[str], list[Difference]]:
    """Run tests on both sides, and again what differs.

    Returns:
        How many tests came to what without oxisock, and what differed at first.
    """
    sides: tuple[Sequence[str], ...] = (), ON_OXISOCK
    first = [run(side, None) for side in sides]
    tests = sorted({test for outcomes in first for test in outcomes})
    seen = {test: [{outcomes.get(test, MISSING)} for outcomes in first] for test in tests}
    doubtful = {test: all_ for test, all_ in seen.items() if all_[0] != all_[1]}
    for _ in range(attempts - 1):
        again = [test for test, (plain, ours) in doubtful.items() if not plain & ours]
        if not again:
            break
        for number, side in enumerate(sides):
            outcomes = run(side, again)
            for test in again:
                doubtful[test][number].add(outcomes.get(test, MISSING))
    return Counter(first[0].values()), [
        Difference(test, frozenset(plain), frozenset(ours))
        for test, (plain, ours) in doubtful.items()
    ]
