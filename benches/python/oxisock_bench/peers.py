"""Requests whose replies take a while, each of them timed: other processes, alone and beside
threads of this process, or of theirs, that compute.

Neither the threads nor the processes are put on cores of their own: where the scheduler lets them
run is part of what a program sees, and so is how long a core takes to wake up.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from heapq import heappop, heappush
from itertools import cycle, repeat
from typing import Any

from .computing import Work, computing_threads
from .programs import TLS, asyncio_server, start
from .row import Names, Observation, Setup
from .setups import plus

SETTLE = 0.02
"""Seconds of sleep after computing threads are started, so that all measurements begin alike."""

DATA = b"x" * 64


def paced_peer(
    delay: float, threads: int = 0, main: bool = False, period: float = 0.0, tls: bool = False
) -> Setup:
    """A TCP connection `a` to a process that takes `delay` seconds for each reply.

    `threads` computing threads of this process run beside the client, the main thread as one of
    them if asked; the client then is another. `period` is the time from one request to the next in
    seconds, 0 for as soon as the reply is there. With `tls` the process expects that.
    """

    def setup(socket: Any, stack: ExitStack) -> Names:
        _, port = start(stack, "peer", "--delay", repr(delay), *TLS[tls])
        a = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        a.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return {"socket": socket, "a": a, "threads": threads, "main": main, "period": period}

    return setup


def ask(names: Any, n: int) -> Observation:
    """Send n requests, one at a time, beside the computing threads that the setup names."""
    others = names.threads - names.main
    with computing_threads(others, [0] * names.threads) as work:
        if not names.main:
            return _client(names, n, work)
        results: list[Observation | BaseException] = []

        def client() -> None:
            try:
                results.append(_client(names, n, work))
            except BaseException as error:
                results.append(error)
            finally:
                work.stopped = True

        thread = threading.Thread(target=client, daemon=True)
        thread.start()
        try:
            work.compute(others)
        finally:
            thread.join()
    (result,) = results
    if isinstance(result, BaseException):
        raise result
    return result


def _client(names: Any, n: int, work: Work) -> Observation:
    send, recv, period, clock = names.a.send, names.a.recv, names.period, time.perf_counter
    latencies: list[float] = []
    if names.threads:
        time.sleep(SETTLE)
    done, processor, begin = work.done(), time.thread_time(), clock()
    due = begin
    for _ in repeat(None, n):
        if period:
            due += period
            pause = due - clock()
            if pause > 0:
                time.sleep(pause)
        sent = clock()
        send(DATA)
        if not recv(4096):
            raise ConnectionError("the peer closed the connection")
        latencies.append(clock() - sent)
    return Observation(
        latencies,
        clock() - begin,
        time.thread_time() - processor,
        work.done() - done if names.threads else None,
    )


def pausing_clients(connections: int, pause: float, threads: int = 0) -> Setup:
    """An asyncio echo server as of `programs`, and the seconds that each client pauses."""
    return plus(asyncio_server(connections, threads), lambda names: {"pause": pause})


@contextmanager
def _running(names: Any) -> Iterator[Callable[[], tuple[float | None, int | None]]]:
    """Let the server run for as long as the block lasts.

    The function given tells the processor time of the process and the turns of its threads; the
    first only where there are none, as it would be theirs.
    """
    # clock_getcpuclockid(3) of another process.
    clock = (~names.pid << 3) | 2

    def told() -> tuple[float | None, int | None]:
        if names.threads:
            return None, sum(names.counts)
        return time.clock_gettime(clock), None

    os.kill(names.pid, signal.SIGCONT)
    time.sleep(SETTLE)
    try:
        yield told
    finally:
        os.kill(names.pid, signal.SIGSTOP)


def _observation(
    latencies: list[float],
    elapsed: float,
    before: tuple[float | None, int | None],
    after: tuple[float | None, int | None],
) -> Observation:
    processor, work = before
    return Observation(
        latencies,
        elapsed,
        None if processor is None or after[0] is None else after[0] - processor,
        None if work is None or after[1] is None else after[1] - work,
    )


def in_turn(names: Any, n: int) -> Observation:
    """Send n requests over all clients in turn, with a pause before each: the server sleeps."""
    clock = time.perf_counter
    latencies: list[float] = []
    with _running(names) as told:
        before, begin = told(), clock()
        for client in cycle(names.clients):
            time.sleep(names.pause)
            sent = clock()
            client.send(DATA)
            if not client.recv(4096):
                raise ConnectionError("the server closed a connection")
            latencies.append(clock() - sent)
            if len(latencies) == n:
                break
        return _observation(latencies, clock() - begin, before, told())


def at_once(names: Any, n: int) -> Observation:
    """Send n requests over all clients, each of which pauses after its reply on its own."""
    clock = time.perf_counter
    latencies: list[float] = []
    clients = {client.fileno(): client for client in names.clients}
    with _running(names) as told:
        before, begin = told(), clock()
        # When each client's next request is due, spread over a pause at first.
        due: list[tuple[float, int]] = []
        for place, fd in enumerate(clients):
            heappush(due, (begin + names.pause * place / len(clients), fd))
        sent: dict[int, float] = {}
        unsent = n
        while len(latencies) < n:
            now = clock()
            while unsent and due and due[0][0] <= now:
                fd = heappop(due)[1]
                sent[fd] = clock()
                clients[fd].send(DATA)
                unsent -= 1
            # select takes microseconds, where poll and epoll take whole milliseconds.
            wait = max(0.0, due[0][0] - clock()) if unsent and due else None
            for fd in select.select(list(sent), [], [], wait)[0]:
                if not clients[fd].recv(4096):
                    raise ConnectionError("the server closed a connection")
                now = clock()
                latencies.append(now - sent.pop(fd))
                heappush(due, (now + names.pause, fd))
        return _observation(latencies, clock() - begin, before, told())
