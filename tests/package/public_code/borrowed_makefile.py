"""A makefile that another class has borrowed."""

import socket


class Wrapped:
    # As in pyOpenSSL and urllib3: no socket, with the makefile of one.
    makefile = socket.socket.makefile

    def __init__(self, sock):
        self.sock = sock
        self._io_refs = 0
        self._closed = False

    def recv_into(self, *a):
        return self.sock.recv_into(*a)

    def send(self, data):
        return self.sock.send(data)

    def fileno(self):
        return self.sock.fileno()

    def _decref_socketios(self):
        if self._io_refs > 0:
            self._io_refs -= 1
        if self._closed:
            self.close()

    def close(self):
        self._closed = True
        if self._io_refs < 1:
            self.sock.close()


a, b = socket.socketpair()
w = Wrapped(a)
f = w.makefile("rb")
g = w.makefile("w", encoding="ascii", newline="\n")
b.sendall(b"one\ntwo\n")
print(f.readline(), f.readline(), w._io_refs)
g.write("three\n")
g.flush()
print(b.recv(10))
w.close()
print(a.fileno() != -1)
f.close()
g.close()
print(a.fileno())
