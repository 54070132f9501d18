"""Sockets of oxisock in the hands of code that is annotated with the standard class.

`test_typing.py` gives it to the type checkers; nothing runs it.
"""

import asyncio
import socket
import ssl

import oxisock


def library(sock: socket.socket) -> bytes:
    return sock.recv(10)


def unwrapped(context: ssl.SSLContext) -> ssl.SSLSocket:
    with oxisock.socket() as sock:
        return context.wrap_socket(sock)


async def served() -> asyncio.Server:
    listener: socket.socket = oxisock.create_server(("127.0.0.1", 0))
    return await asyncio.start_server(lambda reader, writer: None, sock=listener)


def used() -> list[bytes]:
    class Mine(oxisock.socket):
        """A subclass is one, too."""

    a, b = oxisock.socketpair()
    socks: list[socket.socket] = [a, b, Mine(), oxisock.fromfd(0, oxisock.AF_INET, -1)]
    return [library(sock) for sock in socks]


def additions() -> tuple[float, int]:
    oxisock.install()
    oxisock.setbusypoll(0.0001)
    found = oxisock.getaddrinfo("localhost", 80, timeout=1.5)
    oxisock.uninstall()
    return oxisock.getbusypoll(), len(found)
