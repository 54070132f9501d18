"""TLS over the sockets of other setups: the interpreter's `ssl`, or oxisock's classes for it.

A side's module decides about its own end alone; the other processes are the standard library's.
"""

from __future__ import annotations

import ssl
import threading
import time
from contextlib import ExitStack, suppress
from itertools import repeat
from pathlib import Path
from typing import Any

from .row import Names, Setup

HOST = "localhost"
IDENTITY = Path(__file__).with_name("localhost.pem")
"""A key and its certificate, which is its own authority."""


def server_context(socket: Any = None) -> ssl.SSLContext:
    """Make the context of a server that sends no tickets, which a client reads before a reply."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(IDENTITY)
    context.num_tickets = 0
    return _with_classes(context, socket)


def client_context(socket: Any = None) -> ssl.SSLContext:
    """Make the context of a client that verifies the server."""
    return _with_classes(ssl.create_default_context(cafile=str(IDENTITY)), socket)


def _with_classes(context: ssl.SSLContext, socket: Any) -> ssl.SSLContext:
    # Only oxisock has its own. Without a module the classes are those that are installed.
    if socket is not None:
        context.sslsocket_class = getattr(socket, "SSLSocket", ssl.SSLSocket)
        context.sslobject_class = getattr(socket, "TLSObject", ssl.SSLObject)
    return context


def over_tls(setup: Setup, end: str = "a") -> Setup:
    """Another setup, one end of which begins TLS with the process at the other end."""

    def secured(socket: Any, stack: ExitStack) -> Names:
        names = setup(socket, stack)
        secure = client_context(socket).wrap_socket(names[end], server_hostname=HOST)
        return {**names, end: stack.enter_context(secure)}

    return secured


def both_over_tls(setup: Setup) -> Setup:
    """Another setup, whose ends `a` and `b` speak TLS with each other."""

    def secured(socket: Any, stack: ExitStack) -> Names:
        names = setup(socket, stack)
        a, b = names["a"], names["b"]
        timeouts = a.gettimeout(), b.gettimeout()
        a.settimeout(None)
        b.settimeout(None)
        context, made = server_context(socket), []

        def serve() -> None:
            made.append(context.wrap_socket(b, server_side=True))

        thread = threading.Thread(target=serve)
        thread.start()
        a = stack.enter_context(client_context(socket).wrap_socket(a, server_hostname=HOST))
        thread.join()
        b = stack.enter_context(made[0])
        a.settimeout(timeouts[0])
        b.settimeout(timeouts[1])
        return {**names, "a": a, "b": b}

    return secured


def contexts(socket: Any, stack: ExitStack) -> Names:
    """A `server` and a `client` context."""
    return {
        "socket": socket,
        "server": server_context(socket),
        "client": client_context(socket),
    }


def _shake_hands(a: Any, b: Any) -> None:
    # Neither waits: they speak in turn until both have nothing to say.
    for end in (a, b, a, b):
        with suppress(ssl.SSLWantReadError):
            end.do_handshake()


def on_memory(size: int) -> Setup:
    """Two sessions `a` and `b` on memory, as asyncio has them, each other's records at hand."""

    def setup(socket: Any, stack: ExitStack) -> Names:
        names = contexts(socket, stack)
        there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
        a = names["client"].wrap_bio(back, there, server_hostname=HOST)
        b = names["server"].wrap_bio(there, back, server_side=True)
        _shake_hands(a, b)
        return {**names, "a": a, "b": b, "data": b"x" * size}

    return setup


def handshakes(names: Any, n: int) -> float:
    """Connect, do the handshake and close, both ends in this thread."""
    socketpair, clock = names.socket.socketpair, time.perf_counter
    start = clock()
    for _ in repeat(None, n):
        a, b = socketpair()
        a.setblocking(False)
        b.setblocking(False)
        late: Any = {"do_handshake_on_connect": False}
        with (
            names.client.wrap_socket(a, server_hostname=HOST, **late) as a,
            names.server.wrap_socket(b, server_side=True, **late) as b,
        ):
            _shake_hands(a, b)
    return clock() - start
