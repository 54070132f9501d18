"""Counts references over every operation and over calls that are refused, on a debug build.

    python3.14-dbg -m tests.faults.references

prints a line of JSON for each that leaves references behind, and how many were tried.
"""

import gc
import json
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
from tests.faults.scenarios import SCENARIOS, Scenario

TIMES = 10
"""How often each is repeated: what is kept once, such as a cache's entry, is no leak."""
ROUNDS = 12
"""In how many rounds it has to grow."""


def references() -> int:
    """Count all references of the interpreter."""
    gc.collect()
    return sys.gettotalrefcount()


def grown(call: Callable[[], Any]) -> int:
    """By how many references the interpreter grows for each call, the least of many rounds."""
    for _ in range(3):
        call()
    least = sys.maxsize
    # Caches grow now and then, and the interpreter rewrites code that runs often.
    for _ in range(ROUNDS):
        before = references()
        for _ in range(TIMES):
            call()
        least = min(least, references() - before)
        if least < TIMES:
            return 0
    return least // TIMES


def operation(name: str) -> None:
    """Run a scenario."""
    made: list[Any] = []
    with Scenario(name) as scenario:
        scenario.operation(scenario.state, made.append)
        for thing in made:
            thing.close()


def calls(count: int, seed: int) -> Iterator[tuple[str, str]]:
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


def search(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Try the scenarios and so many calls of each; yield what grows, and how many there were."""
    tried = 0
    for name in SCENARIOS:
        tried += 1
        if grows := grown(lambda: operation(name)):  # noqa: B023
            yield {"scenario": name, "references": grows}
    with tempfile.TemporaryDirectory(prefix="d") as folder:
        place = make_place(Path(folder)) / "o"
        for subject, text in calls(count, seed):
            if "fork" in text:
                continue
            tried += 1
            if grows := grown(lambda: play(oxisock, place, subject, text)):  # noqa: B023
                yield {"subject": subject, "call": text, "references": grows}
        os.chdir("/")
    yield {"tried": tried}


def main() -> int:
    """Print what came."""
    warnings.simplefilter("ignore")
    sys.unraisablehook = lambda _: None
    count, seed = (int(argument) for argument in [*sys.argv[1:], "3", "0"][:2])
    failed = False
    for report in search(count, seed):
        failed |= "references" in report
        print(json.dumps(report), flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
