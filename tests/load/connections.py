"""Many connections at once in one process, with data through all of them.

    python -m tests.load.connections 9900 [--by selectors|asyncio|threads]

prints what came: connections and bytes, whose checksums agreed, by how much memory grew after the
warm-up, descriptors left, and the processor's time beside that of the standard library; both in
turn, the best of so many rounds. UNIX sockets are used where ports would run out.
"""

import argparse
import asyncio
import gc
import json
import random
import resource
import selectors as standard_selectors
import socket as standard
import threading
import time
import zlib
from typing import Any

import oxisock
import oxisock.selectors
from tests.helpers.process import descriptors

MESSAGE = 64


def memory() -> int:
    """The process's resident memory in bytes."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def room_for(count: int) -> int:
    """Allow that many connections if the system lets us; how many there is room for."""
    wanted = 2 * count + 100
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if wanted > soft:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, hard)))
        except (ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return min(count, (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100) // 2)


class Pairs:
    """Connected pairs; what one end sent is known, and what the other got is compared with it."""

    def __init__(self, module: Any, count: int) -> None:
        self.pairs = [module.socketpair() for _ in range(count)]
        self.sent = [0] * count
        self.received = [0] * count
        # One for each: threads that add to the same number lose some, without the lock.
        self._arrived = [0] * count

    @property
    def arrived(self) -> int:
        """How many bytes have."""
        return sum(self._arrived)

    def send(self, index: int) -> None:
        """Send a message, different each time."""
        data = random.randbytes(MESSAGE)
        self.pairs[index][0].sendall(data)
        self.sent[index] = zlib.crc32(data, self.sent[index])

    def took(self, index: int, data: bytes) -> None:
        """Note what has arrived."""
        self.received[index] = zlib.crc32(data, self.received[index])
        self._arrived[index] += len(data)

    def check(self) -> None:
        """Fail when a byte was lost or came twice."""
        assert self.sent == self.received, "data was lost or changed"

    def close(self) -> None:
        for pair in self.pairs:
            for sock in pair:
                sock.close()


def by_selectors(module: Any, pairs: Pairs) -> None:
    """A message through each connection, awaited by a selector."""
    ours = module is oxisock
    make = oxisock.selectors.DefaultSelector if ours else standard_selectors.DefaultSelector
    with make() as selector:
        for index, (_, receiver) in enumerate(pairs.pairs):
            selector.register(receiver, standard_selectors.EVENT_READ, index)
        for index in range(len(pairs.pairs)):
            pairs.send(index)
        missing = len(pairs.pairs)
        while missing:
            for key, _ in selector.select(10):
                pairs.took(key.data, key.fileobj.recv(4096))  # type: ignore[union-attr]
                missing -= 1


def by_asyncio(module: Any, pairs: Pairs) -> None:
    """A message through each connection, received by a task of its own."""

    async def receive(loop: asyncio.AbstractEventLoop, index: int) -> None:
        pairs.took(index, await loop.sock_recv(pairs.pairs[index][1], 4096))

    async def run() -> None:
        loop = asyncio.get_running_loop()
        for _, receiver in pairs.pairs:
            receiver.setblocking(False)
        tasks = [loop.create_task(receive(loop, index)) for index in range(len(pairs.pairs))]
        await asyncio.sleep(0)
        for index in range(len(pairs.pairs)):
            pairs.send(index)
        await asyncio.gather(*tasks)

    asyncio.run(run())


def by_threads(module: Any, pairs: Pairs) -> None:
    """Every connection is served by one of 50 threads."""

    def serve(part: int) -> None:
        for index in range(part, len(pairs.pairs), 50):
            pairs.took(index, pairs.pairs[index][1].recv(4096))

    threads = [threading.Thread(target=serve, args=(part,)) for part in range(50)]
    for thread in threads:
        thread.start()
    for index in range(len(pairs.pairs)):
        pairs.send(index)
    for thread in threads:
        thread.join()


WAYS = {"selectors": by_selectors, "asyncio": by_asyncio, "threads": by_threads}


def hold(module: Any, count: int, way: str, rounds: int) -> dict[str, Any]:
    """Open the connections, send messages through all of them so often, and close them."""
    before = len(descriptors())
    pairs = Pairs(module, count)
    use = WAYS[way]
    use(module, pairs)  # warms up
    pairs.check()
    gc.collect()
    warm = memory()
    best = min(timed(use, module, pairs) for _ in range(rounds))
    pairs.check()
    gc.collect()
    grown = memory() - warm
    pairs.close()
    return {
        "module": module.__name__, "connections": count, "by": way, "bytes": pairs.arrived,
        "seconds": best, "memory grown": grown,
        "descriptors left": len(descriptors()) - before,
    }  # fmt: skip


def timed(use: Any, module: Any, pairs: Pairs) -> float:
    """Of the process's threads together: others may want the machine at the same time."""
    times = max(1, 1000 // len(pairs.pairs))
    began = time.process_time()
    for _ in range(times):
        use(module, pairs)
    return (time.process_time() - began) / times


def compared(count: int, way: str, rounds: int) -> list[dict[str, Any]]:
    """Hold them by both modules in turn; what came of each, and the best time."""
    modules = standard, oxisock
    held = [[hold(module, count, way, 1) for module in modules] for _ in range(rounds)]
    results = []
    for each in zip(*held, strict=True):
        result = dict(each[0])
        result["seconds"] = min(one["seconds"] for one in each)
        for name in "memory grown", "descriptors left":
            result[name] = max(one[name] for one in each)
        results.append(result)
    return results


def cycles(count: int) -> dict[str, Any]:
    """Connect, accept and close so often; what was left behind."""
    with oxisock.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()

        def cycle() -> None:
            with oxisock.socket() as client:
                # Closed by a reset: no port stays behind in TIME_WAIT.
                client.setsockopt(oxisock.SOL_SOCKET, oxisock.SO_LINGER, bytes([1, *bytes(7)]))
                client.connect(address)
                server.accept()[0].close()

        for _ in range(min(count, 1000)):
            cycle()
        gc.collect()
        before, warm = len(descriptors()), memory()
        for _ in range(count):
            cycle()
        gc.collect()
        grown, left = memory() - warm, len(descriptors()) - before
        return {"cycles": count, "memory grown": grown, "descriptors left": left}


def main() -> None:
    """Print a line of JSON for each module."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("connections", type=int, nargs="*", help="how many at once")
    parser.add_argument("--by", choices=WAYS, default="selectors")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--cycles", type=int, default=0, metavar="N", help="connect, accept and close N times"
    )
    options = parser.parse_args()
    for count in options.connections:
        if (room := room_for(count)) < count:
            parser.error(f"the system has room for {room} connections")
        results = compared(count, options.by, options.rounds)
        for result in results:
            print(json.dumps(result), flush=True)
            assert result["descriptors left"] == 0
        print(json.dumps({"ratio": round(results[0]["seconds"] / results[1]["seconds"], 2)}))
    if options.cycles:
        print(json.dumps(cycles(options.cycles)), flush=True)


if __name__ == "__main__":
    main()
