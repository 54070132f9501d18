"""Signals while a call waits: the handler runs at once, and the call goes on or ends."""

import contextlib
import errno
import os
import select
import signal
import socket as std
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import oxisock
from tests.helpers.net import fill, full_backlog, listening
from tests.helpers.process import DELAY, Task, alarm, handled, sleeping, wait_until

RECEIVE: dict[str, Callable[[Any], Any]] = {
    "recv": lambda s: s.recv(10),
    "recv_into": lambda s: s.recv_into(bytearray(10)),
    "recvfrom": lambda s: s.recvfrom(10),
    "recvfrom_into": lambda s: s.recvfrom_into(bytearray(10)),
    "recvmsg": lambda s: s.recvmsg(10),
    "makefile": lambda s: s.makefile("rb", buffering=0).read(10),
}
SEND: dict[str, Callable[[Any], Any]] = {
    "send": lambda s: s.send(bytes(1 << 16)),
    "sendall": lambda s: s.sendall(bytes(1 << 20)),
    "sendmsg": lambda s: s.sendmsg([bytes(1 << 16)]),
    "makefile": lambda s: s.makefile("wb", buffering=0).write(bytes(1 << 16)),
}


class Handled(Exception):  # noqa: N818
    """Raised by a signal handler."""


def give_up() -> None:
    raise Handled


def drain(sock: Any, until: threading.Event) -> None:
    """Receive, and stop soon after `until` is set."""
    while not until.is_set():
        if select.select([sock], [], [], 0.02)[0]:
            sock.recv(1 << 20)


@pytest.mark.parametrize("timeout", [None, 10.0])
@pytest.mark.parametrize("name", RECEIVE)
class TestReceive:
    def test_goes_on(self, stream: Any, name: str, timeout: float | None) -> None:
        """The handler runs while the call waits: it alone sends what the call waits for."""
        a, b = stream
        a.settimeout(timeout)
        with alarm(lambda: b.sendall(b"signal")) as runs:
            result = RECEIVE[name](a)
        assert runs == [signal.SIGALRM]
        assert (result[0] if isinstance(result, tuple) else result) in (b"signal", 6)

    def test_ends_with_the_handlers_exception(
        self, unix: Any, name: str, timeout: float | None
    ) -> None:
        a, b = unix
        a.settimeout(timeout)
        with alarm(give_up), pytest.raises(Handled):
            RECEIVE[name](a)
        b.sendall(b"after")
        assert a.recv(10) == b"after"  # nothing was lost


@pytest.mark.parametrize("timeout", [None, 10.0])
@pytest.mark.parametrize("name", SEND)
class TestSend:
    def test_goes_on(self, stream: Any, name: str, timeout: float | None) -> None:
        """The peer reads only after the handler has run."""
        a, b = stream
        fill(a)
        a.settimeout(timeout)
        ran, done = threading.Event(), threading.Event()
        reader = Task(lambda: ran.wait(10) and drain(b, done))  # type: ignore[func-returns-value]
        with alarm(ran.set) as runs:
            result = SEND[name](a)
        done.set()
        reader.result()
        assert len(runs) == 1
        assert result is None or result > 0

    def test_ends_with_the_handlers_exception(
        self, unix: Any, name: str, timeout: float | None
    ) -> None:
        a, _ = unix
        fill(a)
        a.settimeout(timeout)
        with alarm(give_up), pytest.raises(Handled):
            SEND[name](a)


