"""Attributes and the class of an object."""

import socket


class Plain(socket.socket):
    __slots__ = ()

    def hello(self):
        return "hello"


class Rich(socket.socket):
    pass


a, b = socket.socketpair()
for cls in Plain, Rich:
    try:
        a.__class__ = cls
        print(type(a).__name__, a.hello())
    except TypeError:
        print("TypeError")
a.__class__ = socket.socket
for name in ("colour", "recv", "_closed", "_io_refs"):
    try:
        setattr(b, name, 0)
        print(name, "set")
    except AttributeError:
        print(name, "AttributeError")
import weakref

print(weakref.ref(a)() is a)
