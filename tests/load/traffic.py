"""Random traffic for a time: every byte is compared, and nothing may grow.

    python -m tests.load.traffic --minutes 60 [--lanes 6] [--seed 1]

Each lane opens one connection after the other, of a kind by chance (TCP over IPv4 and IPv6, UNIX,
TLS on the engine), sends through it both ways at once by whatever method chance names, in blocking
mode, with a timeout or without blocking, and closes it. One more lane sends datagrams, one is of
asyncio. Beside them a thread computes now and then, and signals come. What went through, memory and
descriptors are printed as a line of JSON.
"""

import argparse
import asyncio
import gc
import json
import random
import select
import signal
import socket as standard
import ssl
import struct
import time
import zlib
from collections.abc import Callable
from typing import Any

import oxisock
from tests.helpers.net import connected, datagrams, tls_contexts
from tests.helpers.process import CERTIFIED, Task, descriptors
from tests.load.connections import memory

PATIENCE = 60
PERIOD = 1_048_573
"""What is sent repeats itself after so many bytes, a prime: no buffer's size divides it."""
KINDS = ["IPv4", "IPv6", "UNIX", *["TLS"] * CERTIFIED]
TIMEOUTS = [None, 0.02, 0]
NOISE = memoryview(random.Random(17).randbytes(PERIOD) * 2)


class Stream:
    """The bytes of one direction, and how far they have come."""

    def __init__(self, chance: random.Random) -> None:
        self.start = chance.randrange(PERIOD)
        self.total = int(2 ** chance.uniform(0, 21))
        self.place = 0

    @property
    def left(self) -> int:
        return self.total - self.place

    def next(self, size: int) -> memoryview:
        """The next bytes, at most so many."""
        start = (self.start + self.place) % PERIOD
        return NOISE[start : start + min(size, self.left, PERIOD)]

    def came(self, data: "bytes | memoryview") -> None:
        """Compare what was received with what has to be next."""
        assert data, f"the end came early, at {self.place} of {self.total}"
        assert self.next(len(data)) == data, f"lost, doubled or changed at {self.place}"
        self.place += len(data)


