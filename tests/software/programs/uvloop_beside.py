"""uvloop with sockets of oxisock: streams, datagrams, TLS, sock_recv and signals."""

import asyncio
import socket
import ssl
import sys

import uvloop

certificate, key, ca = sys.argv[1:]
served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
served.load_cert_chain(certificate, key)
asked = ssl.create_default_context(cafile=ca)


async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def talk(port, context):
    reader, writer = await asyncio.open_connection("localhost", port, ssl=context)
    for number in range(100):
        data = bytes([number]) * number * 50
        writer.write(data)
        assert await reader.readexactly(len(data)) == data
    writer.close()


async def main():
    loop = asyncio.get_running_loop()
    assert isinstance(loop, uvloop.Loop)
    for ours, theirs in (None, None), (served, asked):
        listener = socket.create_server(("127.0.0.1", 0))
        server = await asyncio.start_server(echo, sock=listener, ssl=ours)
        port = listener.getsockname()[1]
        await asyncio.gather(*(talk(port, theirs) for _ in range(20)))
        server.close()
    a, b = socket.socketpair()
    a.setblocking(False)
    b.setblocking(False)
    for number in range(300):
        await loop.sock_sendall(a, b"%04d" % number)
        assert await loop.sock_recv(b, 4) == b"%04d" % number
    a.close()
    b.close()


uvloop.run(main())
print("done on", socket.__name__)
