"""Operations that need another thread or another process."""

from __future__ import annotations

import mmap
import os
import select
import signal
import socket as stdlib
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any

import oxisock

from .computing import CORES
from .row import Names, Run, Setup
from .tls import HOST, client_context

# The engine busy-polls where the process has several processors, and looks when it first waits:
# before a row ties a thread to one, as in a program that ties none.
oxisock.getbusypoll()

TLS: dict[bool, list[str]] = {False: [], True: ["--tls"]}
"""What tells a process of `server` whether to expect TLS."""


def start(stack: ExitStack, *args: str) -> tuple[int, int]:
    """Start one of `server`'s processes and give its process id and its port."""
    command = [sys.executable, "-m", "oxisock_bench.server", *args]
    process = stack.enter_context(
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    )
    stack.callback(process.kill)
    assert process.stdout is not None
    assert process.stderr is not None
    line = process.stdout.readline()
    if not line:
        reason = process.stderr.read().strip().rpartition("\n")[2]
        raise RuntimeError(f"the process '{' '.join(args)}' did not start: {reason}")
    return process.pid, int(line)


def peer_process(
    size: int = 64,
    timeout: float | None = None,
    same_core: bool = False,
    tls: bool = False,
) -> Setup:
    """A TCP connection `a` to a process that sends back what it gets.

    With `tls` it expects that, see `over_tls`. The process stays on another core than this one, or
    on the same: left to the scheduler, the answer takes 20 or 100 microseconds as it happens,
    whatever the module.
    """

    def setup(socket: Any, stack: ExitStack) -> Names:
        pid, port = start(stack, "peer", *TLS[tls])
        stack.callback(os.sched_setaffinity, 0, CORES)
        os.sched_setaffinity(0, CORES[:1])
        os.sched_setaffinity(pid, CORES[:1] if same_core else CORES[-1:])
        a = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        a.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        a.settimeout(timeout)
        return {"socket": socket, "a": a, "data": b"x" * size}

    return setup


def asyncio_server(
    connections: int, threads: int = 0, pinned: bool = False, tls: bool = False
) -> Setup:
    """An asyncio echo server in a process of its own, and `clients` connected to it.

    The server has as many computing threads as asked, `pinned` to a core of its own if it is one,
    which count their turns in `counts`, and the switch interval of this process. The clients are
    the standard library's on both sides. The server only runs while it is measured: it is stopped
    in between, so that its computing threads do not slow the other sides down.
    """

    def setup(socket: Any, stack: ExitStack) -> Names:
        shared = stack.enter_context(tempfile.NamedTemporaryFile())
        shared.truncate(8 * max(threads, 1))
        counts = memoryview(mmap.mmap(shared.fileno(), 0)).cast("Q")
        options = ["--threads", str(threads), "--counts", shared.name]
        options += ["--interval", str(sys.getswitchinterval()), *TLS[tls]]
        options += ["--pinned"] if pinned else []
        pid, port = start(stack, "asyncio", socket.__name__, *options)
        context = client_context() if tls else None
        clients: list[stdlib.socket] = []
        for _ in range(connections):
            client = stack.enter_context(stdlib.create_connection(("127.0.0.1", port)))
            client.setsockopt(stdlib.IPPROTO_TCP, stdlib.TCP_NODELAY, 1)
            if context is not None:
                secure = context.wrap_socket(client, server_hostname=HOST)
                client = stack.enter_context(secure)
            clients.append(client)
        os.kill(pid, signal.SIGSTOP)
        return {
            "socket": socket,
            "pid": pid,
            "clients": clients,
            "threads": threads,
            "counts": counts,
        }

    return setup


