"""Send and receive over message sizes: throughput, and the time above the floor."""

from __future__ import annotations

from ..floors import in_threads
from ..programs import streaming
from ..row import Group, Run
from ..setups import tcp, udp, unix

ABOVE = Group("above", "Time above the floor, send+recv")
THROUGHPUT = Group("throughput", "Throughput of send+recv over message sizes")

SIZES = [1 << power for power in range(0, 21, 2)]
ONE_THREAD = 1 << 16
"""The largest message that fits into the kernel's buffers: larger ones take a second thread."""
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
            above_floor=True,
            rounds=1.5,
        )

RECEIVE = "left = {size}\nwhile left:\n    left -= len(b.recv(left))"

op: str | Run
floor: str | Run
for name in ("unix", "tcp", "udp"):
    for size in SIZES:
        if name == "udp" and size > ONE_THREAD:
            break
        payload = min(size, LARGEST_DATAGRAM) if name == "udp" else size
        pair = (
            {"unix": unix, "udp": udp}[name](payload) if name != "tcp" else tcp(size, room=1 << 20)
        )
        if size > ONE_THREAD:
            op, floor = streaming(size), in_threads(f"recvall b {size}", f"send a {size}")
        else:
            receive = f"b.recv({payload})" if name == "udp" else RECEIVE.format(size=size)
            op = f"a.send(data)\n{receive}"
            floor = f"send a {payload}; recvall b {payload}"
        THROUGHPUT.row(
            f"throughput.{name}.{label(size)}",
            pair,
            op,
            floor,
            payload=payload,
            slice=0.02 if size > ONE_THREAD else 0.002,
            concurrent=size > ONE_THREAD,
            rounds=0.5,
            note=f"sendall of {label(size)} in another thread" if size > ONE_THREAD else "",
        )
