"""Has each system call of an operation fail once, with each errno of its man page.

    python -m tests.faults.inject [SCENARIO ...]

prints a line of JSON for each fault; with `--share 3` it tries a third of the errors of each call,
others in each scenario, and `--seen` prints which system calls all scenarios make. Every fault
happens in a child of its own, which strace has taken before the operation begins: nothing else of
the process is counted, and the next child knows nothing of it.
"""

import argparse
import contextlib
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
from typing import Any, NoReturn, Self

from tests.faults.scenarios import SCENARIOS, Keep, Scenario, State
from tests.helpers.process import system_call

# The errors of each call, as its man page has them, without those that need arguments that we
# never give.
ERRORS: dict[str, str] = {
    "accept4": "EAGAIN ECONNABORTED EINTR EINVAL EMFILE ENFILE ENOBUFS ENOMEM EPERM EPROTO ENOSYS",
    "clone3": "EAGAIN ENOMEM",
    "close": "EINTR EIO ENOSPC EDQUOT",
    "bind": "EACCES EADDRINUSE EINVAL EADDRNOTAVAIL ELOOP ENAMETOOLONG ENOENT ENOMEM ENOTDIR EROFS",
    "connect": "EACCES EPERM EADDRINUSE EADDRNOTAVAIL ECONNREFUSED EINTR ENETUNREACH ETIMEDOUT",
    "epoll_create1": "EMFILE ENFILE ENOMEM",
    "epoll_ctl": "ENOMEM ENOSPC EPERM",
    "epoll_wait": "EINTR EFAULT",
    "fcntl": "EINVAL EPERM EMFILE",
    "getpeername": "ENOBUFS ENOTCONN",
    "getsockname": "ENOBUFS",
    "getsockopt": "ENOPROTOOPT ENOMEM",
    "ioctl": "ENOTTY EINVAL",
    "listen": "EADDRINUSE EOPNOTSUPP",
    "newfstatat": "ENOMEM EIO",
    "openat": "EACCES EMFILE ENFILE ENOENT ENOMEM",
    "pipe2": "EMFILE ENFILE",
    "poll": "EINTR EINVAL ENOMEM",
    "pselect6": "EINTR EINVAL ENOMEM",
    "read": "EINTR EIO",
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
    "write": "EAGAIN EINTR EIO EPIPE",
}
# What other machines call for the same, or a function of the C library does.
ELSEWHERE = {
    "fstat": "newfstatat", "fstatat": "newfstatat", "ppoll": "poll", "epoll_pwait": "epoll_wait",
    "_newselect": "pselect6", "select": "pselect6", "gethostname": "uname", "clone": "clone3",
}  # fmt: skip
LEFT_ALONE = {
    # Nothing that we give them can be refused.
    "clock_gettime", "exit", "getpid", "getrandom", "gettid", "getuid", "lseek", "rseq",
    "rt_sigaction", "rt_sigprocmask", "sched_yield", "set_robust_list", "uname",
    # For memory there is `memory.py`.
    "brk", "futex", "madvise", "mmap", "mprotect", "munmap", "prlimit64",
    # The child is led by them.
    "readv", "writev",
}  # fmt: skip
NOT_OURS = {
    # The C library's own connection to the kernel: it aborts the process, whoever asked.
    ("interfaces", "recvmsg"), ("machine", "recvmsg"),
    # Without the hosts file it asks the network.
    ("look_up", "read"), ("connect_to_a_name", "read"),
}  # fmt: skip
SECONDS = 20
MOMENT = 0.2


def descriptors(pid: int) -> int:
    """How many descriptors a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def leaked(pid: int, before: int) -> int:
    """How many it has more; a lookup that nobody waits for may have some for a moment."""
    end = time.monotonic() + MOMENT
    while (more := descriptors(pid) - before) and time.monotonic() < end:
        time.sleep(0.01)
    return more


def perform(scenario: Scenario) -> str:
    """Run the operation; how it ended."""
    try:
        with contextlib.ExitStack() as kept:
            scenario.operation(scenario.state, lambda thing: kept.callback(thing.close))
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, type(error).__name__)
    except Exception as error:
        return type(error).__name__
    return "done"


def child(scenario: Scenario, go: int, answer: int) -> NoReturn:
    """Wait until somebody traces, perform, report, and end when that is read."""
    status = 1
    try:
        # By calls that no scenario makes.
        os.writev(answer, [b"."])
        os.readv(go, [bytearray(1)])
        os.writev(answer, [perform(scenario).encode()])
        os.readv(go, [bytearray(1)])
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
            report["leaked"] = leaked(pid, before)
        elif not ready:
            os.kill(pid, signal.SIGKILL)
        os.close(go[1])
        os.close(answer[0])
        report["status"] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        tracer.wait(SECONDS)
        # Up to the report.
        return report, log.read().partition(f" writev({answer[1]}, ")[0]


def calls(log: str) -> Counter[str]:
    """How often each system call was made, by the thread that made it most often.

    It is for each thread that strace counts: the same turn of another one fails with it.
    """
    most = Counter[str]()
    for (_, call), count in Counter(re.findall(r"^(\d+) +(\w+)\(", log, re.M)).items():
        most[call] = max(most[call], count)
    return most


def listed(call: str) -> str:
    """The name that a system call has in `ERRORS`, whatever it is called here."""
    name = system_call(call)
    return ELSEWHERE.get(name, name)


class Everything(Scenario):
    """All scenarios, one after the other."""

    def __init__(self) -> None:
        self.state = {}
        self.operation = self.run

    def __enter__(self) -> Self:
        return self

    def run(self, state: State, keep: Keep) -> None:
        """Run them, with what each needs beforehand."""
        for name in SCENARIOS:
            with Scenario(name) as scenario:
                assert perform(scenario) == "done", name


def seen() -> Counter[str]:
    """Which system calls the scenarios make."""
    with Everything() as everything:
        perform(everything)
        report, log = traced(everything)
    assert report["outcome"] == "done", report
    return calls(log)


def faults(name: str, share: int = 1) -> Iterator[dict[str, Any]]:
    """Have every system call of a scenario fail, each time that it is made, with each error."""
    place = list(SCENARIOS).index(name)
    scenario = Scenario(name)
    with scenario:
        perform(scenario)  # lazy imports and first uses are over
    with scenario:
        report, log = traced(scenario)
    assert report == {"outcome": "done", "leaked": 0, "status": 0}, report
    for call, count in calls(log).items():
        if (name, call) in NOT_OURS:
            continue
        errors = ERRORS.get(listed(call), "").split()
        for error in errors[place % min(share, len(errors) or 1) :: share]:
            for turn in range(1, count + 1):
                with scenario:
                    report, log = traced(scenario, f"-einject={call}:error={error}:when={turn}")
                if listed(call) == "close":
                    # Linux closes it whatever it says, and strace does not: whatever tried again
                    # would have closed it now, and on Linux what another thread has opened since.
                    report["leaked"] -= log.count("(INJECTED)")
                yield {"scenario": name, "call": call, "error": error, "turn": turn, **report}


def main() -> None:
    """Print what came of each fault."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scenario", nargs="*", default=list(SCENARIOS))
    parser.add_argument("--share", type=int, default=1)
    parser.add_argument("--seen", action="store_true")
    options = parser.parse_args()
    if options.seen:
        print(json.dumps(seen()))
        return
    for name in options.scenario:
        for report in faults(name, options.share):
            print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
