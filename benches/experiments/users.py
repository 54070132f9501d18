"""What users run: the standard library, the same with short switch intervals, and oxisock.

    python benches/experiments/users.py --plot docs/figures/users.svg
    python benches/experiments/users.py --rounds 2 --seconds 1 redis dask

Per second: GETs and SETs of redis-py; requests to an HTTP server with a thread for each connection,
to one on asyncio and to a pre-fork one under gunicorn, by `wrk` with 20 connections; rows that
pg8000 reads, one and 1,000 in a query; tasks of Dask by two worker processes. Each alone, and with
one thread that computes: in the client, in each server process, and for Dask in the process of
client and scheduler. The three take turns in each round, in processes of their own; the best of the
rounds counts. `sys.setswitchinterval(1e-4)` is what a user would try first against a computing
thread. `nox -s users` installs what it needs from PyPI; redis-server, PostgreSQL and wrk are those
of Debian, from .ci/packages and tests/software/packages.
"""

import argparse
import asyncio
import functools
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

ON_OXISOCK = ["-m", "oxisock", "run"]
# Interpreter flags, and whether the switch interval is changed.
SIDES = {"standard": ([], ""), "1e-4": ([], "1e-4"), "oxisock": (ON_OXISOCK, "")}
NAMES = {
    "standard": "standard library",
    "1e-4": "… with setswitchinterval(1e-4)",
    "oxisock": "oxisock",
}
COLORS = {"standard": "#8a8f98", "1e-4": "#c2c6cc", "oxisock": "#c4501b"}
KINDS = {
    "redis": "redis-py: GET and SET",
    "threaded": "threaded HTTP server: requests",
    "asyncio": "asyncio HTTP server: requests",
    "prefork": "gunicorn, two workers: requests",
    "rows": "pg8000: queries of one row",
    "queries": "pg8000: rows, 1,000 a query",
    "dask": "Dask, two workers: tasks",
}
ROOT = Path(__file__).resolve().parents[2]
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


def report(seconds: float, turn: Callable[[], int]) -> None:
    """Print how much per second is done in turns, each of which says how much it was."""
    settle()
    turn()
    count, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        count += turn()
    print(count / elapsed, flush=True)
    # The computing thread would be asked to end, and the cluster.
    os._exit(0)


def redis_client(port: int, seconds: float) -> None:
    """Measure the GETs and SETs of one client."""
    import redis

    client = redis.Redis("127.0.0.1", port)

    def turn() -> int:
        client.set("key", BODY)
        assert client.get("key") == BODY
        return 2

    report(seconds, turn)


def postgres_client(rows: int, port: int, seconds: float) -> None:
    """Measure the rows that one client reads by queries of so many."""
    import pg8000.dbapi

    connection = pg8000.dbapi.connect("postgres", host="127.0.0.1", port=port)
    cursor = connection.cursor()

    def turn() -> int:
        cursor.execute(f"SELECT number, 'name', 0.5 FROM generate_series(1, {rows}) AS number")
        assert len(cursor.fetchall()) == rows
        return rows

    report(seconds, turn)


def increment(number: int) -> int:
    """Do next to nothing, as a task."""
    return number + 1


def dask_client(port: int, seconds: float) -> None:
    """Measure the tasks that two worker processes do."""
    from distributed import Client, LocalCluster

    cluster = LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, memory_limit="1GiB"
    )
    client = Client(cluster)
    if interval := os.environ.get("INTERVAL"):
        client.run(sys.setswitchinterval, float(interval))

    def turn() -> int:
        futures = client.map(increment, range(200), pure=False)
        assert sum(client.gather(futures)) == sum(range(1, 201))
        return 200

    report(seconds, turn)


def threaded(port: int, seconds: float) -> None:
    """Serve each connection in a thread."""

    def serve(sock: socket.socket) -> None:
        with sock:
            while sock.recv(65536):
                sock.sendall(ANSWER)

    server = socket.create_server(("127.0.0.1", port), backlog=128)
    settle()
    while True:
        threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()


def asynchronous(port: int, seconds: float) -> None:
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


CLIENTS: dict[str, Callable[[int, float], None]] = {
    "redis": redis_client,
    "rows": functools.partial(postgres_client, 1),
    "queries": functools.partial(postgres_client, 1000),
    "dask": dask_client,
}
SERVERS: dict[str, Callable[[int, float], None]] = {"threaded": threaded, "asyncio": asynchronous}


def command_of(kind: str, port: int, seconds: float) -> list[str]:
    """Return what runs a client or a server, behind the interpreter and its flags."""
    if kind == "prefork":
        options = ["-w2", f"-b127.0.0.1:{port}", "--log-level=error"]
        return ["-m", "gunicorn", *options, "users:application"]
    return [os.path.abspath(__file__), "--child", kind, str(port), str(seconds)]


