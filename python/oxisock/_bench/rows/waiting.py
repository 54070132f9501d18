"""Operations whose data is not there yet, and the calls that find out whether it is."""

from __future__ import annotations

import select
import selectors

from ..floors import in_threads
from ..programs import peer_process, ping_pong, streaming
from ..row import Group
from ..setups import plus, tcp, unix

GROUP = Group("waiting", "Waiting for data: other threads, other processes, selectors")
row = GROUP.row

NOT_READY = """
try:
    a.recv(64)
except BlockingIOError:
    pass
"""
row("recv.not-ready", unix(timeout=0), NOT_READY, note="BlockingIOError on a non-blocking socket")

PING = "send a 64; recv a 64", "recv b 64; send b 64"
for name, setup in [("unix", unix), ("tcp", tcp)]:
    for suffix, timeout in [("", None), (".timeout", 5.0)]:
        row(
            f"ping-pong.threads.{name}{suffix}",
            setup(timeout=timeout),
            ping_pong,
            in_threads(*PING),
            target=1.0,
            slice=0.01,
            note="a message to another thread and back",
        )

row(
    "request.process",
    peer_process(),
    "a.send(data); a.recv(64)",
    "send a 64; recv a 64",
    target=1.5,
    slice=0.01,
    note="request and reply with another process over TCP",
)
row(
    "request.process.timeout",
    plus(peer_process(), timeout=lambda names: names["a"].settimeout(5.0)),
    "a.send(data); a.recv(64)",
    "send a 64; recv a 64",
    slice=0.01,
)

for name, stream in [("unix", unix), ("tcp", tcp)]:
    for size, label, target in [(1 << 16, "64KiB", 1.5), (1 << 20, "1MiB", None)]:
        row(
            f"stream.recv-1MiB.{name}.{label}",
            stream(size),
            streaming(1 << 20),
            in_threads(f"recvall b {size}", f"send a {size}"),
            target=target,
            payload=size,
            slice=0.03,
            rounds=0.5,
            note=f"recv(1 << 20) from a thread that does sendall of {label}",
        )

row(
    "select",
    plus(unix(), select=select.select, ready=lambda names: names["a"].send(b"x")),
    "select([b], [], [], 0)",
    "poll b 0",
)
row(
    "selectors",
    plus(
        unix(),
        selector=lambda names: selectors.DefaultSelector(),
        ready=lambda names: names["a"].send(b"x"),
    ),
    "selector.register(b, 1); selector.select(0); selector.unregister(b)",
    note="register, select and unregister",
)
