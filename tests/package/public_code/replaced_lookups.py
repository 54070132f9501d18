"""Lookups that are replaced."""

import functools
import socket

real = socket.getaddrinfo
socket.getaddrinfo = functools.lru_cache(None)(real)
srv = socket.create_server(("127.0.0.1", 0))
for _ in range(2):
    socket.create_connection(("localhost", srv.getsockname()[1]), 5).close()
print(socket.getaddrinfo.cache_info().hits)


def strict(host, port, family=0, type=0, proto=0, flags=0):
    return real("127.0.0.1", srv.getsockname()[1], family, type, proto, flags)


socket.getaddrinfo = strict
with socket.create_connection(("no.such.host.invalid", 1), 5) as c:
    print(c.getpeername() == srv.getsockname())
import http.client


def refuse(*a, **k):
    raise socket.gaierror(socket.EAI_NONAME, "no")


socket.getaddrinfo = refuse
for call in (
    lambda: socket.create_connection(("localhost", 1), 1),
    lambda: http.client.HTTPConnection("localhost", 1).connect(),
):
    try:
        call()
    except OSError as e:
        print(type(e).__name__, e.errno == socket.EAI_NONAME)
