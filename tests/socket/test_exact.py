"""`recv_exactly`, `recv_exactly_into` and `sendmsg_all`."""

import array
import os
import pickle
import threading
from collections.abc import Callable
from typing import Any

import pytest

import oxisock
from tests.helpers.net import fill
from tests.helpers.process import Task, alarm


def test_it_waits_for_all_of_it(stream: Any) -> None:
    a, b = stream
    task = Task(b.recv_exactly, 10)
    for part in b"abc", b"defg", b"hijklm":
        a.send(part)
    assert task.result() == b"abcdefghij"
    assert b.recv(10) == b"klm"


@pytest.mark.parametrize("timeout", [None, 10])
def test_large_reads(stream: Any, timeout: float | None) -> None:
    a, b = stream
    b.settimeout(timeout)
    data = os.urandom(1 << 22)
    task = Task(a.sendall, data)
    assert b.recv_exactly(len(data)) == data
    task.result()


def test_into_a_buffer(stream: Any) -> None:
    a, b = stream
    buffer = bytearray(6)
    task = Task(b.recv_exactly_into, buffer)
    a.send(b"abc")
    a.send(b"defg")
    assert task.result() is None
    assert buffer == b"abcdef"
    assert b.recv(10) == b"g"


def test_nothing_is_there_at_once(unix: Any) -> None:
    _, b = unix
    assert b.recv_exactly(0) == b""
    b.recv_exactly_into(bytearray())


@pytest.mark.parametrize("into", [False, True])
def test_the_end_of_the_stream(stream: Any, into: bool) -> None:
    a, b = stream
    a.send(b"abc")
    a.shutdown(oxisock.SHUT_WR)
    with pytest.raises(oxisock.IncompleteReadError, match="after 3 of 10 bytes") as caught:
        b.recv_exactly_into(bytearray(10)) if into else b.recv_exactly(10)
    assert isinstance(caught.value, EOFError)
    assert (caught.value.partial, caught.value.expected) == (b"abc", 10)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.partial, again.expected) == (b"abc", 10)
    with pytest.raises(oxisock.IncompleteReadError) as caught:
        b.recv_exactly(1)
    assert caught.value.partial == b""


READS: dict[str, Callable[[Any], Any]] = {
    "recv": lambda s: s.recv(100),
    "recv large": lambda s: s.recv(1 << 20),
    "recvfrom": lambda s: s.recvfrom(100)[0],
    "recvmsg": lambda s: s.recvmsg(100)[0],
    "recv_exactly": lambda s: s.recv_exactly(7),
    "makefile": lambda s: s.makefile("rb").read1(100),
}


def into(call: Callable[[Any, bytearray], Any]) -> Callable[[Any], bytes]:
    def read(sock: Any) -> bytes:
        buffer = bytearray(7)
        call(sock, buffer)
        return bytes(buffer)

    return read


READS["recv_into"] = into(lambda s, buffer: s.recv_into(buffer))
READS["recvfrom_into"] = into(lambda s, buffer: s.recvfrom_into(buffer))
READS["recvmsg_into"] = into(lambda s, buffer: s.recvmsg_into([bytearray(), buffer]))
READS["recv_exactly_into"] = into(lambda s, buffer: s.recv_exactly_into(buffer))


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("into_buffer", [False, True])
def test_a_timeout_keeps_what_came(stream: Any, name: str, into_buffer: bool) -> None:
    """For the next read of the object, of whatever kind."""
    a, b = stream
    a.send(b"abcdefg")
    b.settimeout(0.1)
    with pytest.raises(TimeoutError):
        b.recv_exactly_into(bytearray(10)) if into_buffer else b.recv_exactly(10)
    assert b.recv(3, oxisock.MSG_PEEK) == b"abc"
    assert READS[name](b) == b"abcdefg"
    a.send(b"more")
    assert b.recv_exactly(4) == b"more"


