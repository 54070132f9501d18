"""Send and receive over message sizes: throughput, and the time above the baseline."""

from __future__ import annotations

from ..row import Group, Setup
from ..setups import plus, tcp, udp, unix

ABOVE = Group("above", "Time above the baseline, send+recv")
THROUGHPUT = Group("throughput", "Throughput of send+recv over message sizes")

SIZES = [1 << power for power in range(0, 21, 2)]
AT_ONCE = 1 << 16
"""The largest message that the kernel's buffers take at once: larger ones go part by part."""
LARGEST_DATAGRAM = 65507


def label(size: int) -> str:
    """The size as in `64B`, `4KiB`, `1MiB`."""
    for unit, factor in [("MiB", 1 << 20), ("KiB", 1 << 10)]:
        if size >= factor:
            return f"{size // factor}{unit}"
    return f"{size}B"


for name, setup in [("unix", unix), ("udp", udp), ("tcp", tcp)]:
    for size in [64, 1 << 10, 1 << 12, 1 << 14]:
        ABOVE.row(
            f"above.{name}.{label(size)}",
            setup(size),
            f"a.send(data); b.recv({size})",
            f"send a {size}; recv b {size}",
            target=2,
            above_baseline=True,
            rounds=1.5,
        )

PARTS = """
rest = view
while rest:
    left = a.send(rest, socket.MSG_DONTWAIT)
    rest = rest[left:]
    while left:
        left -= len(b.recv(left))
"""
RECEIVE = "left = {size}\nwhile left:\n    left -= len(b.recv(left))"


PAIRS = {"unix": unix, "udp": udp}


def viewed(setup: Setup) -> Setup:
    """Another setup, and a memoryview of its data, which can be cut without copying."""
    return plus(setup, lambda names: {"view": memoryview(names["data"])})


for name in ("unix", "tcp", "udp"):
    for size in SIZES:
        if name == "udp" and size > AT_ONCE:
            break
        payload = min(size, LARGEST_DATAGRAM) if name == "udp" else size
        pair = tcp(size, room=1 << 20) if name == "tcp" else PAIRS[name](payload)
        if size > AT_ONCE:
            op, baseline = PARTS, f"exchange a b {size}"
        else:
            receive = f"b.recv({payload})" if name == "udp" else RECEIVE.format(size=size)
            op = f"a.send(data)\n{receive}"
            baseline = f"send a {payload}; recvall b {payload}"
        THROUGHPUT.row(
            f"throughput.{name}.{label(size)}",
            viewed(pair),
            op,
            baseline,
            payload=payload,
            slice=0.01 if size > AT_ONCE else 0.002,
            rounds=0.5,
        )
