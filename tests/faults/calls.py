"""Every operation, calls with what they give or how they are refused, and calls at random.

    PYTHONMALLOC=malloc valgrind python -m tests.faults.calls

makes each of them, for tools that watch what a program does with memory; `nox -s valgrind` does it
on the installed wheel. Nothing is checked but that it ends: what is looked for is what the tool
says. `references.py` counts what each leaves behind.
"""

import contextlib
import os
import random
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import oxisock
from tests.differential.calls import FUNCTIONS, METHODS, OWN_FUNCTIONS, OWN_METHODS, SUBJECTS
from tests.differential.trial import make_place, play
from tests.differential.values import POOLS
from tests.faults.expressions import REFUSALS, RESULTS, Expressions
from tests.faults.scenarios import SCENARIOS, Scenario

Call = Callable[[], Any]


def operation(name: str) -> None:
    """Run a scenario."""
    made: list[Any] = []
    with Scenario(name) as scenario:
        scenario.operation(scenario.state, made.append)
        for thing in made:
            thing.close()


def expression(scene: Expressions, text: str) -> Call:
    """A call of `expressions.py`."""
    call = scene.call(text)

    def make() -> None:
        with contextlib.suppress(Exception):
            call()
        scene.clear()

    return make


def at_random(count: int, seed: int) -> Iterator[tuple[str, str]]:
    """So many calls of each function and method with arguments at random."""
    chance = random.Random(seed)
    tables = [(METHODS, "S."), (OWN_METHODS, "S."), (FUNCTIONS, "m."), (OWN_FUNCTIONS, "m.")]
    for table, prefix in tables:
        for name, pools in table.items():
            for _ in range(count):
                given = []
                for pool in pools:
                    keyword, _, pool = pool.rpartition("=")
                    value = chance.choice(POOLS[pool])
                    given.append(f"{keyword}={value}" if keyword else value)
                yield chance.choice(SUBJECTS), f"{prefix}{name}({', '.join(given)})"


def everything(count: int, seed: int) -> Iterator[tuple[dict[str, str], Call]]:
    """All of them, with so many of each function and method at random; what each is called."""
    for name in SCENARIOS:
        yield {"scenario": name}, lambda: operation(name)  # noqa: B023
    with Expressions() as scene:
        for text in RESULTS + REFUSALS:
            yield {"expression": text}, expression(scene, text)
    with tempfile.TemporaryDirectory(prefix="d") as folder:
        place = make_place(Path(folder)) / "o"
        for subject, text in at_random(count, seed):
            if "fork" not in text:
                call = {"subject": subject, "call": text}
                yield call, lambda: play(oxisock, place, subject, text)  # noqa: B023
        os.chdir("/")


def main() -> None:
    """Make each of them."""
    warnings.simplefilter("ignore")
    sys.unraisablehook = lambda _: None
    count, seed = (int(argument) for argument in [*sys.argv[1:], "1", "0"][:2])
    made = 0
    for what, call in everything(count, seed):
        # The last one that stands there is the one that the tool speaks of.
        print(*what.values(), flush=True)
        call()
        made += 1
    print(made, "calls")


if __name__ == "__main__":
    main()
