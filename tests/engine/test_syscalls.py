"""System calls per operation, counted with strace: a call more is a regression that no clock shows.

All operations run in one traced interpreter. Each is done once unseen, so that lazy imports and
first uses are over, and then REPEAT times between two marks: writes to descriptor -1 that nothing
else does.
"""

import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.helpers.process import needs_strace, system_call

REPEAT = 4

MEMORY = {"brk", "mmap", "munmap", "mremap", "madvise", "mprotect"}
"""Calls that the allocator makes now and then, whatever the operation."""
LOCKS = {"sched_yield"} if sysconfig.get_config_var("Py_GIL_DISABLED") else set()
"""Calls of the interpreter's locks: ``close`` of a file meets its own one in ``flush``, in 3.13."""

PROGRAM = """
import importlib, os, sys, time
socket = importlib.import_module(sys.argv[1])
keep = []

def mark(text):
    try:
        os.write(-1, text.encode())
    except OSError:
        pass

def pair(timeout, kind="stream"):
    if kind == "udp":
        a, b = socket.socket(type=socket.SOCK_DGRAM), socket.socket(type=socket.SOCK_DGRAM)
        a.bind(("127.0.0.1", 0))
        b.bind(("127.0.0.1", 0))
        a.connect(b.getsockname())
        b.connect(a.getsockname())
    else:
        a, b = socket.socketpair()
    a.settimeout(timeout)
    for _ in range(2 * ROUNDS):
        b.send(bytes(64))
    keep.extend([a, b])
    return a, b

def listener(timeout):
    l = socket.socket(socket.AF_UNIX)
    l.bind("")
    l.listen(2 * ROUNDS)
    l.settimeout(timeout)
    clients = [socket.socket(socket.AF_UNIX) for _ in range(ROUNDS)]
    keep.extend([l, *clients])
    return l, clients

def connected_listener(timeout):
    l, clients = listener(timeout)
    for c in clients:
        c.connect(l.getsockname())
    return l

# Another process answers: a thread of this one would fight for the interpreter lock.
def answered_late(timeout):
    a, b = socket.socketpair()
    if os.fork() == 0:
        a.close()
        try:
            while os.read(b.fileno(), 1):
                time.sleep(0.003)
                os.write(b.fileno(), b"x")
        finally:
            os._exit(0)
    b.close()
    a.settimeout(timeout)
    keep.append(a)
    return a

for name, unseen, setup, operation in CASES:
    ROUNDS = unseen + REPEAT
    names = dict(globals())
    code = compile(operation, name, "exec")
    try:
        exec(setup, names)
        for _ in range(unseen):
            exec(code, names)
        mark("begin " + name)
        for _ in range(REPEAT):
            exec(code, names)
        mark("end " + name)
    except Exception as error:
        print(name, repr(error), file=sys.stderr)
"""


@dataclass(frozen=True)
class Case:
    """An operation and the most system calls that one of it may make."""

    name: str
    setup: str
    operation: str
    calls: int
    unseen: int = 1


def transfers() -> Iterator[Any]:
    """Every way of moving data, ready at once, in the three modes: one call."""
    for mode, timeout in [("blocking", None), ("timeout", 5.0), ("nonblocking", 0.0)]:
        for name, operation in [
            ("recv", "a.recv(64)"),
            ("recv-large", "a.recv(1 << 20)"),
            ("recv_into", "a.recv_into(buffer)"),
            ("recvfrom", "a.recvfrom(64)"),
            ("recvfrom_into", "a.recvfrom_into(buffer)"),
            ("recvmsg", "a.recvmsg(64)"),
            ("recvmsg_into", "a.recvmsg_into([buffer])"),
            ("send", "a.send(buffer)"),
            ("sendall", "a.sendall(buffer)"),
            ("sendmsg", "a.sendmsg([buffer])"),
        ]:
            # Only datagrams stay apart when more is asked for than one of them holds.
            kind = "udp" if name == "recv-large" else "stream"
            setup = f"a, b = pair({timeout}, {kind!r}); buffer = bytearray(64)"
            yield Case(f"{name}.{mode}", setup, operation, 1)
        setup = f"a, b = pair({timeout}, 'udp'); address = b.getsockname()"
        yield Case(f"recvfrom.udp.{mode}", setup, "a.recvfrom(64)", 1)
        yield Case(f"send.udp.{mode}", setup, "a.send(b'x')", 1)
        setup = (
            "a, b = [socket.socket(type=socket.SOCK_DGRAM) for _ in 'ab'];"
            f"b.bind(('127.0.0.1', 0)); a.settimeout({timeout}); address = b.getsockname()"
        )
        yield Case(f"sendto.udp.{mode}", setup, "a.sendto(b'x', address)", 1)


