"""What the socket calls of a process come to, for ``oxisock report``."""

from __future__ import annotations

import errno
import os
import socket as _standard
import threading
import weakref
from time import perf_counter_ns
from typing import TYPE_CHECKING

from . import _watch

if TYPE_CHECKING:
    from typing import Any

    Data = dict[str, Any]

MOST_PEERS = 1000
"""So many peers are told apart."""

# Columns of an entry, as in src/watch/table.rs.
CALLS, BYTES, TOOK, NETWORK, LOCK, WAITED, LONGEST, TIMEOUTS, ERRORS = range(9)
NAMES = (
    "calls", "bytes", "seconds", "network_seconds", "lock_seconds", "waited", "longest_seconds",
    "timeouts", "errors",
)  # fmt: skip
_SECONDS = (TOOK, NETWORK, LOCK, LONGEST)


class Recorder(_watch.Watcher):
    """Adds up the calls of this process."""

    def __init__(self, standard: bool) -> None:
        super().__init__(standard)
        self._begin()

    def _begin(self) -> None:
        self.began = perf_counter_ns()
        self.errors: dict[str, int] = {}
        self._peers = 0
        # Of accepted connections, by listener and host.
        self._hosts: dict[tuple[int, str], str] = {}

    def after_fork(self) -> None:
        """In a forked process: begin anew."""
        super().after_fork()
        self._begin()

    # What the native half asks.

    def thread(self) -> str:
        """Return the name of this thread."""
        return threading.current_thread().name

    def failed(self, error: BaseException) -> tuple[int, int]:
        """Tell whether a call timed out, and whether it failed otherwise."""
        if isinstance(error, BlockingIOError) or type(error).__name__.startswith("SSLWant"):
            return 0, 0
        if isinstance(error, TimeoutError) and error.errno is None:
            return 1, 0
        if isinstance(error, OSError):
            number = error.errno
            name = errno.errorcode.get(number or 0) or f"{type(error).__name__} {number or ''}"
            self.errors[name.strip()] = self.errors.get(name.strip(), 0) + 1
            return 0, 1
        return 0, 0

    def size(self, name: str, arguments: Any, result: Any) -> int:
        """Return how many bytes a call has moved."""
        return _watch.size(name, arguments, result)

    def label(self, name: str, arguments: Any, result: Any) -> str:
        """Return what the peer is called, and have it remembered where it will stay so."""
        subject = arguments[0] if arguments else None
        if name in ("create_connection", "getaddrinfo", "gethostbyname"):
            return _watch.address(subject) if subject is not None else ""
        sock = _watch.socket_of(subject)
        if sock is None:
            return ""
        info = self.known(sock)
        if name == "accept" and isinstance(result, tuple) and result:
            self.known(result[0]).accepted = True
        elif name in ("connect", "connect_ex"):
            info.label = info.peer = None
        info.learn(sock)
        if info.label is not None:
            return self._keep(subject, info.label)
        if info.accepted and isinstance(info.peer, tuple):
            # Each has a port of its own, which says nothing.
            host = _watch.address(info.peer).rpartition(":")[0]
            label = f"{host} at {_watch.address(info.local)}"
        elif info.peer:
            label = _watch.address(info.peer)
        elif info.peer is not None:
            label = f"client of {_watch.address(info.local)}" if info.local else "a pair"
        elif info.kind in _CONNECTED:
            return self._other(name, arguments, result, info)
        else:
            self._keep(subject, f"at {_watch.address(info.local)}" if info.local else "", True)
            return self._other(name, arguments, result, info)
        info.label = self._few(label)
        return self._keep(subject, info.label)

    def _keep(self, subject: Any, label: str, by_address: bool = False) -> str:
        """Have the calls on a socket or file counted under a label without asking again."""
        if not self.native.keep(subject, label, by_address):
            key, forget = id(subject), self.native.forget
            try:
                weak = weakref.ref(subject, lambda _: forget(key))
            except TypeError:
                return label
            self.native.keep(subject, label, by_address, weak)
        return label

    def _few(self, label: str) -> str:
        self._peers += 1
        return label if self._peers <= MOST_PEERS else "others"

    def _other(self, name: str, arguments: Any, result: Any, info: _watch.Socket) -> str:
        """Return the peer of one call of a socket without one."""
        if name in ("connect", "connect_ex") and len(arguments) > 1:
            return _watch.address(arguments[1])
        target = None
        if name == "sendto":
            target = arguments[-1]
        elif name.startswith(("recvfrom", "recvmsg")) and isinstance(result, tuple):
            target = result[-1]
        if isinstance(target, (tuple, str, bytes)) and target:
            return self._few(_watch.address(target))
        return f"at {_watch.address(info.local)}" if info.local else ""

    def data(self) -> Data:
        """Return what there is so far, for JSON."""
        elapsed = perf_counter_ns() - self.began
        entries = self.native.entries()
        operations: Data = {}
        peers: Data = {}
        sites: Data = {}
        names = self.native.threads()
        by_thread = [[0] * len(NAMES) for _ in names]
        for thread, name, site, peer, entry in entries:
            for table, key in (
                (operations, name), (peers, peer), (sites, f"{site or '?'} {name}")
            ):  # fmt: skip
                if key:
                    _merge(table.setdefault(key, [0] * len(NAMES)), entry)
            _merge(by_thread[thread], entry)
        threads = [
            {"name": name, **_named(entry)} for name, entry in zip(names, by_thread, strict=True)
        ]
        return {
            "pid": os.getpid(),
            "elapsed_seconds": elapsed / 1e9,
            "operations": {name: _named(entry) for name, entry in operations.items()},
            "peers": {name: _named(entry) for name, entry in peers.items()},
            "sites": {name: _named(entry) for name, entry in sites.items()},
            "threads": threads,
            "errors": dict(self.errors),
            "open": self._open(),
            "own_seconds": self._cost() / 1e9,
            "why_no_waits": self.why_no_waits,
        }

    def _cost(self) -> float:
        """Return what it has cost so far to watch, in nanoseconds."""
        counted, asked = self.native.cost()
        looks = self.sampler.cost()[1] if self.sampler is not None else 0
        return counted * cost_of_a_call() + asked + looks

    def _open(self) -> list[Data]:
        found = []
        for info in self.sockets():
            sock = info.alive()
            if sock is None:
                continue
            info.learn(sock)
            place = "" if info.local in (None, "", b"") else _watch.address(info.local)
            if info.peer:
                place += f" to {_watch.address(info.peer)}"
            made = str(info.made or "?")
            found.append({"descriptor": sock.fileno(), "what": place, "made_at": made})
        return sorted(found, key=lambda item: item["descriptor"])


