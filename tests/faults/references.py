"""Counts references over every operation and over calls that are refused, on a debug build.

    python3.14-dbg -m tests.faults.references

prints a line of JSON for each that leaves references behind, and how many were tried.
"""

import gc
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from tests.faults.calls import everything

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


def search(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Try everything, so many of each at random; yield what grows, and how many there were."""
    tried = 0
    for what, call in everything(count, seed):
        tried += 1
        if grows := grown(call):
            yield {**what, "references": grows}
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
