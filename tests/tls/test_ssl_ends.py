"""How a TLS session can end or go wrong, and what may happen in the middle of it."""

import socket
import ssl
import struct
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
    goodbye,
    identity,
    incoming,
    serving,
    serving_tls,
    version,
)

pytestmark = pytest.mark.filterwarnings("ignore::oxisock.UnverifiedTLSWarning")


def in_memory(
    conn: socket.socket, act: Callable[[ssl.SSLObject, ssl.MemoryBIO], None], **settings: Any
) -> None:
    """Be a server whose records are made in memory, so that `act` can do anything to them."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = identity().server_context(**settings)
    session = server.wrap_bio(incoming, outgoing, server_side=True)
    while True:
        try:
            session.do_handshake()
            break
        except ssl.SSLWantReadError:
            conn.sendall(outgoing.read())
            incoming.write(conn.recv(65536))
    conn.sendall(outgoing.read())
    act(session, outgoing)


def reset(conn: socket.socket) -> None:
    """Make the next close end the connection with RST."""
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


# -- ends --------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", ["1.2", "1.3"])
def test_end_without_close_notify(number: str) -> None:
    """An error, since anybody can cut a connection; but the data received before is not lost."""

    def serve(session: ssl.SSLSocket) -> None:
        session.sendall(b"x" * 50_000)

    with serving_tls(serve, identity(), **version(number)) as sock:
        session = oxisock.ssl(sock)
        for _ in range(2):
            with pytest.raises(ssl.SSLEOFError):
                session.read()
        assert session.read(10) == b"x" * 10
        assert session.read(100_000) == b"x" * 49_990
        with pytest.raises(ssl.SSLEOFError):
            session.read(1)


def test_end_inside_a_record() -> None:
    def serve(conn: socket.socket) -> None:
        def act(session: ssl.SSLObject, outgoing: ssl.MemoryBIO) -> None:
            session.write(b"whole")
            conn.sendall(outgoing.read())
            session.write(b"cut off")
            conn.sendall(outgoing.read()[:-3])

        in_memory(conn, act)

    with serving(serve) as sock:
        session = oxisock.ssl(sock)
        assert session.read(100) == b"whole"
        with pytest.raises(ssl.SSLEOFError):
            session.read(100)


def test_reset_keeps_what_came_before() -> None:
    read = threading.Event()

    def serve(conn: socket.socket) -> None:
        def act(session: ssl.SSLObject, outgoing: ssl.MemoryBIO) -> None:
            session.write(b"before")
            conn.sendall(outgoing.read())
            assert read.wait(PATIENCE)
            reset(conn)

        in_memory(conn, act)

    with serving(serve) as sock:
        session = oxisock.ssl(sock)
        sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            session.read()
        sock.settimeout(PATIENCE)
        read.set()
        with pytest.raises(ConnectionResetError):
            session.read()
        assert session.read(100) == b"before"
        with pytest.raises(OSError):
            for _ in range(3):
                session.write(b"x")


@pytest.mark.parametrize("size", [0, 3, 5, 40])
def test_end_during_the_handshake(size: int) -> None:
    def serve(conn: socket.socket) -> None:
        inside, outside = ssl.MemoryBIO(), ssl.MemoryBIO()
        inside.write(conn.recv(65536))
        with pytest.raises(ssl.SSLWantReadError):
            identity().server_context().wrap_bio(inside, outside, True).do_handshake()
        conn.sendall(outside.read(size))

    with serving(serve) as sock:
        with pytest.raises(ssl.SSLEOFError):
            oxisock.ssl(sock)
        assert sock.fileno() >= 0


def test_reset_during_the_handshake() -> None:
    def serve(conn: socket.socket) -> None:
        conn.recv(1)
        reset(conn)

    with serving(serve) as sock, pytest.raises(ConnectionResetError):
        oxisock.ssl(sock)


def test_peer_without_tls_is_seen_at_once() -> None:
    """It says less than a record's length asks for, and then nothing: no reason to wait."""
    done = threading.Event()

    def serve(conn: socket.socket) -> None:
        conn.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        assert done.wait(PATIENCE)

    with serving(serve) as sock:
        sock.settimeout(None)
        with pytest.raises(ssl.SSLError, match=r"WRONG_VERSION_NUMBER|wrong version number"):
            oxisock.ssl(sock)
        done.set()


def test_no_common_version() -> None:
    def serve(conn: socket.socket) -> None:
        with pytest.raises(ssl.SSLError):
            identity().server_context(**version("1.2")).wrap_socket(conn, server_side=True)

    context = authority().client_context(minimum_version=ssl.TLSVersion.TLSv1_3)
    with serving(serve) as sock, pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
        oxisock.ssl(sock, context=context, server_hostname=HOST)


def test_tampered_record() -> None:
    alerts = []

    def serve(conn: socket.socket) -> None:
        def act(session: ssl.SSLObject, outgoing: ssl.MemoryBIO) -> None:
            session.write(b"good")
            conn.sendall(outgoing.read())
            session.write(b"evil")
            record = bytearray(outgoing.read())
            record[-1] ^= 1
            conn.sendall(record)
            alerts.append(conn.recv(100))

        in_memory(conn, act, **version("1.2"))

    with serving(serve) as sock:
        session = oxisock.ssl(sock)
        with pytest.raises(ssl.SSLError) as caught:
            session.read()
        # Newer versions of OpenSSL say the second.
        reasons = ("DECRYPTION_FAILED_OR_BAD_RECORD_MAC", "RECORD_LAYER_FAILURE")
        assert caught.value.reason in reasons
        assert session.read(100) == b"good"
        with pytest.raises(ssl.SSLError):
            session.write(b"x")
    assert alerts[0][:1] == b"\x15"


