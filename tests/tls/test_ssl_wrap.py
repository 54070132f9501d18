"""Today's way to TLS: `ssl.SSLContext.wrap_socket()` of an oxisock socket, on either side."""

import os
import ssl
import threading
from collections.abc import Callable
from typing import Any

import pytest

import oxisock
from tests.helpers.tls import (
    HOST,
    PATIENCE,
    OpenSSLServer,
    authority,
    identity,
    incoming,
    serving,
    serving_tls,
    version,
)

BLOB = os.urandom(2_000_000)
STEP = 100_000


def echo(session: ssl.SSLSocket) -> None:
    for data in incoming(session):
        session.sendall(data)


def exactly(session: ssl.SSLSocket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = session.recv(size - len(data))
        assert part
        data += part
    return bytes(data)


@pytest.mark.parametrize("number", ["1.2", "1.3"])
@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_client(kind: str, number: str) -> None:
    with serving_tls(echo, identity(kind), **version(number)) as sock:
        sock.settimeout(PATIENCE)
        context = authority(kind).client_context()
        with context.wrap_socket(sock, server_hostname=HOST) as session:
            assert isinstance(session, ssl.SSLSocket)
            assert session.version() == f"TLSv{number}"
            assert session.gettimeout() == PATIENCE
            assert sock.fileno() == -1, "the descriptor belongs to the session now"
            # One thread: before 3.13 a session of `ssl` is not safe in two of them.
            for start in range(0, len(BLOB), STEP):
                part = BLOB[start : start + STEP]
                session.sendall(part)
                assert exactly(session, len(part)) == part
            with session.makefile("rwb") as file:
                file.write(b"line\n")
                file.flush()
                assert file.readline() == b"line\n"


def test_client_verifies() -> None:
    def refused(conn: Any) -> None:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            identity().server_context().wrap_socket(conn, server_side=True).recv(1)

    with serving(refused) as sock:
        context = authority().client_context()
        with pytest.raises(ssl.SSLCertVerificationError):
            context.wrap_socket(sock, server_hostname="other.example.org")


@pytest.mark.parametrize("number", ["1.2", "1.3"])
def test_server(number: str) -> None:
    def ask(address: Any) -> None:
        context = authority().client_context()
        with oxisock.create_connection(address, timeout=PATIENCE) as sock:
            with context.wrap_socket(sock, server_hostname=HOST) as session:
                session.sendall(BLOB)
                assert exactly(session, 4) == b"done"

    with oxisock.create_server(("127.0.0.1", 0)) as listener:
        with running(lambda: ask(listener.getsockname())):
            conn, _ = listener.accept()
            conn.settimeout(PATIENCE)
            context = identity().server_context(**version(number))
            with context.wrap_socket(conn, server_side=True) as session:
                assert exactly(session, len(BLOB)) == BLOB
                session.sendall(b"done")


def test_server_that_wraps_its_listener() -> None:
    context = identity().server_context()
    server: Any = oxisock.create_server(("127.0.0.1", 0))
    with context.wrap_socket(server, server_side=True) as listener:
        address = listener.getsockname()

        def ask() -> None:
            with oxisock.create_connection(address, timeout=PATIENCE) as sock:
                session = oxisock.ssl(
                    sock, context=authority().client_context(), server_hostname=HOST
                )
                session.write(b"ping")
                assert session.read(4) == b"pong"

        with running(ask):
            session, _ = listener.accept()
            with session:
                assert exactly(session, 4) == b"ping"
                session.sendall(b"pong")


def test_client_before_it_is_connected() -> None:
    with OpenSSLServer(identity(), "-rev") as server:
        plain = oxisock.socket(oxisock.AF_INET, oxisock.SOCK_STREAM)
        plain.settimeout(PATIENCE)
        context = authority().client_context()
        with context.wrap_socket(plain, server_hostname=HOST) as session:
            session.connect(server.address)
            session.sendall(b"hello\n")
            assert exactly(session, 6) == b"olleh\n"


def test_timeout_and_non_blocking() -> None:
    with serving_tls(echo, identity()) as sock:
        with authority().client_context().wrap_socket(sock, server_hostname=HOST) as session:
            session.settimeout(0.1)
            with pytest.raises(TimeoutError):
                session.recv(1)
            session.setblocking(False)
            with pytest.raises(ssl.SSLWantReadError):
                session.recv(1)


def test_client_certificate() -> None:
    client = authority("rsa").issue(host="client.example.org")
    subjects = []

    def serve(conn: Any) -> None:
        context = identity().server_context(verify_mode=ssl.CERT_REQUIRED)
        context.load_verify_locations(authority("rsa").cafile)
        with context.wrap_socket(conn, server_side=True) as session:
            certificate = session.getpeercert()
            assert certificate is not None
            subjects.append(certificate["subject"])
            session.sendall(b"x")

    with serving(serve) as sock:
        context = authority().client_context()
        context.load_cert_chain(client.certfile, client.keyfile)
        with context.wrap_socket(sock, server_hostname=HOST) as session:
            assert session.recv(1) == b"x"
    assert subjects == [((("countryName", "US"),), (("commonName", "client.example.org"),))]


class running:  # noqa: N801 - reads as the verb it is
    """Run a function in a thread beside the block, whose error is the test's error."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._errors: list[BaseException] = []
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self._call()
        except BaseException as error:
            self._errors.append(error)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *exc: object) -> None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        if self._errors:
            raise self._errors[0]
