"""A tracer around create_connection."""

import socket

real = socket.create_connection
calls = []


def traced(
    address, timeout=socket._GLOBAL_DEFAULT_TIMEOUT, source_address=None, *, all_errors=False
):
    calls.append(timeout is socket._GLOBAL_DEFAULT_TIMEOUT)
    return real(address, timeout=timeout, source_address=source_address, all_errors=all_errors)


socket.create_connection = traced
import http.client
import threading

srv = socket.create_server(("127.0.0.1", 0))


def answer():
    c, _ = srv.accept()
    c.recv(1000)
    c.sendall(b"HTTP/1.0 200 OK\r\n\r\nhi")
    c.close()


t = threading.Thread(target=answer)
t.start()
h = http.client.HTTPConnection(*srv.getsockname())
h.request("GET", "/")
print(h.getresponse().read())
t.join()
h.close()
print(calls)
