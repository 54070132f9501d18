"""Runs CPython's own socket tests on oxisock, with the standard library as the reference.

    python -m tests.cpython.runner [-v] [-k PATTERN]

``test.test_socket`` is taken from the interpreter at hand as it is; nothing of it is in this
repository. It runs twice, each time in processes of its own: on the standard library, and with
``socket`` answered by oxisock. A test that the standard library passes on this machine has to pass
on oxisock. One that the standard library fails or skips here says nothing about oxisock.

A difference that is meant stands in ``expectations.toml`` with its reason. An entry that is no
longer true fails the run as well.

What the two runs found is settled by a second look: a test that makes a difference runs again,
alone in a new process, before it counts.
"""

import argparse
import fnmatch
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
EXPECTATIONS = HERE / "expectations.toml"
SUITE = "test.test_socket"
# The longest test of the suite takes three seconds on an idle machine.
LIMIT = 30.0
# Where every test hangs, it ends all the same.
DEADLINE = 900.0
# Accidents come one at a time. Where more than this many tests differ, something is broken.
SECOND_LOOKS = 40


@dataclass(frozen=True)
class Result:
    """The outcome of one test: ok, skip, fail, hang (over the limit) or crash (process gone)."""

    outcome: str
    detail: str = ""


@dataclass
class Run:
    """One side's results and what its processes said about themselves."""

    side: str
    results: dict[str, Result] = field(default_factory=dict)
    tests: list[str] = field(default_factory=list)
    source: str = ""
    python: str = ""
    runs_on: str = ""
    sockets: int = 0
    altered: bool = False
    # Statements about the run as a whole, each a reason not to trust it.
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def outcome(self, test: str) -> str:
        """Return the outcome of `test`, or "missing"."""
        result = self.results.get(test)
        return result.outcome if result else "missing"


class SuiteMissingError(Exception):
    """The interpreter comes without the test module, as Debian's does."""


