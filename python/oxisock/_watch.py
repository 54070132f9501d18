"""Watches the socket calls of a program, for ``oxisock report`` and ``oxisock trace``.

The methods of the socket classes are wrapped, those of oxisock or those of the standard library.
The wrappers are native: such a callable makes the call and adds up, or tells a sink, what came of
it, how long it took, and how long of that it waited for the network and for the interpreter lock.
The engine of oxisock knows these by itself; for the standard library ``LockSampler`` estimates
them.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import weakref
from functools import wraps
from typing import TYPE_CHECKING

from . import _socket

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, ModuleType
    from typing import Any


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


RECEIVING = _names("""
    recv recv_into recvfrom recvfrom_into recvmsg recvmsg_into recv_exactly recv_exactly_into
    recvmsg_exactly recv_segments recvfrom_many recv_many_into recvfrom_many_into
""")
SENDING = _names("""
    send sendall sendto sendmsg sendmsg_all sendfile send_many sendto_many send_segments
""")
READING = _names("read readinto read1 readline readall")
CONNECTING = _names("accept connect connect_ex bind listen shutdown do_handshake unwrap close")
METHODS = RECEIVING | SENDING | CONNECTING
FUNCTIONS = ("create_connection", "create_server", "getaddrinfo", "gethostbyname", "socketpair")


class Site:
    """A place in a program, of which there is one object."""

    __slots__ = ("code", "offset")

    def __init__(self, code: CodeType, offset: int) -> None:
        self.code = code
        self.offset = offset

    def __str__(self) -> str:
        line = next(
            (line for start, end, line in self.code.co_lines() if start <= self.offset < end), None
        )
        name = self.code.co_filename
        here = os.getcwd() + os.sep
        return f"{name.removeprefix(here)}:{line or self.code.co_firstlineno}"


class Socket:
    """What is known of one socket."""

    __slots__ = (
        "__weakref__", "accepted", "family", "kind", "label", "local", "made", "number", "peer",
        "ref", "state",
    )  # fmt: skip

    def __init__(self, sock: Any, made: Site | None) -> None:
        self.ref = weakref.ref(sock)
        self.made = made
        self.accepted = False
        self.label: str | None = None
        self.local: Any = None
        self.peer: Any = None
        self.family = self.kind = self.number = -1
        self.state: Any = None  # for the sink

    def learn(self, sock: Any) -> None:
        """Ask for the addresses, as long as there is something to learn."""
        try:
            number = sock.fileno()
            if number >= 0 and number != self.number:
                self.family, self.kind = int(sock.family), int(sock.type)
                self.number = number
        except (OSError, AttributeError, ValueError):
            pass
        for name, ask in (("local", "getsockname"), ("peer", "getpeername")):
            if getattr(self, name) is None:
                try:
                    setattr(self, name, getattr(sock, ask)())
                except (OSError, AttributeError):
                    pass

    def alive(self) -> Any:
        """Return the socket if it is still open, else None."""
        sock = self.ref()
        try:
            return sock if sock is not None and sock.fileno() >= 0 else None
        except (OSError, AttributeError, ValueError):
            return None


def address(value: Any) -> str:
    """Return an address as people write it."""
    if isinstance(value, tuple) and len(value) in (2, 4) and isinstance(value[0], str):
        host = f"[{value[0]}]" if ":" in value[0] else value[0]
        return f"{host}:{value[1]}"
    if isinstance(value, bytes):
        return "@" + value.removeprefix(b"\0").decode("utf-8", "backslashreplace")
    return value if isinstance(value, str) else repr(value)


class Watcher:
    """Has what a program calls watched, and knows what is rarely asked of it.

    Args:
        standard: watch the module of the standard library instead of oxisock.
        sink: what is told of each call that has ended: its name, site, arguments (by position, by
            name), result, exception, and the nanoseconds that it took, and that it waited for the
            network and for the lock. Without one they are added up.
    """

    Site = Site

    def __init__(self, standard: bool, sink: Callable[..., None] | None = None) -> None:
        self.standard = standard
        self.why_no_waits: str | None = None
        self.sampler: Any = None
        self._tells = sink is not None
        self.native = _socket.Watch(self, standard, sink)
        self._sockets: dict[int, Socket] = {}
        if standard:
            self._start_sampler()

    def _start_sampler(self) -> None:
        try:
            self.sampler = _socket.LockSampler()
        except (AttributeError, OSError) as exc:
            self.why_no_waits = str(exc) if isinstance(exc, OSError) else "only Linux tells"
        else:
            self.native.sample(self.sampler)

    def start(self, module: ModuleType) -> None:
        """Wrap the classes and functions of a socket module, and what is made of them."""
        classes: list[Any] = [module.socket]
        try:
            import ssl
        except ImportError:
            pass
        else:
            classes.append(ssl.SSLSocket)
            if not self.standard:
                from . import _tls

                classes.append(_tls.SSLSocket)
        for cls in classes:
            for name in sorted(METHODS):
                if name in vars(cls) or (cls is module.socket and hasattr(cls, name)):
                    setattr(cls, name, self.wrapped(name, getattr(cls, name)))
        for name in FUNCTIONS:
            call = getattr(module, name)
            watched = self.wrapped(name, call)
            setattr(module, name, watched)
            # Where pickle looks for it.
            home = sys.modules.get(call.__module__)
            if getattr(home, name, None) is call:
                setattr(home, name, watched)
        import selectors

        for name in ("EpollSelector", "PollSelector", "SelectSelector"):
            selector: Any = getattr(selectors, name, None)
            if selector is not None and not hasattr(selector.select, "__wrapped__"):
                selector.select = self.wrapped("select", selector.select)
        if not self.standard:
            # On oxisock they receive by themselves.
            from . import _files

            files: Any = _files
            for cls in (
                files.SocketIO, files.BufferedReader, files.BufferedRWPair, files.TextIOWrapper
            ):  # fmt: skip
                for name in sorted(READING):
                    if hasattr(cls, name):
                        setattr(cls, name, self.wrapped(name, getattr(cls, name)))
        sys.addaudithook(self.native.audit)

    def wrapped(self, name: str, call: Any) -> Any:
        """Return a callable that makes the call and tells of it."""
        if name == "close" and self._tells:
            call = self._known_first(call)
        return self.native.wrap(name, call, traits(name))

    def _known_first(self, close: Any) -> Any:
        """Return a callable that learns what a socket is before it is closed: after it, nothing."""

        @wraps(close)
        def call(sock: Any, /) -> Any:
            self.known(sock).learn(sock)
            return close(sock)

        return call

    def kind(self, filename: str) -> int:
        """Tell what sort of file a place is in."""
        if filename.startswith((_PACKAGE, "<frozen ")):
            return HIDDEN
        if filename.startswith(_STANDARD + "asyncio" + os.sep):
            return ASYNCIO
        if filename.startswith(_STANDARD) and not filename.startswith(_STANDARD + "site-packages"):
            return LIBRARY
        return OWN

    def known(self, sock: Any) -> Socket:
        """Return what is known of a socket: where it was made, or was seen first."""
        key = id(sock)
        found = self._sockets.get(key)
        if found is None or found.ref() is not sock:
            made = self.native.made_at(sock) or self.native.here()
            found = self._sockets[key] = Socket(sock, made)
        return found

    def sockets(self) -> list[Socket]:
        """Return what is known of the sockets that are there."""
        for weak, _ in self.native.sockets():
            sock = weak()
            if sock is not None:
                self.known(sock)
        return list(self._sockets.values())

    def after_fork(self) -> None:
        """In a forked process: begin anew."""
        # Those of the parent are its own to tell of.
        self._sockets.clear()
        self.native.begin()
        if self.sampler is not None:
            self._start_sampler()


# What the native half has to know of a method, see src/watch/call.rs.
_NO_BYTES, _NO_PEER, _SENDS_ALL, _TAKES_ADDRESS, _GIVES_ADDRESS, _ASKS = (1 << n for n in range(6))
_TRAITS = (
    (_NO_BYTES, CONNECTING | {"select", *FUNCTIONS}),
    (_NO_PEER, {"select", "create_server", "socketpair"}),
    (_SENDS_ALL, {"sendall"}),
    (_TAKES_ADDRESS, {"sendto"}),
    (_GIVES_ADDRESS, {"recvfrom", "recvfrom_into", "recvmsg", "recvmsg_into"}),
    # What a socket is connected to changes, or there is none.
    (_ASKS, {"accept", "bind", "connect", "connect_ex", "create_connection", "getaddrinfo",
             "gethostbyname"}),
)  # fmt: skip


def traits(name: str) -> int:
    """Return what the native half has to know of a method or function."""
    return sum(trait for trait, names in _TRAITS if name in names)


# Sorts of files, numbered as in src/watch/site.rs.
OWN, LIBRARY, ASYNCIO, HIDDEN = range(4)
_STANDARD = sysconfig.get_path("stdlib") + os.sep
_PACKAGE = os.path.dirname(__file__) + os.sep


def socket_of(subject: Any) -> Any:
    """Return the socket that a method was called on, or that of a file."""
    if hasattr(subject, "getpeername"):
        return subject
    subject = getattr(subject, "buffer", subject)
    subject = getattr(subject, "raw", subject)
    return getattr(subject, "_sock", None)


def size(name: str, arguments: tuple[Any, ...], result: Any) -> int:
    """Return how many bytes a call has moved."""
    if result is None:
        if name != "sendall":
            return 0
        try:
            return memoryview(arguments[1]).nbytes
        except (TypeError, IndexError):
            return 0
    if isinstance(result, tuple) and result:
        result = result[0]
    if isinstance(result, int):
        return result
    if isinstance(result, (bytes, str)):
        return len(result)
    return sum(len(item[0]) for item in result) if name == "recvfrom_many" else 0
