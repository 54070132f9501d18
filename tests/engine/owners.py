"""Takes a socket away from who waits in it, and has its number opened anew at once.

    python -m tests.engine.owners 100000

does so that many times, over all methods that wait, and prints a line of JSON for each: a library
that is preloaded (`owners.c`) sees whose the descriptor is at each system call. `--starved` does it
with two of them, in a thread that hardly ever gets a processor.
"""

import argparse
import contextlib
import ctypes
import errno
import json
import os
import queue
import random
import socket as std
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import oxisock

SMALL = 4608
"""What a socket that is to be full has for its buffer."""

Call = Callable[[Any], Any]
RECEIVING: dict[str, Call] = {
    "recv": lambda s: s.recv(100),
    "recv_into": lambda s: s.recv_into(bytearray(100)),
    "recvfrom": lambda s: s.recvfrom(100),
    "recvfrom_into": lambda s: s.recvfrom_into(bytearray(100)),
    "recvmsg": lambda s: s.recvmsg(100, 100),
    "recvmsg_into": lambda s: s.recvmsg_into([bytearray(10), bytearray(90)]),
    "recv_exactly": lambda s: s.recv_exactly(100),
    "recv_exactly_into": lambda s: s.recv_exactly_into(bytearray(100)),
    "large recv": lambda s: s.recv(1 << 20),
}
# A file keeps its socket open beyond `close`.
READING: dict[str, Call] = {
    "file": lambda s: s.makefile("rb").readline(),
    "raw file": lambda s: s.makefile("rb", buffering=0).read(10),
    "text file": lambda s: s.makefile("r").readline(),
}
BATCHES: dict[str, Call] = {
    "recvfrom_many": lambda s: s.recvfrom_many(4),
    "recvfrom_many_into": lambda s: s.recvfrom_many_into(bytearray(400), 100),
    "recv_many_into": lambda s: s.recv_many_into(bytearray(400), 100),
    "recvmsg_many": lambda s: s.recvmsg_many(4),
    "recv_segments": lambda s: s.recv_segments(1000),
}
SENDING: dict[str, Call] = {
    "send": lambda s: s.send(bytes(1000)),
    "sendall": lambda s: s.sendall(bytes(1 << 20)),
    "sendmsg": lambda s: s.sendmsg([bytes(500), bytes(500)]),
    "sendmsg_all": lambda s: s.sendmsg_all([bytes(1 << 20)]),
    "file written to": lambda s: s.makefile("wb", buffering=0).write(bytes(1 << 20)),
}
FILE = tempfile.TemporaryFile()
FILE.truncate(1 << 20)
# Where the socket refuses, what is left of the file is read and sent: all of it has to be there.
SENDING["sendfile"] = lambda s: FILE.seek(0) or s.sendfile(FILE)
SENDING_BATCHES: dict[str, Call] = {
    "send_many": lambda s: s.send_many([bytes(100)] * 10),
    "one datagram": lambda s: s.send(bytes(100)),
}
ACCEPTING: dict[str, Call] = {"accept": lambda s: s.accept()}
# Where `connect` waits: a queue without room.
FULL = f"\0the owners of process {os.getpid()}"
CONNECTING: dict[str, Call] = {
    "connect": lambda s: s.connect(FULL),
    "connect_ex": lambda s: s.connect_ex(FULL),
}


class Checker:
    """The library; it has to be preloaded."""

    def __init__(self) -> None:
        library = ctypes.CDLL(None)
        self.expect = library.owners_expect
        self.expect.argtypes = [ctypes.c_int, ctypes.c_uint64, ctypes.POINTER(ctypes.c_long)]
        self.expect.restype = None
        self.cookie = library.owners_cookie
        self.cookie.restype = ctypes.c_uint64
        self.checks, self.strangers, self.what = (
            library.owners_checks, library.owners_strangers, library.owners_what,
        )  # fmt: skip
        self.checks.restype = self.strangers.restype = ctypes.c_long
        self.what.restype = ctypes.c_char_p


class Waiter(threading.Thread):
    """A thread that makes calls, one after the other."""

    def __init__(self, checker: Checker, processor: int | None) -> None:
        super().__init__(daemon=True)
        self.checker = checker
        # Where it runs while nobody else wants to.
        self.processor = processor
        self.work: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.results: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.seen = ctypes.c_long()
        self.start()

    def run(self) -> None:
        if self.processor is not None:
            os.sched_setaffinity(0, {self.processor})
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        while work := self.work.get():
            sock, call, number, cookie = work
            self.checker.expect(number, cookie, ctypes.byref(self.seen))
            try:
                result = "done", call(sock)
            except OSError as error:
                result = "raised", error.errno
            except (EOFError, ValueError) as error:
                result = "raised", type(error).__name__
            self.checker.expect(-1, 0, None)
            self.results.put(result)

    def begin(self, sock: Any, call: Call) -> None:
        """Have the call made."""
        self.seen.value = 0
        number = sock.fileno()
        self.work.put((sock, call, number, self.checker.cookie(number)))


def ends(kind: dict[str, Call]) -> tuple[Any, Any]:
    """A socket that such a call waits in, and what has to be kept for that."""
    if kind is ACCEPTING:
        listener = oxisock.socket(oxisock.AF_UNIX)
        listener.bind("")
        listener.listen()
        return listener, listener
    if kind is CONNECTING:
        return oxisock.socket(oxisock.AF_UNIX), None
    stream = kind not in (BATCHES, SENDING_BATCHES)
    sock, peer = oxisock.socketpair(type=oxisock.SOCK_STREAM if stream else oxisock.SOCK_DGRAM)
    if kind in (SENDING, SENDING_BATCHES):
        sock.setsockopt(oxisock.SOL_SOCKET, oxisock.SO_SNDBUF, SMALL)
        sock.setblocking(False)
        try:
            while sock.send(bytes(100)):
                pass
        except BlockingIOError:
            pass
    return sock, peer


