"""`with oxisock.deadline(seconds)`: one deadline over many operations."""

import asyncio
import contextlib
import errno
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import oxisock
from tests.helpers.net import connected, fill, full_backlog, listening
from tests.helpers.process import Task, run_python
from tests.helpers.silent_dns import run_without_answers

SOON = 0.15
LATE = 0.6
"""What a busy machine may add to a time."""

MODES = [None, 30.0]


@contextlib.contextmanager
def ends_soon() -> Iterator[None]:
    """The block has to end with the TimeoutError of a deadline that is `SOON`."""
    start = time.monotonic()
    # A note after the text may say which address it was.
    with pytest.raises(TimeoutError, match=r"(?m)\Atimed out$"), oxisock.deadline(SOON):
        yield
    assert SOON <= time.monotonic() - start < SOON + LATE


RECEIVE: dict[str, Callable[[Any], Any]] = {
    "recv": lambda s: s.recv(10),
    "recv_into": lambda s: s.recv_into(bytearray(10)),
    "recvfrom": lambda s: s.recvfrom(10),
    "recvfrom_into": lambda s: s.recvfrom_into(bytearray(10)),
    "recvmsg": lambda s: s.recvmsg(10),
    "recvmsg_into": lambda s: s.recvmsg_into([bytearray(10)]),
    "read": lambda s: s.makefile("rb").read(10),
    "readline": lambda s: s.makefile("rb").readline(),
    "raw read": lambda s: s.makefile("rb", 0).read(10),
    "text": lambda s: s.makefile("r").readline(),
}

SEND: dict[str, Callable[[Any], Any]] = {
    "send": lambda s: s.send(b"x"),
    "sendall": lambda s: s.sendall(bytes(1 << 24)),
    "sendmsg": lambda s: s.sendmsg([b"x"]),
    "write": lambda s: s.makefile("wb", 0).write(b"x"),
}


@pytest.mark.parametrize("timeout", MODES)
@pytest.mark.parametrize("name", RECEIVE)
def test_receives_end(unix: Any, name: str, timeout: float | None) -> None:
    a, _ = unix
    a.settimeout(timeout)
    with ends_soon():
        RECEIVE[name](a)
    assert a.gettimeout() == timeout
    assert os.get_blocking(a.fileno()) is (timeout is None)


@pytest.mark.parametrize("timeout", MODES)
@pytest.mark.parametrize("name", SEND)
def test_sends_end(unix: Any, name: str, timeout: float | None) -> None:
    a, _ = unix
    fill(a)
    a.settimeout(timeout)
    with ends_soon():
        SEND[name](a)


@pytest.mark.parametrize("timeout", MODES)
def test_sendfile_ends(unix: Any, tmp_path: Path, timeout: float | None) -> None:
    a, _ = unix
    fill(a)
    a.settimeout(timeout)
    path = tmp_path / "file"
    path.write_bytes(bytes(1 << 20))
    with path.open("rb") as file, ends_soon():
        a.sendfile(file)
    assert os.get_blocking(a.fileno()) is (timeout is None)


@pytest.mark.parametrize("timeout", MODES)
def test_accept_ends(timeout: float | None) -> None:
    with listening(oxisock) as server:
        server.settimeout(timeout)
        with ends_soon():
            server.accept()


@pytest.mark.parametrize("timeout", MODES)
def test_connect_ends(timeout: float | None) -> None:
    with full_backlog() as address, oxisock.socket() as client:
        client.settimeout(timeout)
        with ends_soon():
            client.connect(address)
        assert os.get_blocking(client.fileno()) is (timeout is None)
        with oxisock.socket() as other, oxisock.deadline(SOON):
            other.settimeout(timeout)
            assert other.connect_ex(address) == errno.EAGAIN


