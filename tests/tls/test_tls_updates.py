"""What a peer changes in an established session: keys and handshakes, on either class."""

import socket
import ssl
import threading
from typing import Any

import pytest

from tests.helpers.tls import HOST, PATIENCE, OpenSSLServer, authority, identity, version
from tests.helpers.tls_records import CLASSES


def scenario(kind: str, option: str, commands: bytes) -> list[Any]:
    """Move data both ways after each command that is typed to `openssl s_server`."""
    context = authority().client_context()
    context.sslsocket_class = CLASSES[kind]
    trace: list[Any] = []
    with (
        OpenSSLServer(identity(), option) as server,
        socket.create_connection(server.address, timeout=PATIENCE) as plain,
        context.wrap_socket(plain, server_hostname=HOST) as client,
    ):
        client.sendall(b"before\n")
        server.until(b"before")
        for number, command in enumerate(commands):
            server.type(bytes([command]) + b"\n")
            server.type(b"data %d\n" % number)
            received = b""
            while not received.endswith(b"\n"):
                received += client.recv(100)
            client.sendall(b"reply %d\n" % number)
            server.until(b"reply %d" % number)
            trace += [received, client.version(), client.pending()]
    return trace


@pytest.mark.parametrize(
    ("option", "commands"),
    # A new key of the server's; one of both; a handshake anew, which 1.3 has not.
    [("-tls1_3", b"kKkK"), ("-tls1_2", b"rr")],
    ids=["key updates", "renegotiation"],
)
def test_what_the_peer_changes_is_not_noticed(option: str, commands: bytes) -> None:
    standard, engine = (scenario(kind, option, commands) for kind in CLASSES)
    assert engine == standard
    assert [item for item in engine if isinstance(item, bytes)] == [
        b"data %d\n" % number for number in range(len(commands))
    ]


def accepted(server: ssl.SSLContext, far: socket.socket, made: list[Any]) -> None:
    session = server.wrap_socket(far, server_side=True)
    session.sendall(b"tickets before this")
    made.append(session)


@pytest.mark.parametrize("number", ["1.2", "1.3"])
def test_sessions_are_taken_up_again(number: str) -> None:
    def sessions(kind: str) -> list[Any]:
        client = authority().client_context(**version(number))
        client.sslsocket_class = CLASSES[kind]
        server = identity().server_context(**version(number))
        trace: list[Any] = []
        ticket: ssl.SSLSession | None = None
        for _ in range(3):
            near, far = socket.socketpair()
            made: list[Any] = []
            thread = threading.Thread(target=accepted, args=(server, far, made))
            thread.start()
            with client.wrap_socket(near, server_hostname=HOST, session=ticket) as one:
                trace.append(one.recv(100))
                thread.join(PATIENCE)
                with made[0] as other:
                    trace += [one.session_reused, other.session_reused]
                    ticket = one.session
                    assert ticket is not None
                    trace.append(ticket.has_ticket)
        return trace

    standard, engine = (sessions(kind) for kind in CLASSES)
    assert engine == standard
    assert engine[1::4] == [False, True, True]


def test_a_certificate_of_the_client_after_the_handshake() -> None:
    def late(kind: str) -> list[Any]:
        client = authority().client_context(post_handshake_auth=True)
        client.sslsocket_class = CLASSES[kind]
        client.load_cert_chain(identity().certfile, identity().keyfile)
        server = identity().server_context(post_handshake_auth=True)
        server.sslsocket_class = CLASSES[kind]
        server.verify_mode = ssl.CERT_REQUIRED
        server.load_verify_locations(authority().cafile)
        near, far = socket.socketpair()
        made: list[Any] = []
        thread = threading.Thread(target=accepted, args=(server, far, made))
        thread.start()
        with client.wrap_socket(near, server_hostname=HOST) as one:
            trace: list[Any] = [one.recv(100)]
            thread.join(PATIENCE)
            with made[0] as other:
                trace.append(other.getpeercert())
                other.verify_client_post_handshake()
                # The request goes with the next write, the certificate with the read of it.
                other.sendall(b"who?")
                trace.append(one.recv(10))
                one.sendall(b"me")
                trace += [other.recv(10), bool(other.getpeercert())]
        return trace

    standard, engine = (late(kind) for kind in CLASSES)
    assert engine == standard
    assert engine[1:] == [None, b"who?", b"me", True]
