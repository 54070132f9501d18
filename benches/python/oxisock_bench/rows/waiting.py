"""Operations whose data is not there yet, and the calls that find out whether it is."""

from __future__ import annotations

import select
import selectors
from collections.abc import Callable

from ..programs import peer_process, ping_pong, streaming
from ..row import Group, Names, Setup
from ..setups import TIMEOUT, plus, tcp, unix
from ..syscalls import in_threads

GROUP = Group("waiting", "Waiting for data: other threads, other processes, selectors")
row = GROUP.row

NOT_READY = """
try:
    a.recv(64)
except BlockingIOError:
    pass
"""
row("recv.not-ready", unix(timeout=0), NOT_READY, note="BlockingIOError on a non-blocking socket")

SHARE = {False: "each on a core of its own", True: "both on one core"}
TRANSPORTS: list[tuple[str, Callable[..., Setup]]] = [("unix", unix), ("tcp", tcp)]
for name, transport in TRANSPORTS:
    for suffix, timeout in [("", None), (".timeout", TIMEOUT)]:
        for where, same_core in [("", False), (".same-core", True)]:
            row(
                f"ping-pong.threads.{name}{suffix}{where}",
                transport(timeout=timeout),
                ping_pong(same_core),
                target=1.0,
                slice=0.01,
                concurrent=True,
                note=f"a message to another thread and back, {SHARE[same_core]}",
            )

REQUEST = "a.send(data); a.recv(64)"
REQUEST_BASELINE = "send a 64; recv a 64"
for suffix, setup, target, where in [
    ("", peer_process(), 1.5, "on another core"),
    (".timeout", peer_process(timeout=TIMEOUT), 1.5, "on another core, with a timeout"),
    (".same-core", peer_process(same_core=True), None, "on the same core"),
]:
    row(
        f"request.process{suffix}",
        setup,
        REQUEST,
        REQUEST_BASELINE,
        target=target,
        slice=0.01,
        rounds=2.0,
        concurrent=True,
        note=f"request and reply with another process over TCP, {where}",
    )

for name, transport in TRANSPORTS:
    for size, label, target in [(1 << 16, "64KiB", 1.5), (1 << 20, "1MiB", None)]:
        row(
            f"stream.recv-1MiB.{name}.{label}",
            transport(size),
            streaming(1 << 20),
            in_threads(f"recvall b {size}", f"send a {size}"),
            target=target,
            payload=size,
            slice=0.03,
            rounds=0.5,
            concurrent=True,
            note=f"recv(1 << 20) from a thread that does sendall of {label}",
        )


def ready(names: Names) -> Names:
    """Make `b` readable for good, and give it something to be registered with."""
    names["a"].send(b"x")
    return {"select": select.select, "selector": selectors.DefaultSelector()}


row("select", plus(unix(), ready), "select([b], [], [], 0)", "poll b 0")
row(
    "selectors",
    plus(unix(), ready),
    "selector.register(b, 1); selector.select(0); selector.unregister(b)",
    note="register, select and unregister",
)
