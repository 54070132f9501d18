"""The other processes of the benchmark: `python -m oxisock_bench.server KIND [MODULE] [--busy]`.

`peer` echoes one connection on the standard library, whichever module the benchmark measures.
`asyncio` is an echo server whose event loop runs on MODULE, if asked beside a CPU-bound thread.
Each prints the port it listens on and runs until it is killed, `peer` until its client leaves.
"""

from __future__ import annotations

import argparse
import importlib
from contextlib import ExitStack


def peer() -> None:
    """Echo one connection, blocking."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        connection = listener.accept()[0]
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := connection.recv(65536):
            connection.sendall(data)


def asyncio_echo(module: str, busy: bool) -> None:
    """Echo any number of connections in an event loop on `module`."""
    if module != "socket":
        importlib.import_module(module).install()
    import asyncio

    from .measure import cpu_bound_thread

    class Echo(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self.write = transport.write

        def data_received(self, data: bytes) -> None:
            self.write(data)

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Echo, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    with ExitStack() as stack:
        if busy:
            stack.enter_context(cpu_bound_thread())
        asyncio.run(serve())


def main() -> None:
    """Run the process that the command line names."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["peer", "asyncio"])
    parser.add_argument("module", nargs="?", default="socket")
    parser.add_argument("--busy", action="store_true")
    args = parser.parse_args()
    if args.kind == "peer":
        peer()
    else:
        asyncio_echo(args.module, args.busy)


if __name__ == "__main__":
    main()
