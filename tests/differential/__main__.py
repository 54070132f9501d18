"""Goes on trying calls and programs at random, whatever fails on the way.

    python -m tests.differential --calls 1000000
    python -m tests.differential --programs 100000

Each round is a process of its own with a seed of its own, so that a crash or a hang is one line of
the report; `python -m tests.differential --round SEED --examples N [--only NAME]` repeats it. A
line of JSON tells how many there were after each round; the exit status is 1 if any failed.
"""

import argparse
import collections
import faulthandler
import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

from tests.differential import test_programs, trial

# One round may take so many seconds, and one kind of call in it.
ROUND, KIND = 1800, 600


def one_round(options: argparse.Namespace) -> None:
    """Make the calls of a round; a line of JSON for each kind that failed, and the count."""
    # They are the standard library's, of what it leaves open, and those that programs are made of.
    warnings.simplefilter("ignore")
    sys.unraisablehook = lambda _: None
    made = 0
    searches: dict[str, Any] = {"programs": test_programs.search}
    if not options.programs:
        searches = {
            name: lambda *given, calls=calls: trial.search(calls, *given)
            for name, calls in trial.TRIALS.items()
        }
    with tempfile.TemporaryDirectory(prefix="d") as folder:
        place = trial.make_place(Path(folder))
        for name, search in searches.items():
            if options.only and options.only != name:
                continue
            faulthandler.dump_traceback_later(KIND, exit=True)
            print(json.dumps({"begins": name}), flush=True)
            try:
                how = trial.tries(options.examples, repeatable=False)
                made += search(place, how, options.round)
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                # As many as there were before it failed are not known.
                failed = {"failed": name, "seed": options.round, "error": repr(error)[:3000]}
                print(json.dumps(failed), flush=True)
    print(json.dumps({"made": made}), flush=True)


def main() -> int:
    """Run rounds until there were enough calls or programs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=0, help="how many calls to try")
    parser.add_argument("--programs", type=int, default=0, help="how many programs to try")
    parser.add_argument("--seed", type=int, default=0, help="of the first round")
    parser.add_argument("--examples", type=int, default=100, help="of each kind in a round")
    parser.add_argument("--seconds", type=float, default=1e9, help="begin no round after that time")
    parser.add_argument("--only", help="this kind of call alone")
    parser.add_argument("--round", type=int, help="the round with this seed, in this process")
    options = parser.parse_args()
    if options.round is not None:
        one_round(options)
        return 0
    wanted, made, failures = options.programs or options.calls, 0, 0
    began, seed = time.monotonic(), options.seed
    while made < wanted and time.monotonic() - began < options.seconds:
        command = [sys.executable, "-m", "tests.differential", "--round", str(seed)]
        command += ["--examples", str(options.examples), "--programs", str(options.programs)]
        command += ["--only", options.only] if options.only else []
        last: collections.deque[str] = collections.deque(maxlen=1)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                told = json.loads(line)
                if "failed" in told:
                    failures += 1
                    print(line, end="", flush=True)
                made += told.get("made", 0)
                last.append(line)
            status = process.wait(ROUND)
        if status or "made" not in json.loads((last or ["{}"])[0]):
            failures += 1
            crash = {"crashed": last and last[0], "seed": seed, "status": status}
            print(json.dumps(crash, default=str), flush=True)
        seconds = round(time.monotonic() - began)
        done = {"seed": seed, "tried": made, "failures": failures, "seconds": seconds}
        print(json.dumps(done), flush=True)
        seed += 1
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