def test_what_was_kept_and_what_comes_later_stay_in_order(unix: Any) -> None:
    a, b = unix
    b.settimeout(0.05)
    data = os.urandom(300)
    for start in range(0, 300, 100):
        a.send(data[start : start + 100])
        with pytest.raises(TimeoutError):
            b.recv_exactly(301)
    got = b.recv(50)
    with pytest.raises(TimeoutError):
        b.recv_exactly(251)
    a.send(b"x")
    assert got + b.recv_exactly(251) == data + b"x"


def test_without_waiting(unix: Any) -> None:
    a, b = unix
    b.setblocking(False)
    a.send(b"abc")
    with pytest.raises(BlockingIOError):
        b.recv_exactly(4)
    a.send(b"d")
    assert b.recv_exactly(4) == b"abcd"


def test_an_exception_of_a_handler_keeps_what_came(unix: Any) -> None:
    a, b = unix
    a.send(b"abc")

    def interrupt() -> None:
        raise RuntimeError("enough")

    with alarm(interrupt), pytest.raises(RuntimeError, match="enough"):
        b.recv_exactly(4)
    a.send(b"d")
    assert b.recv_exactly(4) == b"abcd"


@pytest.mark.parametrize("flag", ["MSG_PEEK", "MSG_OOB", "MSG_TRUNC"])
def test_flags_that_make_no_sense(unix: Any, flag: str) -> None:
    with pytest.raises(ValueError, match="exact read"):
        unix[1].recv_exactly(1, getattr(oxisock, flag))


def test_bad_arguments(unix: Any, udp: Any) -> None:
    with pytest.raises(ValueError, match="negative"):
        unix[1].recv_exactly(-1)
    with pytest.raises(ValueError, match="streams only"):
        udp[0].recv_exactly(1)
    with pytest.raises(TypeError):
        unix[1].recv_exactly_into(b"read-only")
    unix[1].close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        unix[1].recv_exactly(1)


def test_a_new_descriptor_begins_anew(unix: Any) -> None:
    a, b = unix
    a.send(b"old")
    b.setblocking(False)
    with pytest.raises(BlockingIOError):
        b.recv_exactly(4)
    c, d = oxisock.socketpair()
    with c:
        b.__init__(fileno=d.detach())
        c.send(b"new!")
        assert b.recv(10) == b"new!"


@pytest.mark.parametrize("timeout", [None, 10])
def test_sendmsg_all(stream: Any, timeout: float | None) -> None:
    """More pieces than one call takes, some of them empty, and more bytes than there is room."""
    a, b = stream
    a.settimeout(timeout)
    pieces: list[Any] = [os.urandom(size % 7) for size in range(3000)]
    pieces += [b"", os.urandom(1 << 21), bytearray(b"x"), memoryview(os.urandom(1 << 20)), b""]
    expected = b"".join(pieces)
    task = Task(b.recv_exactly, len(expected))
    assert a.sendmsg_all(pieces) is None
    assert task.result() == expected


def test_sendmsg_all_sends_descriptors_once(unix: Any) -> None:
    a, b = unix
    reader, writer = os.pipe()
    data = bytes(1 << 21)
    ancillary = [(oxisock.SOL_SOCKET, oxisock.SCM_RIGHTS, array.array("i", [reader]))]
    task = Task(a.sendmsg_all, [data[:5], data[5:]], ancillary)
    got, descriptors = 0, []
    while got < len(data):
        part, found, _, _ = oxisock.recv_fds(b, 1 << 16, 4)
        got += len(part)
        descriptors += found
    task.result()
    for number in (reader, writer, *descriptors):
        os.close(number)
    assert len(descriptors) == 1


def test_sendmsg_all_without_room(unix: Any) -> None:
    a, _ = unix
    a.sendmsg_all([])
    a.sendmsg_all([b"", b""])
    fill(a)
    with pytest.raises(BlockingIOError):
        a.sendmsg_all([b"x"])
    a.settimeout(0.1)
    with pytest.raises(TimeoutError):
        a.sendmsg_all([b"x", b"y"])


def test_close_wakes_an_exact_read(unix: Any) -> None:
    _, b = unix
    task = Task(b.recv_exactly, 4)
    threading.Event().wait(0.1)
    b.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        task.result()
