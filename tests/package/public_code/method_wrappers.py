"""Wrappers with __get__ in the place of methods."""

import functools
import socket
import types


class Wrapper:
    # As wrapt has it: an object with __get__ in the place of a method.
    def __init__(self, wrapped):
        self.wrapped = wrapped
        functools.update_wrapper(self, wrapped)

    def __call__(self, *a, **k):
        seen.append(self.wrapped.__name__)
        return self.wrapped(*a, **k)

    def __get__(self, obj, cls=None):
        return self if obj is None else types.MethodType(self, obj)


seen = []
names = (
    "connect",
    "send",
    "sendall",
    "recv",
    "recv_into",
    "close",
    "accept",
    "settimeout",
    "bind",
    "listen",
    "shutdown",
    "detach",
    "makefile",
)
saved = {n: socket.socket.__dict__.get(n) for n in names}
before = {n: getattr(socket.socket, n) for n in names}
for n in names:
    setattr(socket.socket, n, Wrapper(getattr(socket.socket, n)))
try:
    server = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(server.getsockname(), 5)
    peer, _ = server.accept()
    client.sendall(b"line\n")
    f = peer.makefile("rb")
    print(f.readline())
    f.close()
    peer.send(b"x")
    print(client.recv(1))
    client.shutdown(2)
    client.close()
    peer.close()
    server.close()
finally:
    for n in names:
        if saved[n] is None:
            delattr(socket.socket, n)
        else:
            setattr(socket.socket, n, saved[n])
print([s for s in seen])
a, b = socket.socketpair()
a.send(b"y")
print(b.recv(1), len(seen))
