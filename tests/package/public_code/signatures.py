"""Type hints and signatures."""

import inspect
import socket
import typing

functions = "create_connection create_server fromfd getfqdn send_fds recv_fds has_dualstack_ipv6"
methods = "makefile sendfile dup accept detach __enter__ __exit__ __init__ __repr__"
found = [getattr(socket, name) for name in functions.split()]
found += [getattr(socket.socket, name) for name in methods.split()]
for one in found:
    print(one.__name__, one.__qualname__, typing.get_type_hints(one))
for one in found[2:7]:
    print(one.__module__, inspect.signature(one, eval_str=True))
for name in "makefile", "sendfile", "dup", "__init__":
    one = getattr(socket.socket, name)
    print(name, one.__module__, inspect.signature(one, eval_str=True))
print([name for name in inspect.signature(socket.create_connection).parameters])
print(inspect.signature(socket.socket), inspect.signature(socket.create_server).parameters.keys())
for one in socket.create_connection, socket.socket.makefile, socket.socket.sendfile:
    print(inspect.getsource(one).lstrip().startswith("def "))
print(
    inspect.getsource(socket.socket).partition("(")[0],
    "def dup" in inspect.getsource(socket.socket),
)
print(all(map(inspect.getdoc, (socket.create_connection, socket.socket.makefile))))
