"""Nothing is left behind: no descriptor, no Python object, no growing memory."""

import gc
import resource
import socket as std
import sys
from collections.abc import Callable
from typing import Any

import pytest

import oxisock
from tests.helpers.net import connected, listening
from tests.helpers.process import descriptors, no_new_descriptors, run_python

ROUNDS = 60


# What grows with what an action leaves behind: the interpreter's blocks of memory and, in its debug
# builds, all reference counts together, which also tell of one too many on None and the like.
COUNTS: list[Callable[[], int]] = [sys.getallocatedblocks]
if hasattr(sys, "gettotalrefcount"):
    COUNTS.append(sys.gettotalrefcount)


def growth_per_round(action: Callable[[], Any], count: Callable[[], int]) -> float:
    """How much an action adds to a count, on average.

    The least of several measurements: pytest's own threads allocate now and then, an action that
    leaks does each time.
    """
    for _ in range(20):
        action()
    grown = []
    for _ in range(8):
        gc.collect()
        before = count()
        for _ in range(ROUNDS):
            action()
        gc.collect()
        grown.append((count() - before) / ROUNDS)
        if grown[-1] <= 0:
            break
    return min(grown)


def swallow(call: Callable[[], Any]) -> Callable[[], None]:
    def run() -> None:
        try:
            call()
        except (OSError, TypeError, ValueError, OverflowError, MemoryError):
            pass

    return run


def actions(a: Any, b: Any, udp: Any, server: Any, closed: Any) -> dict[str, Callable[[], Any]]:
    where, own = server.getsockname(), udp.getsockname()
    buffer = bytearray(64)

    def with_socket(use: Callable[[Any], Any] = lambda sock: None) -> None:
        with oxisock.socket() as sock:
            use(sock)

    def accept() -> None:
        with oxisock.create_connection(where):
            server.accept()[0].close()

    def pair() -> None:
        for sock in oxisock.socketpair():
            sock.close()

    return {
        "socket": with_socket,
        "failed socket": lambda: oxisock.socket(99),
        "failed fileno": lambda: oxisock.socket(fileno=999_999),
        "wrong fileno": lambda: oxisock.socket(fileno="x"),  # type: ignore[arg-type]
        "accept": accept,
        "socketpair": pair,
        "dup": lambda: a.dup().close(),
        "fromfd": lambda: oxisock.fromfd(a.fileno(), a.family, a.type).close(),
        "send and recv": lambda: (a.send(b"x" * 50), b.recv(100)),
        "large recv": lambda: (a.send(b"x" * 50), b.recv(1 << 20)),
        "recv_into": lambda: (a.send(b"x" * 50), b.recv_into(buffer)),
        "recvfrom_into": lambda: (udp.sendto(b"x", own), udp.recvfrom_into(buffer)),
        "sendto and recvfrom": lambda: (udp.sendto(b"x", own), udp.recvfrom(10)),
        "sendall": lambda: (a.sendall(b"x" * 50), b.recv(100)),
        "recv too large": lambda: a.recv(2**62, std.MSG_DONTWAIT),
        "recv negative": lambda: a.recv(-1),
        "recv would block": lambda: a.recv(1, std.MSG_DONTWAIT),
        "recv_into nothing": lambda: a.recv_into(b"x"),
        "send text": lambda: a.send("x"),
        "sendto wrong address": lambda: udp.sendto(b"x", ("127.0.0.1", 70_000)),
        "sendto wrong host": lambda: udp.sendto(b"x", ("\0", 1)),
        "sendto tuple": lambda: udp.sendto(b"x", (1, 2, 3)),
        "closed recv": lambda: closed.recv(1),
        "closed send": lambda: closed.send(b"x"),
        "closed accept": lambda: closed.accept(),
        "bind twice": lambda: udp.bind(own),
        "refused": lambda: with_socket(lambda sock: sock.connect(("127.0.0.1", 1))),
        "connect_ex": lambda: with_socket(lambda sock: sock.connect_ex(("127.0.0.1", 1))),
        "options": lambda: (a.setsockopt(1, 9, 1), a.getsockopt(1, 9), a.getsockopt(1, 13, 8)),
        "wrong option": lambda: a.getsockopt(1, 9999),
        "names": lambda: (udp.getsockname(), server.getsockname(), a.getpeername()),
        "repr": lambda: (repr(a), repr(udp), repr(closed)),
        "properties": lambda: (a.family, a.type, a.proto, a.timeout, a.gettimeout()),
        "timeouts": lambda: (a.settimeout(1.5), a.settimeout(None), a.setblocking(True)),
        "wrong timeout": lambda: a.settimeout("x"),
        "makefile": lambda: a.makefile("rwb").close(),
        "text file": lambda: a.makefile().close(),
        "wrong mode": lambda: a.makefile("x"),
        "getaddrinfo": lambda: oxisock.getaddrinfo("127.0.0.1", 80),
        "getaddrinfo localhost": lambda: oxisock.getaddrinfo("localhost", "http"),
        "getaddrinfo fails": lambda: oxisock.getaddrinfo("x", 1, 0, 0, 0, std.AI_NUMERICHOST),
        "getaddrinfo wrong": lambda: oxisock.getaddrinfo("x", []),  # type: ignore[arg-type]
        "getnameinfo": lambda: oxisock.getnameinfo(("127.0.0.1", 80), 3),
        "gethostbyname": lambda: oxisock.gethostbyname_ex("127.0.0.1"),
        "gethostname": oxisock.gethostname,
        "services": lambda: (oxisock.getservbyname("http"), oxisock.getservbyport(80)),
        "protocol": lambda: oxisock.getprotobyname("tcp"),
        "conversions": lambda: (oxisock.inet_aton("1.2.3.4"), oxisock.inet_ntop(10, bytes(16))),
        "failed conversion": lambda: oxisock.inet_pton(10, "x"),
        "byte order": lambda: (oxisock.htons(1), oxisock.htonl(1 << 31)),
        "byte order range": lambda: oxisock.htons(-1),
        "create_server": lambda: oxisock.create_server(("127.0.0.1", 0)).close(),
    }


