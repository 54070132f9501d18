"""Several threads on one session: what they do in turn, and closes at any moment."""

import contextlib
import itertools
import os
import queue
import random
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import oxisock
from oxisock import _socket
from tests.helpers.process import handled
from tests.helpers.tls import HOST, PATIENCE, authority, identity
from tests.helpers.tls_records import far_end, outcome, same

Trace = list[Any]


class Actor(threading.Thread):
    """A thread that makes the calls it is told, one after the other, and notes what they give."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._calls: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._done = threading.Event()
        self._done.set()
        self.trace: Trace = []
        self.start()

    def run(self) -> None:
        while call := self._calls.get():
            self.trace.append(outcome(call))
            self._done.set()

    @property
    def busy(self) -> bool:
        """Whether a call is under way."""
        return not self._done.is_set()

    def begin(self, call: Callable[[], Any]) -> None:
        """Make a call, which may take until another thread does something."""
        assert not self.busy
        self._done.clear()
        self._calls.put(call)

    def asleep(self) -> None:
        """Wait until the call that is under way waits for something."""
        deadline = time.monotonic() + PATIENCE
        times = 0
        while times < 3:
            assert time.monotonic() < deadline, "it does not come to wait"
            # Meanwhile the interpreter lock is free, so that it does not wait for that.
            time.sleep(0.0005)
            stat = Path(f"/proc/self/task/{self.native_id}/stat").read_text()
            times = times + 1 if stat.rpartition(") ")[2][0] == "S" else 0

    def finish(self) -> None:
        """Wait for the call that is under way."""
        assert self._done.wait(PATIENCE), "a call hangs"

    def end(self) -> None:
        self._calls.put(None)
        self.join(PATIENCE)


LARGE = 600_000
"""Bytes of a send that no socket's buffer takes."""


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("number", ["1.2", "1.3"])
def test_threads_in_turn(number: str, part: int) -> None:
    """The same calls of three threads in the same order, on either class.

    One of them may be waiting to read and one to write while the third does something. Nobody is
    inside OpenSSL's session while another one gets there, as the standard class allows no more on
    some versions; `test_closes_at_any_moment` does without that.
    """
    for seed in range(part * 2, part * 2 + 2):
        signals: list[int] = []

        def scenario(kind: str, seed: int = seed, signals: list[int] = signals) -> Trace:
            signals.clear()
            with handled(signal.SIGUSR1, lambda number, frame: signals.append(number)):
                return schedule(kind, number, random.Random(seed), signals)

        same(scenario)


def schedule(kind: str, number: str, chance: random.Random, signals: list[int]) -> Trace:
    actors = [Actor() for _ in range(3)]
    reader: Actor | None = None
    writer: Actor | None = None
    arrived: Trace = []
    with far_end(kind, number) as far:
        client = far.client
        unread = 0

        def read(actor: Actor, size: int) -> None:
            """Read what has come already."""
            nonlocal unread
            actor.begin(lambda: client.recv(size))
            actor.finish()
            unread -= len(actor.trace[-1])

        def answered() -> None:
            """Something has come, for which the reader may have waited."""
            nonlocal reader, unread
            if reader is not None:
                reader.finish()
                unread -= len(reader.trace[-1])
                reader = None

        def written() -> None:
            """The far end reads until the writer is through."""
            nonlocal writer
            assert writer is not None
            deadline = time.monotonic() + PATIENCE
            while writer.busy:
                assert time.monotonic() < deadline, "the writer hangs"
                arrived.append(far.read())
            writer = None

        # The tickets of 1.3, which are no payload.
        outcome(client.recv, 1)
        for step in range(60):
            free = [actor for actor in actors if not actor.busy]
            actor = chance.choice(free)
            size = chance.choice([1, 50, 1000, 16_384])
            match chance.randrange(9):
                case 0 | 1 if unread < 60_000:
                    far.write(bytes([step]) * size)
                    unread += size
                    answered()
                case 2 | 3 if reader is None and unread:
                    read(actor, size)
                case 4 if reader is None and not unread:
                    # Nothing comes in this time, or at once.
                    client.settimeout(chance.choice([0, 0.002]))
                    actor.begin(partial(client.recv, size))
                    actor.finish()
                case 5 if reader is None and not unread:
                    client.settimeout(PATIENCE)
                    reader = actor
                    reader.begin(partial(client.recv, size))
                    reader.asleep()
                case 6 if writer is None:
                    arrived.append(far.read())
                    client.settimeout(PATIENCE)
                    actor.begin(partial(client.send, bytes([step]) * size))
                    actor.finish()
                case 7 if writer is None:
                    client.settimeout(PATIENCE)
                    writer = actor
                    writer.begin(partial(client.send, bytes([step]) * LARGE))
                    writer.asleep()
                    if chance.random() < 0.5:
                        # It tries again, so that nobody else may be inside.
                        interrupt(writer)
                        written()
                case 8 if reader is not None:
                    # Operations keep the timeout that they began with.
                    client.settimeout(chance.choice([0, 0.001, PATIENCE]))
                    interrupt(reader)
                    far.write(bytes([step]) * size)
                    unread += size
                    answered()
            if len(free) == 1 and writer is not None:
                written()
        if writer is not None:
            written()
        ways: list[Callable[[], None]] = [far.end, far.close, partial(far.deliver, b"x" * 100)]
        how = chance.choice(ways)
        arrived.append(far.read())
        how()
        for actor in actors:
            actor.finish()
        client.settimeout(0)
        for actor in actors:
            actor.begin(lambda: client.recv(100_000))
            actor.finish()
            actor.begin(client.pending)
            actor.finish()
            actor.begin(client.close)
            actor.finish()
            actor.begin(lambda: client.recv(1))
            actor.finish()
    for actor in actors:
        actor.end()
    return [*(actor.trace for actor in actors), summary(b"".join(arrived)), bool(signals)]