@pytest.mark.parametrize("timeout", [None, 10.0])
class TestAcceptAndConnect:
    def test_accept_goes_on(self, timeout: float | None) -> None:
        with listening(oxisock) as server, oxisock.socket() as client:
            server.settimeout(timeout)
            with alarm(lambda: client.connect(server.getsockname())) as runs:
                accepted, address = server.accept()
            accepted.close()
            assert len(runs) == 1
            assert address == client.getsockname()

    def test_accept_ends(self, timeout: float | None) -> None:
        with listening(oxisock) as server:
            server.settimeout(timeout)
            with alarm(give_up), pytest.raises(Handled):
                server.accept()

    @pytest.mark.parametrize("call", ["connect", "connect_ex"])
    def test_connect_goes_on(self, timeout: float | None, call: str) -> None:
        """The handler makes room in the server's queue."""
        with listening(oxisock, backlog=0) as server:
            crowd = []
            for _ in range(2):
                guest = oxisock.socket()
                crowd.append(guest)
                guest.setblocking(False)
                guest.connect_ex(server.getsockname())
            with oxisock.socket() as client:
                client.settimeout(timeout)
                server.setblocking(False)

                def make_room() -> None:
                    while select.select([server], [], [], 0.1)[0]:
                        # The next signal's handler may run inside of this one, and be faster.
                        with contextlib.suppress(BlockingIOError):
                            crowd.append(server.accept()[0])

                # Again and again: room made too early is taken by the crowd.
                with alarm(make_room, interval=0.5) as runs:
                    assert not getattr(client, call)(server.getsockname())
                assert runs
                assert client.getpeername() == server.getsockname()
            for guest in crowd:
                guest.close()

    @pytest.mark.parametrize("call", ["connect", "connect_ex"])
    def test_connect_ends(self, timeout: float | None, call: str) -> None:
        with full_backlog() as address, oxisock.socket() as client:
            client.settimeout(timeout)
            with alarm(give_up), pytest.raises(Handled):
                getattr(client, call)(address)

    @pytest.mark.differs("the standard library leaves the socket to the garbage collector")
    def test_create_connection_ends(self, timeout: float | None) -> None:
        with full_backlog() as address:
            with alarm(give_up), pytest.raises(Handled):
                oxisock.create_connection(address, timeout)


@pytest.mark.differs("the standard library says that it is connected, which it is not")
def test_connect_to_a_full_unix_backlog_goes_on(short_path: Any) -> None:
    """A handler that returns: the connection is made when there is room, and not before."""
    path = str(short_path / "full")
    ran = []
    with oxisock.socket(std.AF_UNIX) as server, oxisock.socket(std.AF_UNIX) as client:
        server.bind(path)
        server.listen(0)
        with oxisock.socket(std.AF_UNIX) as first:
            first.connect(path)

            def make_room(*_: Any) -> None:
                ran.append(1)
                if len(ran) == 3:
                    server.accept()[0].close()

            with handled(signal.SIGALRM, make_room):
                signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
                try:
                    client.connect(path)
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
        assert len(ran) >= 3
        assert client.getpeername() == path
        with server.accept()[0] as accepted:
            client.send(b"x")
            assert accepted.recv(1) == b"x"


@pytest.mark.parametrize("timeout", [0.0, 5.0])
def test_connect_to_a_full_unix_backlog_fails(short_path: Any, timeout: float) -> None:
    """As in the standard library: the system has no way to wait for room but to block."""
    path = str(short_path / "full")
    with oxisock.socket(std.AF_UNIX) as server, oxisock.socket(std.AF_UNIX) as first:
        server.bind(path)
        server.listen(0)
        first.connect(path)
        for module in (std, oxisock):
            with module.socket(std.AF_UNIX) as client:
                client.settimeout(timeout)
                with pytest.raises(BlockingIOError):
                    client.connect(path)
                assert client.connect_ex(path) == errno.EAGAIN


def test_sendfile_goes_on(unix: Any, tmp_path: Any) -> None:
    a, b = unix
    (tmp_path / "file").write_bytes(bytes(1 << 22))
    got: list[int] = []

    def start_reading() -> None:
        got.append(0)

    def read() -> None:
        wait_until(lambda: got)
        while got[0] < 1 << 22:
            got[0] += len(b.recv(1 << 20))

    reader = Task(read)
    with alarm(start_reading) as runs, (tmp_path / "file").open("rb") as file:
        assert a.sendfile(file) == 1 << 22
    reader.result()
    assert len(runs) == 1