def measured(kind: str, side: str, busy: bool, seconds: float, ports: dict[str, int]) -> float:
    """Return what one side does per second."""
    from tests.helpers.net import answers, free_port
    from tests.helpers.process import wait_until

    flags, interval = SIDES[side]
    environment = {**os.environ, "INTERVAL": interval, "BUSY": "1" if busy else ""}
    environment["PYTHONPATH"] = os.path.dirname(os.path.abspath(__file__))
    port = ports.get(kind) or free_port()
    command = [sys.executable, *flags, *command_of(kind, port, seconds)]
    if kind in CLIENTS:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return float(done.stdout)
    # A server says so when wrk goes with requests under way.
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as server:
        try:
            wait_until(lambda: answers(port), 60)
            load = ["wrk", "-t1", "-c20", "--timeout=30s", f"http://127.0.0.1:{port}/"]
            subprocess.run([*load, "-d1s"], capture_output=True, check=True)
            done = subprocess.run(
                [*load, f"-d{max(1, round(seconds))}s"], capture_output=True, text=True, check=True
            )
        finally:
            server.terminate()
    (rate,) = re.findall(r"Requests/sec:\s+([\d.]+)", done.stdout)
    return float(rate)


def table(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure each kind, alone and beside a computing thread, and print a row for each."""
    from tests.software import servers

    rows = []
    print(f"{'per second':44}" + "".join(f"{side:>12}" for side in SIDES) + "   oxisock's ratios")
    with ExitStack() as stack:
        ports = {}
        if "redis" in options.kinds:
            ports["redis"] = stack.enter_context(servers.redis_server()).plain
        if {"rows", "queries"} & {*options.kinds}:
            ports["rows"] = ports["queries"] = stack.enter_context(servers.postgres())
        for kind in options.kinds:
            for busy in False, True:
                best = dict.fromkeys(SIDES, 0.0)
                for _ in range(options.rounds):
                    for side in SIDES:
                        rate = measured(kind, side, busy, options.seconds, ports)
                        best[side] = max(best[side], rate)
                rows.append({"kind": kind, "computing": busy, "rates": best})
                label = "  … beside a computing thread" if busy else KINDS[kind]
                ours = best["oxisock"]
                ratios = f"{ours / best['standard']:9.2f} {ours / best['1e-4']:8.2f}"
                print(f"{label:44}" + "".join(f"{rate:12,.0f}" for rate in best.values()) + ratios)
                sys.stdout.flush()
    return rows


def draw(path: str, rows: list[dict[str, Any]], machine: dict[str, Any]) -> None:
    """Draw the ratios to the standard library, alone and beside a computing thread."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot
    from matplotlib.ticker import FuncFormatter, NullFormatter

    kinds = [*dict.fromkeys(row["kind"] for row in rows)]
    figure, axes = pyplot.subplots(
        1, 2, figsize=(11, 0.62 * len(kinds) + 1.6), sharey=True, layout="constrained"
    )
    for axis, busy in zip(axes, (False, True), strict=True):
        longest = 1.0
        for place, kind in enumerate(kinds):
            rates = next(
                row["rates"] for row in rows if (row["kind"], row["computing"]) == (kind, busy)
            )
            for number, (side, rate) in enumerate(rates.items()):
                ratio = rate / rates["standard"]
                longest = max(longest, ratio)
                height = place + (number - 1) * 0.27
                # The line at 1 is the standard library's own bar.
                name = None if place else NAMES[side]
                axis.barh(height, ratio - 1, 0.25, left=1, color=COLORS[side], label=name)
                axis.annotate(
                    f"{rate:,.0f}", (max(ratio, 1), height), xytext=(3, 0), va="center",
                    textcoords="offset points", fontsize=6.5,
                )  # fmt: skip
        axis.axvline(1, color=COLORS["standard"], linewidth=1)
        axis.set_xscale("log")
        axis.set_xlim(0.5, longest * 3)
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}x"))
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.set_title("beside one computing thread" if busy else "alone", fontsize=9)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_yticks(range(len(kinds)), [KINDS[kind] for kind in kinds], fontsize=8)
    axes[0].invert_yaxis()
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3, frameon=False, fontsize=8)
    about = [machine[key] for key in ("processor", "system", "python")]
    text = "times as many per second as on the standard library; the figures are per second. "
    figure.supxlabel(f"{text}{', '.join(about)}, {machine['cores']} cores", fontsize=7)
    figure.savefig(path, dpi=130)


def main() -> None:
    """Measure, print a table, and draw it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kinds", nargs="*", help=" ".join(KINDS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2, help="of each measurement")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rates")
    parser.add_argument("--plot", metavar="FILE", help="draw the figure (svg, png or pdf)")
    parser.add_argument("--load", type=Path, metavar="FILE", help="draw what --json has written")
    options = parser.parse_args()
    if unknown := {*options.kinds} - {*KINDS}:
        parser.error(f"there is no {', '.join(unknown)}: {' '.join(KINDS)}")
    options.kinds = options.kinds or [*KINDS]
    if options.load:
        results = json.loads(options.load.read_text())
    else:
        from oxisock_bench import record

        results = {"rows": table(options), "machine": record.machine()}
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    if options.plot:
        draw(options.plot, results["rows"], results["machine"])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        chosen, number, duration = sys.argv[2:]
        {**CLIENTS, **SERVERS}[chosen](int(number), float(duration))
    else:
        # The servers are those of the tests.
        sys.path.insert(0, str(ROOT))
        main()
