"""Measure a few programs on the standard library and on oxisock, side by side, on this machine.

Usage: compare.py [--rounds N] [--json FILE]

Each row is a small program that runs in an interpreter of its own, first on the one module and then
on the other, several times in turn; the best of each counts. The second row is the first once more,
but the standard library gets what one line of Python gives it. It takes about half a minute.
"""

import argparse
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from socket import socket, socketpair

PEER = """
import socket, sys, time
sock = socket.socket(fileno=int(sys.argv[1]))
while data := sock.recv(4096):
    time.sleep(0.001)  # as a server that works on it, or a network on the way
    sock.sendall(data)
"""


def computing(stop: threading.Event) -> None:
    """Keep the interpreter busy, as a thread that parses or renders does."""
    while not stop.is_set():
        sum(range(200))


def exchange(count: int) -> float:
    """Ask another process, which takes 1 ms to answer; return the seconds of one exchange."""
    here, there = socketpair()
    command = [sys.executable, "-S", "-E", "-c", PEER, str(there.fileno())]
    with subprocess.Popen(command, pass_fds=[there.fileno()]), here:
        there.close()
        ask(here, 10)
        best = min(ask(here, count) for _ in range(2))
        here.close()
    return best


def ask(sock: socket, count: int) -> float:
    began = time.perf_counter()
    for _ in range(count):
        sock.sendall(b"request")
        sock.recv(4096)
    return (time.perf_counter() - began) / count


def beside(interval: float | None = None) -> float:
    """Make exchanges while another thread computes."""
    if interval is not None:
        sys.setswitchinterval(interval)
    stop = threading.Event()
    thread = threading.Thread(target=computing, args=[stop])
    thread.start()
    try:
        return exchange(40)
    finally:
        stop.set()
        thread.join()


def large_buffer() -> float:
    """Receive small messages with room for large ones."""
    a, b = socketpair()
    best = 1.0
    with a, b:
        for _ in range(5):
            began = time.perf_counter()
            for _ in range(2000):
                a.send(b"message")
                b.recv(1 << 20)
            best = min(best, (time.perf_counter() - began) / 2000)
    return best


def with_timeout() -> float:
    """Send and receive with a timeout that never passes."""
    a, b = socketpair()
    best = 1.0
    with a, b:
        a.settimeout(30)
        b.settimeout(30)
        for _ in range(5):
            began = time.perf_counter()
            for _ in range(5000):
                a.send(b"message")
                b.recv(4096)
            best = min(best, (time.perf_counter() - began) / 5000)
    return best


NAMED: dict[str, Callable[[], float]] = {
    "beside": beside,
    "beside, 0.1 ms": lambda: beside(1e-4),
    "alone": lambda: exchange(40),
    "timeout": with_timeout,
    "large buffer": large_buffer,
}
# What the row says, what runs on the standard library, and what on oxisock.
ROWS = [
    ("request and reply beside a computing thread", "beside", "beside"),
    ("… standard with sys.setswitchinterval(1e-4)", "beside, 0.1 ms", "beside"),
    ("request and reply, nobody computes", "alone", "alone"),
    ("send and recv with a timeout", "timeout", "timeout"),
    ("recv(1 << 20) of a small message", "large buffer", "large buffer"),
]


def shown(seconds: float) -> str:
    for unit, factor in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= factor:
            return f"{seconds / factor:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def verdict(standard: float, oxisock: float) -> str:
    ratio = standard / oxisock
    if ratio >= 1.05:
        return f"{ratio:.3g} times faster" if ratio < 10 else f"{ratio:.0f} times faster"
    return "no gain" if ratio > 0.95 else f"a loss: {1 / ratio:.3g} times slower"


def measured(name: str, *runner: str) -> float:
    command = [sys.executable, *runner, __file__, "--one", name]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout)


def main(rounds: int, file: str | None) -> None:
    if find_spec("oxisock") is None:
        sys.exit("oxisock is not installed: pip install oxisock")
    print(f"{'':<44} {'standard':>9} {'oxisock':>9}")
    results = {}
    for row, theirs, ours in ROWS:
        times: list[list[float]] = [[], []]
        for _ in range(rounds):
            times[0].append(measured(theirs))
            times[1].append(measured(ours, "-m", "oxisock", "run"))
        standard, oxisock = map(min, times)
        results[row] = {"standard": standard, "oxisock": oxisock}
        line = f"{row:<44} {shown(standard):>9} {shown(oxisock):>9}"
        print(f"{line}  {verdict(standard, oxisock)}", flush=True)
    if file:
        with open(file, "w") as out:
            json.dump(results, out, indent=1, ensure_ascii=False)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(NAMED[sys.argv[2]]())
    else:
        parser = argparse.ArgumentParser(description="Measure programs on both modules.")
        parser.add_argument("--rounds", type=int, default=5, metavar="N")
        parser.add_argument("--json", metavar="FILE")
        options = parser.parse_args()
        main(options.rounds, options.json)
