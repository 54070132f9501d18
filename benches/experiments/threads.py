"""Measure how the work of threads that share nothing adds up, on `socket` and on oxisock.

Each thread has a pair of UNIX sockets of its own and sends a message from one end to the other and
back. Without an interpreter lock, twice the threads on as many processors should do twice the work.

    python benches/experiments/threads.py [--threads 1 2] [--rounds N]

Prints, for each number of threads, the round trips per second of each side in its best round, what
they are of those of one thread, and oxisock's share of the standard library's.
"""

import argparse
import importlib
import sys
import threading
import time
from typing import Any

MODULES = ("socket", "oxisock")
TRIPS = 20_000
MESSAGE = bytes(64)


def rate(module: Any, threads: int) -> float:
    """Round trips per second of so many threads together."""
    begin = threading.Barrier(threads + 1)
    pairs = [module.socketpair() for _ in range(threads)]

    def echo(one: Any, other: Any) -> None:
        begin.wait()
        for _ in range(TRIPS):
            one.send(MESSAGE)
            other.send(other.recv(4096))
            one.recv(4096)

    workers = [threading.Thread(target=echo, args=pair) for pair in pairs]
    for worker in workers:
        worker.start()
    begin.wait()
    began = time.perf_counter()
    for worker in workers:
        worker.join()
    took = time.perf_counter() - began
    for pair in pairs:
        for sock in pair:
            sock.close()
    return threads * TRIPS / took


def main() -> None:
    """Measure both sides in turn, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    modules = {name: importlib.import_module(name) for name in MODULES}
    best: dict[tuple[str, int], float] = {}
    for _ in range(options.rounds):
        for threads in options.threads:
            for name, module in modules.items():
                key = name, threads
                best[key] = max(best.get(key, 0.0), rate(module, threads))
    lock = getattr(sys, "_is_gil_enabled", lambda: True)()
    print(f"CPython {sys.version.split()[0]}, the interpreter lock is {'on' if lock else 'off'}")
    print("threads" + "".join(f"{name:>20}" for name in MODULES) + "   ratio")
    first = options.threads[0]
    for threads in options.threads:
        cells = [
            f"{best[n, threads]:12,.0f} ({best[n, threads] / best[n, first]:.2f} x)"
            for n in MODULES
        ]
        ratio = best["oxisock", threads] / best["socket", threads]
        print(f"{threads:7}" + "".join(f"{cell:>20}" for cell in cells) + f"{ratio:8.2f}")


if __name__ == "__main__":
    main()
