"""The event loop of the standard library on our sockets: given to it, and installed under it."""

import asyncio
import hashlib
import os
import socket as std
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

import oxisock
from tests.helpers.process import run_on_oxisock

SIZE = 1 << 22


def run(main: Coroutine[Any, Any, Any]) -> Any:
    async def bounded() -> Any:
        return await asyncio.wait_for(main, 30)

    return asyncio.run(bounded())


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send data, get it back while sending, and compare."""
    data = os.urandom(SIZE)

    async def send() -> None:
        writer.write(data)
        await writer.drain()
        writer.write_eof()

    _, got = await asyncio.gather(send(), reader.read(-1))
    assert hashlib.sha256(got).digest() == hashlib.sha256(data).digest()
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_UNIX"])
def test_streams(family: str, short_path: Path) -> None:
    """Server and client sockets of ours under StreamReader and StreamWriter."""

    async def main() -> None:
        listener = oxisock.socket(getattr(std, family))
        listener.bind(
            {"AF_INET": ("127.0.0.1", 0), "AF_INET6": ("::1", 0)}.get(family, str(short_path / "s"))
        )
        if family == "AF_UNIX":
            server = await asyncio.start_unix_server(echo, sock=listener)
        else:
            server = await asyncio.start_server(echo, sock=listener)
        async with server:
            client = oxisock.socket(getattr(std, family))
            client.setblocking(False)
            loop: Any = asyncio.get_running_loop()
            await loop.sock_connect(client, listener.getsockname())
            if family == "AF_UNIX":
                reader, writer = await asyncio.open_unix_connection(sock=client)
            else:
                reader, writer = await asyncio.open_connection(sock=client)
            await talk(reader, writer)

    run(main())


def test_socket_pair_as_transport() -> None:
    async def main() -> None:
        a, b = oxisock.socketpair()
        for sock in (a, b):
            sock.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=a)
        other = asyncio.ensure_future(echo(*await asyncio.open_connection(sock=b)))
        await talk(reader, writer)
        await other

    run(main())


def test_datagrams() -> None:
    class Echo(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, address: Any) -> None:
            self.transport.sendto(data.upper(), address)

    class Collect(asyncio.DatagramProtocol):
        def __init__(self) -> None:
            self.queue: asyncio.Queue[bytes] = asyncio.Queue()

        def datagram_received(self, data: bytes, address: Any) -> None:
            self.queue.put_nowait(data)

    async def main() -> None:
        loop: Any = asyncio.get_running_loop()
        made = []
        for _ in range(2):
            sock = oxisock.socket(std.AF_INET, std.SOCK_DGRAM)
            sock.bind(("127.0.0.1", 0))
            made.append(sock)
        where = made[0].getsockname()
        server, _ = await loop.create_datagram_endpoint(Echo, sock=made[0])
        client, collect = await loop.create_datagram_endpoint(Collect, sock=made[1])
        for turn in range(100):
            client.sendto(b"message %d" % turn, where)
            assert await collect.queue.get() == b"MESSAGE %d" % turn
        server.close()
        client.close()
        await asyncio.sleep(0)

    run(main())


def test_sock_methods(tmp_path: Path) -> None:
    """sock_accept, sock_connect, sock_recv, sock_recv_into, sock_sendall, sock_sendfile."""

    async def main() -> None:
        loop: Any = asyncio.get_running_loop()
        with oxisock.create_server(("127.0.0.1", 0)) as server, oxisock.socket() as client:
            for sock in (server, client):
                sock.setblocking(False)
            accepting = asyncio.ensure_future(loop.sock_accept(server))
            await loop.sock_connect(client, server.getsockname())
            accepted, address = await accepting
            with accepted:
                assert address == client.getsockname()
                assert accepted.gettimeout() == 0
                data = os.urandom(SIZE)
                sending = asyncio.ensure_future(loop.sock_sendall(client, data))
                got, buffer = bytearray(), bytearray(1 << 16)
                while len(got) < SIZE // 2:
                    got += await loop.sock_recv(accepted, 1 << 18)
                while len(got) < SIZE:
                    count = await loop.sock_recv_into(accepted, buffer)
                    got += buffer[:count]
                await sending
                assert got == data
                path = tmp_path / "file"
                path.write_bytes(data)
                with path.open("rb") as file:
                    sending = asyncio.ensure_future(loop.sock_sendfile(client, file))
                    again = bytearray()
                    while len(again) < SIZE:
                        again += await loop.sock_recv(accepted, 1 << 18)
                    assert await sending == SIZE
                assert again == data

    run(main())


def test_sock_datagrams(udp: Any) -> None:
    a, b = udp

    async def main() -> None:
        loop: Any = asyncio.get_running_loop()
        for sock in (a, b):
            sock.setblocking(False)
        receiving = asyncio.ensure_future(loop.sock_recvfrom(b, 100))
        await asyncio.sleep(0.01)
        await loop.sock_sendto(a, b"hello", b.getsockname())
        assert await receiving == (b"hello", a.getsockname())
        buffer = bytearray(100)
        await loop.sock_sendto(b, b"reply", a.getsockname())
        assert await loop.sock_recvfrom_into(a, buffer) == (5, b.getsockname())
        assert buffer[:5] == b"reply"

    run(main())


def test_cancelled_operations_leave_the_socket_usable() -> None:
    async def main() -> None:
        loop: Any = asyncio.get_running_loop()
        a, b = oxisock.socketpair()
        with a, b:
            for sock in (a, b):
                sock.setblocking(False)
            for _ in range(10):
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(loop.sock_recv(a, 10), 0.01)
            await loop.sock_sendall(b, b"still here")
            assert await loop.sock_recv(a, 100) == b"still here"

    run(main())


PROGRAM = """
import asyncio, socket, sys, hashlib, os

