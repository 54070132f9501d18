"""Threads, signals, other processes and the descriptors of this one."""

import functools
import gc
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest

ON_OXISOCK = ("-m", "oxisock", "run")
CERTIFIED = importlib.util.find_spec("cryptography") is not None
"""Whether there can be certificates for TLS: free-threaded interpreters may lack that library."""
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


DELAY = 0.1
"""After how many seconds `alarm` begins: what it is to interrupt has begun by then."""


@contextmanager
def alarm(
    handler: Callable[[], Any], *, first: float = DELAY, interval: float = 5
) -> Iterator[list[int]]:
    """Run `handler` in a signal handler of the main thread after a short while; list its runs.

    And again after `interval` seconds: a signal that comes between the last question for signals
    and the system call ends no sleep, in the standard library neither.
    """
    runs: list[int] = []

    def handle(signum: int, _frame: Any) -> None:
        runs.append(signum)
        handler()

    with handled(signal.SIGALRM, handle):
        signal.setitimer(signal.ITIMER_REAL, first, interval)
        try:
            yield runs
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


def sleeping(pid: int) -> bool:
    """Whether a thread, or the main one of a process, sleeps in a call, five times in a row."""
    for _ in range(5):
        if Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "S":
            return False
        time.sleep(0.01)
    return True


def needs(program: str) -> str:
    """The path of a program; without it the test is skipped, in CI it fails."""
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if path is None:
        missing(f"{program} is not installed")
    return path


def needs_module(name: str) -> Any:
    """A module from PyPI, missed in the same way as a program."""
    try:
        return importlib.import_module(name)
    except ImportError:
        missing(f"{name} is not installed")


def needs_library(name: str) -> None:
    """As ``needs_module``, for one that only children of the test are to import.

    Some are compiled for few versions of Python: those that `pyproject.toml` has them for.
    """
    if importlib.util.find_spec(name) is None:
        skip = pytest.skip if sys.version_info >= (3, 14) else missing
        skip(f"{name} is not installed")


def missing(reason: str) -> NoReturn:
    """Skip the test for want of something that CI promises to have."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


@functools.cache
def may_trace(strace: str) -> bool:
    """Whether strace is allowed to do its work; containers may forbid it."""
    done = subprocess.run([strace, "-qq", "-o", "/dev/null", "true"], check=False)
    return done.returncode == 0


def needs_strace() -> str:
    """The path of a strace that works here."""
    path = needs("strace")
    if not may_trace(path):
        missing("strace may not trace here")
    return path


# qemu tells a process that it is the program itself, and does not tell its threads.
EMULATED = "qemu" in os.path.realpath(f"/proc/self/task/{os.getpid()}/exe")
not_emulated = pytest.mark.skipif(EMULATED, reason="qemu does not translate what it takes")


def system_call(line: str) -> str:
    """The system call in a line of strace, by the name that it has where all have 64 bits."""
    name = re.sub("(_time64|64)$", "", line.partition("(")[0])
    return {"recv": "recvfrom", "send": "sendto", "mmap2": "mmap"}.get(name, name)


def python(
    *arguments: str | Path,
    stdin: str = "",
    cwd: Path | None = None,
    timeout: float = 60,
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Run the interpreter with these arguments and changes of the environment."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        input=stdin, cwd=cwd, env={**os.environ, **environment}, timeout=timeout,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def run_python(
    code: str, *arguments: str | Path, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run Python code in a new interpreter, where a warning is an error; it has to succeed."""
    done = python("-W", "error", "-c", textwrap.dedent(code), *arguments, timeout=timeout)
    output(done)
    return done


def run_on_oxisock(program: str | Path, *arguments: str | Path, timeout: float = 60) -> str:
    """Run a program under `python -m oxisock run`, where a warning is an error."""
    return output(python("-W", "error", *ON_OXISOCK, program, *arguments, timeout=timeout))


def output_of(command: list[str], timeout: float = 120) -> str:
    """What a program that is none of Python's prints; it has to succeed."""
    return output(
        subprocess.run(command, timeout=timeout, capture_output=True, text=True, check=False)
    )


def output(done: subprocess.CompletedProcess[str]) -> str:
    """What a process has printed; fails with all of it if the process failed."""
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


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
