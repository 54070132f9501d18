"""The interpreter's end, while daemon threads are in the middle of something.

Before 3.14 the interpreter ends such a thread by unwinding its stack when it takes the
lock again, which must not happen to native frames. It is a matter of chance what each
thread is at just then, so each program runs several times, and more often with
``OXISOCK_SHUTDOWN_RUNS=200``.
"""

import os
import re
import subprocess
import sys
import sysconfig
from contextlib import ExitStack

import pytest

from tests.helpers.silent_dns import run_without_answers

RUNS = int(os.environ.get("OXISOCK_SHUTDOWN_RUNS", "4"))
TOGETHER = 4

COMMON = """
import sys, threading, time
import oxisock as socket

class Index:
    def __init__(self, value):
        self.value = value

    def __index__(self):
        sum([1] * 50)
        return self.value

class Slow(socket.socket):
    def recv_into(self, buffer, *args):
        sum(range(50))
        # Not by super(), see below.
        return socket.socket.recv_into(self, buffer, *args)

def pair(cls=socket.socket):
    ours, peer = socket.socketpair()
    ours = cls(fileno=ours.detach())

    def feed():
        while True:
            peer.sendall(b"line\\n" * 20)

    threading.Thread(target=feed, daemon=True).start()
    return ours

# A free-threaded interpreter may never end if a thread waits for the lock of its types just then,
# without sockets, too. So what makes classes, such as a first use, comes before.
for end in socket.socketpair():
    end.makefile("r").close()
    end.close()
socket.AF_UNIX, socket.SOL_SOCKET, socket.SO_TYPE

def start(work, count=4):
    for _ in range(count):
        threading.Thread(target=work, daemon=True).start()
    time.sleep(0.05)
"""

