"""TLS: what the classes of the engine give against `ssl`'s own, alone and beside a thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..peers import ask, paced_peer
from ..programs import (
    asyncio_server,
    from_process,
    peer_process,
    receiving_process,
    request_load,
    sending_process,
    streaming,
    to_process,
)
from ..row import Group, Probe, Setup
from ..setups import TIMEOUT, tcp, unix
from ..tls import both_over_tls, contexts, handshakes, on_memory, over_tls
from .bulk import READ, TOTAL
from .convoy import BUSY, BUSY_SERVER
from .moving import EXACT, PAIR
from .peers import ADDED
from .sizes import label

GROUP = Group("tls", "TLS 1.3")
WAITS = Group("tls-waits", "Replies over TLS that take a while, each request timed")
row = GROUP.row

REQUEST = "a.send(data); a.recv(4096)"
REPLY = "request and reply with another process over TLS"

TRANSPORTS: list[tuple[str, Callable[..., Setup]]] = [("unix", unix), ("tcp", tcp)]

for name, transport in TRANSPORTS:
    row(f"tls.send-recv.{name}", both_over_tls(transport()), PAIR)
    row(f"tls.send-recv.{name}.timeout", both_over_tls(transport(timeout=TIMEOUT)), PAIR)
    row(f"tls.send-recv.{name}.nonblocking", both_over_tls(transport(timeout=0)), PAIR)
row("tls.send-recv.exact", both_over_tls(unix()), EXACT, variant=True)
row("tls.recv_into", both_over_tls(unix()), "a.send(data); b.recv_into(buffer)")
row("tls.sendall", both_over_tls(unix()), "a.sendall(data); b.recv(4096)")
row("tls.sendall.16KiB", both_over_tls(unix(1 << 14)), "a.sendall(data); b.recv(16384)")
row("tls.memory", on_memory(64), "a.write(data); b.read(4096)", note="as asyncio's, on memory")
row("tls.memory.16KiB", on_memory(1 << 14), "a.write(data); b.read(1 << 18)")
row("tls.handshake", contexts, handshakes, rounds=0.5, note="two ends of one process")

PEER: dict[str, Any] = {"concurrent": True, "slice": 0.05}
for suffix, timeout in [("", None), (".timeout", TIMEOUT)]:
    row(
        f"tls.request.process{suffix}",
        over_tls(peer_process(timeout=timeout, tls=True)),
        REQUEST,
        target=1.2,
        note=f"{REPLY}, on another core{', with a timeout' if timeout else ''}",
        **PEER,
    )
row(
    "tls.asyncio-echo",
    asyncio_server(50, tls=True),
    request_load,
    slice=0.1,
    rounds=0.3,
    least=50,
    concurrent=True,
    note="requests to an asyncio TLS echo server with 50 connections",
)
row(
    "busy.tls.request.process",
    over_tls(peer_process(tls=True)),
    REQUEST,
    target=20,
    note=f"{REPLY}, beside a CPU-bound thread",
    **BUSY,
)
row("busy.tls.send-recv.unix", both_over_tls(unix()), PAIR, target=20, **BUSY)
row(
    "busy.tls.asyncio-echo",
    asyncio_server(50, threads=1, pinned=True, tls=True),
    request_load,
    target=20,
    **BUSY_SERVER,
    note="the same server, a CPU-bound thread beside it",
)

for power in (14, 16, 20):
    size = 1 << power
    bulk: dict[str, Any] = {
        "payload": size,
        "least": TOTAL // size,
        "slice": 0.01,
        "setups": 10,
        "concurrent": True,
        "target": 1.0,
        "variant": power != 16,
    }
    pieces = f"64 MiB, sendall of {label(size)}"
    end = label(size)
    row(
        f"tls.bulk.to-process.{end}",
        over_tls(receiving_process(tcp(size), tls=True)),
        to_process,
        note=f"{pieces} to a process",
        **bulk,
    )
    row(
        f"tls.bulk.from-process.{end}",
        over_tls(sending_process(tcp(size), size, tls=True), "b"),
        from_process(READ),
        note=f"{pieces} from a process",
        **bulk,
    )
    row(
        f"tls.bulk.threads.{end}",
        both_over_tls(tcp(size)),
        streaming(READ),
        note=f"{pieces} between threads",
        **bulk,
    )

for name, threads in [("alone", 0), ("beside-1", 1)]:
    probe: dict[str, Any] = {"chunk": 40}
    if threads:
        probe |= {"alone": over_tls(paced_peer(1e-3, tls=True)), "added": ADDED}
    else:
        probe["processor"] = 1.05
    WAITS.row(
        f"tls.peer.1ms.{name}",
        over_tls(paced_peer(1e-3, threads, tls=True)),
        Probe(ask, **probe),
        note=f"request over TLS to a process that takes 1 ms for its reply, "
        f"{'beside one computing thread' if threads else 'alone'}",
    )
