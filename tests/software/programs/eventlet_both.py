"""eventlet patches the module after oxisock: its server and 50 clients."""

import eventlet

eventlet.monkey_patch()

import socket

LARGE = bytes(range(256)) * 400


def echo(sock, address):
    while data := sock.recv(65536):
        sock.sendall(data)


def talk(address):
    with socket.create_connection(address, 60) as sock:
        for number in range(50):
            sock.sendall(LARGE)
            got = b""
            while len(got) < len(LARGE):
                got += sock.recv(65536)
            assert got == LARGE, number
    return True


listener = eventlet.listen(("127.0.0.1", 0))
server = eventlet.spawn(eventlet.serve, listener, echo)
pool = eventlet.GreenPool(50)
with eventlet.Timeout(120):
    assert all(pool.imap(talk, [listener.getsockname()] * 50))
server.kill()
print("done on", socket.__name__)
