"""Expressions at random: what calls are given, from right to hostile.

Each is text, evaluated anew in the scene of each module: both see fresh objects, and a call that
fails can be read, repeated and kept as a line of a table.
"""

import array
import math
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from typing import Any

from hypothesis import strategies as st

from tests.helpers.oracle import Acting


class Buffer:
    """An object with `__buffer__`, which Python calls since 3.12; before that it has none."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __buffer__(self, flags: int) -> Any:
        if isinstance(self.value, BaseException):
            raise type(self.value)
        return memoryview(self.value)


class Items:
    """An iterable that acts after its first item."""

    def __init__(self, action: Callable[[], Any], *items: Any) -> None:
        self.action, self.items = action, items

    def __iter__(self) -> Iterator[Any]:
        for item in self.items:
            yield item
            self.action()


class Sized(Items):
    """An iterable that is wrong about its length."""

    def __len__(self) -> int:
        return 3


class Unequal:
    """Raises when it is compared or hashed."""

    def __eq__(self, other: object) -> bool:
        raise ZeroDivisionError

    def __hash__(self) -> int:
        raise ZeroDivisionError


def released() -> memoryview:
    """A view whose memory was given back."""
    view = memoryview(bytearray(8))
    view.release()
    return view


def fail() -> None:
    """Raise what no module raises by itself."""
    raise ZeroDivisionError


NAMES: dict[str, Any] = {
    "Acting": Acting, "Buffer": Buffer, "Items": Items, "Sized": Sized, "Unequal": Unequal,
    "released": released, "fail": fail, "array": array.array, "inf": math.inf, "nan": math.nan,
    "PurePath": PurePath,
}  # fmt: skip

POOLS: dict[str, list[str]] = tomllib.loads(
    Path(__file__).with_name("pools.toml").read_text("utf-8")
)
EVERYTHING = sorted({value for pool in POOLS.values() for value in pool})


# Where anything at all would ask a name server, or take a descriptor of the test's own.
GUARDED = {"host", "name", "number", "no number", "source"}


def argument(pool: str) -> st.SearchStrategy[str]:
    """What belongs in this place most of the time, and sometimes anything at all."""
    keyword, _, pool = pool.rpartition("=")
    if keyword:
        return argument(pool).map(lambda value: f"{keyword}={value}")
    fitting = st.sampled_from(POOLS[pool])
    if pool in GUARDED:
        return fitting
    return st.one_of(fitting, fitting, fitting, fitting, st.sampled_from(EVERYTHING))


def arguments(*pools: str) -> st.SearchStrategy[list[str]]:
    """Arguments for these places, now and then one too few or one too many."""
    full = st.tuples(*map(argument, pools)).map(list)
    short = st.integers(0, len(pools)).flatmap(
        lambda count: st.tuples(*map(argument, pools[:count])).map(list)
    )
    long = st.tuples(full, st.sampled_from(EVERYTHING)).map(lambda both: [both[1], *both[0]])
    return st.one_of(full, full, full, short, long)
