"""A far end of TLS whose records pass through the test's hands."""

import contextlib
import re
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from typing import Any

import oxisock
from tests.helpers.tls import HOST, PATIENCE, authority, identity, version

CLASSES = {"standard": ssl.SSLSocket, "engine": oxisock.SSLSocket}
HEADER = 5
"""Bytes in front of each record, of which the last two are the length of what follows."""


class FarEnd:
    """A server of `ssl`'s own class on memory, with a `client` of either class on a UNIX socket.

    Nothing moves but by a call of the test, so that everything happens in one order. The client
    does not block at first.
    """

    def __init__(self, kind: str, number: str) -> None:
        context = authority().client_context(**version(number))
        context.sslsocket_class = CLASSES[kind]
        near, self.transport = socket.socketpair()
        # Small pieces take much more room than they have bytes.
        self.transport.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        near.settimeout(0)
        self.client: Any = context.wrap_socket(
            near, server_hostname=HOST, do_handshake_on_connect=False
        )
        self.incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = identity().server_context(**version(number))
        self.session = server.wrap_bio(self.incoming, self._outgoing, server_side=True)
        for end in (self.client, self.session) * 2:
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
            self.take()
            self.flush()

    def take(self) -> int:
        """Take what the client has sent, and tell how many bytes that were."""
        count = 0
        self.transport.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            while data := self.transport.recv(1 << 16):
                count += self.incoming.write(data)
        return count

    def read(self) -> bytes:
        """Read all that the client has sent."""
        self.take()
        data = b""
        with contextlib.suppress(ssl.SSLWantReadError):
            while part := self.session.read(1 << 16):
                data += part
        return data

    def flush(self) -> None:
        """Let the client have what the session has to say."""
        self.deliver(self._outgoing.read())

    def deliver(self, octets: bytes) -> None:
        """Let the client have these bytes, whatever they are."""
        self.transport.settimeout(PATIENCE)
        self.transport.sendall(octets)

    def records(self, data: bytes) -> list[bytes]:
        """Return the records of this payload, which are still to be delivered."""
        self.session.write(data)
        octets = self._outgoing.read()
        found = []
        while octets:
            length = HEADER + int.from_bytes(octets[3:HEADER], "big")
            found.append(octets[:length])
            octets = octets[length:]
        return found

    def write(self, data: bytes) -> None:
        """Let the client have this payload."""
        self.deliver(b"".join(self.records(data)))

    def end(self) -> None:
        """Say good-bye, as TLS has it."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.session.unwrap()
        self.flush()

    def close(self) -> None:
        """Close the connection; what the client has sent and nobody took makes that a reset."""
        self.transport.close()


@contextlib.contextmanager
def far_end(kind: str, number: str) -> Iterator[FarEnd]:
    """A far end and its client, which are closed afterwards."""
    far = FarEnd(kind, number)
    try:
        with far.client:
            yield far
    finally:
        far.close()


def outcome(call: Callable[..., Any], *args: Any) -> Any:
    """What a call gives: its value, or all that its exception says."""
    try:
        return call(*args)
    except OSError as error:
        extra = getattr(error, "library", None), getattr(error, "reason", None)
        return type(error), error.args, str(error), *extra


def same(scenario: Callable[[str], list[Any]]) -> list[Any]:
    """Run a scenario on both classes; what it returns has to be equal."""
    standard, engine = scenario("standard"), scenario("engine")
    if sys.version_info >= (3, 14):
        assert [*map(told, engine)] == [*map(told, standard)]
    else:
        assert engine == standard
    return engine


def told(item: Any) -> Any:
    """What an outcome says from CPython 3.14 on.

    After a write that found the connection broken, a read of the standard class raises SSLError
    there, with the reason of an end without good-bye, and that of the engine says that it is the
    end, as both do before 3.14; and which line of `_ssl.c` has raised is another matter.
    """
    if not isinstance(item, tuple):
        return item
    if item[-1] == "UNEXPECTED_EOF_WHILE_READING":
        return b""
    kind, _, text, *more = item
    return kind, re.sub(r"_ssl\.c:\d+", "_ssl.c", text), *more