NAMES = list(actions(*[type("S", (), {"getsockname": lambda self: None})()] * 5))


@pytest.mark.parametrize("name", NAMES)
def test_objects_and_descriptors(name: str) -> None:
    a, b = oxisock.socketpair()
    closed = oxisock.socket()
    closed.close()
    with a, b, oxisock.socket(std.AF_INET, std.SOCK_DGRAM) as udp, listening(oxisock) as server:
        udp.bind(("127.0.0.1", 0))
        udp.settimeout(10)
        action = swallow(actions(a, b, udp, server, closed)[name])
        with no_new_descriptors():
            for count in COUNTS:
                assert growth_per_round(action, count) < 0.2, count.__name__


def test_memory_does_not_grow(tcp: Any) -> None:
    """Large receives give their memory back: 2,000 of 1 MiB would be 2 GB."""
    a, b = tcp
    b.settimeout(0)

    def round_trip() -> None:
        a.sendall(b"x" * 1000)
        got = 0
        while got < 1000:
            try:
                got += len(b.recv(1 << 20))
            except BlockingIOError:
                continue

    for _ in range(50):
        round_trip()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(2000):
        round_trip()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 50 * 1024  # KiB


def test_results_are_not_shared(unix: Any) -> None:
    """What a call returned does not change when the next call comes."""
    a, b = unix
    kept = []
    for turn in range(500):
        a.sendall(b"%04d" % turn)
        kept.append(b.recv(1 << 16))
    assert kept == [b"%04d" % turn for turn in range(500)]


def test_arguments_are_released(tcp: Any) -> None:
    """No call keeps a reference to its buffer, also when it fails."""
    a, b = tcp
    data, buffer = bytearray(b"data"), bytearray(10)
    a.sendall(data)
    b.recv_into(buffer)
    a.setblocking(False)
    for _ in range(3):
        for call in (
            lambda: a.recv_into(buffer),
            lambda: a.recvfrom_into(buffer, 99),
            lambda: a.send(data, "x"),
            lambda: a.sendto(data, "x"),
            lambda: a.setsockopt(1, 9999, data),
            lambda: oxisock.inet_ntoa(buffer),
        ):
            swallow(call)()
    data.clear()  # BufferError while somebody holds an export
    buffer.clear()


def test_interpreter_exit_with_open_sockets() -> None:
    """Sockets that live at the end of the process, one of them in use, do it no harm."""
    run_python(
        "import oxisock, threading, warnings\n"
        "warnings.simplefilter('ignore')\n"
        "a, b = oxisock.socketpair()\n"
        "keep = [a, oxisock.socket()]\n"
        "keep.append(keep)\n"
        "threading.Thread(target=a.recv, args=(1,), daemon=True).start()\n"
    )


def test_many_sockets_at_once() -> None:
    with no_new_descriptors():
        sockets = [oxisock.socket() for _ in range(300)]
        assert len({sock.fileno() for sock in sockets}) == 300
        for sock in sockets:
            sock.close()


def test_out_of_descriptors() -> None:
    """EMFILE is an OSError for each call that makes a descriptor; afterwards all goes on."""
    with listening(oxisock) as server, connected(oxisock) as (a, _), oxisock.socket() as client:
        client.connect(server.getsockname())
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        limit = max(descriptors()) + 1
        holes = []
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
            while True:
                try:
                    holes.append(oxisock.socket())
                except OSError as error:
                    if error.errno != 24:
                        raise
                    break
            for call in (
                oxisock.socketpair, server.accept, a.dup, lambda: oxisock.dup(a.fileno()),
                lambda: oxisock.fromfd(a.fileno(), 2, 1),
                lambda: oxisock.create_connection(server.getsockname()),
                lambda: oxisock.create_server(("127.0.0.1", 0)),
            ):  # fmt: skip
                with pytest.raises(OSError) as caught:
                    call()
                assert caught.value.errno == 24
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for sock in holes:
                sock.close()
        accepted, _ = server.accept()
        accepted.close()
