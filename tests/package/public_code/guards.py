"""Guards."""

import socket


class Blocked(RuntimeError):
    pass


true_socket, true_connect = socket.socket, socket.socket.connect


class Guarded(socket.socket):
    def __new__(cls, family=-1, type=-1, proto=-1, fileno=None):
        if family == socket.AF_UNIX:
            return super().__new__(cls, family, type, proto, fileno)
        raise Blocked("blocked")


socket.socket = Guarded
for call in (
    lambda: socket.socket(),
    lambda: socket.create_connection(("127.0.0.1", 9), 1),
    lambda: socket.create_server(("127.0.0.1", 0)),
    lambda: [s.close() for s in socket.socketpair()],
    lambda: socket.socket(socket.AF_UNIX).close(),
):
    try:
        print(call())
    except Blocked as e:
        print(type(e).__name__)
    except Exception as e:
        print(type(e).__name__, e)
socket.socket = true_socket


def guarded_connect(inst, *args):
    if args[0][0] == "127.0.0.1":
        raise Blocked
    return true_connect(inst, *args)


socket.socket.connect = guarded_connect
srv = socket.create_server(("127.0.0.1", 0))
for call in (
    lambda: socket.create_connection(srv.getsockname(), 1),
    lambda: socket.socket().connect(srv.getsockname()),
    lambda: socket.create_connection(("localhost", srv.getsockname()[1]), 2),
):
    try:
        call()
        print("connected")
    except Blocked:
        print("blocked")
socket.socket.connect = true_connect
socket.create_connection(srv.getsockname(), 1).close()
print("open again")
