"""The interpreter's end, while daemon threads are in the middle of something.

Before 3.14 the interpreter ends such a thread by unwinding its stack when it takes the
lock again, which must not happen to native frames. It is a matter of chance what each
thread is at just then, so each program runs several times, and more often with
``OXISOCK_SHUTDOWN_RUNS=200``.
"""

import os
import subprocess
import sys
from contextlib import ExitStack

import pytest

RUNS = int(os.environ.get("OXISOCK_SHUTDOWN_RUNS", "4"))
TOGETHER = 4

COMMON = """
import sys, threading, time
import oxisock as socket

class Index(int):
    def __index__(self):
        return sum([1] * 50)

class Slow(socket.socket):
    def recv_into(self, buffer, *args):
        sum(range(50))
        return super().recv_into(buffer, *args)

def pair(cls=socket.socket):
    ours, peer = socket.socketpair()
    ours = cls(fileno=ours.detach())

    def feed():
        while True:
            peer.sendall(b"line\\n" * 20)

    threading.Thread(target=feed, daemon=True).start()
    return ours

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
        sock.recv_into(bytearray(100), Index())
        sock.getsockopt(Index(), socket.SO_TYPE)
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
