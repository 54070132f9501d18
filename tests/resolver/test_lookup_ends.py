"""Lookups that would not end, and lookups for which there is no thread and little memory."""

import os
import sys
from typing import Any

import pytest

import oxisock
from tests.helpers.process import run_python
from tests.helpers.silent_dns import run_without_answers

LATE = 2.0
"""What a busy machine may add to a time."""

CALLS = [
    "getaddrinfo('host.example', 80)",
    "gethostbyname('host.example')",
    "gethostbyname_ex('host.example')",
    "gethostbyaddr('192.0.2.1')",
    "getnameinfo(('192.0.2.1', 80), oxisock.NI_NAMEREQD)",
    "socket().connect(('host.example', 80))",
    "create_connection(('host.example', 80))",
]

TIMED = """
import gc, os, sys, threading, time
import oxisock

def timed(call):
    start = time.monotonic()
    try:
        value = call()
    except OSError as error:
        value = error
    return time.monotonic() - start, value
"""


@pytest.mark.parametrize("thread", [False, True])
def test_the_timeout_for_all_lookups(thread: bool) -> None:
    """Each function ends, in the main thread and in others."""
    out = run_without_answers(
        TIMED
        + f"""
oxisock.setresolvertimeout(0.2)
calls = {CALLS!r}
def run():
    for call in calls:
        took, error = timed(lambda: eval("oxisock." + call))
        print(call.partition("(")[0], 0.2 <= took < {0.2 + LATE}, type(error).__name__,
              error.args[0] == oxisock.EAI_AGAIN, "timed out" in str(error))
if sys.argv[1] == "True":
    worker = threading.Thread(target=run)
    worker.start()
    worker.join()
else:
    run()
""",
        str(thread),
    )
    expected = [f"{call.partition('(')[0]} True gaierror True True" for call in CALLS]
    assert out.splitlines() == expected


def test_the_environment_sets_it() -> None:
    out = run_without_answers(
        "import os; os.environ['OXISOCK_RESOLVER_TIMEOUT'] = '0.25'"
        + TIMED
        + """
took, error = timed(lambda: oxisock.getaddrinfo("host.example", 80))
print(took >= 0.25, type(error).__name__, oxisock.getresolvertimeout())
"""
    )
    assert out == "True gaierror 0.25\n"


def test_the_earlier_of_two_limits_counts() -> None:
    out = run_without_answers(
        TIMED
        + """
for limit, timeout in (0.2, 5), (5, 0.2), (None, 0.2):
    oxisock.setresolvertimeout(limit)
    for call in (lambda: oxisock.getaddrinfo("host.example", 80, timeout=timeout),
                 lambda: oxisock.create_connection(("host.example", 80), timeout=timeout)):
        took, error = timed(call)
        print(type(error).__name__, 0.2 <= took < 1)
"""
    )
    lines = [f"{name} True" for name in ["gaierror"] * 2 + ["TimeoutError"] * 4]
    assert out.splitlines() == lines


def test_what_needs_no_network_is_not_limited() -> None:
    out = run_without_answers(
        """
import oxisock
oxisock.setresolvertimeout(1e-9)
print(oxisock.getaddrinfo("127.0.0.1", 80)[0][4], oxisock.gethostbyname("localhost"))
"""
    )
    assert out == "('127.0.0.1', 80) 127.0.0.1\n"


def test_given_up_lookups_do_not_pile_up() -> None:
    """Neither threads nor descriptors, and the time that was asked for is kept."""
    out = run_without_answers(
        TIMED
        + """
late = 0
for number in range(300):
    took, error = timed(lambda: oxisock.getaddrinfo(f"host{number}.example", 80, timeout=0.01))
    assert type(error) is TimeoutError, error
    late += took > 0.5
threads = len(os.listdir("/proc/self/task"))
descriptors = len(os.listdir("/proc/self/fd"))
print(threads <= 40, descriptors <= 150, late <= 3, (threads, descriptors, late))
"""
    )
    assert out.startswith("True True True"), out


def test_ctrl_c_ends_a_lookup_that_waits_for_its_turn() -> None:
    out = run_without_answers(
        TIMED
        + """
import signal
for number in range(40):
    timed(lambda: oxisock.getaddrinfo(f"host{number}.example", 80, timeout=0.01))
threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
start = time.monotonic()
try:
    oxisock.getaddrinfo("last.example", 80)
except KeyboardInterrupt:
    print("interrupted", time.monotonic() - start < 1)
"""
    )
    assert out == "interrupted True\n"


def test_a_fork_begins_with_none() -> None:
    out = run_without_answers(
        TIMED
        + """
for number in range(40):
    timed(lambda: oxisock.getaddrinfo(f"host{number}.example", 80, timeout=0.01))
import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
child = os.fork()
if child == 0:
    took, error = timed(lambda: oxisock.getaddrinfo("child.example", 80, timeout=0.05))
    threads = len(os.listdir("/proc/self/task"))
    os._exit(0 if type(error) is TimeoutError and threads == 2 else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    )
    assert out == "0\n"


@pytest.mark.parametrize("timeout", [None, 5])
def test_no_thread_to_be_had(timeout: float | None) -> None:
    """The calling thread does it then, as in the standard library."""
    program = """
import os, resource, sys
import oxisock, oxisock._errors, encodings.idna
oxisock.gaierror
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
try:
    oxisock.getaddrinfo("no-such-host.invalid", 80, timeout=eval(sys.argv[1]))
except oxisock.gaierror:
    print("gaierror")
"""
    assert run_python(program, repr(timeout)).stdout == "gaierror\n"


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS is counted elsewhere in other ways")
def test_little_memory_does_not_abort() -> None:
    """Whatever is missing, the stack of a thread or what runs on it: an exception at most."""
    program = """
import os, resource, sys
import oxisock
from pathlib import Path
oxisock.gaierror

def lookup():
    try:
        oxisock.getaddrinfo("no-such-host.invalid", 80)
    except (oxisock.gaierror, MemoryError):
        return
    os._exit(1)

for kib in range(0, 6144, 192):
    child = os.fork()
    if child == 0:
        os.close(2)
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + kib * 1024,) * 2)
        lookup()
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status == 0, (kib, status)
"""
    run_python(program, timeout=120)


@pytest.mark.parametrize(
    ("timeout", "error"),
    [(0, ValueError), (-1, ValueError), (float("nan"), ValueError), (1e30, OverflowError),
     ("1", TypeError), (2**70, OverflowError)],
)  # fmt: skip
def test_bad_timeouts(timeout: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        oxisock.setresolvertimeout(timeout)
    assert oxisock.getresolvertimeout() is None


@pytest.mark.parametrize("text", ["", "soon", "-1", "0", "nan", "1e99"])
def test_nonsense_in_the_environment_is_no_limit(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "OXISOCK_RESOLVER_TIMEOUT", text)
    assert run_python("import oxisock; print(oxisock.getresolvertimeout())").stdout == "None\n"
