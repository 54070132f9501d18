"""Measure up to which size a transfer should keep the interpreter lock.

A small transfer keeps the interpreter lock, a large one gives it up first. This script moves
messages of growing sizes with the threshold at different values, and measures what each one costs:

- alone: one thread sends and receives, and nobody wants the lock;
- stream: one thread sends to another, so that a copy with the lock kept stops the other's copy;
- beside: one thread sends and receives beside a CPU-bound thread, so that giving the lock up means
  waiting for it.

    python benches/experiments/lock_threshold.py [--limits BYTES,...] [--sizes BYTES,...]
"""

import argparse
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

import oxisock
from oxisock import _socket
from oxisock_bench.computing import cpu_bound_thread


@contextmanager
def keep_limit(limit: int) -> Iterator[None]:
    """Set the threshold in bytes for as long as the block lasts."""
    before = _socket.tune("keep_limit", limit)
    try:
        yield
    finally:
        _socket.tune("keep_limit", before)


def pair() -> tuple[oxisock.socket, oxisock.socket]:
    """Make a UNIX pair with room for the largest message."""
    a, b = oxisock.socketpair()
    for s in (a, b):
        s.setsockopt(oxisock.SOL_SOCKET, oxisock.SO_SNDBUF, 1 << 20)
    return a, b


def alone(size: int, seconds: float = 0.01) -> float:
    """Measure the microseconds for a send and a receive of that size in one thread."""
    a, b = pair()
    data = bytes(size)
    with a, b:
        rounds = 0
        start = now = time.perf_counter()
        while now - start < seconds:
            for _ in range(10):
                left = a.send(data)
                while left:
                    left -= len(b.recv(left))
            rounds += 10
            now = time.perf_counter()
    return (now - start) / rounds * 1e6


def beside(size: int) -> float:
    """Measure the same beside a CPU-bound thread."""
    with cpu_bound_thread():
        time.sleep(0.03)
        return alone(size, 0.1)


def stream(size: int) -> float:
    """Measure the microseconds for a message of that size from one thread to another."""
    a, b = pair()
    data = bytes(size)
    rounds = max(50, (32 << 20) // max(size, 1 << 12))
    with a, b:

        def feed() -> None:
            for _ in range(rounds):
                a.sendall(data)

        thread = threading.Thread(target=feed)
        left = rounds * size
        start = time.perf_counter()
        thread.start()
        while left:
            left -= len(b.recv(size))
        elapsed = time.perf_counter() - start
        thread.join()
    return elapsed / rounds * 1e6


KINDS: list[Callable[[int], float]] = [alone, stream, beside]


def numbers(text: str) -> list[int]:
    """Parse integers with commas between them."""
    return [int(number) for number in text.split(",")]


def main() -> None:
    """Print a table per kind of transfer: a line per size, a column per threshold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--limits", type=numbers, default=[0, *(1 << n for n in range(10, 18))])
    parser.add_argument("--sizes", type=numbers, default=[1 << n for n in range(6, 18)])
    args = parser.parse_args()

    for kind in KINDS:
        heading = "".join(f"{limit:>10}" for limit in args.limits)
        print(f"\n{kind.__name__}: µs per message; columns: the largest that keeps the lock")
        print(f"{'bytes':>8}{heading}", flush=True)
        for size in args.sizes:
            times: dict[int, list[float]] = {limit: [] for limit in args.limits}
            for _ in range(args.rounds):
                for limit in args.limits:
                    with keep_limit(limit):
                        times[limit].append(kind(size))
            # With threads, the fastest round is a lucky one: the median counts.
            columns = "".join(f"{median(times[limit]):10.2f}" for limit in args.limits)
            print(f"{size:8}{columns}", flush=True)


if __name__ == "__main__":
    main()
