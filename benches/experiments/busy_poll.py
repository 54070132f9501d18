"""Measure what the busy-poll before a sleep saves, and what it costs.

A client asks another process and waits for the answer, which comes at once, after a while, late or
never. For each way of waiting, the script measures the time to the answer and the processor time
that the client used for it: on an idle or slow connection the latter must not exceed the standard
library's.

    python benches/experiments/busy_poll.py [--rounds N] [--micros MICROSECONDS,...]
"""

import argparse
import os
import socket
import subprocess
import sys
import time
from statistics import median
from typing import Any

import oxisock

PEER = """
import os, sys, time
delay = float(sys.argv[1])
while os.read(0, 64):
    if delay == float("inf"):
        continue
    end = time.perf_counter() + delay
    if delay > 0.0005:
        time.sleep(delay)
    while time.perf_counter() < end:
        pass
    os.write(0, b"x")
"""

PATTERNS = {
    # name: seconds until the answer, questions in a measurement
    "at once": (0.0, 2000),
    "after 20 µs": (20e-6, 1000),
    "after 100 µs": (100e-6, 1000),
    "after 1 ms": (1e-3, 200),
    "after 5 ms": (5e-3, 40),
    "never": (float("inf"), 20),
}
CORES = sorted(os.sched_getaffinity(0))
"""The client gets the first of them, and the peers get the last."""
PATIENCE = 0.01
"""The timeout in seconds where the answer never comes."""


def connect(module: Any, delay: float) -> tuple[Any, subprocess.Popen[bytes]]:
    """Make a TCP connection to a process that answers after that long."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = module.socket()
        ours.connect(listener.getsockname())
        theirs = listener.accept()[0]
    with theirs:
        for s in (ours, theirs):
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        command = [sys.executable, "-c", PEER, str(delay)]
        peer = subprocess.Popen(command, stdin=theirs.fileno())
    os.sched_setaffinity(peer.pid, CORES[-1:])
    ours.settimeout(PATIENCE if delay == float("inf") else 5.0)
    return ours, peer


def ask(connection: Any, count: int) -> tuple[float, float]:
    """Ask that often, and measure the wall-clock and processor microseconds per question."""
    wall, processor = time.perf_counter(), time.thread_time()
    for _ in range(count):
        connection.send(b"x")
        try:
            connection.recv(64)
        except TimeoutError:
            pass
    wall, processor = time.perf_counter() - wall, time.thread_time() - processor
    return wall / count * 1e6, processor / count * 1e6


def numbers(text: str) -> list[float]:
    """Parse numbers with commas between them."""
    return [float(part) for part in text.split(",")]


def main() -> None:
    """Print a line per pattern and way of waiting."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--micros", type=numbers, default=[0, 50, 100])
    args = parser.parse_args()
    ways: list[tuple[str, Any, float | None]] = [("standard library", socket, None)]
    ways += [(f"oxisock, {micros:g} µs", oxisock, micros) for micros in args.micros]

    os.sched_setaffinity(0, CORES[:1])
    print(f"{'answer':14}{'way of waiting':20}{'to answer, µs':>16}{'processor, µs':>16}")
    for pattern, (delay, count) in PATTERNS.items():
        peers = {name: connect(module, delay) for name, module, _ in ways}
        samples: dict[str, list[tuple[float, float]]] = {name: [] for name, *_ in ways}
        for _ in range(args.rounds):
            for name, _, micros in ways:
                if micros is not None:
                    oxisock.setbusypoll(micros * 1e-6)
                samples[name].append(ask(peers[name][0], count))
        for name, *_ in ways:
            wall, processor = (median(values) for values in zip(*samples[name], strict=True))
            print(f"{pattern:14}{name:20}{wall:16.1f}{processor:16.1f}", flush=True)
        for connection, peer in peers.values():
            connection.close()
            peer.wait()


if __name__ == "__main__":
    main()
