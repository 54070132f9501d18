"""Watches the socket calls of a program, for ``oxisock report`` and ``oxisock trace``.

The methods of the socket classes are wrapped, those of oxisock or those of the standard library.
A wrapper makes the call and tells a sink what came of it, how long it took, and how long of that
it waited for the network and for the interpreter lock. The engine of oxisock knows these by
itself; for the standard library ``LockSampler`` estimates them.
"""

from __future__ import annotations

import functools
import os
import sys
import sysconfig
import threading
import weakref
from time import perf_counter_ns
from typing import TYPE_CHECKING

from . import _socket

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType, ModuleType
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


class State:
    """What a thread has under way."""

    __slots__ = ("busy", "mine", "site", "thread")

    def __init__(self) -> None:
        self.busy = False
        self.site: Site | None = None
        self.mine: Any = None  # for the sink
        self.thread = threading.current_thread().name


class Watcher:
    """Wraps what a program calls.

    Args:
        standard: watch the module of the standard library instead of oxisock.
        sink: what is told of each call that has ended: its state, name, site, arguments (by
            position, by name), result, exception, beginning, and the nanoseconds that it took, and
            that it waited for the network and for the lock.
    """

    def __init__(self, standard: bool, sink: Callable[..., None]) -> None:
        self.standard = standard
        self.why_no_waits: str | None = None
        self.sampler: Any = None
        self._sink = sink
        self._local = threading.local()
        self._sockets: dict[int, Socket] = {}
        self._kinds: dict[str, int] = {}
        # By the identity of the code, which the site keeps alive: its hash is that of all of it.
        self._sites: dict[tuple[int, int], Site] = {}
        self._enter: Callable[[], tuple[int, int]] = _socket.thread_waits
        self._leave = self._enter
        if standard:
            self._start_sampler()

    def _start_sampler(self) -> None:
        try:
            self.sampler = _socket.LockSampler()
        except (AttributeError, OSError) as exc:
            self.why_no_waits = str(exc) if isinstance(exc, OSError) else "only Linux tells"
            self._enter = self._leave = lambda: (0, 0)
        else:
            self._enter, self._leave = self.sampler.enter, self.sampler.leave

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
            setattr(module, name, self.wrapped(name, getattr(module, name)))
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
        sys.addaudithook(self._audit)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.__new__":
            sock = arguments[0]
            self._sockets.pop(id(sock), None)
            self.known(sock)

    def known(self, sock: Any) -> Socket:
        """Return what is known of a socket: where it was made, or was seen first."""
        key = id(sock)
        found = self._sockets.get(key)
        if found is None or found.ref() is not sock:
            state = self.state()
            site = state.site if state.busy else self.site(sys._getframe(1))
            found = self._sockets[key] = Socket(sock, site)
            weakref.finalize(sock, self._forget, key, weakref.ref(found)).atexit = False
        return found

    def _forget(self, key: int, found: Any) -> None:
        if self._sockets.get(key) is found():
            self._sockets.pop(key, None)

    def sockets(self) -> list[Socket]:
        """Return what is known of the sockets that are there."""
        return list(self._sockets.values())

    def state(self) -> State:
        """Return what this thread has under way."""
        try:
            return self._local.state  # type: ignore[no-any-return]
        except AttributeError:
            state: State = State()
            self._local.state = state
            return state

    def after_fork(self) -> None:
        """In a forked process: begin anew."""
        self._local = threading.local()
        # Those of the parent are its own to tell of.
        self._sockets.clear()
        if self.sampler is not None:
            self._start_sampler()

    def site(self, frame: FrameType | None) -> Site | None:
        """Return the innermost place of the program's own, or of asyncio, which calls for many."""
        kinds = self._kinds
        first = None
        while frame is not None:
            code = frame.f_code
            key = id(code), frame.f_lasti
            found = self._sites.get(key)
            if found is not None:
                return found
            kind = kinds.get(code.co_filename)
            if kind is None:
                kind = kinds[code.co_filename] = _kind(code.co_filename)
            if kind == OWN:
                return self._sites.setdefault(key, Site(code, frame.f_lasti))
            if kind != HIDDEN:
                if first is None:
                    first = frame
                if kind == ASYNCIO:
                    break
            frame = frame.f_back
        if first is None:
            return None
        key = ~id(first.f_code), first.f_lasti
        return self._sites.setdefault(key, Site(first.f_code, first.f_lasti))

    def wrapped(self, name: str, call: Any) -> Any:
        """Return a function that makes the call and tells the sink of it."""
        sink, site, clock = self._sink, self.site, perf_counter_ns

        def watched(*args: Any, **kwargs: Any) -> Any:
            try:
                state: State = self._local.state
            except AttributeError:
                state = self.state()
            if state.busy:
                # Made by another call that is watched, which is the one to be told of.
                return call(*args, **kwargs)
            state.busy = True
            result = error = None
            place = state.site = site(sys._getframe(1))
            network, lock = self._enter()
            began = clock()
            try:
                result = call(*args, **kwargs)
            except BaseException as exc:
                error = exc
                raise
            finally:
                took = clock() - began
                now = self._leave()
                try:
                    sink(
                        state, name, place, args, kwargs, result, error, began, took,
                        now[0] - network, now[1] - lock,
                    )  # fmt: skip
                finally:
                    state.busy = False
            return result

        functools.update_wrapper(watched, call)
        return watched


OWN, LIBRARY, ASYNCIO, HIDDEN = range(4)
_STANDARD = sysconfig.get_path("stdlib") + os.sep
_PACKAGE = os.path.dirname(__file__) + os.sep


def _kind(filename: str) -> int:
    """Tell what sort of file a place is in."""
    if filename.startswith((_PACKAGE, "<frozen ")):
        return HIDDEN
    if filename.startswith(_STANDARD + "asyncio" + os.sep):
        return ASYNCIO
    if filename.startswith(_STANDARD) and not filename.startswith(_STANDARD + "site-packages"):
        return LIBRARY
    return OWN


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
