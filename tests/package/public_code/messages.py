"""Messages that name the function and its argument."""

import socket


def told(function, *args):
    try:
        return function(*args)
    except Exception as exc:
        return type(exc).__name__, str(exc)


for args in ((b"http",), ("http", None), ("http", 6), ("ht\0tp",), ("nosuch",), ("http", "icmp")):
    print(args, told(socket.getservbyname, *args))
for args in ((80, None), (80, b"tcp"), ("80",), (-1,), (65536,), (80.0,)):
    print(args, told(socket.getservbyport, *args))
for one in b"tcp", None, "nosuch", "":
    print(one, told(socket.getprotobyname, one))
a, b = socket.socketpair()
for function, *args in (
    (socket.inet_aton, b"x"),
    (socket.inet_aton, None),
    (socket.inet_pton, 2, b"x"),
    (socket.gethostbyname, None),
    (socket.gethostbyname_ex, None),
    (socket.gethostbyaddr, 1),
    (a.recv_into, b"x"),
    (a.recv_into, None),
    (a.recvfrom_into, "x"),
    (a.recv, "x"),
    (a.send, "x"),
    (a.makefile("rb").readinto, b"x"),
    (a.makefile("rb").readinto1, None),
    (a.makefile("rb", 0).readinto, b"x"),
    (a.makefile, "x"),
):
    # CPython 3.11 counts the one argument of inet_aton.
    kind, text = told(function, *args)
    print(function.__name__, kind, text.replace("inet_aton() argument 1", "inet_aton() argument"))
a.close()
b.close()
