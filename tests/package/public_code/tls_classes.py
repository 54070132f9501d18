"""What a TLS socket and its files are."""

import functools
import socket
import ssl

context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
a, b = socket.socketpair()
tls = context.wrap_socket(a, do_handshake_on_connect=False)
raw = tls.makefile("rb", 0)
print(isinstance(tls, socket.socket), issubclass(ssl.SSLSocket, socket.socket))
print(isinstance(raw, socket.SocketIO), isinstance(b"", socket.SocketIO))
print(a.fileno(), tls.family is socket.AF_UNIX, tls.type is socket.SOCK_STREAM, tls.proto)
print(repr(tls.family), repr(tls).count("AddressFamily.AF_UNIX"))
kind = functools.singledispatch(lambda one: "other")
kind.register(socket.socket, lambda one: "socket")
print(kind(tls))
raw.close()
tls.close()
b.close()
