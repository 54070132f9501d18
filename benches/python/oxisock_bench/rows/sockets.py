"""Making, connecting and closing sockets."""

from __future__ import annotations

from ..row import Group
from ..setups import TIMEOUT, descriptor_of, having, listener, nothing, plain, unix

GROUP = Group("sockets", "Making, connecting and closing sockets")
row = GROUP.row

for name, family, kind in [
    ("tcp", "AF_INET", "SOCK_STREAM"),
    ("udp", "AF_INET", "SOCK_DGRAM"),
    ("tcp6", "AF_INET6", "SOCK_STREAM"),
    ("unix", "AF_UNIX", "SOCK_STREAM"),
]:
    row(
        f"socket-close.{name}",
        nothing,
        f"socket.socket(socket.{family}, socket.{kind}).close()",
        f"socket {family} {kind} 0; close",
    )
row(
    "socket.with",
    nothing,
    "with socket.socket():\n    pass",
    "socket AF_INET SOCK_STREAM 0; close",
)
row(
    "socket.fileno",
    descriptor_of(plain("AF_UNIX"), "s"),
    "socket.socket(fileno=fd).detach()",
    note="an object on a descriptor that exists already, its family and type detected",
)
row(
    "socketpair-close",
    nothing,
    "a, b = socket.socketpair(); a.close(); b.close()",
    "socketpair AF_UNIX SOCK_STREAM; close; close",
)
row("dup-close", plain("AF_UNIX"), "s.dup().close()", "dup s; close")
row(
    "fromfd-close",
    descriptor_of(plain("AF_UNIX"), "s"),
    "socket.fromfd(fd, socket.AF_UNIX, socket.SOCK_STREAM).close()",
    "dup s; close",
)
row(
    "detach-close",
    nothing,
    "socket.close(socket.socket().detach())",
    "socket AF_INET SOCK_STREAM 0; close",
)
row(
    "dup-function",
    descriptor_of(plain("AF_UNIX"), "s"),
    "socket.close(socket.dup(fd))",
    "dup s; close",
)
row(
    "bind.tcp",
    having(address=("127.0.0.1", 0)),
    "s = socket.socket(); s.bind(address); s.close()",
)
row(
    "bind.unix",
    having(address=""),
    "s = socket.socket(socket.AF_UNIX); s.bind(address); s.close()",
    "socket AF_UNIX SOCK_STREAM 0; bind made AF_UNIX; close",
)
row("listen", listener(), "l.listen(16)", "listen l 16")
row("shutdown", unix(), "a.shutdown(socket.SHUT_WR)", "shutdown a SHUT_WR")

CONNECT_ACCEPT = """
c = socket.socket(l.family)
c.connect(address)
s = l.accept()[0]
s.close()
c.close()
"""
CONNECT_ACCEPT_BASELINE = "socket AF_UNIX SOCK_STREAM 0; connect made l; accept l; close; close"
TCP_BASELINE = CONNECT_ACCEPT_BASELINE.replace("AF_UNIX", "AF_INET")
TCP6_BASELINE = CONNECT_ACCEPT_BASELINE.replace("AF_UNIX", "AF_INET6")

row("connect-accept.unix", listener(), CONNECT_ACCEPT, CONNECT_ACCEPT_BASELINE)
row(
    "connect-accept.unix.timeout",
    listener(timeout=TIMEOUT),
    CONNECT_ACCEPT,
    CONNECT_ACCEPT_BASELINE,
)
row("connect-accept.tcp", listener("AF_INET"), CONNECT_ACCEPT, TCP_BASELINE, rounds=0.5)
row("connect-accept.tcp6", listener("AF_INET6"), CONNECT_ACCEPT, TCP6_BASELINE, rounds=0.5)
row(
    "connect_ex-accept.unix",
    listener(),
    CONNECT_ACCEPT.replace("connect(", "connect_ex("),
    CONNECT_ACCEPT_BASELINE,
)
row(
    "create_connection",
    listener("AF_INET"),
    "c = socket.create_connection(address); s = l.accept()[0]; s.close(); c.close()",
    TCP_BASELINE,
    rounds=0.5,
)
row(
    "create_connection.timeout",
    listener("AF_INET"),
    "c = socket.create_connection(address, timeout=5); s = l.accept()[0]; s.close(); c.close()",
    TCP_BASELINE,
    rounds=0.5,
)
row(
    "create_server",
    having(address=("127.0.0.1", 0)),
    "socket.create_server(address).close()",
    "socket AF_INET SOCK_STREAM 0; setsockopt made SOL_SOCKET SO_REUSEADDR 1;"
    "bind made AF_INET; listen made 16; close",
    rounds=0.5,
)
