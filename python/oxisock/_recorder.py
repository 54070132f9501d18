"""What the socket calls of a process come to, for ``oxisock report``."""

from __future__ import annotations

import errno
import os
import threading
from time import perf_counter_ns
from typing import TYPE_CHECKING

from . import _watch

if TYPE_CHECKING:
    from typing import Any

    Data = dict[str, Any]

MOST_PEERS = 1000
"""So many peers are told apart."""

# Columns of an entry of a table.
CALLS, BYTES, TOOK, NETWORK, LOCK, WAITED, LONGEST, TIMEOUTS, ERRORS = range(9)
NAMES = (
    "calls", "bytes", "seconds", "network_seconds", "lock_seconds", "waited", "longest_seconds",
    "timeouts", "errors",
)  # fmt: skip
_SECONDS = (TOOK, NETWORK, LOCK, LONGEST)
# A call that takes longer has waited for something.
_WAITED = 50_000


class Recorder:
    """Adds up the calls of this process."""

    def __init__(self, standard: bool) -> None:
        self.watcher = _watch.Watcher(standard, self.record)
        self._lock = threading.Lock()
        self.begin()

    def begin(self) -> None:
        """Begin, or begin anew in a forked process."""
        self.began = perf_counter_ns()
        self._tables: list[tuple[str, dict[Any, list[int]]]] = []
        self.errors: dict[str, int] = {}
        self._peers = 0

    def record(
        self, state: _watch.State, name: str, site: Any, arguments: Any, keywords: Any, result: Any,
        error: Any, began: int, took: int, network: int, lock: int,
    ) -> None:  # fmt: skip
        """Add a call."""
        table = state.mine
        if table is None:
            table = state.mine = {}
            with self._lock:
                self._tables.append((state.thread, table))
        sock = arguments[0] if arguments else None
        info = self.watcher._sockets.get(id(sock))
        label = info.label if info is not None else None
        if label is None or info is None or info.ref() is not sock:
            label = self._label(name, arguments, result)
        key = name, site, label
        entry = table.get(key)
        if entry is None:
            entry = table[key] = [0] * 9
        entry[CALLS] += 1
        entry[TOOK] += took
        entry[NETWORK] += network
        entry[LOCK] += lock
        if took > _WAITED:
            entry[WAITED] += 1
            if took > entry[LONGEST]:
                entry[LONGEST] = took
        if error is None:
            entry[BYTES] += (
                (
                    result
                    if type(result) is int
                    else len(result)
                    if type(result) is bytes
                    else _watch.size(name, arguments, result)
                )
                if name not in _NO_BYTES
                else 0
            )
        else:
            self._failed(entry, error)

    def _failed(self, entry: list[int], error: BaseException) -> None:
        if isinstance(error, BlockingIOError) or type(error).__name__.startswith("SSLWant"):
            return
        if isinstance(error, TimeoutError) and error.errno is None:
            entry[TIMEOUTS] += 1
        elif isinstance(error, OSError):
            entry[ERRORS] += 1
            number = error.errno
            name = errno.errorcode.get(number or 0) or f"{type(error).__name__} {number or ''}"
            self.errors[name.strip()] = self.errors.get(name.strip(), 0) + 1

    def _label(self, name: str, arguments: Any, result: Any) -> str:
        """Return what the peer is called, and remember it where it will stay so."""
        subject = arguments[0] if arguments else None
        if name in ("create_connection", "getaddrinfo", "gethostbyname"):
            return _watch.address(subject) if subject is not None else ""
        if name in ("create_server", "socketpair", "select"):
            return ""
        sock = _watch.socket_of(subject)
        if sock is None:
            return ""
        info = self.watcher.known(sock)
        if name == "accept" and isinstance(result, tuple) and result:
            self.watcher.known(result[0]).accepted = True
        info.learn(sock)
        if info.label is None:
            if info.accepted and isinstance(info.peer, tuple):
                # Each has a port of its own, which says nothing.
                host = _watch.address(info.peer).rpartition(":")[0]
                label = f"{host} at {_watch.address(info.local)}"
            elif info.peer:
                label = _watch.address(info.peer)
            elif info.peer is not None:
                label = f"client of {_watch.address(info.local)}" if info.local else "a pair"
            else:
                return self._other(name, arguments, result, info)
            self._peers += 1
            info.label = label if self._peers <= MOST_PEERS else "others"
        return info.label

    def _other(self, name: str, arguments: Any, result: Any, info: _watch.Socket) -> str:
        """Return the peer of one call of a socket without one."""
        if name in ("connect", "connect_ex") and len(arguments) > 1:
            return _watch.address(arguments[1])
        target = None
        if name == "sendto":
            target = arguments[-1]
        elif name.startswith("recvfrom") and isinstance(result, tuple) and len(result) == 2:
            target = result[1]
        if isinstance(target, (tuple, str, bytes)):
            self._peers += 1
            return _watch.address(target) if self._peers <= MOST_PEERS else "others"
        return f"at {_watch.address(info.local)}" if info.local else ""

    def data(self) -> Data:
        """Return what there is so far, for JSON."""
        elapsed = perf_counter_ns() - self.began
        with self._lock:
            tables = [(thread, table, list(table.items())) for thread, table in self._tables]
        operations: Data = {}
        peers: Data = {}
        sites: Data = {}
        threads: list[Data] = []
        for thread, _, items in tables:
            mine = [0] * len(NAMES)
            for (name, site, peer), entry in items:
                for table, key in (
                    (operations, name), (peers, peer), (sites, f"{site or '?'} {name}")
                ):  # fmt: skip
                    if key:
                        _merge(table.setdefault(key, [0] * len(NAMES)), entry)
                _merge(mine, entry)
            threads.append({"name": thread, **_named(mine)})
        calls = sum(entry[CALLS] for entry in operations.values())
        cost = calls * own_cost(self.watcher)
        return {
            "pid": os.getpid(),
            "elapsed_seconds": elapsed / 1e9,
            "operations": {name: _named(entry) for name, entry in operations.items()},
            "peers": {name: _named(entry) for name, entry in peers.items()},
            "sites": {name: _named(entry) for name, entry in sites.items()},
            "threads": threads,
            "errors": dict(self.errors),
            "open": self._open(),
            "own_seconds": cost / 1e9,
            "why_no_waits": self.watcher.why_no_waits,
        }

    def _open(self) -> list[Data]:
        found = []
        for info in self.watcher.sockets():
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


