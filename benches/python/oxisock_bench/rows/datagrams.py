"""Datagrams by the batch against a loop of the standard library's calls for one datagram.

The two sides differ here, unlike elsewhere: that is what the rows are about. Times are those of one
datagram. What the other end does meanwhile is the same on both sides, and not timed where it can be
done before or after.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import repeat
from typing import Any

import oxisock

from .. import _baseline
from ..programs import datagram_load, datagram_server, datagram_source
from ..row import Group, Names, Run, Setup
from ..setups import payload, udp, udp_unconnected

GROUP = Group("datagrams", "Datagrams by the batch (time of one)")
row = GROUP.row

BATCH = 32
SEGMENTS = 54
"""As many of 1,200 bytes as the kernel cuts one buffer into."""
SEGMENT = 1200
UDP_GRO = 104
"""`<linux/udp.h>`."""
ROOM = 2048


def roomy(setup: Setup) -> Setup:
    """Another setup, whose receiver has room for what is sent before it is read.

    `feed` fills it, by a socket of oxisock on both sides.
    """

    def both(socket: Any, stack: ExitStack) -> Names:
        names = setup(socket, stack)
        names["b"].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        feeder = stack.enter_context(oxisock.socket(oxisock.AF_INET, oxisock.SOCK_DGRAM))
        feeder.bind(("127.0.0.1", 0))
        feeder.connect(names["b"].getsockname())
        names["b"].connect(feeder.getsockname())
        slots = bytearray(BATCH * 64)
        return {**names, "feed": feeder, "batch": socket is oxisock, "slots": slots}

    return both


def batches(n: int, size: int = BATCH) -> Any:
    """As many batches as n datagrams make."""
    return repeat(None, max(1, n // size))


def receiving(method: str, count: int = BATCH) -> Run:
    """Receive batches that are there; sending them is not timed."""

    def run(names: Any, n: int) -> float:
        b, clock, elapsed = names.b, time.perf_counter, 0.0
        texts = [payload(64)] * count
        buffer, slots, one = names.buffer, names.slots, range(count)
        for _ in batches(n, count):
            names.feed.send_many(texts)
            if names.batch and method == "recvfrom":
                recvfrom_many = b.recvfrom_many
                start = clock()
                recvfrom_many(BATCH, ROOM)
            elif names.batch:
                recv_many_into = b.recv_many_into
                start = clock()
                recv_many_into(slots, 64)
            elif method == "recvfrom":
                recvfrom = b.recvfrom
                start = clock()
                for _ in one:
                    recvfrom(ROOM)
            else:
                recv_into = b.recv_into
                start = clock()
                for _ in one:
                    recv_into(buffer)
            elapsed += clock() - start
        return elapsed

    return run


def drain(b: Any) -> None:
    """Take what is there, untimed."""
    b.setblocking(False)
    try:
        while True:
            b.recv(1)
    except BlockingIOError:
        b.setblocking(True)


def sending(method: str) -> Run:
    """Send batches; taking them out at the other end is not timed."""

    def run(names: Any, n: int) -> float:
        a, clock, elapsed = names.a, time.perf_counter, 0.0
        data, address, one = payload(64), names.address, range(BATCH)
        texts, items = [data] * BATCH, [(data, address)] * BATCH
        for _ in batches(n):
            if names.batch:
                call, argument = (
                    (a.send_many, texts) if method == "send" else (a.sendto_many, items)
                )
                start = clock()
                call(argument)
            elif method == "send":
                send = a.send
                start = clock()
                for _ in one:
                    send(data)
            else:
                sendto = a.sendto
                start = clock()
                for _ in one:
                    sendto(data, address)
            elapsed += clock() - start
            drain(names.b)
        return elapsed

    return run


def sending_segments(names: Any, n: int) -> float:
    """Send a buffer that the kernel cuts, against a call for each piece of it."""
    a, clock, elapsed = names.a, time.perf_counter, 0.0
    data, piece = payload(SEGMENTS * SEGMENT), payload(SEGMENT)
    for _ in batches(n, SEGMENTS):
        if names.batch:
            send_segments = a.send_segments
            start = clock()
            send_segments(data, SEGMENT)
        else:
            send = a.send
            start = clock()
            for _ in range(SEGMENTS):
                send(piece)
        elapsed += clock() - start
        drain(names.b)
    return elapsed


def receiving_segments(names: Any, n: int) -> float:
    """Receive what was sent in one buffer, joined or one by one."""
    b, clock, elapsed = names.b, time.perf_counter, 0.0
    data = payload(SEGMENTS * SEGMENT)
    if names.batch:
        b.setgro(True)
    for _ in batches(n, SEGMENTS):
        names.feed.send_segments(data, SEGMENT)
        if names.batch:
            got, recv_segments = 0, b.recv_segments
            start = clock()
            while got < len(data):
                got += len(recv_segments()[0])
        else:
            recv = b.recv
            start = clock()
            for _ in range(SEGMENTS):
                recv(ROOM)
        elapsed += clock() - start
    return elapsed


def joined(setup: Setup) -> Setup:
    """Another setup, in which what oxisock sends in one buffer arrives as it is."""

    def both(socket: Any, stack: ExitStack) -> Names:
        names = setup(socket, stack)
        if socket is oxisock:
            names["b"].setgro(True)
        return {**names, "batch": socket is oxisock}

    return both


def end_to_end(names: Any, n: int) -> float:
    """Receive from a process that sends as fast as it can."""
    b, got = names.b, 0
    os.kill(names.pid, signal.SIGCONT)
    try:
        if names.batch:
            recv_segments = b.recv_segments
            recv_segments()
            start = time.perf_counter()
            while got < n:
                data, size, _ = recv_segments()
                got += -(-len(data) // size)
            return (time.perf_counter() - start) * n / got
        recv = b.recv
        recv(ROOM)
        start = time.perf_counter()
        for _ in repeat(None, n):
            recv(ROOM)
        return time.perf_counter() - start
    finally:
        os.kill(names.pid, signal.SIGSTOP)


def bare(kind: str, count: int = BATCH, size: int = 64) -> Callable[[Any, int], float]:
    """Make the baseline: the system's own batch, without Python."""

    def run(names: Any, n: int) -> float:
        sender = getattr(names, "feed", names.a)
        if size == SEGMENT:
            names.b.setsockopt(socket.SOL_UDP, UDP_GRO, 1)
        rounds = max(1, n // count)
        return _baseline.batch(kind, sender.fileno(), names.b.fileno(), count, size, rounds)

    return run


BATCHED = {"least": BATCH, "variant": True}
row("batch.recvfrom", roomy(udp()), receiving("recvfrom"), bare("recvmmsg-from"),
    target=2.2, **BATCHED, note="recvfrom_many(32) against recvfrom, 64 B")  # fmt: skip
row("batch.recv-into", roomy(udp()), receiving("recv_into"), bare("recvmmsg"),
    target=1.6, **BATCHED, note="recv_many_into of 32 slots against recv_into, 64 B")  # fmt: skip
row("batch.one", roomy(udp()), receiving("recvfrom", 1), bare("recvfrom-one", 1), target=0.97,
    variant=True,
    note="recvfrom_many(32) of the one datagram that is there against recvfrom")  # fmt: skip
row("batch.send", joined(udp()), sending("send"), bare("sendmmsg"), target=1.3,
    **BATCHED, note="send_many of 32 against send, 64 B")  # fmt: skip
row("batch.sendto", joined(udp_unconnected()), sending("sendto"), bare("sendmmsg-to"),
    target=1.3, **BATCHED, note="sendto_many of 32 against sendto, 64 B")  # fmt: skip
row("batch.send-segments", joined(udp()), sending_segments, bare("cut", SEGMENTS, SEGMENT),
    target=20, least=SEGMENTS, variant=True,
    note="send_segments of 54 x 1,200 B against send")  # fmt: skip
row("batch.recv-segments", roomy(udp()), receiving_segments, bare("joined", SEGMENTS, SEGMENT),
    target=12, least=SEGMENTS, variant=True,
    note="recv_segments of 54 x 1,200 B against recv")  # fmt: skip
row("batch.end-to-end", datagram_source(SEGMENT), end_to_end, target=10, least=1000,
    variant=True, concurrent=True, slice=0.05, rounds=0.5,
    note="1,200 B from another process, cut and joined, against send and recv")  # fmt: skip
row("batch.asyncio-echo", datagram_server(), datagram_load, target=1.5, least=BATCH,
    variant=True, concurrent=True, slice=0.1, rounds=0.3,
    note="requests to an asyncio UDP echo server, 32 under way")  # fmt: skip
row("batch.busy-asyncio-echo", datagram_server(threads=1, pinned=True), datagram_load, target=50,
    least=BATCH, variant=True, concurrent=True, busy_server=True, slice=1.0, rounds=0.1,
    note="requests to an asyncio UDP echo server, 32 under way, the thread beside it")  # fmt: skip
