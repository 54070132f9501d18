"""Runs the tests of one module in this process, and reports each of them on a descriptor.

Started by ``runner.py`` as a script of its own, so that no module of the runner or of pytest is
in the process. Reads its job from standard input and writes one JSON object a line to the
descriptor that the job names:

``loaded``    every test of the module, and what the module runs on
``start``     a test begins; when no ``result`` follows, this process died in it
``result``    its outcome: ok, skip or fail, and why
``finished``  all tests of the job have run, and what they left behind
"""

import faulthandler
import gc
import importlib
import json
import os
import sys
import traceback
import types
import unittest
from collections.abc import Callable, Iterator
from typing import Any

# Resources of CPython's test suite that stay on this machine: everything but the network.
LOCAL_RESOURCES = ("cpu", "largefile", "walltime")


class Report(unittest.TestResult):
    """Turns what unittest says into one outcome for each test, sent when the test is over."""

    def __init__(self, emit: Callable[..., None], limit: float) -> None:
        super().__init__()
        self.emit, self.limit = emit, limit
        self.current: str | None = None
        self.outcome: str | None = None
        self.details: list[str] = []
        self.fixtures: list[tuple[str, str, str]] = []

    def startTest(self, test: unittest.TestCase) -> None:  # noqa: N802
        super().startTest(test)
        self.current, self.outcome, self.details = test.id(), "ok", []
        self.emit(event="start", test=self.current)
        # Works in a thread without Python, so also when the test never lets go of the
        # interpreter lock. The traceback of every thread goes to standard error.
        faulthandler.dump_traceback_later(self.limit, exit=True)

    def stopTest(self, test: unittest.TestCase) -> None:  # noqa: N802
        faulthandler.cancel_dump_traceback_later()
        self.emit(
            event="result", test=self.current, outcome=self.outcome, detail="\n".join(self.details)
        )
        self.current = None
        super().stopTest(test)

    def note(self, test: Any, outcome: str, detail: str) -> None:
        if self.current is None and isinstance(test, unittest.TestCase):
            # Python 3.12.1 has no startTest before the skip of a class.
            self.current, self.outcome, self.details = test.id(), "ok", []
        if self.current is None:  # setUpClass, tearDownModule and the like
            self.fixtures.append((test.id(), outcome, detail))
            return
        if self.outcome != "fail":
            self.outcome = outcome
        self.details.append(detail)

    def failed(self, test: Any, error: Any) -> None:
        self.note(test, "fail", "".join(traceback.format_exception(*error)))

    def addError(self, test: Any, err: Any) -> None:  # noqa: N802
        self.failed(test, err)

    def addFailure(self, test: Any, err: Any) -> None:  # noqa: N802
        self.failed(test, err)

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:  # noqa: N802
        if err is not None:
            self.failed(test, err)

    def addSkip(self, test: Any, reason: Any) -> None:  # noqa: N802
        self.note(test, "skip", reason)

    def addUnexpectedSuccess(self, test: Any) -> None:  # noqa: N802
        self.note(test, "fail", "unexpected success")

    def unraisable(self, hook_args: Any) -> None:
        """Count an exception that a finaliser lost, which no test would see."""
        error = (hook_args.exc_type, hook_args.exc_value, hook_args.exc_traceback)
        text = "".join(traceback.format_exception(*error))
        detail = f"{hook_args.err_msg or 'Exception ignored in'}: {hook_args.object!r}\n{text}"
        if self.current is None:
            self.fixtures.append(("exception outside of a test", "fail", detail))
        else:
            self.outcome = "fail"
            self.details.append(detail)

    def close(self, tests: list[str]) -> None:
        """Report the tests that never started because a fixture of theirs failed or skipped."""
        for name, outcome, detail in self.fixtures:
            # unittest names a fixture "setUpClass (module.Class)".
            step, _, scope = name.rstrip(")").partition(" (")
            waiting = [t for t in tests if t.startswith(f"{scope}.")]
            for test in waiting if step.startswith("setUp") else [f"{scope or name}.{step}"]:
                self.emit(event="result", test=test, outcome=outcome, detail=f"{name}: {detail}")


