"""Abstract classes, protocols and dispatch."""

import abc
import io
import socket
import typing

a, b = socket.socketpair()


@typing.runtime_checkable
class HasFileno(typing.Protocol):
    def fileno(self) -> int: ...


print(isinstance(a, HasFileno), issubclass(socket.socket, HasFileno))


class Base(abc.ABC):
    pass


Base.register(socket.socket)
print(isinstance(a, Base))
f = a.makefile("rb")
g = a.makefile("w")
r = a.makefile("rb", 0)
rw = a.makefile("rwb")
print(
    isinstance(f, io.BufferedReader),
    isinstance(g, io.TextIOWrapper),
    isinstance(r, (io.RawIOBase, socket.SocketIO)),
    isinstance(rw, io.BufferedRWPair),
    isinstance(f, io.IOBase),
)
print(
    f.raw._sock is a,
    r.name == a.fileno(),
    r.mode,
    f.raw.__class__.__name__,
    repr(f).split(" ")[0][:12],
    type(f.raw) is socket.SocketIO,
)
import functools


@functools.singledispatch
def kind(x):
    return "other"


@kind.register
def _(x: socket.socket):
    return "socket"


print(
    kind(a),
    socket.socket | None == typing.Optional[socket.socket],
    typing.get_type_hints(_)["x"] is socket.socket,
)
for x in (f, g, r, rw):
    x.close()
