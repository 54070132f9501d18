"""gevent patches the module after oxisock: its server, 50 clients, TLS and lookups."""

from gevent import monkey

monkey.patch_all()

import hashlib
import socket
import ssl
import sys
import urllib.request

import gevent
from gevent import pywsgi
from gevent.server import StreamServer

certificate, key, ca = sys.argv[1:]
LARGE = bytes(range(256)) * 4096


def application(environ, start_response):
    body = hashlib.sha256(environ["wsgi.input"].read()).hexdigest().encode() + LARGE
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def echo(sock, address):
    while data := sock.recv(65536):
        sock.sendall(data)


def talk(address, context):
    raw = socket.create_connection(address, 60)
    with context.wrap_socket(raw, server_hostname="localhost") if context else raw as sock:
        for number in range(100):
            sock.sendall(b"%05d" % number)
            with_all = b""
            while len(with_all) < 5:
                with_all += sock.recv(5 - len(with_all))
            assert with_all == b"%05d" % number


asked = ssl.create_default_context(cafile=ca)
for options, context in ({}, None), ({"certfile": certificate, "keyfile": key}, asked):
    server = StreamServer(("127.0.0.1", 0), echo, **options)
    server.start()
    clients = [gevent.spawn(talk, server.address, context) for _ in range(50)]
    gevent.joinall(clients, timeout=120, raise_error=True)
    assert all(client.successful() for client in clients)
    server.stop()
web = pywsgi.WSGIServer(("127.0.0.1", 0), application, log=None)
web.start()
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def fetch():
    with opener.open(f"http://127.0.0.1:{web.server_port}/", LARGE, timeout=60) as answer:
        assert answer.read() == hashlib.sha256(LARGE).hexdigest().encode() + LARGE


gevent.joinall([gevent.spawn(fetch) for _ in range(20)], timeout=120, raise_error=True)
web.stop()
assert socket.gethostbyname("127.0.0.1") == "127.0.0.1"
print("done on", sys.modules["socket"].__name__)
