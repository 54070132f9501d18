"""An aiohttp server and 20 clients in one process: HTTP and WebSocket, plain and over TLS."""

import asyncio
import hashlib
import socket
import ssl
import sys

import aiohttp
from aiohttp import web

certificate, key, ca = sys.argv[1:]
LARGE = bytes(range(256)) * 4096


async def large(request):
    return web.Response(body=LARGE)


async def hashed(request):
    return web.Response(text=hashlib.sha256(await request.read()).hexdigest())


async def echo(request):
    answer = web.WebSocketResponse()
    await answer.prepare(request)
    async for message in answer:
        await answer.send_bytes(message.data)
    return answer


async def visit(session, base):
    for _ in range(5):
        async with session.get(base + "/large") as answer:
            assert await answer.read() == LARGE
        async with session.post(base + "/hash", data=LARGE) as answer:
            assert await answer.text() == hashlib.sha256(LARGE).hexdigest()
    async with session.ws_connect(base + "/echo") as stream:
        for number in range(100):
            await stream.send_bytes(bytes([number]) * number)
            assert (await stream.receive(60)).data == bytes([number]) * number


async def main():
    app = web.Application(client_max_size=1 << 25)
    app.add_routes([web.get("/large", large), web.post("/hash", hashed), web.get("/echo", echo)])
    runner = web.AppRunner(app)
    await runner.setup()
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    served.load_cert_chain(certificate, key)
    asked = ssl.create_default_context(cafile=ca)
    for scheme, ours, theirs in ("http", None, True), ("https", served, asked):
        sock = socket.create_server(("127.0.0.1", 0))
        site = web.SockSite(runner, sock, ssl_context=ours)
        await site.start()
        base = f"{scheme}://localhost:{sock.getsockname()[1]}"
        connector = aiohttp.TCPConnector(ssl=theirs)
        timeout = aiohttp.ClientTimeout(120)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            await asyncio.gather(*(visit(session, base) for _ in range(20)))
        await site.stop()
    await runner.cleanup()


asyncio.run(main())
print("done on", socket.__name__)