class Runner:
    """Runs tests of `module` on one side in worker processes, as many as it takes."""

    def __init__(
        self,
        side: str,
        module: str = SUITE,
        limit: float = LIMIT,
        deadline: float = DEADLINE,
        path: Path | None = None,
    ) -> None:
        self.module, self.limit = module, limit
        self.end = time.monotonic() + deadline
        self.path = path
        self.run = Run(side)

    def all(self, pattern: str | None = None) -> Run:
        """Run the tests whose name contains or matches `pattern`, or all of them."""
        began = time.monotonic()
        if not self.run.tests:
            self._worker([])
        wanted = [test for test in self.run.tests if selected(test, pattern)]
        self._until_done(wanted)
        self.run.seconds = time.monotonic() - began
        return self.run

    def alone(self, test: str) -> Result:
        """Run one test again in a process of its own and return its result."""
        return self._worker([test]).get(test, Result("missing", "not in the module"))

    def _until_done(self, waiting: list[str]) -> None:
        while waiting:
            if time.monotonic() > self.end:
                self.run.problems.append(f"{len(waiting)} tests had no time left to run")
                break
            found = self._worker(waiting)
            self.run.results.update(found)
            left = [test for test in waiting if test not in found]
            if len(left) == len(waiting):
                self.run.problems.append("a worker ended without a result")
                break
            waiting = left

    def _worker(self, tests: list[str]) -> dict[str, Result]:
        """Start a worker on `tests`; return the results that it reached before it ended."""
        with (
            tempfile.TemporaryDirectory(prefix="sock-") as folder,
            tempfile.TemporaryFile("w+", errors="replace") as output,
        ):
            reader, writer = os.pipe()
            job = {
                "side": self.run.side,
                "module": self.module,
                "tests": tests,
                "limit": self.limit,
                "descriptor": writer,
            }
            process = subprocess.Popen(
                [sys.executable, "-P", HERE / "worker.py"],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=self._environment(folder),
                pass_fds=(writer,),
                start_new_session=True,
                text=True,
            )
            os.close(writer)
            try:
                assert process.stdin is not None
                process.stdin.write(json.dumps(job))
                process.stdin.close()
                running, found, finished = self._listen(reader)
                # The worker ends itself soon after; see there.
                ended = self._wait(process)
            finally:
                os.close(reader)
                end_group(process)
            output.seek(0)
            said = output.read()[-6000:]
        if "No module named '" + self.module in said and not self.run.tests:
            raise SuiteMissingError(f"{sys.executable} comes without {self.module}")
        how = describe(ended)
        if running:
            hung = ended is None or "Timeout (" in said
            text = f"no end after {self.limit:g} s" if hung else how
            found[running] = Result("hang" if hung else "crash", f"{text}\n{said}")
        elif not finished:
            self.run.problems.append(f"a worker stopped between two tests: {how}\n{said}")
        elif ended != 0:
            self.run.problems.append(f"a worker did not leave well: {how}\n{said}")
        return found

    def _environment(self, folder: str) -> dict[str, str]:
        environment = {**os.environ, "TMPDIR": folder, "PYTHONDONTWRITEBYTECODE": "1"}
        # Debugging switches of the caller would change what the tests see.
        for name in ("PYTHONWARNINGS", "PYTHONPATH", "PYTHONASYNCIODEBUG", "PYTHONDEVMODE"):
            environment.pop(name, None)
        if self.path:
            environment["PYTHONPATH"] = str(self.path)
        return environment

    def _listen(self, reader: int) -> tuple[str | None, dict[str, Result], bool]:
        """Read reports until the worker closes its end, or says nothing for too long."""
        running: str | None = None
        found: dict[str, Result] = {}
        finished, rest = False, b""
        with selectors.DefaultSelector() as selector:
            selector.register(reader, selectors.EVENT_READ)
            # The worker keeps the limit itself; this is for one that cannot any more.
            while selector.select(self.limit + 15):
                chunk = os.read(reader, 1 << 16)
                if not chunk:
                    break
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    event = json.loads(line)
                    match event.pop("event"):
                        case "loaded":
                            self._loaded(**event)
                        case "start":
                            running = event["test"]
                        case "result":
                            running = None
                            found[event["test"]] = Result(event["outcome"], event["detail"])
                        case "finished":
                            finished = True
                            self._finished(**event)
        return running, found, finished

    def _wait(self, process: subprocess.Popen[str]) -> int | None:
        try:
            return process.wait(self.limit + 15)
        except subprocess.TimeoutExpired:
            return None

    def _loaded(
        self, tests: list[str], source: str, python: str, runs_on: str, strays: list[str]
    ) -> None:
        run = self.run
        run.tests, run.source, run.python, run.runs_on = tests, source, python, runs_on
        self._strays(strays)

    def _finished(self, sockets: int, foreign: list[str], strays: list[str], altered: bool) -> None:
        self.run.sockets += sockets
        self.run.altered |= altered
        self._strays(strays)
        for place in foreign:
            self._problem(f"a socket of the standard library was made at\n{place}")

    def _strays(self, strays: list[str]) -> None:
        if strays:
            self._problem("modules that kept the standard library: " + ", ".join(strays))

    def _problem(self, text: str) -> None:
        if text not in self.run.problems:
            self.run.problems.append(text)


def selected(test: str, pattern: str | None) -> bool:
    """Whether `test` is one of those that `-k pattern` names."""
    if not pattern:
        return True
    return pattern in test or fnmatch.fnmatchcase(test, pattern)


def describe(code: int | None) -> str:
    """Say how a process ended."""
    if code is None:
        return "it had to be killed"
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit status {code}"


