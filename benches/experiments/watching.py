"""Measure what it costs a program to be watched by ``oxisock report``.

Four programs, each with and without the report's wrappers, in turn in one process, minima of many
rounds: echoes of 64 bytes over a pair of UNIX sockets in one thread, which are nothing but calls;
the same with another process; the same over TCP; and a request over TCP with some work, JSON on
both sides. The other process is not watched: what is told is the cost of one side.

    python benches/experiments/watching.py [--standard] [--rounds N]
"""

import argparse
import importlib
import json
import os
from collections.abc import Callable
from time import perf_counter
from typing import Any

from oxisock._recorder import Recorder

ECHOES = 200
DATA = b"x" * 64
QUESTION = {"id": 1, "name": "a name", "items": list(range(20))}


def serve(far: Any, answer: Callable[[bytes], bytes], near: Any) -> None:
    """Answer in another process until the other side closes."""
    if os.fork():
        far.close()
        return
    try:
        near.close()
        while data := far.recv(4096):
            far.sendall(answer(data))
    finally:
        os._exit(0)


def work(data: bytes) -> bytes:
    """Do what a small server does."""
    question = json.loads(data)
    question["sum"] = sum(question["items"])
    return json.dumps(question).encode()


def pair_of(socket: Any) -> Any:
    """Connect two sockets over TCP."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    for sock in (near, far):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return near, far


def echoes(near: Any, far: Any) -> None:
    """Ask, and answer in the same thread."""
    for _ in range(ECHOES):
        near.send(DATA)
        far.recv(64)


def requests(near: Any, _: Any) -> None:
    """Ask another process."""
    for _ in range(ECHOES):
        near.sendall(DATA)
        near.recv(4096)


def questions(near: Any, _: Any) -> None:
    """Ask another process, with work on both sides."""
    for _ in range(ECHOES):
        near.sendall(json.dumps(QUESTION).encode())
        json.loads(near.recv(4096))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--standard", action="store_true")
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    socket: Any = importlib.import_module("socket" if options.standard else "oxisock")
    cls: Any = socket.socket
    # A server inherits the near ends of those before it: they end in turn, the last one first.
    unix_away = socket.socketpair()
    serve(unix_away[1], bytes, unix_away[0])
    tcp = pair_of(socket)
    serve(tcp[1], bytes, tcp[0])
    busy = pair_of(socket)
    serve(busy[1], work, busy[0])
    unix = socket.socketpair()
    recorder = Recorder(options.standard)
    calls = {name: getattr(cls, name) for name in ("send", "sendall", "recv")}
    watched = {name: recorder.wrapped(name, call) for name, call in calls.items()}
    programs = (
        ("echo, UNIX, one thread", echoes, unix),
        ("request, UNIX, two processes", requests, unix_away),
        ("request, TCP, two processes", requests, tcp),
        ("request with work, TCP", questions, busy),
    )
    best: dict[tuple[str, bool], float] = {}
    for _ in range(options.rounds):
        for name, program, sockets in programs:
            for watches in (False, True):
                for method, call in (watched if watches else calls).items():
                    setattr(cls, method, call)
                program(*sockets)  # the interpreter specialises its code anew
                began = perf_counter()
                program(*sockets)
                took = (perf_counter() - began) / ECHOES
                best[name, watches] = min(took, best.get((name, watches), took))
    print(f"{'standard library' if options.standard else 'oxisock'}, µs: alone, watched")
    for name, *_ in programs:
        alone, seen = best[name, False], best[name, True]
        print(f"{name:30} {alone * 1e6:7.2f} {seen * 1e6:7.2f}  {100 * (seen / alone - 1):+.1f} %")


if __name__ == "__main__":
    main()
