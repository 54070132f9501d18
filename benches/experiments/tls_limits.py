"""Measure how much faster than `ssl` a request and its reply over TLS can be at all.

The row `tls.request.process` once more, on the standard library and on oxisock, and beside them a
client in C, `tls_bare.c`, that calls OpenSSL and nothing else: one that sleeps until the reply is
there, and one that tries until it is. The other process is the same for all, in Python. What these
do not reach, no module can.

    python benches/experiments/tls_limits.py [--rounds N]

Needs a C compiler and OpenSSL's headers (Debian's libssl-dev).
"""

import argparse
import importlib
import shlex
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from oxisock_bench.programs import peer_process
from oxisock_bench.row import every_row, loop_of
from oxisock_bench.rows import GROUPS

REQUESTS = 300
SIDES = {"stdlib": "socket", "oxisock": "oxisock"}


def built(folder: str) -> str:
    """Compile the client."""
    program = f"{folder}/tls_bare"
    compiler = shlex.split(sysconfig.get_config_var("CC") or "cc")
    source = Path(__file__).with_name("tls_bare.c")
    subprocess.run([*compiler, "-O2", source, "-o", program, "-lssl", "-lcrypto"], check=True)
    return program


def client(stack: ExitStack, *command: str) -> Callable[[int], float]:
    """Connect the client in C to a process of its own; return its timed loop."""
    sock: Any = peer_process(tls=True)(importlib.import_module("socket"), stack)["a"]
    process = stack.enter_context(
        subprocess.Popen(
            [command[0], str(sock.fileno()), *command[1:]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=[sock.fileno()],
        )
    )
    stack.callback(process.kill)

    def loop(count: int) -> float:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{count}\n")
        process.stdin.flush()
        return float(process.stdout.readline())

    return loop


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    (row,) = [row for row in every_row(GROUPS) if row.name == "tls.request.process"]
    assert isinstance(row.op, str)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        program = built(folder)
        loops = {
            side: loop_of(row.op, row.setup(importlib.import_module(name), stack))
            for side, name in SIDES.items()
        }
        loops["C, sleeps"] = client(stack, program)
        loops["C, tries"] = client(stack, program, "spin")
        times: dict[str, list[float]] = {side: [] for side in loops}
        order = list(loops)
        for _ in range(rounds):
            for side in order:
                times[side].append(loops[side](REQUESTS) / REQUESTS * 1e6)
            order.reverse()
    print(f"{'':12}{'median':>10}{'minimum':>10}  µs; faster than the standard library")
    theirs = times["stdlib"]
    for side, ours in times.items():
        ratios = f"{median(theirs) / median(ours):.2f}, {min(theirs) / min(ours):.2f}"
        print(f"{side:12}{median(ours):10.1f}{min(ours):10.1f}  {ratios}")


if __name__ == "__main__":
    main()
