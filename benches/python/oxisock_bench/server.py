"""The other processes of the benchmark: `python -m oxisock_bench.server KIND [OPTION …]`.

`peer` echoes one connection, after a while if asked. `source` sends and `sink` takes what they
are told on stdin, over a descriptor that they inherit. All three run on the standard library,
whichever module the benchmark measures. `asyncio` is an echo server whose event loop runs on
MODULE, if asked beside computing threads, and `datagrams` one for UDP; `flood` sends datagrams to
a port as fast as MODULE can. With `--tls` each is the server of a TLS session.
`peer`, `asyncio` and `datagrams` print the port that they listen on. All run until they are
killed, and the first three until the other side leaves.
"""

from __future__ import annotations

import argparse
import importlib
import mmap
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine

SLEEPS = 0.0005
"""A delay from here on is slept, a shorter one is computed: a sleep takes 50 microseconds more."""


def sink(descriptor: int, tls: bool) -> None:
    """Take as many bytes as each line on stdin says, and say when they are there."""
    buffer = bytearray(1 << 18)
    with inherited(descriptor, tls) as connection:
        for line in sys.stdin:
            left = int(line)
            while left:
                got = connection.recv_into(buffer)
                if not got:
                    return
                left -= got
            print("done", flush=True)


def source(descriptor: int, piece: int, tls: bool) -> None:
    """Send as many pieces as each line on stdin says."""
    data = b"x" * piece
    with inherited(descriptor, tls) as connection:
        for line in sys.stdin:
            for _ in range(int(line)):
                connection.sendall(data)


def secured(connection: socket.socket, tls: bool) -> socket.socket:
    """Do the handshake of a server, if asked."""
    if not tls:
        return connection
    from .tls import server_context

    return server_context().wrap_socket(connection, server_side=True)


def inherited(descriptor: int, tls: bool) -> socket.socket:
    """Say that the process is ready, and return the connection that it has inherited."""
    import socket

    print("ready", flush=True)
    return secured(socket.socket(fileno=descriptor), tls)


def accept_one(tls: bool) -> socket.socket:
    """Print the port of a new listener, and return the first connection."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        connection = listener.accept()[0]
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return secured(connection, tls)


def wait(delay: float) -> None:
    """Let that many seconds pass, as a server that works for its answer."""
    if delay >= SLEEPS:
        time.sleep(delay)
    elif delay:
        end = time.perf_counter() + delay
        while time.perf_counter() < end:
            pass


def peer(delay: float, tls: bool) -> None:
    """Echo one connection, blocking, each time after a delay in seconds."""
    with accept_one(tls) as connection:
        while data := connection.recv(65536):
            wait(delay)
            connection.sendall(data)


def flood(args: argparse.Namespace) -> None:
    """Send datagrams to a port of loopback, as fast as `args.module` can."""
    module = importlib.import_module(args.module)
    with module.socket(module.AF_INET, module.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", args.port))
        print(sock.getsockname()[1], flush=True)
        if args.module == "socket":
            send, data = sock.send, b"x" * args.piece
            while True:
                send(data)
        data, send_segments = b"x" * (65507 // args.piece * args.piece), sock.send_segments
        while True:
            send_segments(data, args.piece)


def datagram_echo(args: argparse.Namespace) -> None:
    """Echo datagrams in an event loop on `args.module`."""
    module = importlib.import_module(args.module)
    if args.module != "socket":
        module.install()
    import asyncio

    class EchoDatagrams(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.DatagramTransport)
            self.sendto = transport.sendto

        def datagram_received(self, data: bytes, addr: Any) -> None:
            self.sendto(data, addr)

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        address = ("127.0.0.1", 0)
        if args.module == "socket":
            transport, _ = await loop.create_datagram_endpoint(EchoDatagrams, address)
        else:
            transport, _ = await module.datagram_endpoint(EchoDatagrams, address)
        print(transport.get_extra_info("sockname")[1], flush=True)
        await loop.create_future()

    beside_threads(args, serve)


def asyncio_echo(args: argparse.Namespace) -> None:
    """Echo any number of connections in an event loop on `args.module`."""
    if args.module != "socket":
        importlib.import_module(args.module).install()
    import asyncio

    from .tls import server_context

    class Echo(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self.write = transport.write

        def data_received(self, data: bytes) -> None:
            self.write(data)

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Echo, "127.0.0.1", 0, ssl=context)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    # After the installation: its contexts have other classes.
    context = server_context() if args.tls else None
    beside_threads(args, serve)


def beside_threads(
    args: argparse.Namespace, serve: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    """Run a server, if asked beside computing threads."""
    import asyncio

    from .computing import computing_threads, cpu_bound_thread

    sys.setswitchinterval(args.interval)
    with ExitStack() as stack:
        if args.pinned:
            stack.enter_context(cpu_bound_thread())
        elif args.threads:
            shared = stack.enter_context(open(args.counts, "r+b"))
            counts = memoryview(mmap.mmap(shared.fileno(), 0)).cast("Q")
            stack.enter_context(computing_threads(args.threads, counts))
        asyncio.run(serve())


KINDS: dict[str, Callable[[argparse.Namespace], None]] = {
    "peer": lambda args: peer(args.delay, args.tls),
    "source": lambda args: source(args.descriptor, args.piece, args.tls),
    "sink": lambda args: sink(args.descriptor, args.tls),
    "asyncio": asyncio_echo,
    "datagrams": datagram_echo,
    "flood": flood,
}


def main() -> None:
    """Run the process that the command line names."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=[*KINDS])
    parser.add_argument("module", nargs="?", default="socket")
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--descriptor", type=int)
    parser.add_argument("--piece", type=int)
    parser.add_argument("--port", type=int)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--counts")
    parser.add_argument("--interval", type=float, default=sys.getswitchinterval())
    parser.add_argument("--pinned", action="store_true")
    parser.add_argument("--tls", action="store_true")
    args = parser.parse_args()
    KINDS[args.kind](args)


if __name__ == "__main__":
    main()