def test_signals_do_not_prolong_the_deadline(unix: Any) -> None:
    a, _ = unix
    a.settimeout(0.5)
    start = time.monotonic()
    with alarm(lambda: None, interval=0.02) as runs, pytest.raises(TimeoutError):
        a.recv(1)
    assert 0.5 <= time.monotonic() - start < 5
    assert len(runs) > 3


def test_many_signals_during_a_large_transfer(stream: Any) -> None:
    """Interrupted at any point, neither side loses or repeats a byte."""
    a, b = stream
    data = os.urandom(1 << 24)
    got = bytearray()

    def read() -> None:
        while len(got) < len(data):
            got.extend(b.recv(1 << 16))

    reader = Task(read)
    with alarm(lambda: None, interval=0.001):
        a.sendall(data)
        reader.result(60)
    assert got == data


def test_a_handler_that_closes_the_socket(unix: Any) -> None:
    """After the handler the call finds its socket closed, and says so."""
    a, _ = unix
    a.settimeout(10)
    with alarm(a.close), pytest.raises(OSError, match="Bad file descriptor"):
        a.recv(1)


def test_a_signal_for_another_thread_does_not_disturb(unix: Any) -> None:
    """Handlers run in the main thread only; a waiting thread goes on waiting."""
    a, b = unix
    a.settimeout(10)
    runs: list[int] = []
    with handled(signal.SIGUSR1, lambda *_: runs.append(threading.get_ident())):
        reader = Task(a.recv, 10)
        time.sleep(DELAY)
        assert reader.ident is not None
        signal.pthread_kill(reader.ident, signal.SIGUSR1)
        wait_until(lambda: runs)
        time.sleep(0.05)
        assert reader.is_alive()
        b.sendall(b"x")
        assert reader.result() == b"x"
        assert runs == [threading.main_thread().ident]


# -- Ctrl-C ----------------------------------------------------------------------------------------

CTRL_C = """
import oxisock, os, sys, tempfile, threading
a, b = oxisock.socketpair()
udp = oxisock.socket(type=oxisock.SOCK_DGRAM)
udp.bind(("127.0.0.1", 0))
server = oxisock.create_server(("127.0.0.1", 0))
client = oxisock.socket()
for sock in (a, udp, server, client):
    sock.settimeout({timeout})
file = tempfile.TemporaryFile()
file.truncate(1 << 26)

def busy():
    while True:
        pass

print("ready", flush=True)
try:
    {call}
except KeyboardInterrupt:
    print("interrupted", flush=True)
    os._exit(0)
print("not interrupted", flush=True)
"""

CALLS = {
    "recv": "a.recv(1)",
    "recv_into": "a.recv_into(bytearray(1))",
    "recvfrom": "udp.recvfrom(1)",
    "recvfrom_into": "udp.recvfrom_into(bytearray(1))",
    "accept": "server.accept()",
    "connect": "client.connect({address})",
    "connect_ex": "client.connect_ex({address})",
    "create_connection": "oxisock.create_connection({address}, {timeout})",
    "sendall": "a.sendall(bytes(1 << 26))",
    "send": "[a.send(bytes(1 << 20)) for _ in range(100)]",
    "sendfile": "a.sendfile(file)",
    "read": "a.makefile('rb').read()",
    "readline": "a.makefile().readline()",
    "iteration": "list(a.makefile())",
}


@pytest.mark.parametrize("timeout", [None, 60.0])
@pytest.mark.parametrize("name", CALLS)
def test_ctrl_c(name: str, timeout: float | None) -> None:
    """SIGINT ends the wait of a process at once, with KeyboardInterrupt."""
    with full_backlog() as address:
        call = CALLS[name].format(address=address, timeout=timeout)
        code = CTRL_C.format(timeout=timeout, call=call)
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == b"ready\n"
                wait_until(lambda: sleeping(process.pid))
                start = time.monotonic()
                process.send_signal(signal.SIGINT)
                assert process.stdout.read() == b"interrupted\n"
                assert process.wait(10) == 0
                assert time.monotonic() - start < 10
            finally:
                process.kill()


