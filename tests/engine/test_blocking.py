"""What a call that may block does in the kernel, where the engine's first try must not block.

Each test makes the same scene for both modules and demands the same outcome.
"""

import errno
import os
import select
import signal
import socket as std
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import oxisock
from tests.helpers.net import connected, fill
from tests.helpers.oracle import same
from tests.helpers.process import PATIENCE, Task, handled, wait_until

PIECE = 16_000
"""Small enough to be tried with the interpreter lock kept, large enough for a full buffer."""


@contextmanager
def narrow(module: Any) -> Iterator[tuple[Any, Any]]:
    """A UNIX pair whose first end has hardly room to send."""
    a, b = module.socketpair()
    with a, b:
        a.setsockopt(std.SOL_SOCKET, std.SO_SNDBUF, 1)
        yield a, b


@contextmanager
def after(seconds: float, act: Callable[[], Any]) -> Iterator[None]:
    """Do something in another thread while the block goes on."""
    timer = threading.Timer(seconds, act)
    timer.start()
    try:
        yield
    finally:
        timer.join()


SENDS = {
    "send": lambda sock: sock.send(bytes(PIECE)),
    "sendmsg": lambda sock: sock.sendmsg([bytes(PIECE // 2)] * 2),
}


# -- sends that are cut short ----------------------------------------------------------------------


@pytest.mark.parametrize("name", SENDS)
def test_a_signal_ends_a_send_that_has_sent_something(name: str) -> None:
    def scene(module: Any) -> int:
        with narrow(module) as (a, _), handled(signal.SIGUSR1, lambda *_: None):
            # The whole process gets it, and with it the thread that sleeps in the call.
            with after(0.2, lambda: os.kill(os.getpid(), signal.SIGUSR1)):
                return int(SENDS[name](a))

    assert 0 < same(scene)[1][1] < PIECE


@pytest.mark.parametrize("name", SENDS)
def test_ctrl_c_ends_a_send_that_goes_on(name: str) -> None:
    """The peer takes a part, so that the call sleeps a second time; then the signal comes."""

    def scene(module: Any) -> str:
        with narrow(module) as (a, b):

            def act() -> None:
                b.recv(2300)
                time.sleep(0.2)
                os.kill(os.getpid(), signal.SIGINT)

            try:
                with after(0.2, act):
                    SENDS[name](a)
                    time.sleep(PATIENCE)
            except KeyboardInterrupt:
                return "interrupted"
            return "not interrupted"

    assert same(scene)[1][1] == "interrupted"


@pytest.mark.parametrize("name", SENDS)
@pytest.mark.parametrize("why", ["SO_SNDTIMEO", "O_NONBLOCK"])
def test_a_short_send_leaves_no_error_behind(name: str, why: str) -> None:
    def scene(module: Any) -> Any:
        with narrow(module) as (a, b):
            if why == "O_NONBLOCK":
                os.set_blocking(a.fileno(), False)
            else:
                a.setsockopt(std.SOL_SOCKET, std.SO_SNDTIMEO, struct.pack("ll", 0, 100_000))
            b.sendall(b"hello")
            sent = SENDS[name](a)
            pending = a.getsockopt(std.SOL_SOCKET, std.SO_ERROR)
            return sent < PIECE, pending, a.recv(100)

    same(scene)


def test_sendto_on_a_stream_sends_it_all() -> None:
    def scene(module: Any) -> int:
        with connected(module) as (client, server):
            client.setsockopt(std.SOL_SOCKET, std.SO_SNDBUF, 4096)
            received = 0

            def drain() -> None:
                nonlocal received
                while data := server.recv(2000):
                    received += len(data)
                    time.sleep(0.0005)

            reader = Task(drain)
            short = sum(
                client.sendto(bytes(PIECE), server.getsockname()) != PIECE for _ in "x" * 20
            )
            client.shutdown(std.SHUT_WR)
            reader.result()
            assert received == 20 * PIECE
            return int(short)

    assert same(scene)[1][1] == 0


@pytest.mark.parametrize("name", ["sendto", "sendmsg"])
def test_a_connection_that_is_opened_by_the_first_send(name: str) -> None:
    def scene(module: Any) -> Any:
        with module.create_server(("127.0.0.1", 0)) as server, module.socket() as client:
            if name == "sendto":
                sent = client.sendto(b"hello", std.MSG_FASTOPEN, server.getsockname())
            else:
                sent = client.sendmsg([b"hello"], (), std.MSG_FASTOPEN, server.getsockname())
            connection, _ = server.accept()
            with connection:
                return sent, connection.recv(10)

    assert same(scene)[0] == "returns"


# -- receives that wait for more -------------------------------------------------------------------

RECEIVES = {
    "recv": lambda sock: sock.recv(64),
    "recv_into": lambda sock: sock.recv_into(bytearray(64)),
    "recvfrom": lambda sock: sock.recvfrom(64)[0],
    "recvmsg": lambda sock: sock.recvmsg(64)[0],
    "recv.large": lambda sock: sock.recv(1 << 20),
}


@pytest.mark.parametrize("name", RECEIVES)
@pytest.mark.parametrize("how", ["set", "adopted", "accepted"])
def test_a_low_water_mark_is_waited_for(name: str, how: str) -> None:
    def scene(module: Any) -> Any:
        option = (std.SOL_SOCKET, std.SO_RCVLOWAT, 8)
        with module.create_server(("127.0.0.1", 0)) as server, module.socket() as client:
            if how == "accepted":
                server.setsockopt(*option)
            client.connect(server.getsockname())
            client.setsockopt(std.IPPROTO_TCP, std.TCP_NODELAY, 1)
            receiver, _ = server.accept()
            if how == "set":
                receiver.recv_into(bytearray(0))
                receiver.setsockopt(*option)
            elif how == "adopted":
                receiver.setsockopt(*option)
                receiver = module.socket(fileno=receiver.detach())
            with receiver:
                client.sendall(b"1234")
                # Linux wakes the reader up only when as much has come again.
                with after(0.2, lambda: client.sendall(b"567890ab")):
                    return RECEIVES[name](receiver)

    same(scene)


@pytest.mark.parametrize("timeout", [0.0, 0.05])
@pytest.mark.parametrize("name", ["recv", "recvfrom", "recvmsg"])
def test_a_read_of_nothing(name: str, timeout: float) -> None:
    def scene(module: Any) -> Any:
        with connected(module) as (_, server):
            server.settimeout(timeout)
            return getattr(server, name)(0)

    same(scene)


def test_urgent_data_are_waited_for() -> None:
    def scene(module: Any) -> bytes:
        with connected(module) as (client, server):
            server.settimeout(PATIENCE)
            # In one piece: what is readable ends the wait, whether it is urgent or not.
            with after(0.2, lambda: client.send(b"data!", std.MSG_OOB)):
                return bytes(server.recv(1, std.MSG_OOB))

    same(scene)


def test_a_read_ends_at_the_mark_of_urgent_data() -> None:
    def scene(module: Any) -> list[bytes]:
        with connected(module) as (client, server):
            client.sendall(bytes(1024))
            reads = [server.recv(1024, std.MSG_WAITALL)]
            client.sendall(b"b" * 2048)
            client.send(b"!", std.MSG_OOB)
            client.sendall(b"after")
            wait_until(lambda: len(server.recv(1 << 16, std.MSG_PEEK)) >= 2048)
            time.sleep(0.1)
            return [*reads, server.recv(1 << 20), server.recv(1 << 20)]

    same(scene)


# -- what the caller's word for a descriptor is worth ----------------------------------------------


def test_datagrams_stay_whole_whatever_the_type_is_said_to_be() -> None:
    def scene(module: Any) -> list[bytes]:
        a, b = module.socketpair(std.AF_UNIX, std.SOCK_DGRAM)
        with a, b, module.fromfd(a.fileno(), std.AF_UNIX, std.SOCK_STREAM) as said:
            reads = []
            for data in (b"1" * 1500, b"2" * 5000, b"3" * 100):
                b.send(data)
                if len(data) != 5000:
                    reads.append(said.recv(65536))
            return [*reads, said.recv(65536)]

    same(scene)


def test_a_stream_said_to_be_datagrams_shows_nothing_of_other_reads() -> None:
    with connected(oxisock) as (a, b), connected(oxisock) as (c, d):
        a.sendall(b"secret" * 100)
        assert b.recv(4096)
        c.sendall(b"x" * 600)
        assert select.select([d], [], [], PATIENCE)[0]
        with oxisock.fromfd(d.fileno(), std.AF_INET, std.SOCK_DGRAM) as said:
            assert b"secret" not in said.recv(500, std.MSG_TRUNC)


@pytest.mark.parametrize("size", [0, 10, 2000])
@pytest.mark.parametrize("flags", [std.MSG_TRUNC, std.MSG_TRUNC | std.MSG_PEEK])
def test_recvmsg_gives_no_more_than_was_asked_for(size: int, flags: int) -> None:
    def scene(module: Any) -> Any:
        a, b = module.socketpair(std.AF_UNIX, std.SOCK_DGRAM)
        with a, b:
            b.send(b"x" * 1000)
            return a.recvmsg(size, 0, flags)

    if sys.version_info < (3, 15):
        same(scene)
    else:  # there, the standard library gives the whole length, with what is behind its memory
        data, _, got, _ = scene(oxisock)
        assert data == b"x" * min(size, 1000)
        assert got & std.MSG_TRUNC == (std.MSG_TRUNC if size < 1000 else 0)


# -- other processes and other threads -------------------------------------------------------------


def test_a_child_may_have_changed_the_mode() -> None:
    def scene(module: Any) -> bytes:
        a, b = module.socketpair()
        with a, b:
            child = os.fork()
            if child == 0:
                a.setblocking(False)
                os._exit(0)
            os.waitpid(child, 0)
            a.setblocking(True)
            with after(0.2, lambda: b.sendall(b"late")):
                return bytes(a.recv(10))

    same(scene)


def test_a_close_that_lingers_lets_other_threads_run() -> None:
    """The thread that was inside closes the descriptor, and waits for the peer without the lock."""
    with connected(oxisock) as (client, server):
        fill(client)
        client.setblocking(True)
        client.setsockopt(std.SOL_SOCKET, std.SO_LINGER, struct.pack("ii", 1, 2))
        before = time.monotonic()
        reader = Task(client.recv, 1)
        time.sleep(0.1)
        client.close()
        longest = 0.0
        while reader.is_alive():
            last = time.monotonic()
            time.sleep(0.001)
            longest = max(longest, time.monotonic() - last)
        lingered = time.monotonic() - before
        with pytest.raises(OSError) as caught:
            reader.result()
        assert caught.value.errno == errno.EBADF
        assert longest < lingered / 2
        server.recv(1)


def test_close_ends_sendfile(tmp_path: Any) -> None:
    """… and what it had still to send goes to nobody who gets the number next."""
    path = tmp_path / "file"
    path.write_bytes(b"F" * (8 << 20))
    a, b = oxisock.socketpair()
    with path.open("rb") as file, b:
        sending = Task(a.sendfile, file)
        assert b.recv(1)
        while select.select([], [a], [], 0.05)[1]:
            pass
        number = a.fileno()
        a.close()
        with pytest.raises(OSError) as caught:
            sending.result()
        assert caught.value.errno == errno.EBADF
        c, d = std.socketpair()
        with c, d:
            assert number in (c.fileno(), d.fileno())
            while b.recv(1 << 20):
                pass
            for sock in (c, d):
                assert not select.select([sock], [], [], 0)[0]
