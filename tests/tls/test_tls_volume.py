"""Sessions on the engine in use: real servers, much data, several threads, signals.

`OXISOCK_TEST_TLS_BYTES=1073741824 python -m pytest -n0 tests/tls/test_tls_volume.py` sends a GiB
each way.
"""

import contextlib
import hashlib
import os
import random
import select
import signal
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import oxisock
from oxisock import _socket
from tests.helpers.net import connected
from tests.helpers.process import handled
from tests.helpers.tls import (
    HOST,
    PATIENCE,
    PEM,
    OpenSSLServer,
    authority,
    goodbye,
    identity,
    nginx,
    version,
)

BYTES = int(os.environ.get("OXISOCK_TEST_TLS_BYTES", 4 << 20))
"""How many go each way, for each combination of version and key."""

numbers = pytest.mark.parametrize("number", ["1.2", "1.3"])
keys = pytest.mark.parametrize("key", ["ec", "rsa"])
Session = Any


def client_context(key: str, **settings: Any) -> ssl.SSLContext:
    context = authority(key).client_context(**settings)
    context.sslsocket_class = oxisock.SSLSocket
    return context


@contextlib.contextmanager
def connect(address: Any, context: ssl.SSLContext) -> Iterator[Session]:
    """A session on the engine with a server."""
    raw = oxisock.create_connection(address, timeout=PATIENCE)
    session: Session = context.wrap_socket(raw, server_hostname=HOST)
    with session:
        assert type(session._sslobj) is _socket.TLSSession
        yield session


def response(session: Session, request: str) -> tuple[bytes, bytes]:
    """The head and the body of an answer that ends with its `Content-Length`."""
    session.sendall(f"{request}\r\nHost: {HOST}\r\n\r\n".encode())
    with session.makefile("rb") as file:
        head = b"".join(iter(file.readline, b"\r\n"))
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        return head, file.read(int(length))


# -- servers -----------------------------------------------------------------------------------


@numbers
@keys
def test_nginx(number: str, key: str, tmp_path: Path) -> None:
    """Requests of one session: files of every size, the last timeout in the middle of one."""
    files = {f"f{size}": os.urandom(size) for size in (1, 16_384, 100_000, 3_000_000)}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    with nginx(tmp_path, identity(key), f"ssl_protocols TLSv{number};") as server:
        with connect(server.tls, client_context(key)) as session:
            assert session.version() == f"TLSv{number}"
            for name, data in files.items():
                head, body = response(session, f"GET /{name} HTTP/1.1")
                assert head.startswith(b"HTTP/1.1 200")
                assert hashlib.sha256(body).digest() == hashlib.sha256(data).digest()
            # What a timeout of zero leaves behind is still there.
            session.sendall(f"GET /f3000000 HTTP/1.0\r\nHost: {HOST}\r\n\r\n".encode())
            session.settimeout(0)
            got = b""
            while True:
                try:
                    part = session.recv(50_000)
                except ssl.SSLWantReadError:
                    assert select.select([session], [], [], PATIENCE)[0]
                    continue
                if not part:
                    break
                got += part
            assert got.endswith(files["f3000000"])


@numbers
@keys
def test_nginx_wants_a_client_certificate(number: str, key: str, tmp_path: Path) -> None:
    directives = (
        f"ssl_protocols TLSv{number};",
        f"ssl_client_certificate {authority('rsa').cafile};",
        "ssl_verify_client on; ssl_verify_depth 3;",
        'location / { return 200 "$ssl_client_verify $ssl_client_s_dn"; }',
    )
    with nginx(tmp_path, identity(key), *directives) as server:
        context = client_context(key)
        client = authority("rsa").issue(host="client.example.org")
        context.load_cert_chain(client.certfile, client.keyfile)
        with connect(server.tls, context) as session:
            _, body = response(session, "GET / HTTP/1.1")
            assert body == b"SUCCESS CN=client.example.org,C=US"
        with connect(server.tls, client_context(key)) as session:
            head, _ = response(session, "GET / HTTP/1.1")
            assert head.startswith(b"HTTP/1.1 400")


@numbers
@keys
def test_s_server(number: str, key: str) -> None:
    option = f"-tls{number.replace('.', '_')}"
    with OpenSSLServer(identity(key), "-rev", option) as server:
        with connect(server.address, client_context(key)) as session:
            assert session.version() == f"TLSv{number}"
            file = session.makefile("rwb")
            for word in (b"hello", b"x" * 10_000, b""):
                file.write(word + b"\n")
                file.flush()
                assert file.readline() == word[::-1] + b"\n"
            file.close()


@numbers
@keys
def test_s_server_wants_a_client_certificate(number: str, key: str) -> None:
    options = ("-Verify", "3", "-verify_return_error", "-CAfile", authority("ec").cafile)
    option = f"-tls{number.replace('.', '_')}"
    with OpenSSLServer(identity(key), "-www", *options, option) as server:
        client = authority("ec").issue()
        context = client_context(key)
        context.load_cert_chain(client.certfile, client.keyfile)
        with connect(server.address, context) as session:
            session.sendall(b"GET / HTTP/1.0\r\n\r\n")
            page = b"".join(iter(lambda: session.recv(10_000), b""))
            assert client.certificate.public_bytes(PEM) in page
        # In 1.3 the refusal comes after the client's handshake.
        with pytest.raises((ssl.SSLError, ConnectionError)):
            with connect(server.address, client_context(key)) as session:
                session.sendall(b"GET / HTTP/1.0\r\n\r\n")
                session.recv(1)


