"""Replies that take a while, alone and beside computing threads: what a sleep costs after it.

Every request is timed. Each row has the rival that costs one line of Python, a shorter switch
interval, and beside computing threads also what the same takes without them.
"""

from __future__ import annotations

from typing import Any

from ..peers import ask, at_once, in_turn, paced_peer, pausing_clients
from ..row import Group, Probe

GROUP = Group("peers", "Replies that take a while, each request timed")
SERVERS = Group("servers", "An asyncio server whose clients pause, each request timed")

DELAYS = {"0us": 0.0, "50us": 50e-6, "200us": 200e-6, "1ms": 1e-3, "10ms": 10e-3}
BESIDE = [(0, False), *((count, main) for main in (False, True) for count in (1, 2, 4))]
"""The computing threads of the rows, and whether the main thread is one of them."""

ADDED = 0.15e-3, 0.4e-3
"""What computing threads may add at the median and at the 90th percentile, in seconds."""


def where(threads: int, main: bool) -> str:
    """Name the computing threads: `alone`, `beside-2`, `beside-2.main`."""
    return f"beside-{threads}{'.main' if main else ''}" if threads else "alone"


def beside(threads: int, main: bool) -> str:
    """Say the same in words."""
    words = f"beside {threads} computing thread{'s' * (threads > 1)}" if threads else "alone"
    return f"{words}, one of them the main thread" if main else words


for label, delay in DELAYS.items():
    for threads, main in BESIDE:
        # As many as take a quarter of a second where the lock is in the way.
        probe: dict[str, Any] = {"chunk": max(10, min(50, round(0.25 / (delay + 0.005))))}
        if threads:
            probe["alone"] = paced_peer(delay)
            # With one, and not with more: these wait for each other, too.
            probe["added"] = ADDED if threads == 1 and delay else None
        elif label == "1ms":
            probe["processor"] = 1.05
        GROUP.row(
            f"peer.{label}.{where(threads, main)}",
            paced_peer(delay, threads, main),
            Probe(ask, **probe),
            variant=label not in ("50us", "1ms") or threads > 1 or main,
            note=f"request to a process that takes {label} for its reply, {beside(threads, main)}",
        )

PERIOD = 0.02
"""Seconds between requests, enough for the standard library beside four computing threads."""

for threads, main in BESIDE[1:]:
    GROUP.row(
        f"share.1ms.{where(threads, main)}",
        paced_peer(1e-3, threads, main, PERIOD),
        Probe(ask, chunk=25, share=0.85),
        variant=threads > 1 or main,
        note="50 requests a second to a process that takes 1ms, for what the computing threads get "
        f"done, {beside(threads, main)}",
    )

for threads in (0, 1, 2, 4):
    for clients in (50, 10):
        # Fifty clients that pause 1 ms keep the server busy all the time, ten do not.
        name = "asyncio.pause-1ms" if clients == 50 else f"asyncio.pause-1ms.{clients}-clients"
        SERVERS.row(
            f"{name}.{where(threads, False)}",
            pausing_clients(clients, 1e-3, threads),
            Probe(
                at_once,
                chunk=5 * clients,
                alone=pausing_clients(clients, 1e-3) if threads else None,
                p90=1e-3 if threads == 1 else None,
            ),
            variant=threads > 1 or clients != 50,
            note=f"{clients} clients that pause 1 ms each after a reply, the server "
            f"{beside(threads, False)}",
        )
    SERVERS.row(
        f"asyncio.in-turn.{where(threads, False)}",
        pausing_clients(50, 1e-3, threads),
        Probe(
            in_turn,
            chunk=50,
            alone=pausing_clients(50, 1e-3) if threads else None,
            added=ADDED if threads == 1 else None,
        ),
        variant=threads > 1,
        note=f"50 clients in turn, 1 ms between requests, the server {beside(threads, False)}",
    )
