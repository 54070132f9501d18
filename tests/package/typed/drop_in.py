"""A program that was written and annotated for the standard module, with its import changed.

`test_typing.py` gives it to the type checkers with either import; nothing runs it.
"""

import asyncio
import selectors
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import oxisock as socket


class Framed(socket.socket):
    """A subclass with a constructor and methods of its own."""

    def __init__(self, family: socket.AddressFamily = socket.AF_INET) -> None:
        super().__init__(family, socket.SOCK_STREAM)
        self.frames = 0

    def frame(self) -> bytes:
        self.frames += 1
        return self.recv(self.frames)

    def accept(self) -> tuple[socket.socket, tuple[str, int]]:
        sock, address = super().accept()
        return sock, address

    def __enter__(self) -> Self:
        return super().__enter__()


def serve(listener: socket.socket, limit: int | None = None) -> int:
    served = 0
    while limit is None or served < limit:
        connection, (host, port, *_) = listener.accept()
        with connection, connection.makefile("rwb") as stream:
            line: bytes = stream.readline()
            stream.write(f"{host}:{port} ".encode() + line)
        served += 1
    return served


def client(address: tuple[str, int], timeout: float | None = None) -> str:
    with socket.create_connection(address, timeout) as sock:
        sock.sendall(b"hello\n")
        with sock.makefile("r", encoding="utf-8") as text:
            return text.read()


def options(sock: socket.socket) -> tuple[int, bytes]:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo\0")
    return (
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR),
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8),
    )


def datagrams(sock: socket.socket, into: bytearray) -> Iterator[bytes]:
    data, sender = sock.recvfrom(2048)
    yield data
    sock.sendto(data, sender)
    sock.sendto(data, socket.MSG_DONTWAIT, sender)
    count, _ = sock.recvfrom_into(into)
    yield bytes(memoryview(into)[:count])
    message, ancillary, flags, _ = sock.recvmsg(2048, socket.CMSG_SPACE(4), socket.MSG_PEEK)
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS) and flags & socket.MSG_CTRUNC:
            yield message + content
    sock.sendmsg([b"a", memoryview(b"b")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, b"")])


@contextmanager
def pair(kind: socket.SocketKind) -> Iterator[tuple[socket.socket, socket.socket]]:
    a, b = socket.socketpair(socket.AF_UNIX, kind)
    try:
        yield a, b
    finally:
        a.close()
        b.close()


def names() -> list[str]:
    found = []
    for family, kind, proto, canonical, address in socket.getaddrinfo(
        "localhost", "http", type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME
    ):
        if family == socket.AF_INET and kind is socket.SOCK_STREAM and proto:
            found.append(f"{canonical} {address[0]}")
    host, aliases, addresses = socket.gethostbyname_ex("localhost")
    return [*found, host, *aliases, *addresses, socket.getfqdn(), socket.inet_ntoa(bytes(4))]


def errors(sock: socket.socket) -> str:
    try:
        sock.connect(("localhost", 1))
    except socket.timeout as exc:
        return str(exc.errno)
    except socket.gaierror as exc:
        return str(exc.errno == socket.EAI_NONAME)
    except socket.herror:
        return "herror"
    except socket.error as exc:
        return exc.strerror or ""
    return ""


def state(sock: socket.socket) -> str:
    family: int = sock.family
    timeout: float | None = sock.gettimeout()
    named = sock.family.name if isinstance(sock.family, socket.AddressFamily) else "?"
    return f"{family} {named} {sock.type.name} {sock.proto} {timeout} {sock.fileno()}"


def selected(*socks: socket.socket) -> list[socket.socket]:
    with selectors.DefaultSelector() as selector:
        for sock in socks:
            selector.register(sock, selectors.EVENT_READ)
        return [sock for sock in socks if sock in {key.fileobj for key, _ in selector.select()}]


async def echo(host: str) -> bytes:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        await writer.drain()

    listener = socket.create_server((host, 0), reuse_port=True)
    server = await asyncio.start_server(answer, sock=listener)
    async with server:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
            sock.setblocking(False)
            await loop.sock_connect(sock, listener.getsockname())
            await loop.sock_sendall(sock, b"x\n")
            return await loop.sock_recv(sock, 10)


def secured(sock: socket.socket, host: str) -> ssl.SSLSocket:
    return ssl.create_default_context().wrap_socket(sock, server_hostname=host)


def everything() -> None:
    with Framed() as framed:
        framed.bind(("127.0.0.1", 0))
        framed.listen()
        other, (host, port) = framed.accept()
        other.shutdown(socket.SHUT_RDWR)
        assert isinstance(framed.frame(), bytes)
        assert client((host, port))
    with socket.socket(fileno=framed.detach()) as sock:
        duplicate = sock.dup()
        serve(duplicate, 1)
        secured(sock, "localhost").close()
    with pair(socket.SOCK_DGRAM) as (a, b):
        socket.send_fds(a, [b"x"], [b.fileno()])
        data, descriptors, _, _ = socket.recv_fds(b, 10, 1)
        assert data == b"x"
        socket.close(descriptors[0])
