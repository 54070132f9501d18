"""Files on sockets: makefile, in the modes that programs use."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import Any

from ..row import Group, Names, Setup
from ..setups import TIMEOUT, unix

GROUP = Group("files", "makefile")
row = GROUP.row

HEAD = b"\r\n".join(
    [
        b"HTTP/1.1 200 OK",
        b"Date: Mon, 01 Jan 2024 00:00:00 GMT",
        b"Server: example/1.0",
        b"Last-Modified: Sun, 31 Dec 2023 00:00:00 GMT",
        b'ETag: "3147526947+gzip"',
        b"Content-Type: text/html; charset=UTF-8",
        b"Content-Length: 0",
        b"Cache-Control: max-age=604800",
        b"Accept-Ranges: bytes",
        b"Vary: Accept-Encoding",
        b"Connection: keep-alive",
        b"",
        b"",
    ]
)

HEADERS_READ = """
write(peer, head)
f = a.makefile("rb")
while f.readline(65537) != b"\\r\\n":
    pass
f.close()
"""


def headers(timeout: float | None = None) -> Setup:
    """A connection whose other end is written to without a socket module."""

    def setup(socket: Any, stack: ExitStack) -> Names:
        names = unix(timeout=timeout)(socket, stack)
        return {**names, "write": os.write, "peer": names["b"].fileno(), "head": HEAD}

    return setup


row("makefile.open-close", unix(), 'a.makefile("rb").close()', target=2)
row("makefile.open-close.text", unix(), 'a.makefile("r").close()')
row("makefile.open-close.rwb", unix(), 'a.makefile("rwb").close()')
row("makefile.open-close.unbuffered", unix(), 'a.makefile("rb", buffering=0).close()')
row("makefile.headers", headers(), HEADERS_READ, target=1.25, note="read the head of an HTTP reply")
row(
    "makefile.headers.timeout",
    headers(TIMEOUT),
    HEADERS_READ,
    target=1.5,
    note="read the head of an HTTP reply, with a timeout",
)


def opened(mode: str, timeout: float | None = None, buffering: int = -1) -> Setup:
    """A connection with a file `f` on it that stays open."""

    def setup(socket: Any, stack: ExitStack) -> Names:
        names = {**unix(timeout=timeout)(socket, stack), "line": b"x" * 63 + b"\n"}
        f = stack.enter_context(names["a"].makefile(mode, buffering=buffering))
        return {**names, "f": f}

    return setup


WRITE = "f.write(data); f.flush(); b.recv(64)"
row("makefile.write", opened("wb"), WRITE)
row("makefile.write.timeout", opened("wb", TIMEOUT), WRITE)
READ = "b.send(data); f.read(64)"
row("makefile.read", opened("rb"), READ)
row("makefile.read.timeout", opened("rb", TIMEOUT), READ)
row("makefile.read.unbuffered", opened("rb", buffering=0), READ)

row("makefile.read.text", opened("r"), READ)
row("makefile.readline", opened("rb"), "b.send(line); f.readline()")
row("makefile.readline.text", opened("r"), "b.send(line); f.readline()")

# Many small reads out of what one system call brought.
MANY = "write(peer, lines)\nfor _ in turns:\n    "


def steady(mode: str) -> Setup:
    """A file `f` that stays open, and 100 lines to send at a time."""

    def setup(socket: Any, stack: ExitStack) -> Names:
        names = opened(mode)(socket, stack)
        more = {"write": os.write, "peer": names["b"].fileno(), "turns": range(100)}
        return {**names, **more, "next": next, "lines": (b"x" * 39 + b"\n") * 100}

    return setup


for kind, suffix in (("rb", ""), ("r", ".text")):
    row(f"makefile.readline.steady{suffix}", steady(kind), MANY + "f.readline()")
    row(f"makefile.next.steady{suffix}", steady(kind), MANY + "next(f)")
    row(f"makefile.read.steady{suffix}", steady(kind), MANY + "f.read(40)")
