"""What a socket knows about itself: options, addresses, modes, attributes."""

from __future__ import annotations

import struct

from ..row import Group
from ..setups import listener, plain, plus, tcp, unix

GROUP = Group("state", "Options, addresses, modes and attributes")
row = GROUP.row

row("family", plain(), "s.family", target=8)
row("type", plain(), "s.type", target=8)
row("proto", plain(), "s.proto")
row("fileno", plain(), "s.fileno()")
row("timeout", plain(), "s.timeout")
row("gettimeout", plain(), "s.gettimeout()")
row("getblocking", plain(), "s.getblocking()")
row("repr", tcp(), "repr(a)", "getsockname a; getpeername a")
row("repr.unix", unix(), "repr(a)", "getsockname a; getpeername a")

row("settimeout.same-mode", plain(), "s.settimeout(1.0); s.settimeout(2.0)")
row(
    "settimeout.other-mode",
    plain(),
    "s.settimeout(None); s.settimeout(1.0)",
    "nonblocking s 0; nonblocking s 1",
)
row(
    "setblocking",
    plain(),
    "s.setblocking(False); s.setblocking(True)",
    "nonblocking s 1; nonblocking s 0",
)
row("setdefaulttimeout", plain(), "socket.setdefaulttimeout(None)")
row("getdefaulttimeout", plain(), "socket.getdefaulttimeout()")

row("getsockname.tcp", tcp(), "a.getsockname()", "getsockname a")
row("getsockname.tcp6", listener("AF_INET6"), "l.getsockname()", "getsockname l")
row("getsockname.unix", listener(), "l.getsockname()", "getsockname l")
row("getpeername.tcp", tcp(), "a.getpeername()", "getpeername a")
row(
    "getsockopt",
    plain(),
    "s.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)",
    "getsockopt s SOL_SOCKET SO_REUSEADDR",
)
row(
    "getsockopt.bytes",
    plain(),
    "s.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)",
)
row(
    "setsockopt",
    plain(),
    "s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)",
    "setsockopt s SOL_SOCKET SO_REUSEADDR 1",
)
row(
    "setsockopt.bytes",
    plus(plain(), lambda names: {"linger": struct.pack("ii", 0, 0)}),
    "s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)",
)
row("get_inheritable", plain(), "s.get_inheritable()")
row("set_inheritable", plain(), "s.set_inheritable(False)")