def end_group(process: subprocess.Popen[str]) -> None:
    """End the worker and whatever its tests started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


@dataclass(frozen=True)
class Expectation:
    """One difference that is meant: the test, the interpreters that have it, and why."""

    test: str
    reason: str
    python: tuple[str, ...] = ()

    def applies(self, version: str) -> bool:
        """Whether the entry speaks about this interpreter, given as "3.13"."""
        return not self.python or version in self.python


def load_expectations(path: Path = EXPECTATIONS) -> list[Expectation]:
    """Read the expectations file; ValueError if an entry is not complete."""
    with open(path, "rb") as file:
        content = tomllib.load(file)
    if unknown := set(content) - {"expected"}:
        raise ValueError(f"{path}: unknown tables {sorted(unknown)}")
    entries = []
    for entry in content.get("expected", []):
        if unknown := set(entry) - {"test", "reason", "python"}:
            raise ValueError(f"{path}: unknown keys {sorted(unknown)} in {entry}")
        if not entry.get("test") or len(entry.get("reason", "")) < 20:
            raise ValueError(f"{path}: an entry needs a test and a real reason: {entry}")
        versions = tuple(entry.get("python", ()))
        if not all(v.startswith("3.") and v[2:].isdigit() for v in versions):
            raise ValueError(f'{path}: versions are written "3.13": {entry}')
        entries.append(Expectation(entry["test"], entry["reason"], versions))
    names = Counter((e.test, v) for e in entries for v in e.python or ("*",))
    if twice := [name for name, count in names.items() if count > 1]:
        raise ValueError(f"{path}: named twice: {twice}")
    return entries


@dataclass
class Comparison:
    """What the two runs say together."""

    standard: Run
    ours: Run
    # Test to (outcome on the standard library, result on oxisock).
    differences: dict[str, tuple[str, Result]] = field(default_factory=dict)
    expected: dict[str, str] = field(default_factory=dict)
    stale: list[str] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """Reasons not to believe this comparison, whatever the tests say."""
        found = list(self.ours.problems)
        if self.ours.altered and not self.standard.altered:
            found.append("the tests left threads or processes behind, only on oxisock")
        if self.ours.tests != self.standard.tests:
            odd = set(self.ours.tests) ^ set(self.standard.tests)
            found.append(f"the module has other tests on oxisock: {sorted(odd)}")
        if not self.ours.sockets and self.standard.sockets:
            found.append("no socket of oxisock was made: the tests ran on something else")
        if any("time left" in text for text in self.standard.problems):
            found.append("the run on the standard library took too long")
        if "ok" not in {result.outcome for result in self.standard.results.values()}:
            found.append("no test passes on the standard library, so nothing was compared")
        return found

    @property
    def passed(self) -> bool:
        """Whether oxisock is where it has to be."""
        return not (self.differences or self.stale or self.problems)

    def report(self, verbose: bool = False) -> str:
        """Describe the comparison for people, differences first."""
        parts = []
        for test, (there, here) in self.differences.items():
            detail = here.detail if verbose else "\n".join(here.detail.splitlines()[-6:])
            parts.append(f"{test}\n  standard library: {there}, oxisock: {here.outcome}")
            parts.append(indent(detail))
        parts += [f"stale expectation: {text}" for text in self.stale]
        parts += [f"problem: {text}" for text in self.problems]
        if verbose:
            parts += [f"expected: {test}: {why}" for test, why in self.expected.items()]
            parts += [f"passed when run again alone: {test}" for test in self.settled]
            parts += [
                f"not ours: {test} ({result.outcome})"
                for test, result in self.standard.results.items()
                if result.outcome not in {"ok", "skip"}
            ]
        parts.append(self.summary())
        return "\n".join(parts)

    def summary(self) -> str:
        """Return one paragraph with the counts of both sides."""
        lines = [f"{self.ours.source} ({self.ours.python})"]
        for run in (self.standard, self.ours):
            counts = Counter(result.outcome for result in run.results.values())
            text = ", ".join(f"{counts[key]} {key}" for key in sorted(counts))
            lines.append(f"{run.side}: {text} in {run.seconds:.0f} s, {run.sockets} sockets")
        lines.append(
            f"{len(self.differences)} differences, {len(self.expected)} expected, "
            f"{len(self.stale)} stale expectations, {len(self.problems)} problems"
        )
        return "\n".join(lines)


def indent(text: str) -> str:
    """Set `text` four columns to the right."""
    return "".join(f"    {line}\n" for line in text.splitlines())


def compare(
    standard: Run, ours: Run, expectations: list[Expectation], selection: str | None = None
) -> Comparison:
    """Hold the two runs against each other without running anything."""
    comparison = Comparison(standard, ours)
    version = ".".join(ours.python.split(".")[:2])
    excuses = {
        e.test: e for e in expectations if e.applies(version) and selected(e.test, selection)
    }
    for test in [*standard.tests, *(t for t in ours.results if t not in standard.tests)]:
        here = ours.results.get(test, Result("missing", "oxisock's run has no result for it"))
        # A fixture that only failed on oxisock has no name in the other run.
        there = standard.outcome(test) if test in standard.tests else "ok"
        if there != "ok" or here.outcome == "ok" or not selected(test, selection):
            continue
        if test in excuses:
            comparison.expected[test] = excuses[test].reason
        else:
            comparison.differences[test] = there, here
    for test in excuses:
        if test not in ours.tests:
            comparison.stale.append(f"{test}: there is no such test in Python {version}")
        elif ours.outcome(test) == "ok":
            comparison.stale.append(f"{test}: passes")
    return comparison


def run(
    pattern: str | None = None,
    module: str = SUITE,
    limit: float = LIMIT,
    deadline: float = DEADLINE,
    path: Path | None = None,
    expectations: list[Expectation] | None = None,
) -> Comparison:
    """Run both sides at once, settle what differs, and compare.

    Raises SuiteMissingError when the interpreter has no such module.
    """
    if expectations is None:
        expectations = load_expectations()
    there, here = (Runner(side, module, limit, deadline, path) for side in ("standard", "oxisock"))
    failed: list[Exception] = []

    def standard_side() -> None:
        try:
            there.all(pattern)
        except Exception as error:  # handed to the caller's thread
            failed.append(error)

    # The tests mostly wait, so the two runs hardly disturb each other, and what they disturb
    # is settled below.
    thread = threading.Thread(target=standard_side)
    thread.start()
    try:
        here.all(pattern)
    finally:
        thread.join()
    if failed:
        raise failed[0]
    settled = settle(there, here, {e.test for e in expectations})
    comparison = compare(there.run, here.run, expectations, pattern)
    comparison.settled = settled
    return comparison


def settle(there: Runner, here: Runner, excused: set[str]) -> list[str]:
    """Run again, alone, what failed on oxisock; return the tests that then passed."""
    settled: list[str] = []
    odd = [
        test
        for test, result in here.run.results.items()
        if result.outcome != "ok" and there.run.outcome(test) != "skip"
        if test not in excused and test in here.run.tests
    ]
    if len(odd) > SECOND_LOOKS:
        return settled
    for test in odd:
        before = there.run.outcome(test)
        # A test that failed on both sides could owe that to the two runs
        # meeting, at a fixed port for example.
        if before != "ok":
            there.run.results[test] = there.alone(test)
        if there.run.outcome(test) != "ok" or time.monotonic() > here.end:
            continue
        again = here.alone(test)
        if again.outcome == "ok":
            settled.append(test)
        here.run.results[test] = again
    return settled


def main(arguments: list[str] | None = None) -> int:
    """Run by hand; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.cpython.runner", description="Run CPython's socket tests on oxisock."
    )
    parser.add_argument("-k", dest="pattern", help="only tests whose name contains or matches this")
    parser.add_argument("-v", dest="verbose", action="store_true", help="whole tracebacks")
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds for one test")
    chosen = parser.parse_args(arguments)
    try:
        comparison = run(chosen.pattern, limit=chosen.limit)
    except SuiteMissingError as error:
        print(error, file=sys.stderr)
        return 2
    print(comparison.report(chosen.verbose))
    return 0 if comparison.passed else 1


if __name__ == "__main__":
    sys.exit(main())