def test_ctrl_c_with_a_busy_thread() -> None:
    """A thread that computes does not keep Ctrl-C from a waiting main thread."""
    code = CTRL_C.format(
        timeout=None,
        call="threading.Thread(target=busy, daemon=True).start(); a.recv(1)",
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            assert process.stdout.read() == b"interrupted\n"
        finally:
            process.kill()


def test_eintr_never_reaches_the_program(tcp: Any) -> None:
    """A storm of signals on each call: none of them shows InterruptedError."""
    a, b = tcp
    a.settimeout(0.002)
    with alarm(lambda: None, interval=0.001) as runs:
        end = time.monotonic() + 0.6
        while time.monotonic() < end:
            with pytest.raises(TimeoutError):
                a.recv(1)
            b.sendall(b"x")
            assert a.recv(1) == b"x"
    assert len(runs) > 10


# -- settimeout in another thread, and a signal ----------------------------------------------------

WAITING: dict[str, Callable[[Any], Any]] = {
    **RECEIVE,
    "recvmsg_into": lambda s: s.recvmsg_into([bytearray(10)]),
    "reader": lambda s: s.makefile("rb").readline(),
}


@pytest.mark.parametrize("timeout", [10.0, 0.0])
@pytest.mark.parametrize("name", WAITING)
def test_a_receive_keeps_the_mode_that_it_began_in(stream: Any, name: str, timeout: float) -> None:
    """After the signal it waits anew, on a descriptor that is non-blocking by then."""
    a, b = stream
    changes = [timeout, None, timeout]

    def change() -> None:
        # Later changes come while it waits in whatever way it has found.
        if changes:
            a.settimeout(changes.pop(0))
        else:
            b.sendall(b"signal\n")

    with alarm(change, interval=0.05) as runs:
        assert WAITING[name](a)
    assert len(runs) >= 4


@pytest.mark.parametrize("name", SEND)
def test_a_send_keeps_the_mode_that_it_began_in(unix: Any, name: str) -> None:
    a, b = unix
    fill(a)
    a.settimeout(None)
    done = threading.Event()
    readers: list[Task] = []

    def change() -> None:
        if a.gettimeout() is None:
            a.settimeout(10)
        elif not readers:
            readers.append(Task(drain, b, done))

    with alarm(change, interval=0.05) as runs:
        SEND[name](a)
    assert len(runs) >= 2
    done.set()
    readers[0].result()


def test_accept_keeps_the_mode_that_it_began_in() -> None:
    with listening(oxisock) as server, oxisock.socket() as client:
        server.settimeout(None)

        def change() -> None:
            if server.gettimeout() is None:
                server.settimeout(10)
            elif not runs[2:]:
                client.connect(server.getsockname())

        with alarm(change, interval=0.05) as runs:
            accepted, _ = server.accept()
        accepted.close()


@pytest.mark.parametrize("name", WAITING)
def test_a_mode_that_changes_as_a_receive_begins(unix: Any, name: str) -> None:
    """Not one of many is told that its descriptor is non-blocking."""
    a, b = unix
    for _ in range(60):
        a.settimeout(None)
        task = Task(WAITING[name], a)
        a.settimeout(10)
        time.sleep(0.001)
        b.sendall(b"signal\n")
        assert task.result()


def test_the_kernels_own_timeout_still_ends_a_blocking_call(unix: Any) -> None:
    a, _ = unix
    a.setsockopt(oxisock.SOL_SOCKET, oxisock.SO_RCVTIMEO, struct.pack("@ll", 0, 50_000))
    with pytest.raises(BlockingIOError):
        a.recv(10)


def test_a_mode_set_behind_the_objects_back_still_ends_a_blocking_call(unix: Any) -> None:
    a, _ = unix
    os.set_blocking(a.fileno(), False)
    with pytest.raises(BlockingIOError):
        a.recv(10)