# -- much data ---------------------------------------------------------------------------------


def blocks(seed: int, size: int) -> Iterator[bytes]:
    """Data at random, which a seed gives anew, in pieces of odd sizes."""
    chance = random.Random(seed)
    noise = chance.randbytes(1 << 18)
    while size:
        start = chance.randrange(1 << 17)
        piece = noise[start : start + min(size, chance.choice([1, 700, 16_384, 16_385, 100_000]))]
        yield piece
        size -= len(piece)


def digest(pieces: Iterator[bytes]) -> str:
    found = hashlib.sha256()
    for piece in pieces:
        found.update(piece)
    return found.hexdigest()


class Peer(threading.Thread):
    """The far end, of `ssl`'s own class: one thread that sends and receives without blocking.

    That class allows one thread at a time on some versions.
    """

    def __init__(self, raw: Any, key: str, size: int, **settings: Any) -> None:
        super().__init__(daemon=True)
        self._transport = raw
        self._server = identity(key).server_context(**settings)
        self._size = size
        self.received = ""

    def run(self) -> None:
        self._transport.settimeout(PATIENCE)
        with self._server.wrap_socket(self._transport, server_side=True) as session:
            session.settimeout(0)
            found, left = hashlib.sha256(), self._size
            pieces = blocks(2, self._size)
            piece = next(pieces, b"")
            while left or piece:
                with contextlib.suppress(ssl.SSLWantReadError):
                    while left:
                        data = session.recv(min(left, 70_000))
                        assert data
                        found.update(data)
                        left -= len(data)
                with contextlib.suppress(ssl.SSLWantWriteError):
                    while piece:
                        piece = piece[session.send(piece) :] or next(pieces, b"")
                readers, writers = [session] if left else [], [session] if piece else []
                select.select(readers, writers, [], 0.01)
            self.received = found.hexdigest()
            # The client says nothing at the end, and may have closed.
            goodbye(session)


@contextlib.contextmanager
def peers(number: str, key: str) -> Iterator[tuple[Session, Peer]]:
    settings = dict(version(number))
    with connected(oxisock) as (near, far):
        peer = Peer(far, key, BYTES, **settings)
        peer.start()
        near.settimeout(PATIENCE)
        context = client_context(key, **settings)
        session: Session = context.wrap_socket(near, server_hostname=HOST)
        with session:
            assert type(session._sslobj) is _socket.TLSSession
            yield session, peer
        peer.join(PATIENCE)
        assert not peer.is_alive()


def receive(session: Session, size: int, chance: random.Random) -> Iterator[bytes]:
    while size:
        try:
            data = session.recv(min(size, chance.choice([1, 5_000, 16_384, 200_000])))
        except (TimeoutError, ssl.SSLWantReadError):
            time.sleep(0.0005)
            continue
        assert data
        size -= len(data)
        yield data


def send(session: Session, pieces: Iterator[bytes]) -> None:
    for piece in pieces:
        while piece:
            # What was refused is sent again, as OpenSSL demands.
            with contextlib.suppress(TimeoutError, ssl.SSLWantWriteError):
                piece = piece[session.send(piece) :]


@pytest.mark.timeout(max(120, BYTES // 500_000))
@numbers
@keys
def test_every_byte_arrives(number: str, key: str) -> None:
    """One thread sends, one receives, and the peer does both."""
    with peers(number, key) as (session, peer):
        found: list[str] = []
        reader = threading.Thread(
            target=lambda: found.append(digest(receive(session, BYTES, random.Random(3))))
        )
        reader.start()
        for piece in blocks(1, BYTES):
            session.sendall(piece)
        reader.join()
        peer.join()
    assert found == [digest(blocks(2, BYTES))]
    assert peer.received == digest(blocks(1, BYTES))


@pytest.mark.timeout(max(120, BYTES // 100_000))
@numbers
def test_every_byte_arrives_whatever_the_timeout_and_the_signals(number: str) -> None:
    """A third thread changes the mode all the time, and signals interrupt what waits."""
    over = threading.Event()
    chance = random.Random(7)
    signals: list[int] = []

    def change(session: Session) -> None:
        while not over.wait(0.002):
            session.settimeout(chance.choice([0, 0.0005, 0.01, PATIENCE]))

    with peers(number, "ec") as (session, peer):
        found: list[str] = []
        threads = [
            threading.Thread(
                target=lambda: found.append(digest(receive(session, BYTES, random.Random(3))))
            ),
            threading.Thread(target=change, args=(session,)),
        ]
        with handled(signal.SIGALRM, lambda number, frame: signals.append(number)):
            signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
            try:
                for thread in threads:
                    thread.start()
                send(session, blocks(1, BYTES))
                threads[0].join()
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
                over.set()
        threads[1].join()
        peer.join()
    assert signals
    assert found == [digest(blocks(2, BYTES))]
    assert peer.received == digest(blocks(1, BYTES))