PROGRAMS = {
    "text lines": """
sock = pair()
def work():
    file = sock.makefile("r")
    while True:
        file.readline()
start(work)
""",
    "text iteration": """
sock = pair()
start(lambda: [None for line in sock.makefile("r")])
""",
    "one binary file": """
file = pair().makefile("rb")
start(lambda: [None for line in file])
""",
    "a socket in Python": """
sock = pair(Slow)
start(lambda: [None for line in sock.makefile("rb")])
""",
    "conversions": """
sock = pair()
def work():
    while True:
        sock.recv_into(bytearray(100), Index(50))
        sock.getsockopt(Index(socket.SOL_SOCKET), socket.SO_TYPE)
start(work)
""",
    "audit hooks": """
def hook(event, args):
    if event.startswith("socket"):
        sum(range(50))
sys.addaudithook(hook)
def work():
    while True:
        socket.socket(socket.AF_UNIX).close()
start(work)
""",
    "ends of objects": """
sock = pair()
class Buffer(bytearray):
    def __del__(self):
        sum(range(50))
def work():
    while True:
        sock.recv_into(Buffer(10))
        sock.recvmsg_into([Buffer(10) for _ in range(3)])
start(work)
""",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_daemon_threads_end_with_the_interpreter(name: str) -> None:
    for done in range(0, RUNS, TOGETHER):
        with ExitStack() as stack:
            command = [sys.executable, "-c", COMMON + PROGRAMS[name]]
            runs = [
                stack.enter_context(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
                for _ in range(min(TOGETHER, RUNS - done))
            ]
            for run in runs:
                stack.callback(run.kill)
            for run in runs:
                _, errors = run.communicate(timeout=100)
                assert run.returncode == 0, (run.returncode, errors)
                assert "panicked" not in errors
                assert "not rethrown" not in errors


# -- the same end as with the standard library -----------------------------------------------------

WAITERS = {
    "recv": "a.recv(1)",
    "recv with a timeout": "a.settimeout(60) or a.recv(1)",
    "recv_into": "a.recv_into(bytearray(1))",
    "recvfrom": "udp.recvfrom(1)",
    "recvmsg": "a.recvmsg(1, 100)",
    "accept": "server.accept()",
    "accept with a timeout": "server.settimeout(60) or server.accept()",
    "connect": "client.connect(path)",
    "sendall": "a.sendall(bytes(1 << 24))",
    "sendall with a timeout": "a.settimeout(60) or a.sendall(bytes(1 << 24))",
    "sendmsg": "[a.sendmsg([bytes(1 << 16)]) for _ in range(1000)]",
    "sendfile": "a.sendfile(file)",
    "a file": "a.makefile('rb').readline()",
    "a raw file": "a.makefile('rb', 0).read(1)",
    "a text file": "a.makefile('r').readline()",
    "select": "select.select([a], [], [])",
    "a selector": "selector.select()",
    "sockets made and closed": "[s.socketpair() and s.socket().close() for _ in range(10 ** 6)]",
}
ENDS = {
    "the end": "",
    "sys.exit": "sys.exit(3)",
    "an exception": "raise SystemError('that was it')",
    "Ctrl-C": "os.kill(os.getpid(), 2); time.sleep(10)",
}
ENDING = """
import importlib, os, selectors, sys, tempfile, threading, time
import atexit, select
s = importlib.import_module(sys.argv[1])
if s.__name__ == "oxisock":
    from oxisock import select, selectors
a, b = s.socketpair()
udp = s.socket(type=s.SOCK_DGRAM)
udp.bind(("127.0.0.1", 0))
server = s.create_server(("127.0.0.1", 0))
path = "\\0" + str(os.getpid())
full, guest, client = (s.socket(s.AF_UNIX) for _ in range(3))
full.bind(path); full.listen(0); guest.connect(path)
file = tempfile.TemporaryFile()
file.truncate(1 << 24)
selector = selectors.DefaultSelector()
selector.register(a, 1)

atexit.register(lambda: print("at exit", a.fileno() > 0, s.gethostbyname("127.0.0.1")))

def work():
    {call}

for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.1)
{end}
"""


def ended(module: str, program: str, *options: str) -> tuple[int, str, str]:
    """How a program on the module ended: exit status, output, messages."""
    command = [sys.executable, *options, "-c", program, module]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("name", WAITERS)
def test_waiting_threads_change_nothing_of_the_end(name: str) -> None:
    """Exit status, output and messages are those of the standard library."""
    if name == "sockets made and closed" and sysconfig.get_config_var("Py_GIL_DISABLED"):
        pytest.skip("the standard library's program may hang there for ever")
    # Each way of ending meets every fourth.
    end = [*ENDS.values()][[*WAITERS].index(name) % len(ENDS)]
    program = ENDING.format(call=WAITERS[name], end=end)
    expected = ended("socket", program)
    assert "at exit True" in expected[1]
    assert ended("oxisock", program) == expected


def test_open_sockets_are_named_at_the_end() -> None:
    """In the development mode, as the standard library does it."""
    program = """
import importlib, sys
s = importlib.import_module(sys.argv[1])
one = s.socket(s.AF_UNIX)
class Has:
    two = s.socket(s.AF_INET, s.SOCK_DGRAM)
file = s.socketpair()[0].makefile("rb")
"""
    answers = []
    for module in ("socket", "oxisock"):
        status, printed, messages = ended(module, program, "-X", "dev", "-W", "always")
        lines = [line for line in messages.splitlines() if "unclosed" in line]
        pattern = r"^.*?(unclosed <)\w+\.(socket).*(family=\d+, type=\d+).*"
        kinds = [re.sub(pattern, r"\1\2 \3", line) for line in lines]
        answers.append((status, printed, sorted(kinds)))
    assert answers[0] == answers[1]
    assert len(answers[0][2]) >= 2


def test_lookups_under_way_change_nothing_of_the_end() -> None:
    """A name server that never answers keeps nobody."""
    program = """
import socket as standard
import subprocess, sys, textwrap, time
code = textwrap.dedent('''
    import importlib, sys, threading, time
    s = importlib.import_module(sys.argv[1])
    for call in (lambda: s.getaddrinfo("a.example.org", 80),
                 lambda: s.gethostbyname("b.example.org"),
                 lambda: s.create_connection(("c.example.org", 80))):
        threading.Thread(target=call, daemon=True).start()
    time.sleep(0.3)
    print("over", flush=True)
    sys.exit(4)
''')
for module in ("socket", "oxisock"):
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code, module], capture_output=True, text=True)
    print(done.returncode, repr(done.stdout), repr(done.stderr), time.monotonic() - began < 20)
"""
    expected, answer = run_without_answers(program).splitlines()
    assert answer == expected
    assert expected == r"4 'over\n' '' True"
