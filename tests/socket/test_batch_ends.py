"""A batch that has to wait in the middle: what ends the wait, and what is known of it then."""

import errno
import os
import select
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import oxisock
from tests.helpers.process import Task, handled, wait_until

Pair = tuple[Any, Any]
ITEMS = [b"%d" % number for number in range(2000)]
CALLS: dict[str, Callable[[Any], int]] = {
    "send_many": lambda sock: sock.send_many(ITEMS),
    "sendto_many": lambda sock: sock.sendto_many([(item, sock.getpeername()) for item in ITEMS]),
}


@pytest.fixture
def unix() -> Iterator[Pair]:
    """Two UNIX datagram sockets, of which the sender waits while the other's queue is full."""
    one, other = (oxisock.socket(oxisock.AF_UNIX, oxisock.SOCK_DGRAM) for _ in range(2))
    with one, other:
        other.bind("")
        one.connect(other.getsockname())
        other.settimeout(0)
        yield one, other


def queued(sock: Any) -> list[bytes]:
    """All that is there."""
    found: list[bytes] = []
    while True:
        try:
            found += [data for data, _ in sock.recvfrom_many(64)]
        except BlockingIOError:
            return found


def begin(call: str, pair: Pair) -> Task:
    """Have another thread send more than the queue takes, and wait until the queue is full."""
    one, other = pair
    task = Task(CALLS[call], one)
    wait_until(lambda: select.select([other], [], [], 0)[0])
    wait_until(lambda: not select.select([], [one], [], 0)[1])
    assert task.is_alive()
    return task


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("timeout", [None, 60])
def test_close(unix: Pair, call: str, timeout: float | None) -> None:
    """What went is told, as it is of any batch that did not go whole."""
    one, other = unix
    one.settimeout(timeout)
    task = begin(call, unix)
    one.close()
    sent = task.result(20)
    assert queued(other) == ITEMS[:sent]
    assert 0 < sent < len(ITEMS)


@pytest.mark.parametrize("call", CALLS)
def test_timeout(unix: Pair, call: str) -> None:
    one, other = unix
    one.settimeout(0.05)
    sent = CALLS[call](one)
    assert queued(other) == ITEMS[:sent]
    assert 0 < sent < len(ITEMS)
    assert CALLS[call](one) < len(ITEMS)  # the queue had room again
    with pytest.raises(TimeoutError):
        CALLS[call](one)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("timeout", [None, 60])
def test_a_signal(unix: Pair, call: str, timeout: float | None) -> None:
    """The batch goes on after the handler, from where it was."""
    one, other = unix
    one.settimeout(timeout)
    found: list[bytes] = []
    done: list[bool] = []

    def take(*_: object) -> None:
        found.extend(queued(other))
        if not done:
            signal.setitimer(signal.ITIMER_REAL, 0.001, 1)

    with handled(signal.SIGALRM, take):
        signal.setitimer(signal.ITIMER_REAL, 0.05, 1)
        assert CALLS[call](one) == len(ITEMS)
        done.append(True)
        signal.setitimer(signal.ITIMER_REAL, 0)
    assert found + queued(other) == ITEMS


@pytest.mark.parametrize("call", CALLS)
def test_a_peer_that_goes(unix: Pair, call: str) -> None:
    """The error comes with the next call, as something had gone.

    sendmmsg(2) keeps none that comes behind the first message: then it is that of another try.
    """
    one, other = unix
    task = begin(call, unix)
    other.close()
    assert 0 < task.result(20) < len(ITEMS)
    with pytest.raises(OSError) as caught:
        one.send_many([b"x"])
    assert caught.value.errno in (errno.ECONNREFUSED, errno.ENOTCONN)


@pytest.mark.parametrize("call", CALLS)
def test_a_handler_that_raises(unix: Pair, call: str) -> None:
    """Its exception ends the batch; what went has gone, in order."""
    one, other = unix

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    def interrupt() -> None:
        select.select([other], [], [])
        os.kill(os.getpid(), signal.SIGALRM)

    with handled(signal.SIGALRM, fail):
        task = Task(interrupt)
        with pytest.raises(ZeroDivisionError):
            CALLS[call](one)
        task.result()
    found = queued(other)
    assert found == ITEMS[: len(found)]
    assert found


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # that is the test
def test_a_fork_in_the_middle(unix: Pair) -> None:
    """The child has the socket and none of the threads; the batch of the parent goes on."""
    one, other = unix
    task = begin("send_many", unix)
    child = os.fork()
    if not child:
        try:
            one.close()
            other.close()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    found: list[bytes] = []

    def drained() -> bool:
        found.extend(queued(other))
        return len(found) == len(ITEMS)

    wait_until(drained)
    assert task.result() == len(ITEMS)
    assert found == ITEMS