_NO_BYTES = _watch.CONNECTING | {"select", *_watch.FUNCTIONS}


def _merge(into: list[int], entry: list[int]) -> None:
    for column, value in enumerate(entry):
        into[column] = max(into[column], value) if column == LONGEST else into[column] + value


def _named(entry: list[int]) -> Data:
    return {
        name: entry[column] / 1e9 if column in _SECONDS else entry[column]
        for column, name in enumerate(NAMES)
    }


def own_cost(watcher: _watch.Watcher) -> float:
    """Measure what it costs to watch one call, in nanoseconds."""
    rounds = 50

    class Subject:
        """Something that is known to the watcher, as a socket is."""

    def nothing(_: object) -> int:
        return 1

    subject: Any = Subject()
    watcher.known(subject).label = "nobody"
    table: dict[Any, list[int]] = {}
    state = watcher.state()
    kept, state.mine = state.mine, table
    watched = watcher.wrapped("recv", nothing)
    best = []
    try:
        for call in (nothing, watched):
            times = []
            for _ in range(20):
                began = perf_counter_ns()
                for _ in range(rounds):
                    call(subject)
                times.append(perf_counter_ns() - began)
            best.append(min(times) / rounds)
    finally:
        state.mine = kept
    return max(0.0, best[1] - best[0])