def request_load(names: Any, n: int) -> float:
    """Send n requests over all clients, each at most one at a time, and await the replies."""
    clients = {client.fileno(): client for client in names.clients}
    data = b"x" * 64
    os.kill(names.pid, signal.SIGCONT)
    with select.epoll() as epoll:
        for fd in clients:
            epoll.register(fd, select.EPOLLIN)
        start = time.perf_counter()
        unsent = n
        for client in names.clients[:n]:
            client.send(data)
            unsent -= 1
        unanswered = n
        while unanswered:
            for fd, _ in epoll.poll():
                client = clients[fd]
                if not client.recv(4096):
                    raise ConnectionError("the server closed a connection")
                unanswered -= 1
                if unsent:
                    unsent -= 1
                    client.send(data)
        elapsed = time.perf_counter() - start
    os.kill(names.pid, signal.SIGSTOP)
    return elapsed


def datagram_server(threads: int = 0, pinned: bool = False) -> Setup:
    """An asyncio UDP echo server in a process of its own, and a `client` that asks it.

    By `datagram_endpoint` on oxisock, by `create_datagram_endpoint` on the standard library. The
    client is the same on both sides.
    """

    def setup(socket: Any, stack: ExitStack) -> Names:
        options = ["--threads", str(threads), "--interval", str(sys.getswitchinterval())]
        options += ["--pinned"] if pinned else []
        pid, port = start(stack, "datagrams", socket.__name__, *options)
        client = stack.enter_context(oxisock.socket(oxisock.AF_INET, oxisock.SOCK_DGRAM))
        client.connect(("127.0.0.1", port))
        client.settimeout(60)
        os.kill(pid, signal.SIGSTOP)
        return {"socket": socket, "pid": pid, "client": client}

    return setup


def datagram_load(names: Any, n: int) -> float:
    """Send n requests, 32 of them under way at any time, and await the replies."""
    client, data = names.client, [b"x" * 64] * 32
    slots = bytearray(64 * 32)
    os.kill(names.pid, signal.SIGCONT)
    start = time.perf_counter()
    unsent = n - client.send_many(data[: min(n, 32)])
    unanswered = n
    while unanswered:
        answered = len(client.recv_many_into(slots, 64))
        unanswered -= answered
        if unsent:
            unsent -= client.send_many(data[: min(answered, unsent)])
    elapsed = time.perf_counter() - start
    os.kill(names.pid, signal.SIGSTOP)
    return elapsed


def datagram_source(size: int) -> Setup:
    """A socket `b`, and a process that sends datagrams to it as fast as the module can.

    By `send_segments` on oxisock, by `send` on the standard library, each process on a core of its
    own. The source only runs while it is measured.
    """

    def setup(socket: Any, stack: ExitStack) -> Names:
        b = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        b.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        b.bind(("127.0.0.1", 0))
        b.settimeout(60)
        if socket is oxisock:
            b.setgro(True)
        target = str(b.getsockname()[1])
        pid, _ = start(stack, "flood", socket.__name__, "--piece", str(size), "--port", target)
        stack.callback(os.sched_setaffinity, 0, CORES)
        os.sched_setaffinity(0, CORES[:1])
        os.sched_setaffinity(pid, CORES[-1:])
        os.kill(pid, signal.SIGSTOP)
        return {"socket": socket, "b": b, "pid": pid, "batch": socket is oxisock}

    return setup


def streaming(size: int) -> Run:
    """A thread sends `data` with `sendall`; this one receives with `recv(size)`."""

    def run(names: Any, n: int) -> float:
        sendall, recv, data = names.a.sendall, names.b.recv, names.data

        def feed() -> None:
            for _ in repeat(None, n):
                sendall(data)

        thread = threading.Thread(target=feed, daemon=True)
        left = n * len(data)
        start = time.perf_counter()
        thread.start()
        while left:
            left -= len(recv(size))
        elapsed = time.perf_counter() - start
        thread.join()
        return elapsed

    return run


def on_one_core(run: Run) -> Run:
    """Do the same with this thread, and those that it starts, on one core."""

    def pinned(names: Any, n: int) -> float:
        os.sched_setaffinity(0, CORES[:1])
        try:
            return run(names, n)
        finally:
            os.sched_setaffinity(0, CORES)

    return pinned


