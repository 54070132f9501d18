"""Functions that only compute: byte order, address text, sizes; and the module's names."""

from __future__ import annotations

from ..row import Group
from ..setups import nothing

GROUP = Group("names", "Byte order, address text and the module's names")
row = GROUP.row

row("htons", nothing, "socket.htons(80)")
row("htonl", nothing, "socket.htonl(80)")
row("ntohs", nothing, "socket.ntohs(80)")
row("ntohl", nothing, "socket.ntohl(80)")
row("inet_aton", nothing, 'socket.inet_aton("127.0.0.1")')
row("inet_ntoa", nothing, r'socket.inet_ntoa(b"\x7f\x00\x00\x01")')
row("inet_pton", nothing, 'socket.inet_pton(socket.AF_INET, "127.0.0.1")')
row("inet_pton.ipv6", nothing, 'socket.inet_pton(socket.AF_INET6, "2001:db8::1")')
row("inet_ntop", nothing, r'socket.inet_ntop(socket.AF_INET, b"\x7f\x00\x00\x01")')
row("inet_ntop.ipv6", nothing, "socket.inet_ntop(socket.AF_INET6, bytes(15) + bytes(1))")
row("CMSG_LEN", nothing, "socket.CMSG_LEN(4)")
row("CMSG_SPACE", nothing, "socket.CMSG_SPACE(4)")
# In a new interpreter: what a program has looked up before can change what a look-up costs.
for name in ("AF_INET", "SOCK_STREAM", "timeout", "htons", "socket", "AddressFamily"):
    row(
        f"lookup.{name}",
        nothing,
        f"socket.{name}",
        fresh=True,
        note=f"look {name} up in the module",
    )
row("constant", nothing, "socket.AF_INET", note="a constant of the module")
row("enumeration", nothing, "socket.AddressFamily(2)", note="a member of an enumeration")
