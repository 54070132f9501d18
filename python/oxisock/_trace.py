"""``oxisock trace``: runs a program and prints its socket calls, as strace(1) does system calls."""

from __future__ import annotations

import errno
import os
import reprlib
import socket as _standard
import sys
import threading
import time
from itertools import islice
from time import perf_counter_ns
from typing import TYPE_CHECKING

from . import _pcapng, _report, _run, _watch

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator
    from typing import Any, BinaryIO, TextIO

# Where the flags of a receiving method are among its arguments, the socket included.
_FLAGS_AT = {"recv": 2, "recv_into": 3, "recvfrom": 2, "recvfrom_into": 3, "recvmsg": 3}
# How many connections are remembered, to find the other end of one.
_CONNECTIONS = 4096
_INTERNET = (int(_standard.AF_INET), int(_standard.AF_INET6))

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 80
_short.maxtuple = _short.maxlist = 8


class Tracer:
    """Prints calls, and writes what they moved.

    Args:
        standard: watch the standard library instead of oxisock.
        out: where lines go.
        peers: parts of addresses, of which a peer has to have one; all if there are none.
        most: how many bytes of data to show.
        capture: where packets go, if anywhere.
    """

    def __init__(
        self, standard: bool, out: TextIO, peers: list[str], most: int, capture: BinaryIO | None
    ) -> None:
        self.watcher = _watch.Watcher(standard, self.record)
        self._out = out
        self._peers = peers
        self._most = most
        self._began = perf_counter_ns()
        self._since_epoch = time.time_ns() - perf_counter_ns()
        self._lock = threading.Lock()
        self._main = os.getpid()
        self._writer = _pcapng.Writer(capture, "oxisock trace") if capture else None
        # By their own address and the other's. Both ends of a connection stand side by side.
        self._ends: dict[tuple[Any, Any], _pcapng.End] = {}

    def record(
        self, name: str, site: Any, arguments: Any, keywords: Any, result: Any, error: Any,
        took: int, network: int, lock: int,
    ) -> None:  # fmt: skip
        """Print a call."""
        began = perf_counter_ns() - took
        subject = arguments[0] if arguments else None
        sock = _watch.socket_of(subject)
        info = None
        if sock is not None and name not in _watch.FUNCTIONS:
            info = self.watcher.known(sock)
            info.learn(sock)
            if name == "accept" and isinstance(result, tuple):
                self.watcher.known(result[0]).accepted = True
        if self._peers and not self._chosen(info, name, arguments, result):
            return
        method = name in _watch.FUNCTIONS or name == "select"
        place = "" if method or info is None else f"{self._named(info)}."
        given = arguments if name in _watch.FUNCTIONS else arguments[1:]
        if name.endswith(("recv_into", "recvfrom_into", "readinto")) and given:
            # What has come into it, and not what was there before.
            count = result[0] if isinstance(result, tuple) else result or 0
            given = (memoryview(given[0]).cast("B")[:count], *given[1:])
        shown = [self._shown(value) for value in given]
        shown += [f"{key}={self._shown(value)}" for key, value in keywords.items()]
        line = (
            f"{(began - self._began) / 1e9:.6f} [{self._thread()}] {site or '?'} "
            f"{place}{name}({', '.join(shown)}) = {self._result(result, error)} "
            f"<{took / 1e9:.6f}>\n"
        )
        with self._lock:
            try:
                self._out.write(line)
            except OSError:
                # Whoever read it has gone, or a disk is full: nothing that the program did.
                self._out = open(os.devnull, "w")
            if self._writer is not None and info is not None:
                moment = began + took + self._since_epoch
                self._capture(
                    self._writer, moment, info, sock, name, arguments, keywords, result, error
                )

    def _thread(self) -> str:
        process, name = os.getpid(), threading.current_thread().name
        return name if process == self._main else f"{process} {name}"

    def _chosen(self, info: Any, name: str, arguments: Any, result: Any) -> bool:
        about = [_watch.address(arguments[0])] if name in _watch.FUNCTIONS and arguments else []
        if info is not None:
            about += [_watch.address(end) for end in (info.peer, info.local) if end]
            about += [_watch.address(value) for value in arguments[1:] if isinstance(value, tuple)]
            if isinstance(result, tuple) and len(result) > 1 and isinstance(result[-1], tuple):
                about.append(_watch.address(result[-1]))
        return any(part in text for part in self._peers for text in about)

    @staticmethod
    def _named(info: Any) -> str:
        """Return a socket as strace -yy names it."""
        ends = [_watch.address(end) for end in (info.local, info.peer) if end]
        return f"{info.number}<{'->'.join(ends)}>" if ends else f"{info.number}"

    def _shown(self, value: Any) -> str:
        """Return a value, of data no more than was asked for."""
        if isinstance(value, (bytes, bytearray, memoryview)):
            data = bytes(memoryview(value).cast("B")[: self._most]) if len(value) else b""
            rest = memoryview(value).nbytes - len(data)
            return repr(data) + (f"… ({rest + len(data)} bytes)" if rest else "")
        if isinstance(value, (tuple, list)) and len(value) <= 8:
            inner = ", ".join(map(self._shown, value))
            if isinstance(value, list):
                return f"[{inner}]"
            return f"({inner},)" if len(value) == 1 else f"({inner})"
        if hasattr(value, "getpeername"):
            info = self.watcher.known(value)
            info.learn(value)
            return self._named(info)
        return _short.repr(value)

    def _result(self, result: Any, error: Any) -> str:
        if error is None:
            return self._shown(result)
        number = getattr(error, "errno", None)
        told = errno.errorcode.get(number) if isinstance(number, int) else None
        return f"{type(error).__name__}: {told or error}"

    def _capture(
        self, writer: _pcapng.Writer, moment: int, info: Any, sock: Any, name: str, arguments: Any,
        keywords: Any, result: Any, error: Any,
    ) -> None:  # fmt: skip
        if name == "close":
            if info.state is not None:
                info.state.close(moment)
            return
        if error is not None:
            return
        sent = name in _watch.SENDING
        for data, address in moved(name, arguments, keywords, result):
            peer = address or info.peer
            if info.family not in _INTERNET or not isinstance(info.local, tuple) or not peer:
                text = f"{self._named(info)} {name}"
                writer.packet(moment, data, sent=sent, other=True, comment=text)
            elif info.kind == _standard.SOCK_DGRAM:
                _pcapng.datagram(writer, moment, info.local, peer, data, sent=sent)
            else:
                end = info.state = info.state or self._end(writer, info, sock)
                if sent:
                    end.sent(moment, data)
                else:
                    end.received(moment, data)
        if name == "sendfile" and info.state is not None:
            info.state.skip(result)

    def _end(self, writer: _pcapng.Writer, info: Any, sock: Any) -> _pcapng.End:
        """Return an end of a connection, of which the other end may be in this process, too."""
        key = (info.local, info.peer)
        end = self._ends.get(key)
        if end is None or end.closed:
            comment = "payload of a TLS session" if hasattr(sock, "cipher") else ""
            stream = _pcapng.Stream(writer, *key, accepted=info.accepted, comment=comment)
            if len(self._ends) >= 2 * _CONNECTIONS:
                for oldest in list(islice(self._ends, 2)):
                    del self._ends[oldest]
            self._ends[key], self._ends[key[::-1]] = stream.ends
            end = stream.ends[0]
        return end


