"""Storms of signals in every call that waits, and handlers that raise, close and fork."""

import errno
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import oxisock
from tests.engine.owners import (
    ACCEPTING,
    BATCHES,
    READING,
    RECEIVING,
    SENDING,
    SENDING_BATCHES,
    ends,
)
from tests.helpers.process import Task, alarm, wait_until

KINDS = {
    name: kind
    for kind in (RECEIVING, READING, BATCHES, SENDING, SENDING_BATCHES, ACCEPTING)
    for name in kind
}
KEEPING = {*READING, "file written to"}
LINE = b"line of one hundred bytes" * 4


SOON = 0.02
storm = partial(alarm, first=SOON, interval=0.0005)


def feed(
    kind: Any, sock: Any, peer: Any, over: threading.Event, ready: Callable[[], Any] = lambda: True
) -> int:
    """Give the call what it waits for when it is time; how many bytes there were to receive.

    What is sent is received until the call is over.
    """
    wait_until(ready)
    if kind is ACCEPTING:
        with oxisock.socket(oxisock.AF_UNIX) as client:
            client.connect(sock.getsockname())
    elif kind in (SENDING, SENDING_BATCHES):
        taken = 0
        peer.settimeout(0.02)
        while True:
            sent_all = over.is_set()
            try:
                taken += len(peer.recv(1 << 16))
            except TimeoutError:
                if sent_all:
                    return taken
    else:
        # Bit by bit; a datagram is one.
        size = 100 if kind is BATCHES else 30
        for start in range(0, 90, size):
            peer.send(LINE[start : start + size])
            time.sleep(0.003)
        peer.send(b"\n" + bytes(100))
        if kind in (RECEIVING, READING):
            peer.close()
    return 0


def told(result: Any) -> Any:
    """What of a result is the same each time; sockets are closed."""
    if isinstance(result, oxisock.Datagram):
        return result.data
    if isinstance(result, memoryview):
        return result.tolist()
    if isinstance(result, tuple | list):
        return [told(item) for item in result]
    if isinstance(result, oxisock.socket):
        result.close()
        return "a socket"
    return result


def first(result: Any) -> Any:
    """What a batch, be it with addresses or not, tells of its first datagram."""
    item = result[0]
    return first(item) if isinstance(item, list) else item


def make(name: str, timeout: float | None, handler: Callable[[], Any] | None) -> tuple[Any, Any]:
    """Make the call, in a storm where there is a handler; what it returned and the peer got."""
    kind = KINDS[name]
    sock, peer = ends(kind)
    with sock, peer:
        sock.settimeout(None)
        full = sock.getsockopt(oxisock.SOL_SOCKET, oxisock.SO_SNDBUF)
        assert full
        sock.settimeout(timeout)
        over = threading.Event()
        if handler is None:
            task = Task(feed, kind, sock, peer, over)
            result = told(kind[name](sock))
            over.set()
            return result, task.result()
        with storm(handler) as runs:
            task = Task(feed, kind, sock, peer, over, lambda: len(runs) > 5)
            result = told(kind[name](sock))
            over.set()
            taken = task.result()
        assert len(runs) > 5
        return result, taken


@pytest.mark.parametrize("timeout", [None, 10.0])
@pytest.mark.parametrize("name", KINDS)
def test_a_storm_loses_nothing(name: str, timeout: float | None) -> None:
    """The call returns what it returns without signals, but for where a stream is cut."""
    quiet, taken = make(name, timeout, None)
    stormy, taken_then = make(name, timeout, lambda: None)
    if name in {*SENDING, *SENDING_BATCHES}:
        # All that was said to be sent, and what had filled the socket before.
        size = 100 if name == "send_many" else 1
        assert taken_then - taken == size * ((stormy or 0) - (quiet or 0))
    elif name in BATCHES:
        # One datagram at least; another may have come in time.
        assert first(stormy) == first(quiet)
    elif name in {"recv_exactly", "recv_exactly_into", "file", "text file", *ACCEPTING}:
        assert stormy == quiet
    else:
        assert type(stormy) is type(quiet)
        data = stormy[0] if isinstance(stormy, list) else stormy
        assert 0 < (data if isinstance(data, int) else len(data)) <= 191


@pytest.mark.parametrize("name", KINDS)
def test_a_storm_prolongs_nothing(name: str) -> None:
    sock, peer = ends(KINDS[name])
    with sock, peer, storm(lambda: None, first=0.001):
        sock.settimeout(0.1)
        began = time.monotonic()
        with pytest.raises((TimeoutError, oxisock.IncompleteReadError)):
            KINDS[name][name](sock)
        assert 0.1 <= time.monotonic() - began < 5


# A file keeps its socket open beyond `close`.
@pytest.mark.parametrize("timeout", [None, 10.0])
@pytest.mark.parametrize("name", sorted(KINDS.keys() - KEEPING))
def test_a_handler_closes_the_socket(name: str, timeout: float | None) -> None:
    sock, peer = ends(KINDS[name])
    with peer:
        sock.settimeout(timeout)
        with storm(sock.close), pytest.raises(OSError) as caught:
            KINDS[name][name](sock)
    assert caught.value.errno == errno.EBADF


class Handled(Exception):  # noqa: N818
    """Raised by a handler."""


@pytest.mark.parametrize("timeout", [None, 10.0])
@pytest.mark.parametrize("name", KINDS)
def test_a_handler_raises(name: str, timeout: float | None) -> None:
    """Its exception ends the call, and the socket goes on."""

    def give_up() -> None:
        raise Handled

    kind = KINDS[name]
    sock, peer = ends(kind)
    with sock, peer:
        sock.settimeout(timeout)
        with pytest.raises(Handled), alarm(give_up, first=SOON):
            kind[name](sock)
        if kind in (RECEIVING, READING, BATCHES):
            peer.send(b"after")
            assert sock.recv(10) == b"after"


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
# Long enough for a fork of the whole test process, on a busy machine.
@pytest.mark.parametrize("timeout", [None, 60.0])
@pytest.mark.parametrize("name", KINDS)
def test_a_handler_forks(name: str, timeout: float | None) -> None:
    """The child uses and closes its copy of the socket; the call of the parent goes on."""
    kind = KINDS[name]
    sock, peer = ends(kind)
    statuses: list[int] = []
    tasks: list[Task] = []
    over = threading.Event()

    def fork() -> None:
        if statuses:
            return
        child = os.fork()
        if not child:
            status = 1
            try:
                sock.getsockopt(oxisock.SOL_SOCKET, oxisock.SO_TYPE)
                sock.close()
                one, other = oxisock.socketpair()
                one.send(b"x")
                status = other.recv(1) != b"x"
            finally:
                os._exit(status)
        statuses.append(os.waitpid(child, 0)[1])
        tasks.append(Task(feed, kind, sock, peer, over))

    with sock, peer:
        sock.settimeout(timeout)
        with alarm(fork, first=SOON):
            told(kind[name](sock))
        over.set()
        tasks[0].result()
    assert statuses == [0]
