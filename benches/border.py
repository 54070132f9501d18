"""Where is the border between small transfers and large ones?

A small transfer keeps the interpreter lock, a large one gives it up first. This script moves
messages of growing sizes with the border at different places, and measures what each place costs:

- alone: one thread sends and receives, and nobody wants the lock;
- stream: one thread sends to another, so that a copy with the lock kept stops the other's copy;
- beside: one thread sends and receives beside a CPU-bound thread, so that giving the lock up means
  to wait for it.

    python benches/border.py [--rounds N] [--limits BYTES,...] [--sizes BYTES,...]
"""

import argparse
import threading
import time

import oxisock
from oxisock import _socket
from oxisock._bench.measure import cpu_bound_thread

AS_BUILT = None


def set_border(limit):
    """Move the border, and give the function that moves it back."""
    if limit is AS_BUILT:
        return lambda: None
    before = _socket.tune("keep_limit", limit)
    return lambda: _socket.tune("keep_limit", before)


def pair():
    """A UNIX pair with room for the largest message."""
    a, b = oxisock.socketpair()
    for s in (a, b):
        s.setsockopt(oxisock.SOL_SOCKET, oxisock.SO_SNDBUF, 1 << 20)
    return a, b


def alone(size, seconds=0.01):
    """Microseconds for a send and a receive of that size in one thread."""
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


def beside(size):
    """The same beside a CPU-bound thread."""
    with cpu_bound_thread():
        time.sleep(0.03)
        return alone(size, 0.1)


def stream(size):
    """Microseconds for a message of that size from one thread to another."""
    a, b = pair()
    data = bytes(size)
    rounds = max(50, (32 << 20) // max(size, 1 << 12))
    with a, b:

        def feed():
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


def median(values):
    """The middle one: with threads, the fastest round is a lucky one."""
    return sorted(values)[len(values) // 2]


def main():
    """Print a table per kind of transfer: a line per size, a column per border."""
    numbers = lambda text: [int(number) for number in text.split(",")]  # noqa: E731
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--limits", type=numbers, default=[0, *(1 << n for n in range(10, 18))])
    parser.add_argument("--sizes", type=numbers, default=[1 << n for n in range(6, 18)])
    args = parser.parse_args()
    if not hasattr(_socket, "tune"):
        print("This build's border cannot be moved: measured as it is.")
        args.limits = [AS_BUILT]

    for kind in (alone, stream, beside):
        heading = "".join(f"{'as built' if n is AS_BUILT else n:>10}" for n in args.limits)
        print(f"\n{kind.__name__}: µs per message; columns: the largest that keeps the lock")
        print(f"{'bytes':>8}{heading}", flush=True)
        for size in args.sizes:
            times = {limit: [] for limit in args.limits}
            for _ in range(args.rounds):
                for limit in args.limits:
                    restore = set_border(limit)
                    try:
                        times[limit].append(kind(size))
                    finally:
                        restore()
            columns = "".join(f"{median(times[limit]):10.2f}" for limit in args.limits)
            print(f"{size:8}{columns}", flush=True)


if __name__ == "__main__":
    main()
