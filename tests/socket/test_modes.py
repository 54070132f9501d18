"""Blocking, non-blocking and timeout mode; deadlines."""

import fcntl
import os
import select
import socket as std
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import oxisock
from oxisock._socket import counters
from tests.helpers.net import fill, full_backlog, listening
from tests.helpers.oracle import agree, cases, same
from tests.helpers.process import Task, wait_until

SLACK = 5.0  # seconds: a loaded machine may be late, but never early


@cases("""
    tcp.gettimeout()
    tcp.getblocking()
    tcp.timeout
    [(tcp.settimeout(t), tcp.gettimeout(), tcp.getblocking()) for t in (None, 0, 0.0, 1, 2.5)]
    [(tcp.settimeout(t), tcp.gettimeout(), tcp.getblocking()) for t in (True, False, -0.0)]
    [(tcp.settimeout(t), tcp.gettimeout()) for t in (1e-9, 1e-6, 0.001, 1e-7, 1.0000000001, 1e-10)]
    [(tcp.setblocking(v), tcp.gettimeout(), tcp.getblocking()) for v in (True, False, 1, 0, 5)]
    [(tcp.setblocking(v), tcp.getblocking()) for v in (2**62, -1, Index(3))]
    tcp.setblocking(None)
    tcp.setblocking("")
    tcp.setblocking(1.5)
    tcp.setblocking(2**64)
    tcp.setblocking(Index(ZeroDivisionError()))
    (tcp.settimeout(Decimal("1.5")), tcp.gettimeout())
    (tcp.settimeout(Fraction(3, 2)), tcp.gettimeout())
    (tcp.settimeout(Integer(3)), tcp.gettimeout())
    (tcp.settimeout(Float(1.5)), tcp.gettimeout())
    (tcp.settimeout(Index(3)), tcp.gettimeout())
    (tcp.settimeout(type("F", (float,), {})(1.25)), tcp.gettimeout())
    tcp.settimeout(Decimal("nan"))
    tcp.settimeout(Float(ZeroDivisionError()))
    tcp.settimeout(Index(ZeroDivisionError()))
    tcp.settimeout(Float("1"))
    tcp.settimeout(-1)
    tcp.settimeout(-0.1)
    tcp.settimeout(-1e-12)
    tcp.settimeout(-1e-9)
    tcp.settimeout(-1e300)
    tcp.settimeout(float("nan"))
    tcp.settimeout(float("inf"))
    tcp.settimeout(-float("inf"))
    tcp.settimeout(1e300)
    tcp.settimeout(1e10)
    (tcp.settimeout(9223372036), tcp.gettimeout())
    (tcp.settimeout(9e9), tcp.gettimeout())
    tcp.settimeout(9223372037)
    tcp.settimeout(2**63)
    tcp.settimeout(2**64)
    tcp.settimeout(10**400)
    tcp.settimeout(-10**400)
    tcp.settimeout("1")
    tcp.settimeout(b"1")
    tcp.settimeout([])
    tcp.settimeout(1j)
    tcp.settimeout()
    tcp.settimeout(1, 2)
    tcp.settimeout(timeout=1)
    tcp.setblocking()
    tcp.setblocking(Index(0))
    (tcp.settimeout(5), tcp.setblocking(True), tcp.gettimeout())
    m.getdefaulttimeout()
    m.setdefaulttimeout(-1)
    m.setdefaulttimeout("1")
    m.setdefaulttimeout(float("nan"))
    m.setdefaulttimeout(1e300)
    m.setdefaulttimeout(Float(ZeroDivisionError()))
    m.setdefaulttimeout()
    m.setdefaulttimeout(None)
    (closed.settimeout(3), closed.gettimeout())
    (a.setblocking(False), a.recv(1))
    (a.setblocking(False), a.recv_into(bytearray(1)))
    (a.setblocking(False), a.recvfrom(1))
    (a.setblocking(False), a.recvfrom_into(bytearray(1)))
    (x.setblocking(False), x.recv(1))
    (udp.setblocking(False), udp.recvfrom(1))
    (server.setblocking(False), server.accept())
    (a.settimeout(0.02), a.recv(1))
    (a.settimeout(1e-9), a.recv(1))
    (a.settimeout(0.02), a.recv_into(bytearray(1)))
    (a.settimeout(0.02), a.recvfrom(1))
    (a.settimeout(0.02), a.recvfrom_into(bytearray(1)))
    (server.settimeout(0.02), server.accept())
    (a.setblocking(False), a.sendall(bytes(10**7)))
    (a.settimeout(0.02), a.sendall(bytes(10**7)))
    (a.setblocking(False), [a.send(bytes(10**6)) for _ in range(100)])
    (a.settimeout(0.02), [a.send(bytes(10**6)) for _ in range(100)])
    (x.setblocking(False), [x.send(bytes(10**3)) for _ in range(10000)])
    (x.settimeout(0.02), [x.send(bytes(10**3)) for _ in range(10000)])
""")
def test_mode_arguments(expression: str, short_path: Path) -> None:
    agree(expression, short_path)


