"""``oxisock report``: runs a program and tells what it has done with its sockets."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
from importlib import import_module
from time import perf_counter_ns
from typing import TYPE_CHECKING

import oxisock

from . import _run
from ._recorder import Recorder
from ._summary import summary, text

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from types import ModuleType
    from typing import Any

    Data = dict[str, Any]

SETTINGS = "OXISOCK_REPORT"
"""The environment variable that tells the interpreters which a program starts to watch, too."""


class Session:
    """A program that is watched, with the interpreters that it starts.

    Args:
        folder: where each process leaves what it has seen.
        standard: whether the standard library is watched.
    """

    def __init__(self, folder: str, standard: bool) -> None:
        self.folder = folder
        self.standard = standard
        self.recorder = Recorder(standard)
        self._exit = os._exit
        self._process = os.getpid()

    def start(self) -> None:
        """Watch this process and those that it forks."""
        self.recorder.start(watched_module(self.standard))
        os.register_at_fork(after_in_child=self._after_fork)
        # Forked processes end by this one, without what atexit has.
        os._exit = self._leave  # type: ignore[assignment]

    def _after_fork(self) -> None:
        self.recorder.after_fork()

    def _leave(self, status: int) -> None:
        if os.getpid() != self._process:
            self.write()
        self._exit(status)

    def write(self) -> None:
        """Leave what this process has seen for the one that reports."""
        data = self.recorder.data()
        if not data["operations"] and not data["open"]:
            return
        try:
            with open(os.path.join(self.folder, f"{os.getpid()}.json"), "w") as file:
                json.dump(data, file)
        except OSError:
            pass  # the reporting process has gone

    def total(self) -> Data:
        """Put together what all processes have seen."""
        parts = [self.recorder.data()]
        for name in sorted(os.listdir(self.folder)):
            if name != f"{os.getpid()}.json":
                try:
                    with open(os.path.join(self.folder, name)) as file:
                        parts.append(json.load(file))
                except (OSError, ValueError):
                    continue  # still being written
        return summary(parts, self.standard)


def watched_module(standard: bool) -> ModuleType:
    """Return the module that programs get as ``socket``, put in its place if it is oxisock."""
    if standard:
        return import_module("socket")
    oxisock.install()
    return oxisock


def start_child(settings: str) -> None:
    """Watch an interpreter that was started by a program that is watched."""
    mode, _, folder = settings.partition(":")
    session = Session(folder, mode == "standard")
    atexit.register(session.write)
    session.start()


def describe(parser: ArgumentParser, command: str, description: str) -> None:
    """Give a parser what the commands have in common that run a program and watch it."""
    parser.description = description
    _run.describe_program(parser)
    parser.add_argument(
        "--standard",
        action="store_true",
        help=f"{command} the standard library instead of replacing it by oxisock",
    )


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the command to a parser."""
    describe(
        parser,
        "watch",
        "Run a program and tell at its end what it has done with sockets, how long it waited for "
        "the network and for the interpreter lock, and what oxisock saves. The report goes to the "
        "standard error stream.",
    )
    parser.add_argument(
        "--every",
        type=_seconds,
        metavar="SECONDS",
        help="report in between as well (SIGUSR1 does it once)",
    )
    parser.add_argument("--json", metavar="FILE", help="write the report as JSON ('-': to stdout)")
    parser.add_argument("--plot", metavar="FILE", help="draw the report (svg, png or pdf)")


def _seconds(value: str) -> float:
    from argparse import ArgumentTypeError

    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e9:
        raise ArgumentTypeError(f"must be a number of seconds above 0, not {value!r}")
    return seconds


def program_of(options: Namespace) -> list[str]:
    """Return the program and its arguments as ``oxisock run`` takes them."""
    if options.module is not None:
        return ["-m", *options.module]
    if options.command_text is not None:
        return ["-c", *options.command_text]
    return list(options.program)


def main(options: Namespace) -> int:
    """Run the program and report. Returns its exit status, or 2 for a wrong command line."""
    program = program_of(options)
    draw: Any = None
    if options.plot:
        try:
            draw = import_module("oxisock_bench.program_plot").draw
        except ModuleNotFoundError as exc:
            if (exc.name or "").partition(".")[0] not in ("oxisock_bench", "matplotlib"):
                raise
            return _refused("--plot needs matplotlib: pip install 'oxisock[bench]'")
    for file in (options.json, options.plot):
        if file and file != "-" and not os.access(os.path.dirname(file) or ".", os.W_OK):
            return _refused(f"cannot write {file}: no such folder, or no permission")
    mine = os.getpid()
    folder = tempfile.mkdtemp(prefix="oxisock-report-")
    session = Session(folder, options.standard)
    name = next((word for word in program if not word.startswith("-")), "-")
    name = "-c" if program[:1] == ["-c"] else name
    started = False

    def show(total: Data) -> None:
        width = shutil.get_terminal_size().columns
        if options.json != "-":
            sys.stderr.write(text(total, name, max(40, width)))
            sys.stderr.flush()

    def now() -> None:
        show(session.total())

    def prepare() -> None:
        nonlocal started
        os.environ[SETTINGS] = f"{'standard' if options.standard else 'oxisock'}:{folder}"
        _run.reach_children(True)
        session.start()
        if options.every:
            threading.Thread(target=_repeat, args=(now, options.every), daemon=True).start()
        if hasattr(signal, "SIGUSR1") and signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL:
            signal.signal(signal.SIGUSR1, lambda *_: now())
        started = True
        session.recorder.began = perf_counter_ns()

    def finish() -> None:
        if os.getpid() != mine:
            session.write()
            return
        try:
            if not started:
                return
            total = session.total()
            show(total)
            if options.json == "-":
                json.dump(total, sys.stdout, indent=1)
                print(flush=True)
            elif options.json:
                with open(options.json, "w") as file:
                    json.dump(total, file, indent=1)
            if draw:
                draw(options.plot, total)
        except (BrokenPipeError, KeyboardInterrupt):
            pass
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    # The first that is registered is the last to run.
    atexit.register(finish)
    return _run.start(program, "report", prepare)


def _refused(reason: str) -> int:
    print(f"oxisock report: {reason}", file=sys.stderr)
    return 2


def _repeat(show: Any, seconds: float) -> None:
    wait = threading.Event().wait
    while not wait(seconds):
        show()
