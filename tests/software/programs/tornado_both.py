"""A Tornado server and its client in one process: HTTP, TLS, WebSocket, streams."""

import hashlib
import socket
import ssl
import sys

import tornado.httpclient
import tornado.httpserver
import tornado.ioloop
import tornado.netutil
import tornado.tcpclient
import tornado.tcpserver
import tornado.web
import tornado.websocket

certificate, key, ca = sys.argv[1:]
LARGE = bytes(range(256)) * 4096


class Hash(tornado.web.RequestHandler):
    async def get(self):
        self.write(LARGE)

    async def put(self):
        self.write(hashlib.sha256(self.request.body).hexdigest())


class Echo(tornado.websocket.WebSocketHandler):
    async def on_message(self, message):
        await self.write_message(message, binary=isinstance(message, bytes))


class Lines(tornado.tcpserver.TCPServer):
    async def handle_stream(self, stream, address):
        try:
            while True:
                await stream.write((await stream.read_until(b"\n")).upper())
        except tornado.iostream.StreamClosedError:
            pass


async def main():
    app = tornado.web.Application([("/hash", Hash), ("/echo", Echo)])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    client = tornado.httpclient.AsyncHTTPClient()
    for options, scheme in ({}, "http"), ({"ssl_options": context}, "https"):
        server = tornado.httpserver.HTTPServer(app, **options)
        (sock,) = tornado.netutil.bind_sockets(0, "127.0.0.1")
        assert isinstance(sock, socket.socket)
        server.add_sockets([sock])
        port = sock.getsockname()[1]
        url = f"{scheme}://localhost:{port}/hash"
        settings = {"ca_certs": ca, "request_timeout": 60}
        for _ in range(50):
            answer = await client.fetch(url, **settings)
            assert answer.body == LARGE
        answer = await client.fetch(url, method="PUT", body=LARGE, **settings)
        assert answer.body.decode() == hashlib.sha256(LARGE).hexdigest()
        request = tornado.httpclient.HTTPRequest(
            f"{'wss' if options else 'ws'}://localhost:{port}/echo", ca_certs=ca
        )
        connection = await tornado.websocket.websocket_connect(request)
        for number in range(200):
            message = bytes([number]) * number * 10
            await connection.write_message(message, binary=True)
            assert await connection.read_message() == message
        connection.close()
        server.stop()
        await server.close_all_connections()
    lines = Lines()
    lines.listen(0, "127.0.0.1")
    (sock,) = lines._sockets.values()
    stream = await tornado.tcpclient.TCPClient().connect(*sock.getsockname())
    for number in range(500):
        await stream.write(f"line {number}\n".encode())
        assert await stream.read_until(b"\n") == f"LINE {number}\n".encode()
    stream.close()
    lines.stop()


tornado.ioloop.IOLoop.current().run_sync(main)
print("done on", socket.__name__)