def test_peer_that_is_gone_when_we_write() -> None:
    def serve(session: ssl.SSLSocket) -> None:
        reset(session)

    with serving_tls(serve, identity()) as sock:
        session = oxisock.ssl(sock)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            while True:
                session.write(bytes(100_000))


def test_last_words_of_a_peer_that_reads_no_more() -> None:
    """Our half of the connection is shut, theirs still talks: it is heard to its end."""
    shut = threading.Event()

    def serve(session: ssl.SSLSocket) -> None:
        assert shut.wait(PATIENCE)
        session.sendall(b"last words")
        goodbye(session)

    with serving_tls(serve, identity()) as sock:
        session = oxisock.ssl(sock)
        sock.shutdown(oxisock.SHUT_WR)
        with pytest.raises(BrokenPipeError):
            session.write(b"x")
        shut.set()
        assert session.read() == b"last words"


# -- the middle --------------------------------------------------------------------------------


@pytest.mark.parametrize("number", ["1.2", "1.3"])
def test_certificate_of_more_than_64_kib(number: str) -> None:
    big = authority().issue(padding=90_000)
    with serving_tls(lambda session: list(incoming(session)), big, **version(number)) as sock:
        session = oxisock.ssl(sock, context=authority().client_context(), server_hostname=HOST)
        assert session.server() == f"/C=US/CN={HOST}"
        assert session.write(b"x") == 1


def test_certificate_larger_than_openssl_takes() -> None:
    big = authority().issue(padding=150_000)

    def serve(conn: socket.socket) -> None:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            big.server_context().wrap_socket(conn, server_side=True).recv(1)

    with serving(serve) as sock, pytest.raises(ssl.SSLError, match=r"(?i)excessive.message.size"):
        oxisock.ssl(sock)


def test_many_session_tickets() -> None:
    def echo(session: ssl.SSLSocket) -> None:
        for data in incoming(session):
            session.sendall(data)

    with serving_tls(echo, identity(), num_tickets=20) as sock:
        session = oxisock.ssl(sock)
        session.write(b"x")
        assert session.read(10) == b"x"


@pytest.mark.parametrize(
    ("option", "command"),
    [("-tls1_2", b"r\n"), ("-tls1_2", b"R\n"), ("-tls1_3", b"k\n"), ("-tls1_3", b"K\n")],
)
def test_new_keys_in_the_middle(option: str, command: bytes) -> None:
    """Renegotiation (TLS 1.2) and key updates (TLS 1.3), asked for by the server."""
    with OpenSSLServer(identity(), option) as server:
        with oxisock.create_connection(server.address, timeout=PATIENCE) as sock:
            session = oxisock.ssl(sock)
            session.write(b"first from us\n")
            server.until(b"first from us")
            for number in range(5):
                server.type(command)
                server.type(b"line %d\n" % number)
                received = b""
                while not received.endswith(b"\n"):
                    received += session.read(100)
                assert received == b"line %d\n" % number
                session.write(b"answer %d\n" % number)
                server.until(b"answer %d" % number)
            assert session.server() == f"/C=US/CN={HOST}"


@pytest.mark.parametrize(("option", "command"), [("-tls1_2", b"r\n"), ("-tls1_3", b"K\n")])
def test_new_keys_while_one_thread_reads_and_one_writes(option: str, command: bytes) -> None:
    with OpenSSLServer(identity(), option) as server:
        with oxisock.create_connection(server.address, timeout=PATIENCE) as sock:
            session = oxisock.ssl(sock)
            received = bytearray()

            def read() -> None:
                while not received.endswith(b"end\n"):
                    received.extend(session.read(100))

            reader = threading.Thread(target=read)
            reader.start()
            for number in range(20):
                server.type(command)
                session.write(b"ours %d\n" % number)
                server.until(b"ours %d" % number)
                server.type(b"theirs %d\n" % number)
            server.type(b"end\n")
            reader.join(PATIENCE)
            assert not reader.is_alive()
    assert bytes(received) == b"".join(b"theirs %d\n" % n for n in range(20)) + b"end\n"
    for number in range(20):
        assert b"ours %d\n" % number in server.output


def test_write_in_a_renegotiation_that_data_comes_into() -> None:
    """The server has sent more before it sees our answer to its request for new keys."""
    with OpenSSLServer(identity(), "-tls1_2") as server:
        with oxisock.create_connection(server.address, timeout=PATIENCE) as sock:
            session = oxisock.ssl(sock)
            server.type(b"r\n")
            lines = [b"line %d\n" % number for number in range(5)]
            for text in lines:
                server.type(text)
            assert session.read(100) == lines[0]
            assert session.write(b"ours\n") == 5
            server.until(b"ours")
            received = lines[0] + session.read(3)
            while len(received) < len(b"".join(lines)):
                received += session.read(100)
            assert received == b"".join(lines)
            assert session.write(b"more\n") == 5
            server.until(b"more")
