"""`ssl()`: its arguments, what it verifies and what it warns of, and the plain way of using it."""

import gc
import ssl
import threading
import warnings
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

import oxisock
from tests.helpers.process import run_python
from tests.helpers.tls import (
    HOST,
    PATIENCE,
    authority,
    goodbye,
    identity,
    incoming,
    serving,
    serving_tls,
    version,
)


def echo(session: ssl.SSLSocket) -> None:
    for data in incoming(session):
        session.sendall(data)


def swallow(session: ssl.SSLSocket) -> None:
    for _ in incoming(session):
        pass


def refused(conn: Any) -> None:
    """A server whose client does not like its certificate."""
    with pytest.raises((ssl.SSLError, ConnectionError)):
        identity().server_context().wrap_socket(conn, server_side=True).recv(1)


@pytest.fixture
def unverified() -> Iterator[None]:
    with pytest.warns(oxisock.UnverifiedTLSWarning):
        yield


# -- the documented way ------------------------------------------------------------------------


@pytest.mark.parametrize("number", ["1.2", "1.3"])
@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_write_read_server_issuer(number: str, kind: str, unverified: None) -> None:
    def answer(session: ssl.SSLSocket) -> None:
        assert session.recv(100) == b"GET / HTTP/1.0\r\n\r\n"
        session.sendall(b"x" * 100_000)
        goodbye(session)

    with serving_tls(answer, identity(kind), **version(number)) as sock:
        session = oxisock.ssl(sock)
        assert isinstance(session, oxisock.SSLObject)
        assert session.server() == f"/C=US/CN={HOST}"
        assert session.issuer() == (
            f"/C=US/ST=California/O=Test, Inc./CN=Test {kind.upper()} Intermediate"
        )
        assert session.write(b"GET / HTTP/1.0\r\n\r\n") == 18
        assert session.read(3) == b"xxx"
        assert session.read() == b"x" * 99_997
        assert session.read() == b""
        assert session.read(10) == b""


def test_large_writes_return_their_length(unverified: None) -> None:
    blob = bytes(range(256)) * 12_000
    received = bytearray()

    def collect(session: ssl.SSLSocket) -> None:
        while len(received) < len(blob):
            received.extend(session.recv(65536))
        session.sendall(b"done")

    with serving_tls(collect, identity()) as sock:
        session = oxisock.ssl(sock)
        assert session.write(blob) == len(blob)
        assert session.read(4) == b"done"
    assert bytes(received) == blob


@pytest.mark.parametrize(
    "data", [bytearray(b"data"), memoryview(b"data"), memoryview(b"data\0\0\0\0").cast("I")]
)
def test_write_takes_every_buffer(data: Any, unverified: None) -> None:
    expected = memoryview(data).cast("B").tobytes()
    with serving_tls(echo, identity()) as sock:
        session = oxisock.ssl(sock)
        assert session.write(data) == len(expected)
        assert session.read(100) == expected
        if isinstance(data, bytearray):
            data.clear()  # no export of it is left behind


def test_nothing_to_do(unverified: None) -> None:
    with serving_tls(swallow, identity()) as sock:
        session = oxisock.ssl(sock)
        assert session.write(b"") == 0
        assert session.read(0) == b""


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda session: session.write("text"), TypeError),
        (lambda session: session.write(None), TypeError),
        (lambda session: session.write(memoryview(b"abcd")[::2]), TypeError),
        (lambda session: session.read(-1), ValueError),
        (lambda session: session.read("1"), TypeError),
        (lambda session: session.read(1.0), TypeError),
        (lambda session: session.server(1), TypeError),
    ],
)
def test_bad_arguments(call: Any, error: type[Exception], unverified: None) -> None:
    with serving_tls(swallow, identity()) as sock:
        session = oxisock.ssl(sock)
        with pytest.raises(error):
            call(session)


def test_socket_stays_open_and_the_callers(unverified: None) -> None:
    """A session ends, its object goes, and the same connection carries plain bytes again."""

    sent = threading.Event()

    def serve(conn: Any) -> None:
        with (
            conn.dup() as plain,
            identity().server_context().wrap_socket(conn, server_side=True) as session,
        ):
            session.sendall(b"secret")
            goodbye(session)
            plain.settimeout(PATIENCE)
            plain.sendall(b"plain")
            sent.set()
            assert plain.recv(10) == b"bye"

    with serving(serve) as sock:
        session = oxisock.ssl(sock)
        reference = weakref.ref(session)
        assert sent.wait(PATIENCE)  # all of it is there, for a greedy reader to swallow
        assert session.read() == b"secret"
        del session
        gc.collect()
        assert reference() is None
        assert sock.fileno() >= 0
        assert sock.recv(10) == b"plain"
        sock.sendall(b"bye")