def take_away(sock: Any, how: str, kind: int = oxisock.SOCK_DGRAM) -> None:
    """End the socket's hold of its descriptor, by a second `__init__` for one of that kind."""
    if how == "close":
        sock.close()
    elif how == "detach":
        os.close(sock.detach())
    else:
        sock.__init__(oxisock.AF_UNIX, kind)


def turn(waiter: Waiter, kind: dict[str, Call], call: Call, how: str, timeout: Any) -> bool:
    """Take a socket away from a call once; whether somebody else had its number then."""
    sock, peer = ends(kind)
    sock.settimeout(timeout)
    number = sock.fileno()
    waiter.begin(sock, call)
    # A second __init__ before the call has begun would give it the new descriptor.
    pause = random.choice([0, 0, 1e-5, 1e-4, 5e-4])
    if pause or how == "init":
        end = time.monotonic() + 10
        while not waiter.seen.value and time.monotonic() < end:
            time.sleep(0)
        time.sleep(pause)
    take_away(sock, how)
    mine, yours = std.socketpair(std.AF_UNIX, std.SOCK_DGRAM)
    reused = number in (mine.fileno(), yours.fileno())
    mine.send(b"mine")
    yours.send(b"yours")
    status, result = waiter.results.get(timeout=60)
    # A send may have sent, where the peer's end went first.
    assert (status, result) == ("raised", errno.EBADF) or status == "done", (status, result)
    mine.setblocking(False)
    yours.setblocking(False)
    assert (yours.recv(100), mine.recv(100)) == (b"mine", b"yours")
    for end_ in (mine, yours):
        try:
            raise AssertionError(f"there was {end_.recv(100)!r}, too")
        except BlockingIOError:
            pass
        end_.close()
    sock.close()
    if peer is not None:
        peer.close()
    return reused


def ways(name: str) -> tuple[str, ...]:
    """In which ways a socket is taken away from this method."""
    if name == "sendfile":
        # Several calls, of which the next goes on with what the object has by then.
        return ("close", "detach")
    return ("detach", "init") if "file" in name else ("close", "detach", "init")


@contextlib.contextmanager
def busy_processor() -> Iterator[int]:
    """One of those that this process may use, where somebody else computes all the time."""
    processor = min(os.sched_getaffinity(0))
    program = (
        f"import os\nos.sched_setaffinity(0, {{{processor}}})\nprint(flush=True)\nwhile True: pass"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as busy:
        try:
            assert busy.stdout
            assert busy.stdout.read(1)
            yield processor
        finally:
            busy.kill()


def run(turns: int, processor: int | None = None) -> None:
    """Go through all methods, on a busy processor through two; a line of JSON for each."""
    checker = Checker()
    waiter = Waiter(checker, processor)
    random.seed(turns)
    full, guest = std.socket(std.AF_UNIX), std.socket(std.AF_UNIX)
    full.bind(FULL)
    full.listen(0)
    guest.connect(FULL)
    plans = [
        (kind, name, how, timeout)
        for kind in (
            RECEIVING,
            READING,
            BATCHES,
            SENDING,
            SENDING_BATCHES,
            ACCEPTING,
            CONNECTING,
        )
        for name in kind
        for how in ways(name)
        # A UNIX socket with a timeout does not wait for room in the queue.
        for timeout in ([None] if kind is CONNECTING else [None, 60.0])
        # A turn takes half a second where it waits for a processor.
        if processor is None or (name in ("recv", "send") and how == "detach")
    ]
    for index, (kind, name, how, timeout) in enumerate(plans):
        count = turns // len(plans) + (index < turns % len(plans))
        before, strangers = checker.checks(), checker.strangers()
        reused = sum(turn(waiter, kind, kind[name], how, timeout) for _ in range(count))
        report = {
            "method": name, "by": how, "timeout": timeout, "turns": count, "reused": reused,
            "checks": checker.checks() - before, "strangers": checker.strangers() - strangers,
            "what": checker.what().decode(),
        }  # fmt: skip
        print(json.dumps(report), flush=True)
    waiter.work.put(None)
    full.close()
    guest.close()


def preloaded(
    arguments: list[str], folder: Path, **options: Any
) -> "subprocess.CompletedProcess[str]":
    """Do so in a process that has the library."""
    library = folder / "owners.so"
    source = Path(__file__).with_name("owners.c")
    command = ["cc", "-O1", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
    subprocess.run(command, check=True)
    return subprocess.run(
        [sys.executable, "-m", "tests.engine.owners", "--here", *arguments],
        env={**os.environ, "LD_PRELOAD": str(library)}, text=True, check=False, **options,
    )  # fmt: skip


def main() -> int:
    """Print what came."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("turns", type=int)
    parser.add_argument("--here", action="store_true", help="the library is preloaded")
    parser.add_argument("--starved", action="store_true", help="on a busy processor")
    options = parser.parse_args()
    if not options.here:
        with tempfile.TemporaryDirectory() as folder:
            return preloaded(sys.argv[1:], Path(folder)).returncode
    if options.starved:
        with busy_processor() as processor:
            run(options.turns, processor)
    else:
        run(options.turns)
    return 0


if __name__ == "__main__":
    sys.exit(main())
