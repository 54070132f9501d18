"""What a peer changes in an established session: keys and handshakes, on either class."""

import socket
import ssl
from typing import Any

import pytest

import oxisock
from tests.helpers.tls import HOST, PATIENCE, OpenSSLServer, authority, identity

CLASSES = {"standard": ssl.SSLSocket, "engine": oxisock.SSLSocket}


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