def test_two_threads(unverified: None) -> None:
    """One reads while the other writes, both more than the buffers between them hold."""
    blob = bytes(range(256)) * 16_000
    received = bytearray()
    with serving_tls(echo, identity()) as sock:
        session = oxisock.ssl(sock)
        writer = threading.Thread(target=session.write, args=(blob,))
        writer.start()
        while len(received) < len(blob):
            received += session.read(50_000)
        writer.join()
    assert bytes(received) == blob


def test_several_writers_take_turns(unverified: None) -> None:
    blobs = [bytes([65 + number]) * 200_000 for number in range(4)]
    received = bytearray()

    def collect(session: ssl.SSLSocket) -> None:
        while len(received) < 800_000:
            received.extend(session.recv(65536))
        session.sendall(b"done")

    with serving_tls(collect, identity()) as sock:
        session = oxisock.ssl(sock)
        threads = [threading.Thread(target=session.write, args=(blob,)) for blob in blobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert session.read(4) == b"done"
    assert sorted(bytes(received[i : i + 200_000]) for i in range(0, 800_000, 200_000)) == blobs


def test_several_readers_share_what_comes(unverified: None) -> None:
    parts: list[bytes] = []
    blob = b"".join(number.to_bytes(4, "big") for number in range(100_000))

    def send(session: ssl.SSLSocket) -> None:
        session.sendall(blob)
        goodbye(session)

    def read(session: Any) -> None:
        while part := session.read(16384):
            parts.append(part)

    with serving_tls(send, identity()) as sock:
        session = oxisock.ssl(sock)
        threads = [threading.Thread(target=read, args=(session,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(parts) == sorted(blob[i : i + 16384] for i in range(0, len(blob), 16384))


def test_over_a_unix_socket_pair(unverified: None) -> None:
    ours, theirs = oxisock.socketpair()
    with ours, theirs:
        server = identity().server_context()

        def serve() -> None:
            with server.wrap_socket(theirs, server_side=True) as session:
                echo(session)

        thread = threading.Thread(target=serve)
        thread.start()
        session = oxisock.ssl(ours)
        session.write(b"hello")
        assert session.read(10) == b"hello"
        ours.close()
        thread.join()


# -- what is verified --------------------------------------------------------------------------


def test_warning_is_for_the_caller_and_can_be_an_error() -> None:
    with serving_tls(swallow, identity()) as sock:
        with pytest.warns(oxisock.UnverifiedTLSWarning, match="server_hostname") as caught:
            oxisock.ssl(sock)
        assert caught[0].filename == __file__
    assert issubclass(oxisock.UnverifiedTLSWarning, UserWarning)

    received = []
    with serving(lambda conn: received.append(conn.recv(100))) as sock:
        with warnings.catch_warnings():
            warnings.simplefilter("error", oxisock.UnverifiedTLSWarning)
            with pytest.raises(oxisock.UnverifiedTLSWarning):
                oxisock.ssl(sock)
    assert received == [b""], "something was sent before the warning"


def test_every_unverified_call_warns() -> None:
    for _ in range(2):
        with serving_tls(swallow, identity()) as sock, pytest.warns(oxisock.UnverifiedTLSWarning):
            oxisock.ssl(sock)


@pytest.mark.parametrize("kind", ["ec", "rsa"])
@pytest.mark.parametrize("host", [HOST, "127.0.0.1"])
def test_verified_without_a_warning(kind: str, host: str) -> None:
    with serving_tls(echo, identity(kind)) as sock:
        session = oxisock.ssl(sock, context=authority(kind).client_context(), server_hostname=host)
        session.write(b"x")
        assert session.read(1) == b"x"
        assert session.server() == f"/C=US/CN={HOST}"


def test_a_context_that_does_not_verify_warns(unverified: None) -> None:
    context = authority().client_context(check_hostname=False, verify_mode=ssl.CERT_NONE)
    names = []
    asked = {"sni_callback": lambda _session, host, _context: names.append(host)}
    with serving_tls(swallow, identity(), **asked) as sock:
        oxisock.ssl(sock, context=context, server_hostname="asked.example.org")
    assert names == ["asked.example.org"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"server_hostname": HOST}, "unable to get local issuer|self-signed"),
        ({"server_hostname": "other.example.org", "context": "own"}, "Hostname mismatch"),
        ({"server_hostname": "127.0.0.2", "context": "own"}, "IP address mismatch"),
        ({"server_hostname": HOST, "context": "other"}, "unable to get|self-signed"),
    ],
)
def test_bad_authority_or_name(arguments: dict[str, Any], reason: str) -> None:
    authorities = {"own": authority("ec"), "other": authority("rsa")}
    if "context" in arguments:
        arguments = arguments | {"context": authorities[arguments["context"]].client_context()}
    with serving(refused) as sock:
        with pytest.raises(ssl.SSLCertVerificationError, match=reason) as caught:
            oxisock.ssl(sock, **arguments)
        assert isinstance(caught.value, oxisock.sslerror)
        assert sock.fileno() >= 0


def test_expired() -> None:
    expired = authority().issue(days=-1)
    alerts = []

    def serve(conn: Any) -> None:
        with pytest.raises(ssl.SSLError) as caught:
            expired.server_context().wrap_socket(conn, server_side=True).recv(1)
        alerts.append(caught.value.reason)

    with serving(serve) as sock:
        with pytest.raises(ssl.SSLCertVerificationError, match="certificate has expired"):
            oxisock.ssl(sock, context=authority().client_context(), server_hostname=HOST)
    assert alerts == ["SSLV3_ALERT_CERTIFICATE_EXPIRED"], "the peer was not told why"


# -- arguments that cannot be ------------------------------------------------------------------


def test_arguments_that_do_not_go_together() -> None:
    context = authority().client_context()
    client = identity()
    with serving(lambda conn: None) as sock:
        with pytest.raises(ValueError, match="certfile"):
            oxisock.ssl(sock, client.keyfile)
        with pytest.raises(ValueError, match="context"):
            oxisock.ssl(sock, client.keyfile, client.certfile, context=context)
        with pytest.raises(ValueError, match="hostname"):
            oxisock.ssl(sock, context=context)
        with pytest.raises(FileNotFoundError):
            oxisock.ssl(sock, client.keyfile, "/nonexistent")
        with pytest.raises(oxisock.sslerror):
            oxisock.ssl(sock, identity("rsa").keyfile, client.certfile)
        with pytest.raises(oxisock.sslerror), pytest.warns(oxisock.UnverifiedTLSWarning):
            oxisock.ssl(sock, context=identity().server_context())
        with pytest.raises(TypeError):
            oxisock.ssl(sock, None, None, context)  # type: ignore[call-arg]


def test_encrypted_key_is_an_error_and_no_prompt() -> None:
    client = authority().issue(password=b"secret")
    with serving(lambda conn: None) as sock:
        with pytest.raises(ValueError, match="encrypted"):
            oxisock.ssl(sock, client.keyfile, client.certfile)


def test_sockets_that_cannot_do_it() -> None:
    with oxisock.socket(oxisock.AF_INET, oxisock.SOCK_DGRAM) as sock:
        with pytest.raises(NotImplementedError):
            oxisock.ssl(sock)
    with oxisock.socket(oxisock.AF_INET, oxisock.SOCK_STREAM) as sock:
        with pytest.raises(OSError, match="not connected"):
            oxisock.ssl(sock)
    with pytest.raises(OSError, match="Bad file descriptor"):
        oxisock.ssl(sock)
    with pytest.raises((TypeError, AttributeError)):
        oxisock.ssl(5)  # type: ignore[arg-type]


def test_socket_closed_under_the_session(unverified: None) -> None:
    with serving_tls(swallow, identity()) as sock:
        session = oxisock.ssl(sock)
        sock.close()
        for call in (lambda: session.read(1), session.read, lambda: session.write(b"x")):
            with pytest.raises(OSError, match="Bad file descriptor"):
                call()


def test_sslerror_is_the_interpreters() -> None:
    assert oxisock.sslerror is ssl.SSLError


def test_importing_oxisock_does_not_import_ssl() -> None:
    program = "import sys, oxisock; sys.exit('ssl' in sys.modules or 'oxisock._ssl' in sys.modules)"
    run_python(program)


def test_star_import_leaves_the_module_ssl_alone() -> None:
    namespace: dict[str, Any] = {}
    exec("import ssl\nfrom oxisock import *", namespace)
    assert namespace["ssl"] is ssl
    assert "ssl" in dir(oxisock)
