"""Setups that many rows share. Each takes a module and makes its sockets with that module alone."""

from __future__ import annotations

import functools
import itertools
import os
import struct
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from .row import Names, Setup

TIMEOUT = 5.0
"""The timeout of rows that have one: never reached, only there to be paid for."""

_serial = itertools.count()


def nothing(socket: Any, stack: ExitStack) -> Names:
    """Only the module."""
    return {"socket": socket}


def having(**values: Any) -> Setup:
    """The module and some constants of the row."""
    return lambda socket, stack: {"socket": socket, **values}


@functools.cache
def payload(size: int) -> bytes:
    """The same bytes for every side: where they lie in memory matters too."""
    return b"x" * size


def _transfer(socket: Any, a: Any, b: Any, size: int, timeout: float | None) -> Names:
    a.settimeout(timeout)
    b.settimeout(timeout)
    data, buffer = payload(size), bytearray(max(size, 64))
    return {"socket": socket, "a": a, "b": b, "data": data, "buffer": buffer}


def unix(size: int = 64, timeout: float | None = None, kind: str = "SOCK_STREAM") -> Setup:
    """A connected UNIX pair `a`, `b`, with `data` of `size` bytes and a `buffer` for them."""

    def setup(socket: Any, stack: ExitStack) -> Names:
        a, b = socket.socketpair(socket.AF_UNIX, getattr(socket, kind))
        stack.enter_context(a)
        stack.enter_context(b)
        return _transfer(socket, a, b, size, timeout)

    return setup


def udp(size: int = 64, timeout: float | None = None) -> Setup:
    """Two UDP sockets on loopback, connected to each other; `address` is that of `b`."""

    def setup(socket: Any, stack: ExitStack) -> Names:
        a = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        b = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        for s in (a, b):
            s.bind(("127.0.0.1", 0))
        a.connect(b.getsockname())
        b.connect(a.getsockname())
        return {**_transfer(socket, a, b, size, timeout), "address": b.getsockname()}

    return setup


def udp_unconnected(size: int = 64, timeout: float | None = None) -> Setup:
    """Two UDP sockets on loopback that name each other's `address` with every message."""

    def setup(socket: Any, stack: ExitStack) -> Names:
        a = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        b = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        for s in (a, b):
            s.bind(("127.0.0.1", 0))
        return {**_transfer(socket, a, b, size, timeout), "address": b.getsockname()}

    return setup


def tcp(size: int = 64, timeout: float | None = None, room: int = 0) -> Setup:
    """A connected TCP pair on loopback, without Nagle's delay; `room` sets the kernel's buffers."""

    def setup(socket: Any, stack: ExitStack) -> Names:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(1)
            a = stack.enter_context(socket.socket())
            if room:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
                a.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, room)
            a.connect(listener.getsockname())
            b = stack.enter_context(listener.accept()[0])
        for s in (a, b):
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _transfer(socket, a, b, size, timeout)

    return setup


def listener(family: str = "AF_UNIX", timeout: float | None = None) -> Setup:
    """A listener `l` at `address`.

    Connections that a TCP listener accepted are reset when they are closed: thousands of them in
    TIME_WAIT would use up the ports.
    """

    def setup(socket: Any, stack: ExitStack) -> Names:
        s = stack.enter_context(socket.socket(getattr(socket, family), socket.SOCK_STREAM))
        if family == "AF_UNIX":
            s.bind(f"\0oxisock-bench-{os.getpid()}-{next(_serial)}")
        else:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.bind(("127.0.0.1" if family == "AF_INET" else "::1", 0))
        s.listen(16)
        s.settimeout(timeout)
        return {"socket": socket, "l": s, "address": s.getsockname()}

    return setup


def plain(family: str = "AF_INET", kind: str = "SOCK_STREAM") -> Setup:
    """One socket `s` that is not connected."""

    def setup(socket: Any, stack: ExitStack) -> Names:
        s = stack.enter_context(socket.socket(getattr(socket, family), getattr(socket, kind)))
        return {"socket": socket, "s": s}

    return setup


def with_file(size: int, setup: Setup) -> Setup:
    """Another setup, and a file `f` of `size` bytes on disk."""

    def both(socket: Any, stack: ExitStack) -> Names:
        f = stack.enter_context(tempfile.TemporaryFile())
        f.write(b"x" * size)
        f.flush()
        return {**setup(socket, stack), "f": f}

    return both


def timeouts(setup: Setup, a: float | None, b: float | None) -> Setup:
    """Another setup, and a timeout on each of its two ends."""

    def both(socket: Any, stack: ExitStack) -> Names:
        names = setup(socket, stack)
        names["a"].settimeout(a)
        names["b"].settimeout(b)
        return names

    return both


def plus(setup: Setup, more: Callable[[Names], Names]) -> Setup:
    """Another setup, and more names made of its names."""

    def both(socket: Any, stack: ExitStack) -> Names:
        names = setup(socket, stack)
        return {**names, **more(names)}

    return both


def descriptor_of(setup: Setup, name: str) -> Setup:
    """Another setup, and the descriptor `fd` of one of its sockets."""
    return plus(setup, lambda names: {"fd": names[name].fileno()})
