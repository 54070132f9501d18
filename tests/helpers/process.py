"""Threads, signals, other processes and the descriptors of this one."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PATIENCE = 10.0  # seconds until a peer or a thread is given up for dead


class Task(threading.Thread):
    """A thread whose result, or exception, `result` hands over."""

    def __init__(self, target: Callable[..., Any], *arguments: Any) -> None:
        super().__init__(daemon=True)
        self.call: Callable[[], Any] = lambda: target(*arguments)
        self.value: Any = None
        self.error: BaseException | None = None
        self.finished = 0.0
        self.start()

    def run(self) -> None:
        try:
            self.value = self.call()
        except BaseException as error:
            self.error = error
        self.finished = time.monotonic()

    def result(self, timeout: float = PATIENCE) -> Any:
        self.join(timeout)
        assert not self.is_alive(), "the thread is still busy"
        if self.error is not None:
            raise self.error
        return self.value


def wait_until(condition: Callable[[], Any], timeout: float = PATIENCE) -> None:
    """Return as soon as `condition()` is true; fail after `timeout` seconds."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


@contextmanager
def handled(number: int, handler: Any) -> Iterator[None]:
    """Have a signal handler in place while the block runs."""
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


def sleeping(pid: int) -> bool:
    """Whether the main thread of process `pid` sleeps in a system call, five times in a row."""
    for _ in range(5):
        if Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "S":
            return False
        time.sleep(0.01)
    return True


def run_python(code: str, *arguments: str, timeout: float = 30) -> subprocess.CompletedProcess[str]:
    """Run Python code in a new interpreter; fail with its errors when it fails."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


def descriptors() -> dict[int, str]:
    """The open descriptors of this process and what each refers to."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
        except OSError:  # the one that listed the directory
            continue
    return found


@contextmanager
def no_new_descriptors() -> Iterator[None]:
    """Fail when the block leaves a descriptor open that was not open before."""
    before = descriptors()
    yield
    if new_descriptors(before):
        gc.collect()
    assert not new_descriptors(before)


def new_descriptors(before: dict[int, str]) -> dict[int, str]:
    """The sockets, pipes and files that are open now and were not in `before`."""
    return {number: what for number, what in descriptors().items() if before.get(number) != what}