@pytest.mark.skipif(
    sys.version_info < (3, 12), reason="3.11 takes integers only; oxisock any truth"
)
@cases("""
    [(tcp.setblocking(v), tcp.getblocking()) for v in ("x", "", None, 1.0, 0.0, [], [0], 2**100)]
    tcp.setblocking(Truth())
""")
def test_setblocking_takes_any_truth(expression: str, short_path: Path) -> None:
    agree(expression, short_path)


def test_a_closed_socket_keeps_what_it_was_told() -> None:
    def modes(module: Any) -> list[Any]:
        sock = module.socket()
        sock.close()
        changes: list[Callable[[], Any]] = [
            lambda: sock.settimeout(3),
            lambda: sock.setblocking(False),
            lambda: sock.settimeout(None),
        ]
        found = []
        for change in changes:
            with pytest.raises(OSError, match="Bad file descriptor"):
                change()
            found += [sock.gettimeout(), sock.getblocking()]
        return found

    assert same(modes)[0] == "returns"


@pytest.mark.parametrize(
    ("value", "nonblocking"),
    [(None, False), (0, True), (0.0, True), (1e-10, True), (0.5, True), (10, True)],
)
def test_descriptor_mode(value: float | None, nonblocking: bool) -> None:
    """The mode of the descriptor is what other holders of it see."""

    def flags(module: Any) -> bool:
        with module.socket() as sock:
            sock.settimeout(value)
            return bool(fcntl.fcntl(sock.fileno(), fcntl.F_GETFL) & os.O_NONBLOCK)

    assert same(flags) == ("returns", ("bool", nonblocking))


@pytest.fixture
def default_timeout() -> Iterator[None]:
    yield
    oxisock.setdefaulttimeout(None)
    std.setdefaulttimeout(None)


@pytest.mark.usefixtures("default_timeout")
@pytest.mark.parametrize("value", [None, 0, 0.0, 1.5, 3])
def test_default_timeout(value: float | None) -> None:
    """New sockets, accepted ones and those made from descriptors start from the default."""

    def timeouts(module: Any) -> Any:
        with listening(module) as server, module.socket() as client:
            client.connect(server.getsockname())
            module.setdefaulttimeout(value)
            accepted, _ = server.accept()
            pair = module.socketpair()
            made = [module.socket(), accepted, *pair, client.dup()]
            made.append(module.fromfd(client.fileno(), client.family, client.type))
            found = [module.getdefaulttimeout()]
            for sock in made:
                found.append((sock.gettimeout(), os.get_blocking(sock.fileno())))
                sock.close()
            module.setdefaulttimeout(None)
            return found

    same(timeouts)


@pytest.mark.usefixtures("default_timeout")
def test_create_connection_uses_the_default_timeout() -> None:
    with listening(oxisock) as server:
        oxisock.setdefaulttimeout(2.5)
        with oxisock.create_connection(server.getsockname()) as client:
            assert client.gettimeout() == 2.5
        with oxisock.create_connection(server.getsockname(), timeout=None) as client:
            assert client.gettimeout() is None


def test_accepted_sockets_block_although_the_server_does_not() -> None:
    for timeout in (0, 5):
        with listening(oxisock) as server, oxisock.create_connection(server.getsockname()):
            server.settimeout(timeout)
            select.select([server], [], [], 10)
            accepted, _ = server.accept()
            with accepted:
                assert accepted.gettimeout() is None
                assert os.get_blocking(accepted.fileno())


# -- a timeout fires within its time and not before ------------------------------------------------


def waits(name: str, sock: Any) -> Callable[[], Any]:
    return {
        "recv": lambda: sock.recv(10),
        "recv_into": lambda: sock.recv_into(bytearray(10)),
        "recvfrom": lambda: sock.recvfrom(10),
        "recvfrom_into": lambda: sock.recvfrom_into(bytearray(10)),
        "send": lambda: sock.send(bytes(65536)),
        "sendall": lambda: sock.sendall(bytes(65536)),
    }[name]


def elapsed(call: Callable[[], Any]) -> float:
    """How long it takes until `call` times out."""
    start = time.monotonic()
    with pytest.raises(TimeoutError, match="timed out") as caught:
        call()
    took = time.monotonic() - start
    # The class and the arguments programs look at; the kernel's ETIMEDOUT is something else.
    assert caught.value.errno is None
    assert caught.value.args == ("timed out",)
    return took


@pytest.mark.parametrize("timeout", [0.0101, 0.15])
@pytest.mark.parametrize("name", ["recv", "recv_into", "recvfrom", "recvfrom_into"])
def test_receiving_times_out(name: str, timeout: float, stream: Any) -> None:
    sock = stream[0]
    sock.settimeout(timeout)
    assert timeout <= elapsed(waits(name, sock)) < timeout + SLACK
    stream[1].sendall(b"later")
    assert sock.recv(10) == b"later"


@pytest.mark.parametrize("name", ["send", "sendall"])
def test_sending_times_out(name: str, stream: Any) -> None:
    sock = stream[0]
    fill(sock)
    sock.settimeout(0.15)
    assert elapsed(waits(name, sock)) >= 0.15


