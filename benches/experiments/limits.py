"""Measure how much faster than the standard library a socket module can be at all.

Beside the two modules and the baseline, the script measures the least that an extension module for
CPython can do: `bare.c`, which it compiles, makes the system call and a Python object of its
result, and nothing else. What that does not reach, no module can.

    python benches/experiments/limits.py [--rounds N] [--sizes BYTES,...]

With a result file of the benchmark it says instead what the geometric mean would be if oxisock
needed no more than the baseline, in every row that has one:

    python benches/experiments/limits.py --load results.json

Needs a C compiler and the interpreter's headers.
"""

import argparse
import gc
import importlib.util
import json
import shlex
import socket
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import geometric_mean
from typing import Any

import oxisock
from oxisock_bench.row import Loop, Setup, loop_of
from oxisock_bench.setups import tcp, udp, unix
from oxisock_bench.syscalls import loop_of as baseline_of

CALLS = 500
"""Operations in a round: short, so that some rounds are not disturbed."""


def build_bare() -> Any:
    """Compile bare.c for this interpreter, and import it."""
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder, "bare" + sysconfig.get_config_var("EXT_SUFFIX"))
        compiler = shlex.split(sysconfig.get_config_var("CC") or "cc")
        include = sysconfig.get_path("include")
        source = Path(__file__).with_name("bare.c")
        options = ["-O3", "-shared", "-fPIC", f"-I{include}"]
        subprocess.run([*compiler, *options, source, "-o", library], check=True)
        spec = importlib.util.spec_from_file_location("bare", library)
        # The file exists and is an extension module: the finder has a loader for it.
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


def loops_of(
    stack: ExitStack, bare: Any, setup: Callable[[int], Setup], size: int, asked: int
) -> dict[str, Loop]:
    """Make the timed loop of each side for one send and one recv of that size."""
    names = setup(size)(socket, stack)
    ends = {name: bare.Bare(names[name].fileno()) for name in "ab"}
    exact = asked == size
    receive = "recv_exact" if exact else "recv"
    return {
        "stdlib": loop_of(f"a.send(data); b.recv({asked})", setup(size)(socket, stack)),
        "oxisock": loop_of(f"a.send(data); b.recv({asked})", setup(size)(oxisock, stack)),
        "bare": loop_of(f"a.send(data); b.{receive}({asked})", {**names, **ends}),
        "baseline": baseline_of(f"send a {size}; recv b {size}", setup(size)(socket, stack)),
    }


def measure(loops: dict[str, Loop], rounds: int) -> dict[str, float]:
    """Measure the fastest round of each side, in microseconds per operation, in turning order."""
    best = dict.fromkeys(loops, float("inf"))
    turns = list(loops)
    for _ in range(rounds):
        for name in turns:
            best[name] = min(best[name], loops[name](CALLS) / CALLS * 1e6)
        turns.append(turns.pop(0))
    return best


def compare(rounds: int, sizes: list[int]) -> None:
    """Print a line per transport and size."""
    bare = build_bare()
    gc.disable()
    print("µs for send + recv; *faster* is the standard library's time divided by the other's,")
    print("*above* the same of what each adds to the baseline")
    print(f"{'':20}{'':40}{'oxisock':>16}{'bare':>16}")
    columns = "".join(f"{name:>10}" for name in ("stdlib", "oxisock", "bare", "baseline"))
    print(f"{'send':14}{'recv':>6}{columns}" + f"{'faster':>8}{'above':>8}" * 2)
    for setup in (unix, udp, tcp):
        for size in sizes:
            for asked in sorted({size, max(size, 4096)}):
                with ExitStack() as stack:
                    times = measure(loops_of(stack, bare, setup, size, asked), rounds)
                stdlib, baseline = times["stdlib"], times["baseline"]
                line = f"{setup.__name__:6}{size:8}{asked:6}"
                line += "".join(f"{time:10.2f}" for time in times.values())
                for name in ("oxisock", "bare"):
                    line += f"{stdlib / times[name]:8.2f}"
                    line += f"{(stdlib - baseline) / max(times[name] - baseline, 1e-3):8.1f}"
                print(line, flush=True)


def bound(path: str) -> None:
    """Print what the geometric mean is, and what it would be at the baseline."""
    # As the benchmark's own mean: without the rows beside a CPU-bound thread, and without those
    # that leave the baseline out of their ratio.
    rows = [
        row
        for row in json.loads(Path(path).read_text())["rows"]
        if row["ratio"] and not row["name"].startswith(("busy.", "above."))
    ]
    with_baseline = [row for row in rows if "baseline" in row["times"]]
    at_baseline = [row["times"]["stdlib"] / row["times"]["baseline"] for row in with_baseline]
    reached = geometric_mean(row["ratio"] for row in with_baseline)
    print(f"all {len(rows)} rows: {geometric_mean(row['ratio'] for row in rows):.2f}")
    print(f"the {len(with_baseline)} rows that have a baseline: {reached:.2f}")
    print(f"the same at the baseline: {geometric_mean(at_baseline):.2f}")


def main() -> None:
    """Compare with a bare extension, or say what the baseline allows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument(
        "--sizes",
        type=lambda text: [int(part) for part in text.split(",")],
        default=[64, 1024, 4096, 16384],
    )
    parser.add_argument("--load", metavar="FILE", help="a result file of the benchmark")
    args = parser.parse_args()
    if args.load:
        bound(args.load)
    else:
        compare(args.rounds, args.sizes)


if __name__ == "__main__":
    main()
