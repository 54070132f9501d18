"""Enumerations."""

import socket

print(
    [f.name for f in socket.AddressFamily if f.value in (1, 2, 10, 17)],
    socket.AddressFamily["AF_INET6"],
    socket.SocketKind(1),
    socket.AddressFamily(2).name,
)
print(
    "AF_INET" in socket.AddressFamily.__members__,
    isinstance(socket.AF_INET, int),
    socket.AF_INET in (2,),
    type(socket.AF_INET | 0).__name__,
)
print(
    socket.MSG_PEEK | socket.MSG_DONTWAIT,
    ~socket.MSG_PEEK & 3,
    socket.AI_PASSIVE | socket.AI_CANONNAME,
)
try:
    socket.AddressFamily(9999)
except ValueError as e:
    print(e)
table = {
    getattr(socket, n): n for n in dir(socket) if n.startswith("AF_") and getattr(socket, n) < 11
}
print(table)
match socket.AF_INET:
    case socket.AF_INET:
        print("matched")
