"""Has each allocation of an operation that goes through Python's allocators fail once.

    python -m tests.faults.memory [SCENARIO ...]

prints a line of JSON for each scenario. The interpreter's own test module has the means
(`_testcapi.set_nomemory`). What Rust allocates goes elsewhere: there the process ends, as Rust's
standard library has no other way, but for sizes that come from a caller (`src/python/bytes.rs`).
"""

import argparse
import gc
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from tests.faults.expressions import REFUSALS, RESULTS, Expressions
from tests.faults.scenarios import SCENARIOS, Scenario
from tests.helpers.process import descriptors, new_descriptors

FLOATS = 200
"""More than the interpreter keeps ready."""
FEW = 6
"""As `ENOUGH`, for what is only one call."""
MOST = 300
"""More than any call allocates: a call that never goes as usual ends here, and fails."""
ENOUGH = 30
"""Where so many in a row fail without an effect, the operation has come to its end."""
UNSUITED = {
    # Descriptors that came are the program's only when it has got their list, as in the standard
    # library; and CPython 3.13 crashes without memory for the frame of a list comprehension.
    "receive_descriptors",
    # It crashes while it makes a named tuple, too.
    "connection",
}
SUITED = [name for name in SCENARIOS if name not in UNSUITED]


def outcome_of(call: Callable[[], Any], first: int, last: int) -> str:
    """Call it while the allocations from `first` to before `last` fail; how it ended."""
    from _testcapi import remove_mem_hooks, set_nomemory  # type: ignore[import-not-found]

    error: BaseException | None = None
    set_nomemory(first, last)
    try:
        call()
    except BaseException as caught:
        error = caught
    finally:
        remove_mem_hooks()
    if error is None:
        return "done"
    kind, error.__traceback__, error.__context__ = type(error).__name__, None, None
    return kind


def attempt(scenario: Scenario, first: int, last: int) -> str:
    """Do a scenario while those allocations fail; how it ended."""
    made: list[Any] = []
    call = partial(scenario.operation, scenario.state, made.append)
    outcome = outcome_of(call, first, last)
    for thing in made:
        thing.close()
    return outcome


def failures(name: str) -> dict[str, Any]:
    """Have every allocation of a scenario fail once."""
    for _ in range(3):
        with Scenario(name) as scenario:
            attempt(scenario, 1 << 30, 0)
    gc.collect()
    gc.freeze()  # the collections below go through what an attempt has made, and nothing else
    outcomes: Counter[str] = Counter()
    leaks, unusable = [], []
    number = without = 0
    while without < ENOUGH:
        print(json.dumps({"scenario": name, "begins": number}), flush=True)
        before = descriptors()
        with Scenario(name) as scenario:
            outcome = attempt(scenario, number, number + 1)
            outcomes[outcome] += 1
            without = without + 1 if outcome == "done" else 0
            if not scenario.is_usable():
                unusable.append(number)
        del scenario
        gc.collect()  # what a failed `close` has left in a cycle
        if new_descriptors(before):
            leaks.append(number)
        number += 1
    return {
        "scenario": name, "allocations": number - without, "outcomes": outcomes, "leaks": leaks,
        "unusable": unusable,
    }  # fmt: skip


def expressions() -> Iterator[dict[str, Any]]:
    """Have every allocation of each expression fail once."""
    with Expressions() as scene:
        for expression in RESULTS + REFUSALS:
            call = scene.call(expression)
            for _ in range(4):
                usual = outcome_of(call, 1 << 30, 0)
                scene.clear()
            before = descriptors()
            outcomes: Counter[str] = Counter()
            number = without = 0
            while without < FEW and number < MOST:
                # Floats come from where none are left, so that they are allocated.
                floats = [number / 7 for number in range(FLOATS)]
                outcome = outcome_of(call, number, number + 1)
                del floats
                scene.clear()
                outcomes[outcome] += 1
                without = without + 1 if outcome == usual else 0
                number += 1
            yield {
                "expression": expression, "usual": usual, "allocations": number - without,
                "outcomes": outcomes, "leaks": len(new_descriptors(before)),
            }  # fmt: skip


def main() -> None:
    """Print what came."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scenario", nargs="*", default=SUITED)
    sys.unraisablehook = lambda _: None  # what a destructor could not do
    for name in parser.parse_args().scenario:
        print(json.dumps(failures(name)), flush=True)
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        return  # see scenarios.py
    for report in expressions():
        print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
