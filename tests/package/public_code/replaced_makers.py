"""An __init__, a __new__ or an _accept that is replaced."""

import socket

real, made = socket.socket.__init__, []


def logged(self, *args, **options):
    real(self, *args, **options)
    made.append(self.fileno())


def sockets():
    a, b = socket.socketpair()
    l = socket.create_server(("127.0.0.1", 0))
    c = socket.create_connection(l.getsockname())
    d, address = l.accept()
    e = c.dup()
    f = socket.fromfd(c.fileno(), c.family, c.type)
    return dict(a=a, b=b, l=l, c=c, d=d, e=e, f=f), address


socket.socket.__init__ = logged
these, _ = sockets()
socket.socket.__init__ = real
numbers = {sock.fileno(): name for name, sock in these.items()}
print("".join(sorted(numbers[fd] for fd in made)))
others, _ = sockets()
print(len(made))
accept = socket.socket._accept


def answered(self):
    fd, address = accept(self)
    made.append(fd)
    return fd, ("10.0.0.1", len(address))


socket.socket._accept = answered
more, address = sockets()
print(address, made[-1] == more["d"].fileno(), more["d"].proto)
socket.socket._accept = accept
new, count = socket.socket.__new__, []


def counted(cls, *args, **options):
    count.append(cls is socket.socket)
    return new(cls)


socket.socket.__new__ = counted
last, _ = sockets()
print(count)
socket.socket.__new__ = new
for group in these, others, more, last:
    for sock in group.values():
        sock.close()
