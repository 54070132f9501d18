"""The baseline of a row: its system calls in a loop of the native module, without Python.

A baseline is written as text over the names of the row's setup: `send a 64; recv b 64`. A word is a
step's name, a socket of the setup, a constant of the `socket` module, a number, or `made`, the
descriptor that an earlier step made last (`made2` is the one before).
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from . import _baseline
from .row import Loop, Names

Steps = list[tuple[str, list[int]]]


def steps(text: str, names: Names) -> Steps:
    """Translate a baseline's text into the native module's steps."""

    def number(word: str) -> int:
        if word in names:
            value = names[word]
            return int(value.fileno() if hasattr(value, "fileno") else value)
        if word.startswith("made"):
            return -int(word.removeprefix("made") or 1)
        if hasattr(socket, word):
            return int(getattr(socket, word))
        return int(word)

    lines = [line.split() for line in text.split(";")]
    return [(line[0], [number(word) for word in line[1:]]) for line in lines]


def loop_of(baseline: str | Callable[[Any, int], float], names: Names) -> Loop:
    """Make the timed loop of a baseline, on descriptors in blocking mode."""
    for value in names.values():
        if isinstance(value, socket.socket) and value.fileno() >= 0:
            value.setblocking(True)
    if callable(baseline):
        from types import SimpleNamespace

        space = SimpleNamespace(**names)
        return lambda n: baseline(space, n)
    prepared = steps(baseline, names)
    return lambda n: float(_baseline.run(prepared, n))


def in_threads(ours: str, theirs: str) -> Callable[[Any, int], float]:
    """Make a baseline of two threads: the time of `ours` while `theirs` runs as often."""

    def run(names: Any, n: int) -> float:
        return float(_baseline.run_pair(steps(ours, vars(names)), steps(theirs, vars(names)), n))

    return run
