"""websockets: its asyncio and its threaded servers and clients, plain and over TLS."""

import asyncio
import socket
import ssl
import sys
import threading

import websockets
from websockets.sync.client import connect
from websockets.sync.server import serve

certificate, key, ca = sys.argv[1:]
served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
served.load_cert_chain(certificate, key)
asked = ssl.create_default_context(cafile=ca)
MESSAGES = [bytes([number % 256]) * (number * 97 % 5000) for number in range(300)]
MESSAGES.append(bytes(range(256)) * 3000)


def echo(connection):
    for message in connection:
        connection.send(message)


async def echo_asynchronously(connection):
    async for message in connection:
        await connection.send(message)


def by_threads(scheme, ours, theirs):
    with serve(echo, "127.0.0.1", 0, ssl=ours) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        port = server.socket.getsockname()[1]
        with connect(f"{scheme}://localhost:{port}", ssl=theirs, open_timeout=60) as connection:
            for message in MESSAGES:
                connection.send(message)
                assert connection.recv(60) == message
        server.shutdown()
        thread.join()


async def by_asyncio(scheme, ours, theirs):
    async with websockets.serve(echo_asynchronously, "127.0.0.1", 0, ssl=ours) as server:
        (sock,) = server.sockets
        url = f"{scheme}://localhost:{sock.getsockname()[1]}"

        async def visit():
            async with websockets.connect(url, ssl=theirs, open_timeout=60) as connection:
                for message in MESSAGES:
                    await connection.send(message)
                    assert await connection.recv() == message

        await asyncio.gather(*(visit() for _ in range(10)))


for case in ("ws", None, None), ("wss", served, asked):
    by_threads(*case)
    asyncio.run(by_asyncio(*case))
print("done on", socket.__name__)
