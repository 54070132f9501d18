"""Operations beside one CPU-bound Python thread of the same process.

Their measurements are much longer than the interpreter's switch interval of 5 ms, so that the turns
of the other thread are in them; the standard library gets about ten operations into one. With them,
the rival that costs one line: `sys.setswitchinterval`.
"""

from __future__ import annotations

from typing import Any

from ..programs import asyncio_server, peer_process, request_load
from ..row import Group
from ..setups import TIMEOUT, listener, nothing, tcp, udp, udp_unconnected, unix
from .files import HEADERS_READ, headers
from .moving import PAIR, PAIR_BASELINE
from .sockets import CONNECT_ACCEPT, CONNECT_ACCEPT_BASELINE

GROUP = Group("convoy", "Beside one CPU-bound thread")

BUSY: dict[str, Any] = {
    "busy": True,
    "rivals": True,
    "concurrent": True,
    "slice": 0.12,
    "rounds": 0.3,
    "least": 8,
}
# The same for a server in a process of its own, with the thread beside it there.
BUSY_SERVER: dict[str, Any] = {
    "busy_server": True,
    "rivals": True,
    "concurrent": True,
    "slice": 1.0,
    "rounds": 0.1,
    "least": 50,
}

row = GROUP.row
for name, setup, target in [("unix", unix, 300), ("udp", udp, 300), ("tcp", tcp, 200)]:
    row(f"busy.send-recv.{name}", setup(), PAIR, PAIR_BASELINE, target=target, **BUSY)
    for suffix, timeout in [("timeout", TIMEOUT), ("nonblocking", 0)]:
        row(f"busy.send-recv.{name}.{suffix}", setup(timeout=timeout), PAIR, PAIR_BASELINE, **BUSY)

row(
    "busy.sendto-recvfrom.udp",
    udp_unconnected(),
    "a.sendto(data, address); b.recvfrom(64)",
    "sendto a b 64; recvfrom b 64",
    **BUSY,
)
row("busy.connect-accept.unix", listener(), CONNECT_ACCEPT, CONNECT_ACCEPT_BASELINE, **BUSY)
row("busy.makefile.headers", headers(), HEADERS_READ, **BUSY)
row("busy.getaddrinfo.numeric", nothing, 'socket.getaddrinfo("127.0.0.1", 80)', **BUSY)
row(
    "busy.request.process",
    peer_process(),
    "a.send(data); a.recv(64)",
    "send a 64; recv a 64",
    target=50,
    note="request and reply with another process over TCP, on another core",
    **BUSY,
)
row(
    "busy.asyncio-echo",
    asyncio_server(50, threads=1, pinned=True),
    request_load,
    target=50,
    **BUSY_SERVER,
    note="requests to an asyncio echo server with 50 connections, the thread beside it",
)