def patiently(sock: Any, event: int, call: Callable[[], Any]) -> Any:
    """Make a call again until it is neither too early nor out of time."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            result = call()
        except TimeoutError:
            result = None
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            result = None
            poll = select.poll()
            poll.register(sock, event)
            poll.poll(100)
        if result is not None:
            return result
        assert time.monotonic() < until, f"nothing went on for {PATIENCE} s"


def send(sock: Any, stream: Stream, chance: random.Random, tls: bool) -> None:
    """Send all of a stream."""
    ways: list[Callable[[memoryview], Any]] = [sock.send]
    if not tls:
        ways.append(lambda data: sock.sendmsg([data[:7], b"", data[7:]]))
    file = None
    if sock.gettimeout() is None:
        # What a timeout interrupts does not tell how much went.
        file = sock.makefile("wb")
        ways.append(lambda data: [len(data), sock.sendall(data)][0])
        ways.append(lambda data: [file.write(data), file.flush()][0])
    while stream.left:
        data = stream.next(int(2 ** chance.uniform(0, 19)))
        way = chance.choice(ways)
        stream.place += patiently(sock, select.POLLOUT, lambda: way(data))  # noqa: B023
    if file:
        file.close()
    if not tls:
        sock.shutdown(standard.SHUT_WR)


def receive(sock: Any, stream: Stream, chance: random.Random, tls: bool) -> None:
    """Receive all of a stream, and its end."""
    buffer = bytearray(1 << 19)
    view = memoryview(buffer)
    ways: list[Callable[[int], Any]] = [
        sock.recv,
        lambda size: view[: sock.recv_into(buffer, size)],
    ]
    if not tls:
        ways += [
            lambda size: sock.recvfrom(size)[0],
            lambda size: view[: sock.recvfrom_into(buffer, size)[0]],
            lambda size: sock.recvmsg(size, 64)[0],
            lambda size: view[: sock.recvmsg_into([view[: size // 2], view[size // 2 : size]])[0]],
        ]
    file = None
    if sock.gettimeout() != 0 and chance.random() < 0.4:
        # It may hold more than it has given: nobody else reads then.
        file = sock.makefile("rb")
        ways = [file.read, file.read1, file.readline, lambda n: view[: file.readinto(view[:n])]]
    while stream.left:
        size = min(int(2 ** chance.uniform(0, 19)) + 1, stream.left)
        way = chance.choice(ways)
        stream.came(patiently(sock, select.POLLIN, lambda: way(size)))  # noqa: B023
    if not tls:
        end = patiently(sock, select.POLLIN, lambda: file.read(1) if file else sock.recv(1))
        assert end == b"", "more came than was sent"
    if file:
        file.close()


class Traffic:
    """The lanes, and what they count."""

    def __init__(self, seconds: float, lanes: int, seed: int) -> None:
        self.end = time.monotonic() + seconds
        self.connections = [0] * lanes
        self.bytes = [0] * lanes
        self.datagrams = self.echoed = self.signals = 0
        self.lanes = lanes
        self.chance = random.Random(seed)

    def another(self) -> random.Random:
        """Chance for a thread of its own."""
        return random.Random(self.chance.random())

    def goes_on(self) -> bool:
        return time.monotonic() < self.end

    def lane(self, index: int, chance: random.Random) -> None:
        """One connection after the other."""
        while self.goes_on():
            kind = chance.choice(KINDS)
            if kind == "UNIX":
                one, other = oxisock.socketpair()
                with one, other:
                    self.use(one, other, chance, index)
            else:
                family = standard.AF_INET6 if kind == "IPv6" else standard.AF_INET
                with connected(oxisock, family) as (one, other):
                    if kind == "TLS":
                        client, server = tls_contexts(oxisock)
                        accepted = Task(server.wrap_socket, other, True)
                        with client.wrap_socket(one) as session:
                            with accepted.result(PATIENCE) as theirs:
                                self.use(session, theirs, chance, index, tls=True)
                    else:
                        self.use(one, other, chance, index)
            self.connections[index] += 1

    def use(
        self, one: Any, other: Any, chance: random.Random, index: int, *, tls: bool = False
    ) -> None:
        """Both ways at once, each end by two threads."""
        for end in (one, other):
            end.settimeout(chance.choice(TIMEOUTS))
        tasks = []
        for sender, receiver in ((one, other), (other, one)):
            seed, theirs = chance.random(), Stream(chance)
            mine = Stream(chance)
            mine.start, mine.total = theirs.start, theirs.total
            self.bytes[index] += mine.total
            tasks.append(Task(send, sender, mine, random.Random(seed), tls))
            tasks.append(Task(receive, receiver, theirs, random.Random(-seed), tls))
        for task in tasks:
            task.result(PATIENCE * 2)

    def udp(self, chance: random.Random) -> None:
        """Numbered datagrams, by twos and threes and by batches, each with its checksum."""
        with datagrams(oxisock) as (one, other):
            for sock in (one, other):
                sock.settimeout(PATIENCE)
                sock.setsockopt(standard.SOL_SOCKET, standard.SO_RCVBUF, 1 << 20)
            one.connect(other.getsockname())
            while self.goes_on():
                batch = []
                for number in range(chance.randint(1, 30)):
                    body = struct.pack("I", number) + chance.randbytes(chance.randint(0, 1400))
                    batch.append(struct.pack("I", zlib.crc32(body)) + body)
                if chance.random() < 0.5:
                    sent = 0
                    while sent < len(batch):
                        sent += one.send_many(batch[sent:])
                else:
                    for data in batch:
                        assert one.send(data) == len(data)
                came: list[bytes] = []
                while len(came) < len(batch):
                    if chance.random() < 0.5:
                        came += [data for data, _ in other.recvfrom_many(20)]
                    else:
                        came.append(other.recvfrom(2000)[0])
                assert came == batch, "datagrams were lost or changed"
                self.datagrams += len(batch)

    def aio(self, chance: random.Random) -> None:
        """Pairs of sockets in an event loop."""

        async def echo(loop: asyncio.AbstractEventLoop, sock: Any) -> None:
            while data := await loop.sock_recv(sock, 5000):
                await loop.sock_sendall(sock, data)

        async def ask() -> None:
            loop = asyncio.get_running_loop()
            one, other = oxisock.socketpair()
            with one, other:
                one.setblocking(False)
                other.setblocking(False)
                task = loop.create_task(echo(loop, other))
                for _ in range(chance.randint(1, 50)):
                    stream = Stream(chance)
                    stream.total = min(stream.total, 50_000)
                    sending = loop.create_task(loop.sock_sendall(one, stream.next(PERIOD)))
                    while stream.left:
                        came = await asyncio.wait_for(loop.sock_recv(one, 9000), PATIENCE)
                        self.echoed += len(came)
                        stream.came(came)
                    await sending
                one.shutdown(standard.SHUT_WR)
                await asyncio.wait_for(task, PATIENCE)

        async def run() -> None:
            while self.goes_on():
                await asyncio.gather(*(ask() for _ in range(chance.randint(1, 10))))

        asyncio.run(run())

    def compute(self) -> None:
        """Keep the interpreter lock busy for a part of the time."""
        while self.goes_on():
            until = time.monotonic() + 0.2
            while time.monotonic() < until:
                sum(range(1000))
            time.sleep(0.8)

    def run(self) -> dict[str, Any]:
        """Start all of it, and wait for the end."""

        def count(*_: object) -> None:
            self.signals += 1

        gc.collect()  # what others left open is not ours
        before = len(descriptors())
        began, seconds = time.monotonic(), self.end - time.monotonic()
        handler = signal.signal(signal.SIGALRM, count)
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
        try:
            tasks = [Task(self.lane, lane, self.another()) for lane in range(self.lanes)]
            tasks += [Task(self.udp, self.another()), Task(self.aio, self.another())]
            tasks.append(Task(self.compute))
            readings = []
            while self.goes_on() and not any(task.error for task in tasks):
                time.sleep(seconds / 100)
                readings.append(memory())
            self.end = time.monotonic()
            for task in tasks:
                task.result(PATIENCE * 3)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, handler)
        gc.collect()
        # The highest of the second tenth, when it is warm, and of the last.
        tenth = max(1, len(readings) // 10)
        return {
            "seconds": round(time.monotonic() - began), "connections": sum(self.connections),
            "bytes": sum(self.bytes), "datagrams": self.datagrams, "echoed": self.echoed,
            "signals": self.signals,
            "memory": [max(readings[tenth : 2 * tenth] or readings), max(readings[-tenth:])],
            "descriptors left": len(descriptors()) - before,
        }  # fmt: skip


def main() -> None:
    """Print what went through."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--lanes", type=int, default=6, help="connections at the same time")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    traffic = Traffic(options.minutes * 60, options.lanes, options.seed)
    print(json.dumps(traffic.run()), flush=True)


if __name__ == "__main__":
    main()
