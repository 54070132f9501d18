"""Sending and receiving when the data is ready: the operations that programs do most."""

from __future__ import annotations

from os import close

from ..row import Group
from ..setups import TIMEOUT, plus, tcp, udp, udp_unconnected, unix, with_file

GROUP = Group("moving", "Send and receive, data ready (64 B unless said)")
row = GROUP.row

# Programs ask for more than comes, and the standard library makes room for it first.
PAIR = "a.send(data); b.recv(4096)"
EXACT = "a.send(data); b.recv(64)"
PAIR_BASELINE = "send a 64; recv b 64"

for name, setup, blocking, limited in [
    ("unix", unix, 1.2, 1.8),
    ("udp", udp, 1.15, 1.5),
    ("tcp", tcp, 1.04, 1.2),
]:
    row(f"send-recv.{name}", setup(), PAIR, PAIR_BASELINE, target=blocking)
    row(f"send-recv.{name}.timeout", setup(timeout=TIMEOUT), PAIR, PAIR_BASELINE, target=limited)
    row(f"send-recv.{name}.nonblocking", setup(timeout=0), PAIR, PAIR_BASELINE)
    row(f"send-recv.{name}.exact", setup(), EXACT, PAIR_BASELINE, note="asks for what comes")

BIG = "a.send(data); b.recv({})"
# malloc gets used to sizes that were freed before, and what it then does for a large buffer costs a
# fraction: only a new interpreter shows what a program sees that has not freed such buffers yet.
FRESH = {"fresh": True}
row("recv-1MiB.unix", unix(), BIG.format("1 << 20"), PAIR_BASELINE, target=7, **FRESH)
row("recv-256KiB.unix", unix(), BIG.format("1 << 18"), PAIR_BASELINE, target=6, **FRESH)
row("recv-1MiB.tcp", tcp(), BIG.format("1 << 20"), PAIR_BASELINE, **FRESH)
row("recv-256KiB.tcp.nonblocking", tcp(timeout=0), BIG.format("1 << 18"), PAIR_BASELINE, **FRESH)
row("recv-64KiB.udp", udp(), BIG.format("1 << 16"), PAIR_BASELINE, **FRESH)

for suffix, timeout in [("", None), (".timeout", TIMEOUT)]:
    row(f"sendall{suffix}", unix(timeout=timeout), "a.sendall(data); b.recv(64)", PAIR_BASELINE)
    row(
        f"recv_into{suffix}",
        unix(timeout=timeout),
        "a.send(data); b.recv_into(buffer)",
        PAIR_BASELINE,
    )
    row(
        f"sendto-recvfrom.udp{suffix}",
        udp_unconnected(timeout=timeout),
        "a.sendto(data, address); b.recvfrom(64)",
        "sendto a b 64; recvfrom b 64",
    )
    row(
        f"recvfrom_into.udp{suffix}",
        udp_unconnected(timeout=timeout),
        "a.sendto(data, address); b.recvfrom_into(buffer)",
        "sendto a b 64; recvfrom b 64",
    )
    row(
        f"sendmsg{suffix}",
        unix(timeout=timeout),
        "a.sendmsg([data]); b.recv(64)",
        "sendmsg a 64; recv b 64",
    )
    row(
        f"recvmsg{suffix}",
        unix(timeout=timeout),
        "a.send(data); b.recvmsg(64)",
        "send a 64; recvmsg b 64",
    )
    row(
        f"recvmsg_into{suffix}",
        unix(timeout=timeout),
        "a.send(data); b.recvmsg_into([buffer])",
        "send a 64; recvmsg b 64",
    )

row("recv.flags", unix(), "a.send(data); b.recv(64, socket.MSG_WAITALL)", PAIR_BASELINE)
row(
    "recv.peek",
    unix(),
    "a.send(data); b.recv(64, socket.MSG_PEEK); b.recv(64)",
)
row("send.bytearray", unix(), "a.send(buffer); b.recv(64)", PAIR_BASELINE)
row(
    "send.memoryview",
    plus(unix(), lambda names: {"view": memoryview(names["data"])}),
    "a.send(view); b.recv(64)",
    PAIR_BASELINE,
)
row(
    "sendmsg.4-parts",
    plus(unix(), lambda names: {"parts": [b"x" * 16] * 4}),
    "a.sendmsg(parts); b.recv(64)",
    "sendmsg a 64; recv b 64",
    note="four buffers of 16 B",
)
row(
    "recvmsg_into.4-parts",
    plus(unix(), lambda names: {"parts": [bytearray(16) for _ in range(4)]}),
    "a.send(data); b.recvmsg_into(parts)",
    "send a 64; recvmsg b 64",
)
row(
    "recvfrom.unix-datagram",
    unix(kind="SOCK_DGRAM"),
    "a.send(data); b.recvfrom(64)",
    "send a 64; recvfrom b 64",
)
row("send-recv.unix-datagram", unix(kind="SOCK_DGRAM"), EXACT, PAIR_BASELINE)
row(
    "send_fds-recv_fds",
    plus(unix(), lambda names: {"close": close, "fds": [names["a"].fileno()]}),
    "socket.send_fds(a, [data], fds); close(socket.recv_fds(b, 64, 1)[1][0])",
)
row(
    "sendfile",
    with_file(4096, unix()),
    "a.sendfile(f); b.recv(4096)",
    note="a file of 4 KiB from the page cache",
)