class Sockets:
    """Counts the sockets of this run by the audit event of their creation."""

    def __init__(self, wanted: Any, avoided: Any) -> None:
        self.wanted, self.avoided = wanted, avoided
        self.made = 0
        self.foreign: list[str] = []
        sys.addaudithook(self)

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if event != "socket.__new__":
            return
        if isinstance(args[0], self.wanted):
            self.made += 1
        if isinstance(args[0], self.avoided) and len(self.foreign) < 3:
            self.foreign.append("".join(traceback.format_stack(sys._getframe(1), limit=3)))


def private_half(oxisock: types.ModuleType) -> Any:
    """Build what ``import _socket`` gives: the names of the private module, from oxisock.

    The tests hold the public module against its private half (``SocketType`` is
    ``_socket.socket``, the enumerations have the constants of ``_socket``), so both have to come
    from the same side. Constants are plain integers there.
    """
    half: Any = types.ModuleType("_socket")
    # `dir` leaves out the names of numbers for which the standard library has another name.
    for name in {*dir(oxisock), *oxisock.MsgFlag.__members__}:
        if not name.startswith("_"):
            value = getattr(oxisock, name)
            if isinstance(value, int) and not isinstance(value, bool):
                value = int(value)
            setattr(half, name, value)
    half.socket = oxisock.SocketType
    return half


def holders(foreign: list[Any]) -> list[str]:
    """Name the modules that have one of the `foreign` objects among their globals."""
    # `ssl` works on the layout of the standard class, and the private half of the standard
    # library is where the standard module has its names from.
    allowed = {"ssl", "_ssl", "socket", "_socket", "oxisock", __name__}
    found = []
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in allowed or not isinstance(module, types.ModuleType):
            continue
        for key, value in list(vars(module).items()):
            if any(value is one for one in foreign):
                found.append(f"{name}.{key}")
    return sorted(found)


def flatten(suite: Any) -> Iterator[Any]:
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flatten(test)
        else:
            yield test


def main() -> None:
    job = json.load(sys.stdin)
    pipe = os.fdopen(job["descriptor"], "w", buffering=1)
    # Children of the tests have no business with the report.
    os.set_inheritable(job["descriptor"], False)

    def emit(**event: Any) -> None:
        pipe.write(json.dumps(event) + "\n")

    faulthandler.enable()
    faulthandler.dump_traceback_later(job["limit"], exit=True)
    import _socket
    import socket

    foreign: list[Any] = []
    avoided: Any = ()
    if job["side"] == "oxisock":
        import oxisock

        foreign, avoided = [socket, socket.socket, _socket, _socket.socket], _socket.socket
        oxisock.install()
        import socket

        if socket is not oxisock:
            raise RuntimeError("install() left the standard module in place")
        sys.modules["_socket"] = private_half(oxisock)
    sockets = Sockets(socket.SocketType, avoided)

    from test import support  # type: ignore[import-not-found]

    support.use_resources = LOCAL_RESOURCES
    module = importlib.import_module(job["module"])
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    tests = {test.id(): test for test in flatten(suite)}
    emit(
        event="loaded",
        tests=list(tests),
        source=module.__file__,
        python=sys.version.split()[0],
        runs_on=socket.__file__,
        strays=holders(foreign),
    )
    faulthandler.cancel_dump_traceback_later()

    wanted = list(tests) if job["tests"] is None else [t for t in job["tests"] if t in tests]
    # Nearly every test of CPython's collects garbage, more than once. What was there before the
    # first one is none, and need not be searched each time: that takes most of the whole run.
    gc.collect()
    gc.freeze()
    report = Report(emit, job["limit"])
    sys.unraisablehook = report.unraisable
    unittest.TestSuite([tests[name] for name in wanted]).run(report)
    report.close(wanted)
    emit(
        event="finished",
        sockets=sockets.made,
        foreign=sockets.foreign,
        strays=holders(foreign),
        altered=bool(support.environment_altered),
    )
    pipe.close()
    # A thread that nobody ends would keep the process for ever.
    faulthandler.dump_traceback_later(job["limit"], exit=True)


if __name__ == "__main__":
    main()
