"""`oxisock.ssl()` with the servers of the world: `openssl s_server` and nginx."""

import hashlib
import os
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import oxisock
from tests.helpers.tls import (
    HOST,
    PATIENCE,
    PEM,
    Identity,
    OpenSSLServer,
    authority,
    identity,
    nginx,
)

VERSIONS = {"1.2": "-tls1_2", "1.3": "-tls1_3"}


@pytest.fixture(params=["ec", "rsa"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=list(VERSIONS))
def number(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["verified", "unverified"])
def start(request: pytest.FixtureRequest, kind: str) -> Callable[..., Any]:
    """`ssl()` in its safe and in its old form, with an optional client certificate."""

    def verified(sock: Any, client: Identity | None = None) -> Any:
        context = authority(kind).client_context()
        if client is not None:
            context.load_cert_chain(client.certfile, client.keyfile)
        return oxisock.ssl(sock, context=context, server_hostname=HOST)

    def unverified(sock: Any, client: Identity | None = None) -> Any:
        files = (client.keyfile, client.certfile) if client else ()
        with pytest.warns(oxisock.UnverifiedTLSWarning):
            return oxisock.ssl(sock, *files)

    return verified if request.param == "verified" else unverified


def get(session: Any, path: str) -> Any:
    """The body of a response of HTTP/1.0, whose end is the end of the session."""
    request = f"GET {path} HTTP/1.0\r\nHost: {HOST}\r\n\r\n".encode()
    assert session.write(request) == len(request)
    head, _, body = session.read().partition(b"\r\n\r\n")
    assert b" 200 " in head.partition(b"\r\n")[0], head
    return body


# -- openssl s_server --------------------------------------------------------------------------


def test_s_server(start: Callable[..., Any], kind: str, number: str) -> None:
    with OpenSSLServer(identity(kind), "-rev", VERSIONS[number]) as server:
        with oxisock.create_connection(server.address, timeout=PATIENCE) as sock:
            session = start(sock)
            assert session.server() == f"/C=US/CN={HOST}"
            assert session.issuer().endswith(f"/CN=Test {kind.upper()} Intermediate")
            for word in (b"hello", b"x" * 10_000):
                assert session.write(word + b"\n") == len(word) + 1
                answer = b""
                while not answer.endswith(b"\n"):
                    answer += session.read(4096)
                assert answer == word[::-1] + b"\n"


def test_s_server_wants_a_client_certificate(
    start: Callable[..., Any], kind: str, number: str
) -> None:
    cafile = authority("ec").cafile
    options = ("-Verify", "3", "-verify_return_error", "-CAfile", cafile, VERSIONS[number])
    with OpenSSLServer(identity(kind), "-www", *options) as server:
        with oxisock.create_connection(server.address, timeout=PATIENCE) as sock:
            client: Identity | None = authority("ec").issue()
            assert client is not None
            assert client.certificate.public_bytes(PEM) in get(start(sock, client), "/")
        for client in (None, authority("rsa").issue()):
            with oxisock.create_connection(server.address, timeout=PATIENCE) as sock:
                with pytest.raises((ssl.SSLError, ConnectionError)) as caught:
                    get(start(sock, client), "/")
                assert not isinstance(caught.value, ssl.SSLCertVerificationError)


def test_key_inside_the_certificate_file(tmp_path: Path) -> None:
    client = authority().issue()
    both = tmp_path / "both.pem"
    both.write_text(Path(client.certfile).read_text() + Path(client.keyfile).read_text())
    options = ("-Verify", "3", "-verify_return_error", "-CAfile", authority().cafile)
    with OpenSSLServer(identity(), "-www", *options) as server:
        with oxisock.create_connection(server.address, timeout=PATIENCE) as sock:
            with pytest.warns(oxisock.UnverifiedTLSWarning):
                session = oxisock.ssl(sock, certfile=str(both))
            assert client.certificate.public_bytes(PEM) in get(session, "/")


# -- nginx -------------------------------------------------------------------------------------


def test_nginx(start: Callable[..., Any], kind: str, number: str, tmp_path: Path) -> None:
    blob = os.urandom(5_000_000)
    (tmp_path / "blob").write_bytes(blob)
    with nginx(tmp_path, identity(kind), f"ssl_protocols TLSv{number};") as server:
        for timeout in (None, PATIENCE):
            with oxisock.create_connection(server.tls) as sock:
                sock.settimeout(timeout)
                session = start(sock)
                assert session.server() == f"/C=US/CN={HOST}"
                body = get(session, "/blob")
                assert hashlib.sha256(body).digest() == hashlib.sha256(blob).digest()


def test_nginx_wants_a_client_certificate(
    start: Callable[..., Any], number: str, tmp_path: Path, kind: str
) -> None:
    directives = (
        f"ssl_protocols TLSv{number};",
        f"ssl_client_certificate {authority('rsa').cafile};",
        "ssl_verify_client on; ssl_verify_depth 3;",
        'location / { return 200 "$ssl_client_verify $ssl_client_s_dn"; }',
    )
    with nginx(tmp_path, identity(kind), *directives) as server:
        with oxisock.create_connection(server.tls, timeout=PATIENCE) as sock:
            session = start(sock, authority("rsa").issue(host="client.example.org"))
            assert get(session, "/") == b"SUCCESS CN=client.example.org,C=US"
        with oxisock.create_connection(server.tls, timeout=PATIENCE) as sock:
            session = start(sock)
            session.write(b"GET / HTTP/1.0\r\n\r\n")
            assert b" 400 " in session.read().partition(b"\r\n")[0]