# Types of sockets that are connected, or that nothing is sent by.
_CONNECTED = (int(_standard.SOCK_STREAM), int(_standard.SOCK_SEQPACKET), -1)


def _merge(into: list[int], entry: list[int]) -> None:
    for column, value in enumerate(entry):
        into[column] = max(into[column], value) if column == LONGEST else into[column] + value


def _named(entry: list[int]) -> Data:
    return {
        name: entry[column] / 1e9 if column in _SECONDS else entry[column]
        for column, name in enumerate(NAMES)
    }


def cost_of_a_call() -> float:
    """Measure what it costs to watch one call of which all is known, in nanoseconds."""
    recorder = Recorder(False)

    class Subject(bytearray):
        """Something with a native method, and one that is watched."""

        plain = bytearray.find
        watched = recorder.wrapped("recv", bytearray.find)

    subject = Subject()
    recorder.native.keep(subject, "", False, weakref.ref(subject))

    def plain(rounds: range) -> None:
        for _ in rounds:
            subject.plain(b"")

    def watched(rounds: range) -> None:
        for _ in rounds:
            subject.watched(b"")

    best = []
    for call in (plain, watched):
        times = []
        for _ in range(20):
            began = perf_counter_ns()
            call(_ROUNDS)
            times.append(perf_counter_ns() - began)
        best.append(min(times) / len(_ROUNDS))
    return max(0.0, best[1] - best[0])


_ROUNDS = range(100)
