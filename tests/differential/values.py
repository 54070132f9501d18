"""Expressions at random: what calls are given, from right to hostile.

Each is text, evaluated anew in the scene of each module: both see fresh objects, and a call that
fails can be read, repeated and kept as a line of a table.
"""

import array
import ctypes
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


class BufferOf:
    """An object whose `__buffer__` does something first."""

    def __init__(self, action: Callable[[], Any], value: Any = b"1234") -> None:
        self.action, self.value = action, value

    def __buffer__(self, flags: int) -> Any:
        self.action()
        return memoryview(self.value)


class Fspath:
    """A path whose conversion does something first."""

    def __init__(self, action: Callable[[], Any], value: Any = "path") -> None:
        self.action, self.value = action, value

    def __fspath__(self) -> Any:
        self.action()
        return self.value


class Odd(int):
    """An integer that acts when it is compared, hashed, or converted once more."""

    action: Callable[[], Any]

    def __new__(cls, action: Callable[[], Any], value: int = 1) -> "Odd":
        made = super().__new__(cls, value)
        made.action = action
        return made

    def __eq__(self, other: object) -> bool:
        self.action()
        return int.__eq__(self, other)

    def __hash__(self) -> int:
        self.action()
        return int.__hash__(self)

    def __index__(self) -> int:
        self.action()
        return int.__index__(self)


class OddText(str):
    """Text that acts when it is compared, hashed or encoded."""

    action: Callable[[], Any]

    def __new__(cls, action: Callable[[], Any], value: str = "127.0.0.1") -> "OddText":
        made = super().__new__(cls, value)
        made.action = action
        return made

    def __eq__(self, other: object) -> bool:
        self.action()
        return str.__eq__(self, other)

    def __hash__(self) -> int:
        self.action()
        return str.__hash__(self)

    def encode(self, *arguments: Any, **keywords: Any) -> bytes:
        self.action()
        return str.encode(self, *arguments, **keywords)


class OddTuple(tuple[Any, ...]):
    """A tuple that acts when it is asked for its length or items."""

    action: Callable[[], Any]

    def __new__(cls, action: Callable[[], Any], *items: Any) -> "OddTuple":
        made = super().__new__(cls, items)
        made.action = action
        return made

    def __len__(self) -> int:
        self.action()
        return 1

    def __iter__(self) -> Iterator[Any]:
        self.action()
        return tuple.__iter__(self)

    def __getitem__(self, index: Any) -> Any:
        self.action()
        return tuple.__getitem__(self, index)


class OddBytes(bytearray):
    """A bytearray that is wrong about its length."""

    def __len__(self) -> int:
        return 1 << 20


class Fileno:
    """Something with a descriptor, which acts when it is asked for it."""

    def __init__(self, action: Callable[[], Any], value: Any = 0) -> None:
        self.action, self.value = action, value

    def fileno(self) -> Any:
        self.action()
        return self.value


def shrinking(*items: Any) -> list[Any]:
    """A list that is emptied while its first item is converted."""
    found: list[Any] = []
    found.extend([Acting(found.clear), *items])
    return found


def close(what: Any, name: str, *arguments: Any) -> Any:
    """Call a method, and close the object that it is of."""
    with what:
        return getattr(what, name)(*arguments)


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
    "PurePath": PurePath, "BufferOf": BufferOf, "Fspath": Fspath, "Odd": Odd, "OddText": OddText,
    "OddTuple": OddTuple, "OddBytes": OddBytes, "Fileno": Fileno, "shrinking": shrinking,
    "close": close, "Int3": ctypes.c_int * 3,
}  # fmt: skip

POOLS: dict[str, list[str]] = tomllib.loads(
    Path(__file__).with_name("pools.toml").read_text("utf-8")
)
EVERYTHING = sorted({value for pool in POOLS.values() for value in pool})


# Where anything at all would ask a name server, or take a descriptor of the test's own.
GUARDED = {
    "host", "name", "number", "no number", "source", "foreign", "brief", "watched", "watchable",
}  # fmt: skip


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