@pytest.mark.parametrize("timeout", MODES)
@pytest.mark.parametrize("count", [1, 3])
def test_create_connection_ends(
    timeout: float | None, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with full_backlog() as address:
        found = [(oxisock.AF_INET, 1, 6, "", address)] * count
        monkeypatch.setattr(oxisock, "getaddrinfo", lambda *_: found)
        with ends_soon():
            oxisock.create_connection(address, timeout)


def test_a_connection_that_is_ready_needs_no_time() -> None:
    with listening(oxisock) as server, oxisock.deadline(0):
        for timeout in MODES:
            with oxisock.create_connection(server.getsockname(), timeout) as client:
                client.send(b"x")
            with oxisock.socket() as client:
                client.settimeout(timeout)
                client.connect(server.getsockname())
            for _ in range(2):
                server.accept()[0].close()


def test_connecting_works_within_it() -> None:
    with listening(oxisock) as server, oxisock.deadline(10):
        with oxisock.socket() as client:
            client.connect(server.getsockname())
            assert os.get_blocking(client.fileno())
            server.accept()[0].close()
        with oxisock.create_connection(server.getsockname()) as client:
            assert client.gettimeout() is None
            assert os.get_blocking(client.fileno())
            server.accept()[0].close()


def test_lookups_end() -> None:
    out = run_without_answers(
        """
import threading, time
import oxisock
def run():
    for call in (lambda: oxisock.getaddrinfo("host.example", 80),
                 lambda: oxisock.gethostbyname("host.example"),
                 lambda: oxisock.create_connection(("host.example", 80)),
                 lambda: oxisock.create_connection(("host.example", 80), 30)):
        start = time.monotonic()
        try:
            with oxisock.deadline(0.2):
                call()
        except OSError as error:
            print(type(error).__name__, 0.2 <= time.monotonic() - start < 1)
run()
thread = threading.Thread(target=run)
thread.start()
thread.join()
"""
    )
    assert out == "TimeoutError True\n" * 8


def test_what_is_ready_goes_on(unix: Any) -> None:
    """Nothing looks at the deadline that need not wait."""
    a, b = unix
    with oxisock.deadline(0):
        assert a.send(b"message") == 7
        assert b.recv(10) == b"message"
        with pytest.raises(TimeoutError):
            b.recv(10)


def test_no_data_is_lost(unix: Any) -> None:
    """What came before the deadline is there for the next read."""
    a, b = unix
    with b.makefile("rb") as file:
        a.send(b"half a ")
        with ends_soon():
            file.readline()
        a.send(b"line\n")
        assert file.readline() == b"half a line\n"


def test_a_byte_now_and_then_does_not_extend_it(unix: Any) -> None:
    """python/cpython#89953: a timeout of the socket begins anew with each byte."""
    a, b = unix
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(0.05):
            a.send(b"x")

    task = Task(drip)
    try:
        b.settimeout(10)
        with b.makefile("rb") as file, ends_soon():
            file.readline()
    finally:
        stop.set()
        task.result()


def test_the_earlier_of_nested_ones_counts(unix: Any) -> None:
    a, _ = unix
    with ends_soon(), oxisock.deadline(30):
        a.recv(1)
    start = time.monotonic()
    with oxisock.deadline(30) as outer:
        with contextlib.suppress(TimeoutError), oxisock.deadline(SOON) as inner:
            assert (inner.remaining() or 0) <= SOON
            a.recv(1)
        assert time.monotonic() - start < SOON + LATE
        assert (outer.remaining() or 0) > 20
    with ends_soon(), oxisock.deadline(None) as none:
        assert (none.remaining() or math.inf) <= SOON
        a.recv(1)


def test_the_timeout_of_the_socket_may_be_earlier(unix: Any) -> None:
    a, _ = unix
    a.settimeout(SOON)
    start = time.monotonic()
    with pytest.raises(TimeoutError), oxisock.deadline(30):
        a.recv(1)
    assert time.monotonic() - start < SOON + LATE


def test_it_is_over_after_the_block(unix: Any) -> None:
    a, b = unix
    with oxisock.deadline(0.01):
        pass
    timer = threading.Timer(0.1, b.send, [b"x"])
    timer.start()
    assert a.recv(1) == b"x"
    timer.join()


def test_non_blocking_sockets_are_not_concerned(unix: Any) -> None:
    a, _ = unix
    a.setblocking(False)
    with oxisock.deadline(0), pytest.raises(BlockingIOError):
        a.recv(1)


def test_other_threads_are_not_concerned(unix: Any) -> None:
    a, b = unix
    with oxisock.deadline(0.01):
        # Not by way of the thread's context, which 3.14 can be told to inherit.
        task = Task(lambda: __import__("contextvars").Context().run(b.recv, 1))
        time.sleep(0.1)
        a.send(b"x")
        assert task.result() == b"x"


@pytest.mark.parametrize("operation", ["connect", "sendfile"])
def test_other_threads_wait_as_before(operation: str, tmp_path: Path) -> None:
    """While O_NONBLOCK is set for the deadline's sake, a blocking receive goes on waiting."""
    with connected(oxisock) as (client, peer):
        tasks = [Task(client.recv, 1)]
        if operation == "connect":
            with oxisock.deadline(5), pytest.raises(OSError, match="connected"):
                client.connect(client.getpeername())
        else:
            fill(client)
            client.settimeout(None)
            path = tmp_path / "file"
            path.write_bytes(bytes(1 << 20))
            with path.open("rb") as file, ends_soon():
                tasks += [Task(client.recv, 1) for _ in range(3)]
                client.sendfile(file)
        peer.send(bytes(len(tasks)))
        assert [task.result() for task in tasks] == [b"\0"] * len(tasks)


def test_a_task_has_its_own() -> None:
    """The deadline of one asyncio task does not reach another one on the same thread."""

    async def bounded(sock: Any) -> float | None:
        with oxisock.deadline(0.01) as block:
            await asyncio.sleep(0.05)
            with pytest.raises(TimeoutError):
                await asyncio.to_thread(sock.recv, 1)
            return block.remaining()

    async def free(a: Any, b: Any) -> bytes:
        await asyncio.sleep(0.03)
        timer = threading.Timer(0.1, a.send, [b"x"])
        timer.start()
        data: bytes = b.recv(1)
        timer.join()
        return data

    async def main(a: Any, b: Any) -> None:
        results: list[Any] = list(await asyncio.gather(bounded(a), free(a, b)))
        assert results == [0.0, b"x"]

    a, b = oxisock.socketpair()
    with a, b:
        asyncio.run(main(a, b))


@pytest.mark.parametrize("answer", ["nothing", "headers", "body"])
def test_urlopen_ends_whatever_the_server_does(answer: str) -> None:
    """An unmodified program: http.client under install(), a server that sends byte by byte."""
    run_python(
        """
import sys, threading, time
import oxisock
oxisock.install()
import urllib.request
server = oxisock.create_server(("127.0.0.1", 0))
def serve():
    client, _ = server.accept()
    if sys.argv[1] == "headers":
        client.send(b"HTTP/1.1 200 OK\\r\\nX: ")
    elif sys.argv[1] == "body":
        client.send(b"HTTP/1.1 200 OK\\r\\nContent-Length: 1000\\r\\n\\r\\n")
    try:
        while sys.argv[1] != "nothing":
            client.send(b"x")
            time.sleep(0.05)
        time.sleep(60)
    except OSError:
        client.close()
threading.Thread(target=serve, daemon=True).start()
host, port = server.getsockname()
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
start = time.monotonic()
try:
    with server, oxisock.deadline(0.5):
        opener.open(f"http://{host}:{port}/", timeout=10).read()
except TimeoutError:
    pass
else:
    raise AssertionError("it came to an end")
took = time.monotonic() - start
assert 0.5 <= took < 2, took
""",
        answer,
    )


def test_leaving_and_entering() -> None:
    block = oxisock.deadline(5)
    with pytest.raises(RuntimeError, match="not in use"):
        block.__exit__(None, None, None)
    with block, pytest.raises(RuntimeError, match="in use already"), block:
        pass
    with block:  # again, counted anew
        assert (block.remaining() or 0) > 4
    assert repr(block) == "oxisock.deadline(5.0)"
    assert repr(oxisock.deadline(None)) == "oxisock.deadline(None)"
    assert oxisock.deadline(3).remaining() == 3.0


@pytest.mark.parametrize(
    ("seconds", "error"),
    [(-1, ValueError), (-0.5, ValueError), (math.nan, ValueError), (math.inf, OverflowError),
     ("1", TypeError), (2**70, OverflowError)],
)  # fmt: skip
def test_bad_times(seconds: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        oxisock.deadline(seconds)


@pytest.mark.parametrize("seconds", [9e9, 2**33])
def test_a_huge_time_is_no_short_one(unix: Any, seconds: float) -> None:
    a, b = unix
    with oxisock.deadline(seconds):
        timer = threading.Timer(0.1, b.send, [b"x"])
        timer.start()
        assert a.recv(1) == b"x"
        timer.join()
