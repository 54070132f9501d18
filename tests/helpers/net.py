"""Servers, pairs of sockets and full queues on the loopback addresses."""

import functools
import random
import select
import socket as std
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.helpers.process import PATIENCE, wait_until

LOOPBACK: dict[int, str] = {std.AF_INET: "127.0.0.1", std.AF_INET6: "::1"}


def free_port() -> int:
    """A TCP port of 127.0.0.1 for a program that has to be told one.

    The system gives ports of its local range to whoever asks for any, all the time while tests run
    side by side. This one is from outside of that range, so it is still free a moment later.
    """
    low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    ports = [port for port in range(10_000, 65_536) if not low <= port <= high]
    for port in random.SystemRandom().sample(ports or range(10_000, 65_536), 100):
        with std.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no free port")


@functools.cache
def tls_contexts(module: Any) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Those of a client, which takes a server for whoever it says, and of a server.

    The sockets that they make are of this module.
    """
    from tests.helpers.tls import identity  # see `CERTIFIED`

    client, server = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), identity().server_context()
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    if module is not std:
        client.sslsocket_class = server.sslsocket_class = module.SSLSocket
    return client, server


def shake_hands(*ends: Any) -> None:
    """Make the handshake of two TLS sessions with each other, neither of which blocks."""
    for end in ends * 3:
        with suppress(ssl.SSLWantReadError):
            end.do_handshake()


@contextmanager
def daemon(*command: str, port: int, log: Path) -> Iterator[None]:
    """Run a server in the foreground, from when it answers at its port until the block ends."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            wait_until(lambda: answers(port) or process.poll() is not None, 3 * PATIENCE)
            assert process.poll() is None, log.read_text()
            yield
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(PATIENCE)


def answers(port: int) -> bool:
    with std.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def fill(sock: Any) -> None:
    """Send until the system takes no more, and has not changed its mind a moment later.

    TCP asks a receiver without room again after 200 ms, which may then find some; a UNIX socket
    has one queue and no zero-window probes. (Nor would select help: it calls TCP writable only
    when a third of its room is free.)
    """
    sock.setblocking(False)
    moment = 0 if sock.family == std.AF_UNIX else 0.3
    sent = True
    while sent:
        sent = False
        try:
            while sock.send(bytes(1 << 16)):
                sent = True
        except BlockingIOError:
            time.sleep(moment)


@contextmanager
def listening(module: Any, family: int = std.AF_INET, backlog: int | None = None) -> Iterator[Any]:
    """A listening TCP socket on the loopback address of `family`."""
    with module.socket(family, std.SOCK_STREAM) as server:
        server.bind((LOOPBACK[family], 0))
        server.settimeout(PATIENCE)
        if backlog is None:
            server.listen()
        else:
            server.listen(backlog)
        yield server


@contextmanager
def connected(module: Any, family: int = std.AF_INET) -> Iterator[tuple[Any, Any]]:
    """Two connected TCP sockets in blocking mode, the accepted one second."""
    with listening(module, family) as server, module.socket(family, std.SOCK_STREAM) as client:
        client.connect(server.getsockname())
        accepted, _ = server.accept()
        accepted.settimeout(None)
        with accepted:
            yield client, accepted


@contextmanager
def datagrams(module: Any) -> Iterator[tuple[Any, Any]]:
    """Two bound UDP sockets over IPv4, not connected, in blocking mode."""
    with (
        module.socket(std.AF_INET, std.SOCK_DGRAM) as a,
        module.socket(std.AF_INET, std.SOCK_DGRAM) as b,
    ):
        for sock in (a, b):
            sock.bind(("127.0.0.1", 0))
        yield a, b


@contextmanager
def full_backlog() -> Iterator[tuple[str, int]]:
    """The address of a TCP server where connect() blocks: nobody accepts and its queue is full."""
    with listening(std, backlog=0) as server:
        crowd = []
        try:
            for _ in range(4):
                guest = std.socket()
                crowd.append(guest)
                guest.setblocking(False)
                guest.connect_ex(server.getsockname())
                if not select.select([], [guest], [], 0.1)[1]:
                    break
            yield server.getsockname()
        finally:
            for guest in crowd:
                guest.close()
