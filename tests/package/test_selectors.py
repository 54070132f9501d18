"""`oxisock.selectors`: the standard library's interface, and its results."""

import selectors as standard
import signal
import subprocess
import sys
from typing import Any

import pytest

import oxisock
from oxisock import selectors
from oxisock._socket import counters
from tests.helpers.process import Task, alarm, handled, run_python

NAMES = ["EpollSelector", "PollSelector", "SelectSelector", "DefaultSelector"]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_results(name: str, unix: Any) -> None:
    a, b = unix
    answers = []
    for module in (standard, selectors):
        with getattr(module, name)() as selector:
            selector.register(a, standard.EVENT_READ | standard.EVENT_WRITE, "a")
            selector.register(b, standard.EVENT_READ, "b")
            found = [selector.select(timeout) for timeout in (None, 0, 1, -1)]
            selector.modify(a, standard.EVENT_READ)
            found += [selector.select(0), selector.select(0.001)]
            a.send(b"x")
            found.append(selector.select(5))
            b.recv(1)
            selector.unregister(a)
            found += [selector.select(-1)]
            answers.append(found)
    assert answers[0] == answers[1]


def test_they_are_selectors_of_the_standard_library() -> None:
    for name in NAMES:
        assert issubclass(getattr(selectors, name), getattr(standard, name))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_ready_keeps_the_lock(name: str, unix: Any) -> None:
    a, _ = unix
    with getattr(selectors, name)() as selector:
        selector.register(a, standard.EVENT_WRITE)
        before = counters()["released"]
        for _ in range(20):
            assert selector.select(10)
            assert selector.select()
        assert counters()["released"] == before


@pytest.mark.parametrize("name", NAMES)
def test_waiting_gives_the_lock_up(name: str, unix: Any) -> None:
    a, b = unix
    with getattr(selectors, name)() as selector:
        selector.register(a, standard.EVENT_READ)
        task = Task(b.send, b"x")
        assert selector.select(20)
        task.result()


@pytest.mark.parametrize("name", NAMES)
def test_signal_handlers_run_and_the_wait_goes_on(name: str, unix: Any) -> None:
    a, b = unix
    runs: list[int] = []

    def handle(signum: int, _frame: Any) -> None:
        runs.append(signum)
        if len(runs) == 3:
            b.send(b"x")

    with getattr(selectors, name)() as selector, handled(signal.SIGALRM, handle):
        selector.register(a, standard.EVENT_READ)
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
        try:
            assert selector.select(20)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    assert len(runs) >= 3


@pytest.mark.parametrize("name", NAMES)
def test_a_handlers_exception_ends_the_wait(name: str, unix: Any) -> None:
    def give_up() -> None:
        raise ZeroDivisionError

    with getattr(selectors, name)() as selector:
        selector.register(unix[0], standard.EVENT_READ)
        with alarm(give_up), pytest.raises(ZeroDivisionError):
            selector.select(20)


def test_a_selector_that_is_closed() -> None:
    with selectors.EpollSelector() as selector:
        pass
    with pytest.raises(ValueError, match="closed epoll"):
        selector.select(0)


def test_install_puts_them_in_place() -> None:
    run_python("""
import selectors as standard
names = "EpollSelector", "PollSelector", "SelectSelector", "DefaultSelector"
before = [getattr(standard, name) for name in names]
import oxisock
oxisock.install()
from oxisock import selectors
for name in names:
    assert getattr(standard, name) is getattr(selectors, name)
import asyncio, socketserver
assert socketserver._ServerSelector is selectors.PollSelector
async def main():
    loop = asyncio.get_running_loop()
    assert type(loop._selector) is selectors.EpollSelector, loop._selector
    a, b = oxisock.socketpair()
    a.setblocking(False), b.setblocking(False)
    await loop.sock_sendall(a, b"x")
    assert await loop.sock_recv(b, 1) == b"x"
    await asyncio.sleep(0.001)
    a.close(), b.close()
asyncio.run(main())
standard.PollSelector = another = object()
oxisock.uninstall()
assert standard.PollSelector is another
assert (standard.EpollSelector, standard.SelectSelector) == (before[0], before[2])
""")


@pytest.mark.parametrize("suite", ["test_selectors", "test_select", "test_poll", "test_epoll"])
def test_the_interpreters_own_tests(suite: str) -> None:
    pytest.importorskip(f"test.{suite}")
    done = subprocess.run(
        [sys.executable, "-m", "oxisock", "run", "-m", "unittest", f"test.{suite}"],
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_names_are_those_of_the_standard_library() -> None:
    assert selectors.EVENT_READ is standard.EVENT_READ
    assert selectors.SelectorKey is standard.SelectorKey
    assert oxisock.selectors is selectors  # type: ignore[attr-defined, unused-ignore]
