"""Tables out of the module's namespace."""

import socket
import types

groups = "AF SOCK IPPROTO SO MSG TCP IP IPV6 NETLINK PACKET SOL EAI"
for prefix in [f"{group}_" for group in groups.split()]:
    known = sorted(name for name in vars(__import__("_socket")) if name.startswith(prefix))
    first = {getattr(socket, name): name for name in dir(socket) if name.startswith(prefix)}
    then = {value: name for name, value in vars(socket).items() if name.startswith(prefix)}
    for name in known:
        print(name, first[getattr(socket, name)], then[getattr(socket, name)])
clone = types.ModuleType("clone")
clone.__dict__.update(socket.__dict__)
print(
    clone.SOCK_STREAM,
    clone.create_server.__name__,
    clone.socket is socket.socket,
    clone.errno.EBADF,
)
print(socket.__dict__["AF_INET"], vars(socket).get("gaierror"), vars(socket).get("nosuch"))