assert socket.__name__ == "oxisock", socket

async def echo(reader, writer):
    sock = writer.get_extra_info("socket")
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()

async def ask(connect):
    reader, writer = await connect
    data = os.urandom(1 << 20)
    async def send():
        writer.write(data)
        await writer.drain()
        writer.write_eof()
    _, got = await asyncio.gather(send(), reader.read(-1))
    writer.close()
    await writer.wait_closed()
    assert got == data
    return len(got)

class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport
    def datagram_received(self, data, address):
        self.transport.sendto(data, address)

class Client(asyncio.DatagramProtocol):
    def __init__(self):
        self.answer = asyncio.get_running_loop().create_future()
    def datagram_received(self, data, address):
        self.answer.set_result(data)

async def main():
    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(echo, "localhost", 0)
    port = [s.getsockname()[1] for s in server.sockets if s.family == socket.AF_INET][0]
    unix = await asyncio.start_unix_server(echo, sys.argv[1])
    total = sum(await asyncio.gather(
        *[ask(asyncio.open_connection("127.0.0.1", port)) for _ in range(5)],
        *[ask(asyncio.open_unix_connection(sys.argv[1])) for _ in range(5)],
    ))
    there, _ = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
    here, client = await loop.create_datagram_endpoint(
        Client, remote_addr=there.get_extra_info("sockname"))
    here.sendto(b"datagram")
    assert await client.answer == b"datagram"
    here.close()
    there.close()
    names = await loop.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM)
    assert names[0][1] == socket.SOCK_STREAM
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "print(input())", stdin=-1, stdout=-1)
    assert (await process.communicate(b"through a pipe\\n"))[0] == b"through a pipe\\n"
    for s in (server, unix):
        s.close()
        await s.wait_closed()
    print(total)

asyncio.run(asyncio.wait_for(main(), 30))
"""


def test_a_program_under_run(short_path: Path) -> None:
    """asyncio's own sockets are ours when the program runs under `python -m oxisock run`."""
    script = short_path / "program.py"
    script.write_text(PROGRAM)
    assert run_on_oxisock(script, short_path / "s") == f"{10 << 20}\n"
