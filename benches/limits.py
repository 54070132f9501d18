"""How much faster than the standard library can a socket module be at all?

Beside the two modules and the floor, the script measures the least that an extension module for
CPython can do: `bare.c`, which it compiles, makes the system call and a Python object of its
result, and nothing else. What that does not reach, no module can.

    python benches/limits.py [--rounds N] [--sizes BYTES,...]

With a result file of the suite it says instead what the geometric mean would be if oxisock needed
no more than the floor, in every row that has one:

    python benches/limits.py --load results.json

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
from contextlib import ExitStack
from pathlib import Path
from statistics import geometric_mean

import oxisock
from oxisock._bench.floors import loop_of as floor_of
from oxisock._bench.row import loop_of
from oxisock._bench.setups import tcp, udp, unix

CALLS = 500
"""Operations in a round: short, so that some rounds are not disturbed."""


def build_bare():
    """Compile bare.c for this interpreter, and import it."""
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder, "bare" + sysconfig.get_config_var("EXT_SUFFIX"))
        compiler = shlex.split(sysconfig.get_config_var("CC") or "cc")
        include = sysconfig.get_path("include")
        source = Path(__file__).with_name("bare.c")
        options = ["-O3", "-shared", "-fPIC", f"-I{include}"]
        subprocess.run([*compiler, *options, source, "-o", library], check=True)
        spec = importlib.util.spec_from_file_location("bare", library)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


def loops_of(stack, bare, setup, size, asked):
    """Make the timed loop of each side for one send and one recv of that size."""
    names = setup(size)(socket, stack)
    ends = {name: bare.Bare(names[name].fileno()) for name in "ab"}
    exact = asked == size
    receive = "recv_exact" if exact else "recv"
    return {
        "stdlib": loop_of(f"a.send(data); b.recv({asked})", setup(size)(socket, stack)),
        "oxisock": loop_of(f"a.send(data); b.recv({asked})", setup(size)(oxisock, stack)),
        "bare": loop_of(f"a.send(data); b.{receive}({asked})", {**names, **ends}),
        "floor": floor_of(f"send a {size}; recv b {size}", setup(size)(socket, stack)),
    }


def measure(loops, rounds):
    """The fastest round of each side, in microseconds per operation, in turning order."""
    best = dict.fromkeys(loops, float("inf"))
    turns = list(loops)
    for _ in range(rounds):
        for name in turns:
            best[name] = min(best[name], loops[name](CALLS) / CALLS * 1e6)
        turns.append(turns.pop(0))
    return best


def compare(rounds, sizes):
    """Print a line per transport and size."""
    bare = build_bare()
    gc.disable()
    print("µs for send + recv; *faster* is the standard library's time divided by the other's,")
    print("*above* the same of what each adds to the floor")
    print(f"{'':20}{'':40}{'oxisock':>16}{'bare':>16}")
    columns = "".join(f"{name:>10}" for name in ("stdlib", "oxisock", "bare", "floor"))
    print(f"{'send':14}{'recv':>6}{columns}" + f"{'faster':>8}{'above':>8}" * 2)
    for setup in (unix, udp, tcp):
        for size in sizes:
            for asked in sorted({size, max(size, 4096)}):
                with ExitStack() as stack:
                    times = measure(loops_of(stack, bare, setup, size, asked), rounds)
                stdlib, floor = times["stdlib"], times["floor"]
                line = f"{setup.__name__:6}{size:8}{asked:6}"
                line += "".join(f"{time:10.2f}" for time in times.values())
                for name in ("oxisock", "bare"):
                    line += f"{stdlib / times[name]:8.2f}"
                    line += f"{(stdlib - floor) / max(times[name] - floor, 1e-3):8.1f}"
                print(line, flush=True)


def bound(path):
    """Print what the geometric mean is, and what it would be at the floor."""
    # As the suite's own mean: without the rows beside a CPU-bound thread, and without those
    # that leave the floor out of their ratio.
    rows = [
        row
        for row in json.loads(Path(path).read_text())["rows"]
        if row["ratio"] and not row["name"].startswith(("busy.", "above."))
    ]
    with_floor = [row for row in rows if "floor" in row["times"]]
    at_floor = [row["times"]["stdlib"] / row["times"]["floor"] for row in with_floor]
    reached = geometric_mean(row["ratio"] for row in with_floor)
    print(f"all {len(rows)} rows: {geometric_mean(row['ratio'] for row in rows):.2f}")
    print(f"the {len(with_floor)} rows that have a floor: {reached:.2f}")
    print(f"the same at the floor: {geometric_mean(at_floor):.2f}")


def main():
    """Compare with a bare extension, or say what the floor allows."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument(
        "--sizes",
        type=lambda text: [int(part) for part in text.split(",")],
        default=[64, 1024, 4096, 16384],
    )
    parser.add_argument("--load", metavar="FILE", help="a result file of the suite")
    args = parser.parse_args()
    if args.load:
        bound(args.load)
    else:
        compare(args.rounds, args.sizes)


if __name__ == "__main__":
    main()