def _hand_over(end: Any, stack: ExitStack, *args: str) -> Names:
    """Start a process on the descriptor of `end`, which is closed here, and give the way to it."""
    fd = end.fileno()
    command = [sys.executable, "-m", "oxisock_bench.server", *args, "--descriptor", str(fd)]
    process = stack.enter_context(
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, pass_fds=[fd]
        )
    )
    stack.callback(process.kill)
    end.close()
    assert process.stdin is not None
    assert process.stdout is not None
    if process.stdout.readline() != "ready\n":
        raise RuntimeError(f"the process '{' '.join(args)}' did not start")
    return {"tell": partial(print, file=process.stdin, flush=True), "hear": process.stdout.readline}


def receiving_process(setup: Setup, tls: bool = False) -> Setup:
    """Another setup's `a`, whose other end is in a process that takes what comes."""

    def handed_over(socket: Any, stack: ExitStack) -> Names:
        names = setup(socket, stack)
        return {**names, **_hand_over(names["b"], stack, "sink", *TLS[tls])}

    return handed_over


def sending_process(setup: Setup, piece: int, tls: bool = False) -> Setup:
    """Another setup's `b`, whose other end is in a process that sends pieces of that size."""

    def handed_over(socket: Any, stack: ExitStack) -> Names:
        names = setup(socket, stack)
        options = ["--piece", str(piece), *TLS[tls]]
        return {**names, **_hand_over(names["a"], stack, "source", *options)}

    return handed_over


def to_process(names: Any, n: int) -> float:
    """Send `data` with `sendall` until a process has all of it."""
    sendall, data = names.a.sendall, names.data
    start = time.perf_counter()
    names.tell(n * len(data))
    for _ in repeat(None, n):
        sendall(data)
    if names.hear() != "done\n":
        raise ConnectionError("the process ended")
    return time.perf_counter() - start


def from_process(size: int) -> Run:
    """Receive with `recv(size)` what a process sends with `sendall`."""

    def run(names: Any, n: int) -> float:
        recv, left = names.b.recv, n * len(names.data)
        start = time.perf_counter()
        names.tell(n)
        while left:
            got = len(recv(size))
            if not got:
                raise ConnectionError("the process ended")
            left -= got
        return time.perf_counter() - start

    return run


def ping_pong(same_core: bool) -> Run:
    """A message to another thread and back: the data is never there yet.

    Each thread stays on a core of its own, or both on the same: left to the scheduler, it is the
    one or the other as it happens, and the one takes four times as long.
    """

    def run(names: Any, n: int) -> float:
        a, b, data = names.a, names.b, names.data

        def answer() -> None:
            os.sched_setaffinity(0, CORES[:1] if same_core else CORES[-1:])
            for _ in repeat(None, n):
                b.send(b.recv(64))

        thread = threading.Thread(target=answer, daemon=True)
        os.sched_setaffinity(0, CORES[:1])
        try:
            thread.start()
            start = time.perf_counter()
            for _ in repeat(None, n):
                a.send(data)
                a.recv(64)
            elapsed = time.perf_counter() - start
            thread.join()
        finally:
            os.sched_setaffinity(0, CORES)
        return elapsed

    return run


def fresh_import(names: Any, n: int) -> float:
    """Import the module in new interpreters, each with only what every program has imported."""
    module = names.socket
    code = (
        "import os, sys, time; sys.path.append(sys.argv[1]); start = time.perf_counter();"
        f"import {module.__name__}; print(time.perf_counter() - start)"
    )
    path = Path(module.__file__).resolve()
    package = path.parent.parent if path.name == "__init__.py" else path.parent
    command = [sys.executable, "-I", "-S", "-c", code, str(package)]
    outputs = (subprocess.run(command, capture_output=True, check=True) for _ in range(n))
    return sum(float(output.stdout) for output in outputs)
