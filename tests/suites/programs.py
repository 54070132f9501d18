"""Runs tests of unittest and of pytest in processes of their own; reads what each came to."""

import json
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.suites.comparison import Outcomes, Run

# `test_x (test.test_ssl.Y.test_x) ... ok`; the outcome is in a later line where the test has a
# docstring, or prints something.
NAME = re.compile(r"\w+ \((\S+?)\)")
OUTCOME = re.compile(r"(?:^|\.\.\. )(ok|FAIL|ERROR|skipped|expected failure|unexpected success)\b")
UNITTEST = "-m", "unittest", "-v"
PLUGIN = Path(__file__).parent / "plugin"


class Place(NamedTuple):
    """Where tests run."""

    python: Path
    directory: Path
    environment: dict[str, str]
    """What is changed of this process's own."""
    timeout: float


def environment_of(place: Place) -> dict[str, str]:
    """The environment of tests: neither proxies nor certificates of this machine."""
    kept = {k: v for k, v in os.environ.items() if not k.upper().endswith(("_PROXY", "_BUNDLE"))}
    return {**kept, **place.environment}


def by_unittest(place: Place, modules: Sequence[str], program: Sequence[str] = UNITTEST) -> Run:
    """Run modules by ``python -m unittest``, or by what a library has in its place."""

    def run(launcher: Sequence[str], only: Sequence[str] | None) -> Outcomes:
        names = modules if only is None else only
        return unittest_outcomes(executed(place, [*launcher, *program, *names]))

    return run


def unittest_outcomes(output: str) -> Outcomes:
    """What ``unittest -v`` tells of each test."""
    found: Outcomes = {}
    test = None
    for line in output.splitlines():
        if name := NAME.match(line):
            test = name[1]
        if test is not None and (outcome := OUTCOME.search(line)):
            found[test], test = outcome[1].lower(), None
    return found


def by_pytest(place: Place, arguments: Sequence[str], scratch: Path) -> Run:
    """Run ``python -m pytest`` with these arguments, and with a plugin that notes the outcomes.

    It notes them one by one: those before a crash count.
    """
    results, names = scratch / "outcomes", scratch / "names"

    def run(launcher: Sequence[str], only: Sequence[str] | None) -> Outcomes:
        results.write_text("")
        names.write_text(json.dumps(only))
        there = place._replace(
            environment={
                **place.environment,
                "PYTHONPATH": str(PLUGIN),
                "SUITES_NAMES": str(names),
                "SUITES_OUTCOMES": str(results),
            }
        )
        command = [*launcher, "-m", "pytest", "-q", "-p", "outcomes", *arguments]
        log = scratch / ("oxisock.log" if launcher else "plain.log")
        log.write_text(executed(there, command))
        found: Outcomes = {}
        for line in results.read_text().splitlines():
            test, outcome = json.loads(line)
            # What went wrong in its setup or at its end stands beside a test that passed.
            if found.get(test, "passed") == "passed":
                found[test] = outcome
        return found

    return run


def executed(place: Place, arguments: Sequence[str]) -> str:
    """Run Python with these arguments, and return all that it prints."""
    try:
        done = subprocess.run(
            [str(place.python), *arguments],
            cwd=place.directory, env=environment_of(place), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=place.timeout, check=False,
            text=True, errors="replace",
        )  # fmt: skip
    except subprocess.TimeoutExpired as expired:
        print(f"  not done after {place.timeout:g} s: {' '.join(arguments)}", flush=True)
        output = expired.output or b""
        return output if isinstance(output, str) else output.decode(errors="replace")
    return done.stdout
