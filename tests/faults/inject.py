"""Has each system call of an operation fail once, with each errno of its man page.

    python -m tests.faults.inject [SCENARIO ...]

prints a line of JSON for each fault. Every fault happens in a child of its own, which strace has
taken before the operation begins: nothing else of the process is counted, and the next child knows
nothing of it.
"""

import argparse
import errno
import json
import os
import re
import select
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from tests.faults.scenarios import SCENARIOS, Scenario
from tests.helpers.process import system_call

# The errors of each call, as its man page has them, without those that need arguments that we
# never give. `close` is not here: when strace makes it fail, the descriptor is not closed, and
# Linux closes it whatever it says.
ERRORS: dict[str, str] = {
    "accept4": "EAGAIN ECONNABORTED EINTR EINVAL EMFILE ENFILE ENOBUFS ENOMEM EPERM EPROTO ENOSYS",
    "bind": "EACCES EADDRINUSE EINVAL EADDRNOTAVAIL ELOOP ENAMETOOLONG ENOENT ENOMEM ENOTDIR EROFS",
    "clone3": "EAGAIN ENOMEM",
    "connect": "EACCES EPERM EADDRINUSE EADDRNOTAVAIL ECONNREFUSED EINTR ENETUNREACH ETIMEDOUT",
    "dup": "EMFILE ENOMEM",
    "epoll_create1": "EMFILE ENFILE ENOMEM",
    "epoll_ctl": "ENOMEM ENOSPC EPERM",
    "epoll_wait": "EINTR EFAULT",
    "eventfd2": "EMFILE ENFILE ENOMEM ENODEV",
    "fcntl": "EINVAL EPERM EMFILE",
    "fstat": "ENOMEM EIO",
    "getpeername": "ENOBUFS ENOTCONN",
    "getsockname": "ENOBUFS",
    "getsockopt": "ENOPROTOOPT ENOMEM",
    "ioctl": "ENOTTY EINVAL",
    "listen": "EADDRINUSE EOPNOTSUPP",
    "openat": "EACCES EMFILE ENFILE ENOENT ENOMEM",
    "pipe2": "EMFILE ENFILE",
    "poll": "EINTR EINVAL ENOMEM",
    "ppoll": "EINTR EINVAL ENOMEM",
    "recvfrom": "EAGAIN ECONNREFUSED ECONNRESET EINTR ENOMEM ENOTCONN",
    "recvmmsg": "EAGAIN ECONNREFUSED EINTR ENOMEM ENOSYS",
    "recvmsg": "EAGAIN ECONNREFUSED ECONNRESET EINTR ENOMEM",
    "sendfile": "EAGAIN EINVAL EIO ENOMEM EOVERFLOW EPIPE",
    "sendmmsg": "EAGAIN ECONNRESET EINTR EMSGSIZE ENOBUFS ENOMEM EPIPE ENOSYS",
    "sendmsg": "EAGAIN ECONNRESET EINTR EMSGSIZE ENOBUFS ENOMEM EPIPE EACCES",
    "sendto": "EAGAIN ECONNRESET EINTR EMSGSIZE ENOBUFS ENOMEM EPIPE EACCES",
    "setsockopt": "ENOPROTOOPT EINVAL ENOMEM EPERM",
    "shutdown": "ENOTCONN EINVAL",
    "socket": "EACCES EAFNOSUPPORT EINVAL EMFILE ENFILE ENOBUFS ENOMEM EPROTONOSUPPORT",
    "socketpair": "EAFNOSUPPORT EMFILE ENFILE EOPNOTSUPP ENOMEM",
}
# The C library's own connection to the kernel: it aborts the process, whoever asked.
NOT_OURS = {("interfaces", "recvmsg")}
SECONDS = 20


def descriptors(pid: int) -> int:
    """How many descriptors a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def perform(scenario: Scenario) -> str:
    """Run the operation; how it ended."""
    made: list[Any] = []
    try:
        scenario.operation(scenario.state, made.append)
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, type(error).__name__)
    except Exception as error:
        return type(error).__name__
    finally:
        for thing in made:
            thing.close()
    return "done"


def child(scenario: Scenario, go: int, answer: int) -> NoReturn:
    """Wait until somebody traces, perform, report, and end when that is read."""
    status = 1
    try:
        os.write(answer, b".")
        os.read(go, 1)
        os.write(answer, perform(scenario).encode())
        os.read(go, 1)
        status = 0 if scenario.is_usable() else 3
    finally:
        os._exit(status)


def traced(scenario: Scenario, *options: str) -> tuple[dict[str, Any], str]:
    """Perform the scenario in a child under strace; its report and what strace wrote."""
    go, answer = os.pipe(), os.pipe()
    pid = os.fork()
    if not pid:
        os.close(go[1])
        child(scenario, go[0], answer[1])
    os.close(go[0])
    os.close(answer[1])
    os.read(answer[0], 1)
    with tempfile.NamedTemporaryFile("r") as log:
        command = ["strace", "-f", "-qq", "-o", log.name, *options, "-p", str(pid)]
        tracer = subprocess.Popen(command)
        end = time.monotonic() + SECONDS
        while "TracerPid:\t0\n" in Path(f"/proc/{pid}/status").read_text():
            if tracer.poll() is not None or time.monotonic() > end:
                os.kill(pid, signal.SIGKILL)
                raise SystemExit("strace may not trace here")
            time.sleep(0.001)
        before = descriptors(pid)
        os.write(go[1], b"x")
        ready, _, _ = select.select([answer[0]], [], [], SECONDS)
        text = os.read(answer[0], 100) if ready else b"hang"
        report: dict[str, Any] = {"outcome": text.decode() or "crash"}
        if text and ready:
            report["leaked"] = descriptors(pid) - before
        elif not ready:
            os.kill(pid, signal.SIGKILL)
        os.close(go[1])
        os.close(answer[0])
        report["status"] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        tracer.wait(SECONDS)
        # Up to the report.
        return report, log.read().partition(f" write({answer[1]}, ")[0]


def calls(log: str) -> Counter[str]:
    """How often each system call was made."""
    return Counter(re.findall(r"^\d+ +(\w+)\(", log, re.M))


def faults(name: str) -> Iterator[dict[str, Any]]:
    """Have every system call of a scenario fail, each time that it is made, with each error."""
    scenario = Scenario(name)
    with scenario:
        perform(scenario)  # lazy imports and first uses are over
    with scenario:
        report, log = traced(scenario)
    assert report == {"outcome": "done", "leaked": 0, "status": 0}, report
    for call, count in calls(log).items():
        if (name, call) in NOT_OURS:
            continue
        for error in ERRORS.get(system_call(call), "").split():
            for turn in range(1, count + 1):
                with scenario:
                    report, _ = traced(scenario, f"-einject={call}:error={error}:when={turn}")
                yield {"scenario": name, "call": call, "error": error, "turn": turn, **report}


def main() -> None:
    """Print what came of each fault."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scenario", nargs="*", default=list(SCENARIOS))
    for name in parser.parse_args().scenario:
        for report in faults(name):
            print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
