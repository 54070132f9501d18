"""Threads that compute in Python and never wait, beside what is measured."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

CORES = sorted(os.sched_getaffinity(0))
"""The cores that this process may use."""


@contextmanager
def switch_interval(seconds: float | None) -> Iterator[None]:
    """Set the interpreter's switch interval for as long as the block lasts; None leaves it."""
    if seconds is None:
        yield
        return
    before = sys.getswitchinterval()
    sys.setswitchinterval(seconds)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


Counts = list[int] | memoryview
"""Where computing threads count their turns, a place for each."""


@dataclass
class Work:
    """What computing threads share."""

    counts: Counts
    stopped: bool = False

    def done(self) -> int:
        """Return the turns of all threads up to now."""
        return sum(self.counts)

    def compute(self, place: int) -> None:
        """Compute in this thread until all are stopped."""
        counts = self.counts
        while not self.stopped:
            counts[place] += 1


@contextmanager
def computing_threads(count: int, counts: Counts) -> Iterator[Work]:
    """Run computing threads for as long as the block lasts; they go where the scheduler likes.

    `counts` is where they count their turns; it may be longer, and shared with another process.
    """
    work = Work(counts)
    threads = [
        threading.Thread(target=work.compute, args=(place,), daemon=True) for place in range(count)
    ]
    for thread in threads:
        thread.start()
    try:
        yield work
    finally:
        work.stopped = True
        for thread in threads:
            thread.join()


def _spin(running: threading.Event, stop: list[bool]) -> None:
    os.sched_setaffinity(0, CORES[-1:])
    running.set()
    count = 0
    while not stop:
        count += 1


@contextmanager
def cpu_bound_thread() -> Iterator[None]:
    """Run one computing thread on a core of its own for as long as the block lasts.

    It and the calling thread stay on a core each, if there are two, as threads that run for long
    come to do by themselves. Sharing a core, they would wait for each other less, at random.
    """
    running, stop = threading.Event(), []  # type: tuple[threading.Event, list[bool]]
    thread = threading.Thread(target=_spin, args=(running, stop), daemon=True)
    thread.start()
    running.wait()
    os.sched_setaffinity(0, CORES[:1])
    try:
        yield
    finally:
        os.sched_setaffinity(0, CORES)
        stop.append(True)
        thread.join()