def test_accept_times_out() -> None:
    with listening(oxisock) as server:
        server.settimeout(0.15)
        assert 0.15 <= elapsed(server.accept) < 0.15 + SLACK


def test_connect_times_out() -> None:
    with full_backlog() as address:
        for call in ("connect", "connect_ex", "create_connection"):
            with oxisock.socket() as sock:
                sock.settimeout(0.15)
                if call == "connect":
                    assert elapsed(lambda: sock.connect(address)) >= 0.15
                elif call == "connect_ex":
                    assert sock.connect_ex(address) == 11  # EAGAIN, as in the standard library
                else:
                    took = elapsed(lambda: oxisock.create_connection(address, timeout=0.15))
                    assert 0.15 <= took < 0.15 + SLACK


@pytest.mark.parametrize("seconds", [86_400.0, 3e6, 9e9, None])
def test_a_huge_timeout_waits(stream: Any, seconds: float | None) -> None:
    """More milliseconds than an int holds is a long wait, not a short or a negative one."""
    a, b = stream
    a.settimeout(seconds)
    reader = Task(a.recv, 10)
    time.sleep(0.05)
    assert reader.is_alive()
    b.sendall(b"x")
    assert reader.result() == b"x"


def test_a_ready_socket_ignores_a_tiny_timeout(stream: Any) -> None:
    a, b = stream
    b.sendall(b"x" * 100)
    select.select([a], [], [], 10)
    a.settimeout(1e-9)
    assert [a.recv(10) for _ in range(10)] == [b"x" * 10] * 10


def test_one_deadline_for_a_whole_sendall(stream: Any) -> None:
    """A reader that trickles does not prolong the deadline."""
    sender, receiver = stream
    sender.settimeout(0.4)
    stop: list[bool] = []

    def trickle() -> None:
        while not stop:
            receiver.recv(20_000)
            time.sleep(0.02)

    reader = Task(trickle)
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        sender.sendall(bytes(1 << 28))
    took = time.monotonic() - start
    stop.append(True)
    sender.close()
    reader.result()
    assert 0.4 <= took < 0.4 + SLACK


def test_sendall_goes_on_after_a_stall(stream: Any) -> None:
    """Within the deadline a stalled reader only delays `sendall`; nothing is lost."""
    sender, receiver = stream
    sender.settimeout(20)
    data = os.urandom(1 << 23)
    task = Task(sender.sendall, data)
    time.sleep(0.1)
    got = bytearray()
    while len(got) < len(data):
        got += receiver.recv(1 << 20)
    task.result()
    assert got == data


def test_the_deadline_is_taken_when_the_call_starts(stream: Any) -> None:
    """settimeout() in another thread does not touch a wait that has begun."""
    a, b = stream
    a.settimeout(10)
    released = counters()["released"]
    reader = Task(a.recv, 10)
    wait_until(lambda: counters()["released"] > released)
    a.settimeout(0.001)
    time.sleep(0.05)
    assert reader.is_alive()
    b.sendall(b"x")
    assert reader.result() == b"x"


def test_the_mode_belongs_to_the_object() -> None:
    """A copy shares the descriptor's mode but has a timeout of its own, and honours it."""
    a, b = oxisock.socketpair()
    with a, b, a.dup() as copy:
        a.settimeout(0.05)
        assert elapsed(lambda: a.recv(1)) >= 0.05
        copy.setblocking(True)  # clears O_NONBLOCK under `a`
        assert 0.05 <= elapsed(lambda: a.recv(1)) < SLACK
        assert a.gettimeout() == 0.05


def test_a_connection_in_progress() -> None:
    with listening(oxisock) as server, oxisock.socket() as client:
        client.setblocking(False)
        code = client.connect_ex(server.getsockname())
        assert code in (0, 115)
        select.select([], [client], [], 10)
        assert client.getsockopt(std.SOL_SOCKET, std.SO_ERROR) == 0
        assert client.getpeername() == server.getsockname()
        client.setblocking(True)
        assert client.connect_ex(server.getsockname()) in (0, 106)


def test_connect_without_waiting() -> None:
    with full_backlog() as address, oxisock.socket() as client:
        client.setblocking(False)
        with pytest.raises(BlockingIOError) as caught:
            client.connect(address)
        assert caught.value.errno == 115
        assert client.connect_ex(address) == 114


def test_a_refused_connection_with_a_timeout() -> None:
    with oxisock.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        for timeout in (None, 5):
            with oxisock.socket() as client:
                client.settimeout(timeout)
                assert client.connect_ex(unused.getsockname()) == 111


def test_timeouts_are_rounded_up() -> None:
    """A wait never ends early, whatever the fraction of a millisecond."""
    a, b = oxisock.socketpair()
    with a, b:
        for timeout in (0.0001, 0.0009, 0.0011, 0.0019, 0.0101):
            a.settimeout(timeout)
            for _ in range(5):
                assert elapsed(lambda: a.recv(1)) >= timeout
