"""Data really crosses: every family and type, between threads and between processes."""

import hashlib
import io
import os
import random
import select
import socket as std
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import oxisock
from tests.helpers.net import LOOPBACK, connected, listening
from tests.helpers.process import Task, no_new_descriptors, run_python

MIB = 1 << 20


def payload(size: int, seed: int = 1) -> bytes:
    """Bytes that look random and are the same in every run."""
    return random.Random(seed).randbytes(size)


def digest_of_stream(sock: Any, size: int = MIB) -> tuple[int, str]:
    """Read to the end of the stream; the number of bytes and their SHA-256."""
    total, checksum, buffer = 0, hashlib.sha256(), bytearray(size)
    while count := sock.recv_into(buffer):
        checksum.update(memoryview(buffer)[:count])
        total += count
    return total, checksum.hexdigest()


@pytest.fixture(scope="module")
def big() -> bytes:
    return payload(100 * MIB)


@pytest.fixture(scope="module")
def big_file(big: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("big") / "data"
    path.write_bytes(big)
    yield path
    path.unlink()


@pytest.mark.parametrize("timeout", [None, 30.0])
def test_sendall_100_mib(stream: Any, big: bytes, timeout: float | None) -> None:
    sender, receiver = stream
    sender.settimeout(timeout)
    reader = Task(digest_of_stream, receiver)
    assert sender.sendall(big) is None
    sender.shutdown(std.SHUT_WR)
    assert reader.result(60) == (len(big), hashlib.sha256(big).hexdigest())


@pytest.mark.parametrize("timeout", [None, 30.0])
def test_sendfile_100_mib(stream: Any, big_file: Path, big: bytes, timeout: float | None) -> None:
    sender, receiver = stream
    sender.settimeout(timeout)
    reader = Task(digest_of_stream, receiver)
    with big_file.open("rb") as file:
        assert sender.sendfile(file) == len(big)
        assert file.tell() == len(big)
    sender.shutdown(std.SHUT_WR)
    assert reader.result(60) == (len(big), hashlib.sha256(big).hexdigest())


def test_sendfile_from_memory(stream: Any) -> None:
    """Without a descriptor under it a file is sent by reading it."""
    sender, receiver = stream
    data = payload(3 * MIB)
    reader = Task(digest_of_stream, receiver)
    assert sender.sendfile(io.BytesIO(data), 5, MIB) == MIB
    sender.shutdown(std.SHUT_WR)
    assert reader.result() == (MIB, hashlib.sha256(data[5 : 5 + MIB]).hexdigest())


SERVER = """
import hashlib, sys
import {module} as socket

family = getattr(socket, sys.argv[1])
address = sys.argv[2] if sys.argv[1] == "AF_UNIX" else (sys.argv[2], 0)
with socket.socket(family) as server:
    server.bind(address)
    server.listen()
    name = server.getsockname()
    print(*([name] if isinstance(name, str) else name[:2]), flush=True)
    client, _ = server.accept()
with client:
    checksum = hashlib.sha256()
    total = 0
    while data := client.recv(1 << 16):
        checksum.update(data)
        total += len(data)
    client.sendall(f"{{total}} {{checksum.hexdigest()}}".encode())
"""


@pytest.mark.parametrize("peer", ["oxisock", "socket"])
@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_UNIX"])
def test_between_processes(family: str, peer: str, short_path: Path) -> None:
    """A server process on either module counts what we send it."""
    number = getattr(std, family)
    place = LOOPBACK.get(number, str(short_path / "server"))
    data = payload(8 * MIB)
    with subprocess.Popen(
        [sys.executable, "-c", SERVER.format(module=peer), family, place],
        stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        name = process.stdout.readline().split()
        with oxisock.socket(number) as client:
            client.settimeout(20)
            client.connect(name[0] if family == "AF_UNIX" else (name[0], int(name[1])))
            client.sendall(data)
            client.shutdown(std.SHUT_WR)
            answer = b"".join(iter(lambda: client.recv(4096), b"")).decode()
        assert process.wait(20) == 0
    assert answer == f"{len(data)} {hashlib.sha256(data).hexdigest()}"


def test_into_a_forked_child() -> None:
    """Both ends of a pair survive a fork; the child echoes in upper case."""
    code = """
import os, oxisock
a, b = oxisock.socketpair()
pid = os.fork()
if not pid:
    a.close()
    b.sendall(b.recv(100).upper())
    os._exit(0)
b.close()
a.sendall(b"hello")
assert a.recv(100) == b"HELLO"
assert a.recv(100) == b""
assert os.waitpid(pid, 0)[1] == 0
a.close()
"""
    run_python(code)


@pytest.mark.parametrize("family", [std.AF_INET, std.AF_INET6])
def test_udp(family: int) -> None:
    host = LOOPBACK[family]
    with (
        oxisock.socket(family, std.SOCK_DGRAM) as a,
        oxisock.socket(family, std.SOCK_DGRAM) as b,
    ):
        for sock in (a, b):
            sock.bind((host, 0))
            sock.settimeout(10)
        for size in (0, 1, 1023, 1024, 1025, 9000, 65507):
            data = payload(size)
            assert a.sendto(data, b.getsockname()) == size
            assert b.recvfrom(65536) == (data, a.getsockname())
            assert a.sendto(data, 0, b.getsockname()) == size
            buffer = bytearray(65536)
            assert b.recvfrom_into(buffer) == (size, a.getsockname())
            assert buffer[:size] == data
            a.connect(b.getsockname())
            assert a.send(data) == size
            assert b.recv(65536) == data
        with pytest.raises(OSError, match="Message too long"):
            a.send(bytes(65536))


@pytest.mark.parametrize("size", [1, 1000, 65507])
def test_a_datagram_is_never_cut_below_what_was_asked_for(udp: Any, size: int) -> None:
    a, b = udp
    data = payload(size)
    for ask in (size, size + 1, 1 << 16, 1 << 20):
        a.sendto(data, b.getsockname())
        assert b.recv(ask) == data


def test_a_datagram_is_cut_to_what_was_asked_for(udp: Any) -> None:
    a, b = udp
    for message in (b"0123456789", b"next"):
        a.sendto(message, b.getsockname())
    assert b.recv(4) == b"0123"
    assert b.recv(100) == b"next"
    a.sendto(b"0123456789", b.getsockname())
    buffer = bytearray(b"........")
    assert b.recv_into(buffer, 3) == 3
    assert buffer == b"012....."


NAMES: dict[str, Callable[[Path], Any]] = {
    "path": lambda folder: str(folder / "name"),
    "bytes path": lambda folder: os.fsencode(folder / "name"),
    "non-ascii": lambda folder: str(folder / "n\u00e4me"),
    "abstract": lambda folder: f"\0oxisock-{os.getpid()}",
    "abstract bytes": lambda folder: b"\0oxisock-%d-\0-\xff" % os.getpid(),
    "autobind": lambda folder: "",
}


@pytest.mark.parametrize("style", NAMES)
@pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_DGRAM", "SOCK_SEQPACKET"])
def test_unix_names(kind: str, style: str, short_path: Path) -> None:
    name = NAMES[style](short_path)
    number = getattr(std, kind)
    with oxisock.socket(std.AF_UNIX, number) as a, oxisock.socket(std.AF_UNIX, number) as b:
        a.bind(name)
        where = a.getsockname()
        if kind == "SOCK_DGRAM":
            b.sendto(b"hello", where)
            assert a.recvfrom(100) == (b"hello", None)  # the sender has no name
            return
        a.listen()
        b.connect(where)
        c, peer = a.accept()
        with c:
            assert peer in ("", None)
            assert b.getpeername() == where
            b.sendall(b"hello")
            assert c.recv(100) == b"hello"
            c.sendall(b"bye")
        assert b.recv(100) == b"bye"
        assert b.recv(100) == b""


def test_seqpacket_keeps_messages_apart() -> None:
    a, b = oxisock.socketpair(std.AF_UNIX, std.SOCK_SEQPACKET)
    with a, b:
        for message in (b"one", b"two"):
            a.send(message)
        assert b.recv(100) == b"one"
        assert b.recv(2) == b"tw"
        a.close()
        assert b.recv(100) == b""


BUFFERS = [
    b"data",
    bytearray(b"data"),
    memoryview(b"data"),
    memoryview(b"0d1a2t3a")[1::2],
    memoryview(bytearray(b"data")).cast("I"),
    b"",
    bytearray(),
    memoryview(b""),
]


@pytest.mark.parametrize(
    "buffer",
    BUFFERS[:3] + BUFFERS[4:],
    ids=lambda buffer: f"{type(buffer).__name__} {bytes(buffer)!r}",
)
def test_bytes_like_objects(udp: Any, unix: Any, buffer: Any) -> None:
    a, b = unix
    plain = bytes(buffer)
    size = len(plain)
    assert a.send(buffer) == size
    assert a.sendall(buffer) is None
    a.sendall(b"!")
    got = b""
    while not got.endswith(b"!"):
        got += b.recv(100)
    assert got == plain * 2 + b"!"
    c, d = udp
    assert c.sendto(buffer, d.getsockname()) == size
    assert d.recv(100) == plain


def test_wait_all(tcp: Any) -> None:
    a, b = tcp

    def send_in_parts() -> None:
        for part in (b"abc", b"defg", b"hij"):
            a.sendall(part)

    sender = Task(send_in_parts)
    assert b.recv(10, std.MSG_WAITALL) == b"abcdefghij"
    sender.result()


def test_peek(tcp: Any) -> None:
    a, b = tcp
    a.sendall(b"look twice")
    assert b.recv(4, std.MSG_PEEK) == b"look"
    buffer = bytearray(4)
    assert b.recv_into(buffer, 0, std.MSG_PEEK) == 4
    assert buffer == b"look"
    assert b.recv(100) == b"look twice"


def test_urgent_data(tcp: Any) -> None:
    a, b = tcp
    assert a.send(b"!", std.MSG_OOB) == 1
    assert select.select([], [], [b], 10)[2]
    assert b.recv(1, std.MSG_OOB) == b"!"


@pytest.mark.parametrize("ask", [1 << 16, 1 << 18, 1 << 20, 1 << 24])
def test_large_requests_for_little_data(stream: Any, ask: int) -> None:
    """What was asked for is an upper bound; the bytes come exactly as they were sent."""
    a, b = stream
    for size in (1, 64, 4096, 30_000):
        data = payload(size, size)
        a.sendall(data)
        got = b""
        while len(got) < size:
            piece = b.recv(ask)
            assert type(piece) is bytes
            got += piece
        assert got == data


def test_many_sizes_of_receive(stream: Any) -> None:
    """No size of `recv` loses or repeats a byte."""
    a, b = stream
    data = payload(4 * MIB)
    sender = Task(a.sendall, data)
    choose = random.Random(2)
    got = bytearray()
    while len(got) < len(data):
        piece = b.recv(choose.choice([1, 7, 1000, 4096, 65536, 262_144, MIB, 4 * MIB]))
        assert piece
        got += piece
    sender.result()
    assert got == data


@pytest.mark.parametrize("module", [std, oxisock])
def test_either_module_can_be_the_peer(module: Any) -> None:
    with listening(module) as server, oxisock.create_connection(server.getsockname()) as client:
        accepted, address = server.accept()
        with accepted:
            assert address == client.getsockname()
            accepted.sendall(b"welcome")
            assert client.recv(100) == b"welcome"


def test_fifty_clients_at_once() -> None:
    """A server with a thread per client answers each with its own data."""

    def serve(conn: Any) -> None:
        with conn:
            while data := conn.recv(4096):
                conn.sendall(data[::-1])

    def ask(number: int) -> bool:
        with oxisock.create_connection(address, timeout=20) as client:
            return all(
                client.sendall(message) is None and client.recv(4096) == message[::-1]  # type: ignore[func-returns-value]
                for message in (b"%d:%d" % (number, turn) for turn in range(20))
            )

    with listening(oxisock, backlog=64) as server:
        address = server.getsockname()
        clients = [Task(ask, number) for number in range(50)]
        workers = [Task(serve, server.accept()[0]) for _ in clients]
        assert all(client.result(30) for client in clients)
        for worker in workers:
            worker.result()


def test_a_reset_connection() -> None:
    with connected(oxisock) as (client, accepted):
        accepted.setsockopt(std.SOL_SOCKET, std.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        accepted.close()
        with pytest.raises(ConnectionResetError) as caught:
            client.recv(10)
        assert caught.value.errno == 104
        assert caught.value.strerror == "Connection reset by peer"
        with pytest.raises(BrokenPipeError):
            client.sendall(b"x")


def test_a_refused_connection() -> None:
    with oxisock.socket() as sock, oxisock.socket() as client:
        sock.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError) as caught:
            client.connect(sock.getsockname())
        assert caught.value.errno == 111


def test_a_closed_peer_raises_no_sigpipe() -> None:
    a, b = oxisock.socketpair()
    with a:
        b.close()
        for call in (a.send, a.sendall):
            with pytest.raises(BrokenPipeError):
                call(b"x")


def test_clients_come_and_go() -> None:
    with no_new_descriptors(), listening(oxisock) as server:
        for _ in range(200):
            with oxisock.create_connection(server.getsockname()) as client:
                accepted, _ = server.accept()
                accepted.close()
                assert client.recv(1) == b""
