"""What users run: the standard library, the same with short switch intervals, and oxisock.

    python benches/experiments/users.py [--rounds 5] [--seconds 1] [redis threaded asyncio prefork]

Requests per second of redis-py (GET and SET by one client), of a threaded HTTP server, of one on
asyncio, and of a pre-fork one under gunicorn, the last three loaded by `wrk` with 20 connections;
each alone, and with one thread beside it that computes. The three take turns in each round, in
processes of their own; the best of the rounds counts. `sys.setswitchinterval(1e-4)` is what a user
would try first against a computing thread. Needs redis-server, wrk, redis and gunicorn.
"""

import argparse
import asyncio
import functools
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any

ON_OXISOCK = ["-m", "oxisock", "run"]
# Interpreter flags, and whether the switch interval is changed.
SIDES = {"standard": ([], ""), "1e-4": ([], "1e-4"), "oxisock": (ON_OXISOCK, "")}
KINDS = ["redis", "threaded", "asyncio", "prefork"]
BODY = b"x" * 100
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + BODY


def compute() -> None:
    """Hold the interpreter lock for as long as the process lives."""
    number = 0
    while True:
        number = (number * 31 + 7) % 1_000_003


def settle() -> None:
    """Do what the driver has asked for by the environment."""
    if interval := os.environ.get("INTERVAL"):
        sys.setswitchinterval(float(interval))
    if os.environ.get("BUSY"):
        threading.Thread(target=compute, daemon=True).start()


settle_once = functools.cache(settle)


def redis_client(port: int, seconds: float) -> None:
    """Print the GETs and SETs per second of one client."""
    import redis

    client = redis.Redis("127.0.0.1", port)
    client.set("key", BODY)
    settle()
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        client.set("key", BODY)
        assert client.get("key") == BODY
        count += 2
    print(count / (time.perf_counter() - start), flush=True)
    os._exit(0)


def threaded(port: int) -> None:
    """Serve each connection in a thread."""

    def serve(sock: socket.socket) -> None:
        with sock:
            while sock.recv(65536):
                sock.sendall(ANSWER)

    server = socket.create_server(("127.0.0.1", port), backlog=128)
    settle()
    while True:
        threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()


def asynchronous(port: int) -> None:
    """Serve all connections in one loop."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            writer.write(ANSWER)
            await writer.drain()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", port)
        settle()
        await server.serve_forever()

    asyncio.run(main())


def application(environ: Any, start_response: Any) -> list[bytes]:
    """Answer as the others, for gunicorn's workers."""
    settle_once()
    start_response("200 OK", [("Content-Length", "100")])
    return [BODY]


def free_port() -> int:
    """Return a port that nobody has at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def await_port(port: int) -> None:
    """Return once somebody listens there."""
    end = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def measured(kind: str, side: str, busy: bool, seconds: float, redis_port: int) -> float:
    """Return the requests per second of one side."""
    flags, interval = SIDES[side]
    environment = {**os.environ, "INTERVAL": interval, "BUSY": "1" if busy else ""}
    this = os.path.abspath(__file__)
    if kind == "redis":
        command = [sys.executable, *flags, this, "--child", kind, str(redis_port), str(seconds)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return float(done.stdout)
    port = free_port()
    if kind == "prefork":
        environment["PYTHONPATH"] = os.path.dirname(this)
        command = ["-m", "gunicorn", "-w2", f"-b127.0.0.1:{port}", "--log-level=error"]
        command.append("users:application")
    else:
        command = [this, "--child", kind, str(port), "0"]
    arguments = [sys.executable, *flags, *command]
    # A server says so when wrk goes with requests under way.
    with subprocess.Popen(arguments, env=environment, stderr=subprocess.DEVNULL) as server:
        try:
            await_port(port)
            load = ["wrk", "-t1", "-c20", "--timeout=30s", f"http://127.0.0.1:{port}/"]
            subprocess.run([*load, "-d1s"], capture_output=True, check=True)
            done = subprocess.run(
                [*load, f"-d{max(1, round(seconds))}s"], capture_output=True, text=True, check=True
            )
        finally:
            server.terminate()
    (rate,) = re.findall(r"Requests/sec:\s+([\d.]+)", done.stdout)
    return float(rate)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("kinds", nargs="*", default=KINDS, help=" ".join(KINDS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1)
    options = parser.parse_args()
    port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        save = ["--save", "", "--dir", directory]
        program = shutil.which("redis-server") or sys.exit("redis-server is missing")
        command = [program, "--port", str(port), *save]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
            try:
                await_port(port)
                table(options, port)
            finally:
                server.terminate()


def table(options: argparse.Namespace, port: int) -> None:
    """Print a row for each kind, alone and beside a computing thread."""
    print(f"{'requests per second':24}" + "".join(f"{side:>12}" for side in SIDES) + "   ratios")
    for kind in options.kinds:
        for busy in False, True:
            best = dict.fromkeys(SIDES, 0.0)
            for _ in range(options.rounds):
                for side in SIDES:
                    rate = measured(kind, side, busy, options.seconds, port)
                    best[side] = max(best[side], rate)
            label = f"{kind}{', computing' if busy else ''}"
            ours = best["oxisock"]
            ratios = f"{ours / best['standard']:9.2f} {ours / best['1e-4']:8.2f}"
            print(f"{label:24}" + "".join(f"{rate:12.0f}" for rate in best.values()) + ratios)
            sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        kind, port, seconds = sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
        if kind == "redis":
            redis_client(port, seconds)
        (threaded if kind == "threaded" else asynchronous)(port)
    main()