def moved(name: str, arguments: Any, keywords: Any, result: Any) -> Iterator[tuple[bytes, Any]]:
    """Yield the data that a call has moved, with the address that it named or brought."""
    flags = keywords.get("flags", 0)
    place = _FLAGS_AT.get(name, len(arguments))
    if place < len(arguments):
        flags = arguments[place]
    if isinstance(flags, int) and flags & _standard.MSG_PEEK:
        return
    data = arguments[1] if len(arguments) > 1 else keywords.get("buffer", b"")
    match name:
        case "recv" | "recv_exactly" | "read" | "read1" | "readline" | "readall":
            if isinstance(result, str):
                result = result.encode(getattr(arguments[0], "encoding", "utf-8"), "replace")
            if isinstance(result, bytes) and (result or name == "recv"):
                yield result, None
        case "recv_into" | "readinto" | "recv_exactly_into":
            if isinstance(result, int):
                yield bytes(memoryview(data).cast("B")[:result]), None
        case "recvfrom" | "recvmsg":
            yield result[0], result[-1]
        case "recvfrom_into":
            yield bytes(memoryview(data).cast("B")[: result[0]]), result[1]
        case "recvmsg_into":
            if isinstance(data, (list, tuple)):
                yield b"".join(map(bytes, data))[: result[0]], result[-1]
        case "recvfrom_many":
            yield from result
        case "send":
            yield bytes(memoryview(data).cast("B")[:result]), None
        case "sendall":
            yield bytes(data), None
        case "sendto":
            yield bytes(memoryview(data).cast("B")[:result]), arguments[-1]
        case "sendmsg" | "sendmsg_all":
            if isinstance(data, (list, tuple)):
                whole = b"".join(map(bytes, data))
                target = arguments[4] if len(arguments) > 4 else keywords.get("address")
                yield whole if result is None else whole[:result], target


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the command to a parser."""
    _report.describe(
        parser,
        "trace",
        "Run a program and print its socket calls to the standard error stream: time, thread, "
        "place, socket, arguments, result, and how long it took.",
    )
    parser.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="TEXT",
        help="only sockets with TEXT in their addresses, such as 10.0.0.1 or :443; repeatable",
    )
    parser.add_argument(
        "--bytes", type=_number, default=32, metavar="N", help="show N bytes of data (default: 32)"
    )
    parser.add_argument("--output", metavar="FILE", help="write the lines to a file")
    parser.add_argument(
        "--pcapng",
        metavar="FILE",
        help="write all data, that of TLS in plain text, for Wireshark: the file holds secrets",
    )


def _number(value: str) -> int:
    from argparse import ArgumentTypeError

    if not value.isdecimal():
        raise ArgumentTypeError(f"must be a whole number, 0 or more, not {value!r}")
    return int(value)


def main(options: Namespace) -> int:
    """Run the program and print its calls.

    Returns its exit status, or 2 for a wrong command line.
    """
    program = _report.program_of(options)
    out: TextIO = sys.stderr
    capture = None
    try:
        if options.output:
            out = open(options.output, "w", buffering=1)
        if options.pcapng:
            # Nobody else is to read it.
            number = os.open(options.pcapng, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            capture = open(number, "wb", buffering=0)
    except OSError as exc:
        print(f"oxisock trace: cannot write {exc.filename}: {exc.strerror}", file=sys.stderr)
        return 2

    def prepare() -> None:
        if capture is not None:
            print(
                f"oxisock trace: {options.pcapng} gets all that the program sends and receives, "
                "passwords and keys among it, TLS in plain text",
                file=sys.stderr,
            )
        tracer = Tracer(options.standard, out, options.peer, options.bytes, capture)
        tracer.watcher.start(_report.watched_module(options.standard))
        os.register_at_fork(after_in_child=tracer.watcher.after_fork)

    return _run.start(program, "trace", prepare)
