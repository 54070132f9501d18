"""Subclasses and mixins."""

import socket


class Mixin:
    def __init__(self, *a, label=None, **k):
        super().__init__(*a, **k)
        self.label = label


class Labelled(Mixin, socket.socket):
    pass


class Counting(socket.socket):
    n = 0

    def send(self, data, *a):
        type(self).n += len(data)
        return super().send(data, *a)

    @property
    def family(self):
        return socket.AF_UNIX

    def _real_close(self, *args):
        print("closing")
        super()._real_close(*args)


l = Labelled(socket.AF_INET, socket.SOCK_STREAM, label="x")
print(l.label, l.fileno() > 0, l.__dict__)
l.close()
x, y = socket.socketpair()
c = Counting(fileno=x.detach())
with c.makefile("wb") as f:
    f.write(b"12345")
    f.flush()
print(c.n, y.recv(9), c.family)
c.close()
try:
    print(super(Labelled, l).__init__.__name__)
except Exception as e:
    print(type(e).__name__)


class Other(socket.socket):
    def __init__(self):
        pass


o = Other()
print(o.fileno())
try:
    o.send(b"x")
except OSError as e:
    print(e.errno)