CASES = [
    *transfers(),
    Case("accept", "l = connected_listener(None)", "keep.append(l.accept())", 1),
    Case("accept.timeout", "l = connected_listener(5.0)", "keep.append(l.accept())", 2),
    Case("accept.nonblocking", "l = connected_listener(0.0)", "keep.append(l.accept())", 2),
    Case("connect", "l, clients = listener(None)", "clients.pop().connect(l.getsockname())", 2),
    Case(
        "create_connection",
        "l = socket.create_server(('127.0.0.1', 0)); address = l.getsockname()",
        "keep.append(socket.create_connection(address))",
        2,
    ),
    Case(
        "create_connection.timeout",
        "l = socket.create_server(('127.0.0.1', 0)); address = l.getsockname()",
        "keep.append(socket.create_connection(address, 5.0))",
        6,
    ),
    Case("socket", "", "keep.append(socket.socket())", 1),
    Case(
        "socket.close", "many = [socket.socket() for _ in range(ROUNDS)]", "many.pop().close()", 1
    ),
    Case("socketpair", "", "keep.append(socket.socketpair())", 1),
    Case(
        "settimeout.same-mode",
        "s = socket.socket(); s.settimeout(3.0)",
        "s.settimeout(1.0); s.settimeout(2.0)",
        0,
    ),
    Case("settimeout.blocking", "s = socket.socket()", "s.settimeout(None)", 0),
    Case("setblocking.same-mode", "s = socket.socket()", "s.setblocking(True)", 0),
    Case(
        "settimeout.other-mode",
        "s = socket.socket()",
        "s.settimeout(1.0); s.settimeout(None)",
        2,
    ),
    Case(
        "attributes",
        "s = socket.socket()",
        "s.family, s.type, s.proto, s.timeout, s.fileno(), s.getblocking()",
        0,
    ),
    Case("getsockopt", "s = socket.socket()", "s.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE)", 1),
    Case("getsockname", "s = socket.socket()", "s.getsockname()", 1),
    Case("makefile", "a, b = pair(5.0)", "a.makefile('rb').close()", 0),
    Case(
        "makefile.read.timeout",
        "a, b = pair(5.0, 'udp'); f = a.makefile('rb', 64)",
        "f.read(64)",
        1,
    ),
    Case("getaddrinfo.numeric", "", "socket.getaddrinfo('127.0.0.1', 80)", 0),
    Case("getaddrinfo.numeric6", "", "socket.getaddrinfo('::1', 80, type=1)", 0),
    Case("getaddrinfo.passive", "", "socket.getaddrinfo(None, 80, 2, 1, 0, socket.AI_PASSIVE)", 0),
    Case("gethostbyname.numeric", "", "socket.gethostbyname('127.0.0.1')", 0),
]

LATE = Case(
    "recv.late",
    "a = answered_late(5.0)",
    "a.send(b'x'); a.recv(64)",
    calls=1000,
    # Enough waits for the socket to have learnt that its data comes late.
    unseen=40,
)


@pytest.fixture(scope="module")
def strace() -> str:
    return needs_strace()


def trace(strace: Any, tmp_path_factory: Any, module: Any, cases: Any) -> Any:
    """Run the cases on a module; give for each the lines of strace between its marks."""
    rows = [(case.name, case.unseen, case.setup, case.operation) for case in cases]
    program = f"REPEAT = {REPEAT}\nCASES = {rows!r}\n{PROGRAM}"
    output = tmp_path_factory.mktemp("strace") / "output"
    command = [strace, "-f", "-qq", "-e", "signal=none", "-o", output, sys.executable, "-c"]
    result = subprocess.run([*command, program, module], capture_output=True, text=True)
    failures = result.stderr.strip()
    assert result.returncode == 0, failures

    found: dict[str, Any] = {"failures": failures}
    name: Any = None
    thread: Any = None
    lines: list[str] = []
    for line in output.read_text(errors="replace").splitlines():
        match = re.match(r"(\d+) +(\w+)\((.*)", line)
        if not match:
            continue
        caller, call, rest = match[1], system_call(match[2]), match[3]
        mark = re.match(r'-1, "(begin|end) ([^"]*)"', rest) if call == "write" else None
        if mark:
            if mark[1] == "begin":
                name, thread, lines = mark[2], caller, []
            else:
                found[name], name = lines, None
        elif name and caller == thread and call not in MEMORY | LOCKS:
            lines.append(f"{call}({rest}")
    return found


@pytest.fixture(scope="module")
def traced(strace: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What strace saw of every case on oxisock."""
    return trace(strace, tmp_path_factory, "oxisock", [*CASES, LATE])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_operation_makes_no_call_too_many(traced: Any, case: Any) -> None:
    assert case.name in traced, traced["failures"]
    assert len(traced[case.name]) <= case.calls * REPEAT, "\n".join(traced[case.name])
    if case.calls:
        assert len(traced[case.name]) >= REPEAT, "the operation did not reach the system"


def test_data_that_comes_late_does_not_cost_a_failed_try_each_time(traced: Any) -> None:
    receives = [line for line in traced[LATE.name] if line.startswith("recv")]
    # One after each wait; now and then a socket may try whether things have changed.
    assert REPEAT <= len(receives) <= REPEAT * 1.5, "\n".join(traced[LATE.name])


def test_harness_sees_what_the_standard_library_does(
    strace: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Known counts, so that a harness that misses calls is noticed."""
    expected = {
        "recv.blocking": ["recvfrom"],
        "recv.timeout": ["poll", "recvfrom"],
        "send.timeout": ["poll", "sendto"],
        "recvmsg.timeout": ["poll", "recvmsg"],
        "accept.timeout": ["poll", "accept4", "getsockname", "ioctl"],
        "settimeout.same-mode": ["ioctl", "ioctl"],
        "attributes": [],
    }
    cases = [case for case in CASES if case.name in expected]
    found = trace(strace, tmp_path_factory, "socket", cases)
    assert not found.pop("failures")
    names = {name: [line.partition("(")[0] for line in lines] for name, lines in found.items()}
    assert names == {name: calls * REPEAT for name, calls in expected.items()}
