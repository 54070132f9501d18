"""The resolver, services, protocols and interfaces. Nothing leaves the machine."""

from __future__ import annotations

from ..row import Group
from ..setups import nothing

GROUP = Group("lookup", "Names, services and interfaces")
row = GROUP.row

row("getaddrinfo.numeric", nothing, 'socket.getaddrinfo("127.0.0.1", 80)', target=4)
row(
    "getaddrinfo.numeric.stream",
    nothing,
    'socket.getaddrinfo("127.0.0.1", 80, 0, socket.SOCK_STREAM)',
    target=4,
)
row("getaddrinfo.numeric6", nothing, 'socket.getaddrinfo("::1", 80)', target=4)
row("getaddrinfo.none", nothing, "socket.getaddrinfo(None, 80, type=socket.SOCK_STREAM)")
row("getaddrinfo.localhost", nothing, 'socket.getaddrinfo("localhost", 80)')
row("getaddrinfo.service", nothing, 'socket.getaddrinfo("127.0.0.1", "http")')
row(
    "getnameinfo.numeric",
    nothing,
    'socket.getnameinfo(("127.0.0.1", 80), socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)',
)
row("gethostbyname.numeric", nothing, 'socket.gethostbyname("127.0.0.1")')
row("gethostbyname.localhost", nothing, 'socket.gethostbyname("localhost")')
row("gethostbyname_ex", nothing, 'socket.gethostbyname_ex("localhost")')
row("gethostbyaddr", nothing, 'socket.gethostbyaddr("127.0.0.1")')
row("getfqdn", nothing, 'socket.getfqdn("localhost")')
row("gethostname", nothing, "socket.gethostname()")
row("getservbyname", nothing, 'socket.getservbyname("http", "tcp")')
row("getservbyport", nothing, 'socket.getservbyport(80, "tcp")')
row("getprotobyname", nothing, 'socket.getprotobyname("tcp")')
row("if_nameindex", nothing, "socket.if_nameindex()")
row("if_nametoindex", nothing, 'socket.if_nametoindex("lo")')
row("if_indextoname", nothing, "socket.if_indextoname(1)")
row("has_dualstack_ipv6", nothing, "socket.has_dualstack_ipv6()")