def summary(data: bytes) -> list[tuple[int, int]]:
    """Each byte with how often it follows itself."""
    return [(byte, len(list(run))) for byte, run in itertools.groupby(data)]


def interrupt(actor: Actor) -> None:
    """Send a signal to the thread, whose Python handler runs in this one."""
    assert actor.ident is not None
    signal.pthread_kill(actor.ident, signal.SIGUSR1)


def change_timeout(client: Any, chance: random.Random) -> None:
    time.sleep(0.0003)
    client.settimeout(chance.choice([0, 0.001, PATIENCE, None]))


@pytest.mark.differs("the standard class goes on with a number that may be another file's")
@pytest.mark.parametrize("way", ["close", "detach"])
def test_closes_at_any_moment(way: str) -> None:
    """Threads read, write, change the timeout and are interrupted; one closes.

    All of them end soon, and none touches the number of the descriptor afterwards.
    """
    for seed in range(8):
        chance = random.Random(seed)
        with contextlib.ExitStack() as stack:
            near, far = socket.socketpair()
            far.settimeout(PATIENCE)
            context = authority().client_context()
            context.sslsocket_class = oxisock.SSLSocket
            made: list[ssl.SSLSocket] = []
            server = identity().server_context()

            def serve(server: Any = server, far: Any = far, made: Any = made) -> None:
                session = server.wrap_socket(far, server_side=True)
                made.append(session)
                with contextlib.suppress(OSError):
                    while data := session.recv(1 << 16):
                        session.send(data)

            peer = threading.Thread(target=serve, daemon=True)
            peer.start()
            client: Any = context.wrap_socket(near, server_hostname=HOST)
            assert type(client._sslobj) is _socket.TLSSession
            client.settimeout(PATIENCE)
            closing = threading.Event()
            errors: list[BaseException] = []

            def until_closed(
                call: Callable[[], Any], closing: Any = closing, errors: Any = errors
            ) -> None:
                while True:
                    try:
                        call()
                    except (TimeoutError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                        continue
                    except BaseException as error:
                        # `ssl` itself looks whether there is a session, and asks it afterwards.
                        expected = isinstance(error, OSError | ValueError | AttributeError)
                        if not closing.is_set() or not expected:
                            errors.append(error)
                        return

            # What was refused is to be sent again, as OpenSSL demands: the same each time.
            data, timeouts = bytes(chance.choice([1, 700, 20_000])), random.Random(seed)
            calls: list[Callable[[], Any]] = [
                partial(client.recv, 1 << 16),
                partial(client.send, data),
                partial(change_timeout, client, timeouts),
            ]
            threads = [threading.Thread(target=until_closed, args=(call,)) for call in calls]
            stack.enter_context(handled(signal.SIGUSR1, lambda number, frame: None))
            for thread in threads:
                thread.start()
            for _ in range(chance.randrange(6)):
                time.sleep(chance.choice([0, 0.0005, 0.002]))
                for thread in threads[:2]:
                    with contextlib.suppress(ProcessLookupError):
                        assert thread.ident is not None
                        signal.pthread_kill(thread.ident, signal.SIGUSR1)
            closing.set()
            if way == "close":
                client.close()
            else:
                os.close(client.detach())
            # Whoever has that number now is left alone.
            others = [stack.enter_context(end) for end in socket.socketpair()]
            others[0].send(b"mine")
            others[1].send(b"mine")
            for thread in threads:
                thread.join(PATIENCE)
                assert not thread.is_alive()
            assert not errors
            for end in others:
                assert end.recv(100, socket.MSG_DONTWAIT) == b"mine"
                with pytest.raises(BlockingIOError):
                    end.recv(100, socket.MSG_DONTWAIT)
            peer.join(PATIENCE)
            assert not peer.is_alive()
            made[0].close()
