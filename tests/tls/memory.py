"""Go through all that TLS on the engine does with OpenSSL's memory, for tools that watch that.

    PYTHONMALLOC=malloc valgrind python -m tests.tls.memory

`nox -s valgrind` does it on the installed wheel. No test framework, and nothing checked but that
each scene goes as it should: what is looked for is what the tool says. With names it plays those
scenes only.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import oxisock
from oxisock import _socket

HOST = "localhost"
IDENTITY = Path(__file__).parents[2] / "benches/python/oxisock_bench/localhost.pem"
PATIENCE = 300.0  # as everything takes fifty times as long
VERSIONS = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
LARGE = 300_000

Session = Any
Scene = Callable[[], None]
SCENES: list[Scene] = []


def scene(play: Scene) -> Scene:
    SCENES.append(play)
    return play


def client_context() -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(IDENTITY))
    context.sslsocket_class = oxisock.SSLSocket
    context.sslobject_class = oxisock.TLSObject
    return context


def server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(IDENTITY)
    context.sslsocket_class = oxisock.SSLSocket
    context.sslobject_class = oxisock.TLSObject
    return context


def shake_hands(*ends: Session) -> None:
    for end in ends * 3:
        with contextlib.suppress(ssl.SSLWantReadError):
            end.do_handshake()


@contextlib.contextmanager
def sessions(
    client: ssl.SSLContext | None = None, server: ssl.SSLContext | None = None, **settings: Any
) -> Iterator[tuple[Session, Session]]:
    """Two sessions on the engine, with each other, that do not block."""
    near, far = socket.socketpair()
    near.settimeout(0)
    far.settimeout(0)
    client, server = client or client_context(), server or server_context()
    one: Session = client.wrap_socket(
        near, server_hostname=HOST, do_handshake_on_connect=False, **settings
    )
    other: Session = server.wrap_socket(far, server_side=True, do_handshake_on_connect=False)
    with one, other:
        shake_hands(one, other)
        assert type(one._sslobj) is type(other._sslobj) is _socket.TLSSession
        yield one, other


def each_version() -> Iterator[ssl.SSLContext]:
    for version in VERSIONS:
        context = client_context()
        context.minimum_version = context.maximum_version = version
        yield context


def everything(session: Session, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += session.recv(1 << 16)
    return data


@scene
def reads_and_writes() -> None:
    """Of every kind, in every mode."""
    for context in each_version():
        with sessions(context) as (one, other):
            for timeout in (0, PATIENCE, None):
                one.settimeout(timeout)
                other.settimeout(timeout)
                for data in (b"x", bytearray(100), memoryview(bytes(5000)), b"y" * 16_384):
                    assert one.send(data) == len(data)
                    assert everything(other, len(data)) == data
                one.sendall(b"abcdef")
                buffer = bytearray(3)
                assert other.recv_into(buffer) == 3
                assert other.read(2, buffer) == 2
                assert other.pending() == 1
                assert bytes(buffer) == b"dec"
                assert other.read(1) == b"f"
            one.settimeout(0)
            with contextlib.suppress(ssl.SSLWantReadError):
                one.recv(1)
            one.settimeout(0.01)
            with contextlib.suppress(TimeoutError):
                one.recv(1)
            assert one.stats()


@scene
def both_ways_in_threads() -> None:
    with sessions() as (one, other):
        for timeout in (PATIENCE, None):
            threads = []
            for end in (one, other):
                end.settimeout(timeout)
                threads.append(threading.Thread(target=end.sendall, args=(bytes(LARGE),)))
                threads.append(threading.Thread(target=everything, args=(end, LARGE)))
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()


@scene
def partial_writes_from_memory_that_moves() -> None:
    """What was refused goes on from another object; the one before is gone by then."""
    for context in each_version():
        with sessions(context) as (one, other):
            sent = 0
            for _ in range(100):
                data = bytearray(b"%d" % (sent % 10)) * 50_000
                try:
                    sent += one.send(data)
                except ssl.SSLWantWriteError:
                    data.clear()
                    with contextlib.suppress(ssl.SSLWantReadError):
                        while other.recv(1 << 16):
                            pass
            assert sent > LARGE


@scene
def ends_of_every_kind() -> None:
    def cut(one: Session, other: Session) -> None:
        """In the middle of a record."""
        raw = socket.socket(fileno=other.detach())
        raw.send(b"\x17\x03\x03\x01\x00" + bytes(10))
        raw.close()

    def reset(one: Session, other: Session) -> None:
        one.send(b"nobody reads this")
        other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        other.close()

    def garbage(one: Session, other: Session) -> None:
        raw = socket.socket(fileno=other.detach())
        raw.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        raw.close()

    def bye(one: Session, other: Session) -> None:
        with contextlib.suppress(ssl.SSLWantReadError):
            other.unwrap()

    for way in (cut, reset, garbage, bye):
        for suppress in (True, False):
            for timeout in (0, PATIENCE, None):
                with sessions(suppress_ragged_eofs=suppress) as (one, other):
                    way(one, other)
                    one.settimeout(timeout)
                    for call in (one.recv, one.recv, one.read):
                        with contextlib.suppress(OSError):
                            call(10)
                    with contextlib.suppress(OSError):
                        one.send(b"x")
                    one.settimeout(0)
                    with contextlib.suppress(OSError, ValueError):
                        one.unwrap()


@scene
def unwrap_and_plain_text() -> None:
    with sessions() as (one, other):
        for end in (one, other, one, other):
            with contextlib.suppress(ssl.SSLWantReadError, ValueError):
                end.unwrap()
        one.send(b"plain")
        assert other.recv(10) == b"plain"


@scene
def what_the_peer_changes() -> None:
    """Key updates of 1.3 and handshakes anew of 1.2, by the commands of `openssl s_server`."""
    for option, commands in (("-tls1_3", b"kK"), ("-tls1_2", b"r")):
        command = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", str(IDENTITY), option]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as server:
            assert server.stdin is not None
            assert server.stdout is not None
            while not (line := server.stdout.readline()).startswith(b"ACCEPT"):
                assert line
            address = ("127.0.0.1", int(line.rpartition(b":")[2]))
            plain = socket.create_connection(address, timeout=PATIENCE)
            with client_context().wrap_socket(plain, server_hostname=HOST) as client:
                for byte in commands:
                    for text in (bytes([byte]), b"data"):
                        server.stdin.write(text + b"\n")
                        server.stdin.flush()
                        # Commands begin what is read at once.
                        time.sleep(0.2)
                    assert client.recv(100) == b"data\n"
                    client.sendall(b"reply\n")
            server.kill()


@scene
def on_memory() -> None:
    for context in each_version():
        there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
        one: Session = context.wrap_bio(back, there, server_hostname=HOST)
        other: Session = server_context().wrap_bio(there, back, server_side=True)
        shake_hands(one, other)
        assert type(one._sslobj) is _socket.TLSSession
        for size in (1, 100, 16_384, LARGE):
            assert one.write(bytes(size)) == size
            got = 0
            with contextlib.suppress(ssl.SSLWantReadError):
                while data := other.read(1 << 18):
                    got += len(data)
            assert got == size
        buffer = bytearray(10)
        other.write(b"reply")
        assert one.read(10, buffer) == 5
        back.write(b"\x17\x03\x03\x00\x20" + bytes(32))
        with contextlib.suppress(ssl.SSLError):
            one.read(1)
        there.write_eof()
        for end in (one, other):
            for call in (end.unwrap, lambda end=end: end.read(1), lambda end=end: end.write(b"x")):
                with contextlib.suppress(OSError):
                    call()


@scene
def objects_that_are_none() -> None:
    """Nothing but a session just made is taken for one."""
    plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    outer: Session = plain.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=HOST)
    memory: Session = outer._sslobj
    near, far = socket.socketpair()

    class Thing:
        pass

    thing = Thing()
    dead = weakref.ref(Thing())
    with far, near, plain.wrap_socket(near, False, False, server_hostname=HOST) as sock:
        inner = sock._sslobj  # type: ignore[attr-defined]
        fd = sock.fileno()
        for session, owner, number in [
            (object(), None, -1),
            (None, None, -1),
            (ssl.MemoryBIO(), None, -1),
            (plain, None, -1),
            (memory, None, fd),
            (memory, weakref.ref(sock), fd),
            (inner, None, -1),
            (inner, weakref.ref(sock), far.fileno()),
            (inner, weakref.ref(sock), 9999),
            (inner, weakref.ref(thing), fd),
            (inner, dead, fd),
        ]:
            assert _socket.tls_session(session, owner, number) is session
        ours: Session = _socket.tls_session(memory, None, -1)
        assert type(ours) is _socket.TLSSession
        assert _socket.tls_session(ours, None, -1) is ours
    make: Any = _socket.tls_session
    for arguments in [(), (1, 2), (None, None, "x"), (memory, 3, -1)]:
        with contextlib.suppress(TypeError):
            make(*arguments)
    with sessions() as (one, other):
        inner = one._sslobj
        other.send(b"data")
        for arguments in [
            (), ("x",), (-1,), (2**70,), (0,), (1, b"x"), (1, None), (1, 2, 3), (9, bytearray()),
        ]:  # fmt: skip
            with contextlib.suppress(Exception):
                inner.read(*arguments)
        for arguments in [(), (None,), ("x",), (1,), (b"",), (b"a", b"b")]:
            with contextlib.suppress(Exception):
                inner.write(*arguments)
        for name in dir(inner):
            with contextlib.suppress(Exception):
                getattr(inner, name)
            with contextlib.suppress(Exception):
                setattr(inner, name, None)
            with contextlib.suppress(Exception):
                delattr(inner, name)


@scene
def freed_in_use() -> None:
    """Everything that a session stands on goes first, or while a thread is inside."""
    # The socket, and then the session by itself.
    with sessions() as (one, other):
        inner = one._sslobj
        one.close()
        for call in (inner.read, inner.write, inner.pending, inner.version, inner.shutdown):
            with contextlib.suppress(Exception):
                call(*([1] if call == inner.read else [b"x"] if call == inner.write else []))
        del one
        gc.collect()
        with contextlib.suppress(OSError):
            inner.read(1)
        del inner
    # Its methods, after it.
    with sessions() as (one, other):
        cipher, peer, read = one._sslobj.cipher, one._sslobj.getpeercert, one._sslobj.read
        one.close()
        del one
        gc.collect()
        cipher()
        peer(True)
        with contextlib.suppress(OSError):
            read(1)
        del cipher, peer, read
    # Closed, detached, and left alone, with a thread inside.
    for way in ("close", "detach"):
        for timeout in (PATIENCE, None):
            with sessions() as (one, other):
                one.settimeout(timeout)

                def wait(one: Session = one) -> None:
                    with contextlib.suppress(OSError):
                        one.recv(1)

                thread = threading.Thread(target=wait)
                thread.start()
                time.sleep(0.2)
                if way == "close":
                    one.close()
                else:
                    os.close(one.detach())
                del one
                thread.join()
    # A cycle, which the collector takes apart.
    with sessions() as (one, other):
        other.cycle = [other, other._sslobj]
        file = one.makefile("rb")
        one.close()
        del one, other
        gc.collect()
        with contextlib.suppress(OSError):
            file.read(1)
        file.close()
    # On memory: the memory before the session, and the context before both.
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = client_context().wrap_bio(back, there, server_hostname=HOST)
    del there, back
    gc.collect()
    for _ in range(2):
        with contextlib.suppress(OSError):
            one.do_handshake()
        with contextlib.suppress(OSError):
            one.read(1)
    del one
    gc.collect()


@scene
def callbacks_that_come_back() -> None:
    """A callback of the handshake uses the session that it is about."""
    server = server_context()
    seen: list[Any] = []

    def named(session: Session, name: str, context: ssl.SSLContext) -> None:
        seen.append(name)
        for call in (session.pending, session.version, session.cipher, lambda: session.read(1)):
            with contextlib.suppress(Exception):
                call()
        session.context = server_context()

    server.sni_callback = named
    with sessions(server=server) as (one, other):
        one.send(b"x")
        assert other.recv(1) == b"x"
    assert seen == [HOST]


@scene
def signals_and_deadlines() -> None:
    def raising(*_: Any) -> None:
        raise InterruptedError

    before = signal.signal(signal.SIGALRM, raising)
    try:
        with sessions() as (one, other):
            for timeout in (PATIENCE, None):
                one.settimeout(timeout)
                signal.setitimer(signal.ITIMER_REAL, 0.2)
                with contextlib.suppress(InterruptedError):
                    one.recv(1)
                with contextlib.suppress(TimeoutError), oxisock.deadline(0.05):
                    one.recv(1)
                other.send(b"x")
                assert one.recv(1) == b"x"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@scene
def in_a_child() -> None:
    """A fork has the session, and no thread that was inside."""
    with sessions() as (one, other):
        one.settimeout(PATIENCE)
        thread = threading.Thread(target=one.recv, args=(1,))
        thread.start()
        time.sleep(0.2)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                one.settimeout(0)
                with contextlib.suppress(ssl.SSLWantReadError):
                    one.recv(1)
                one.send(b"c")
                one.close()
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert other.recv(1) == b"c"
        other.send(b"x")
        thread.join()


def main(names: list[str]) -> None:
    assert _socket.tls_unavailable() is None, _socket.tls_unavailable()
    # A fork beside threads is what `in_a_child` is about.
    warnings.simplefilter("ignore", DeprecationWarning)
    for play in SCENES:
        if not names or play.__name__ in names:
            print(play.__name__, flush=True)
            play()


if __name__ == "__main__":
    main(sys.argv[1:])
