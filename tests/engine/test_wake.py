"""The signal that ends a sleep when its socket is closed, and the programs that use signals too."""

import signal
import textwrap
import threading
from typing import Any

import pytest

import oxisock
from tests.helpers.process import PATIENCE, Task, run_python, wait_until

REAL_TIME = set(range(signal.SIGRTMIN, signal.SIGRTMAX + 1))


class Reader:
    """A thread that reads from a socket with nothing to read, some signals blocked."""

    def __init__(self, sock: Any, blocked: set[int]) -> None:
        self.ready = threading.Event()
        self.task = Task(self.read, sock, blocked)
        assert self.ready.wait(PATIENCE)

    def read(self, sock: Any, blocked: set[int]) -> tuple[Any, Any, Any]:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        self.ready.set()
        found: tuple[Any, Any] = (None, None)
        try:
            sock.recv(1)
        except OSError as error:
            found = type(error), error.errno
        # Whatever is queued here would come to sigwait(), or to a descriptor of signalfd(2).
        return *found, signal.sigpending() & REAL_TIME


def asleep(thread: threading.Thread) -> bool:
    with open(f"/proc/self/task/{thread.native_id}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "S"


@pytest.mark.parametrize(
    "blocked",
    [set(), {signal.SIGRTMAX}, REAL_TIME - {signal.SIGRTMIN}, REAL_TIME],
    ids=["none", "last", "all but the first", "all real-time ones"],
)
def test_close_wakes_a_thread_whatever_it_blocks(blocked: set[int]) -> None:
    """And leaves no signal behind that the thread keeps for itself."""
    a, b = oxisock.socketpair()
    with b:
        reader = Reader(a, blocked)
        wait_until(lambda: asleep(reader.task))
        a.close()
        assert reader.task.result() == (OSError, 9, set())


def test_close_leaves_nothing_behind_where_every_signal_is_blocked() -> None:
    """Such a thread cannot be told: it has what comes, and no signal."""
    a, b = oxisock.socketpair()
    with b:
        reader = Reader(a, set(signal.valid_signals()))
        wait_until(lambda: asleep(reader.task))
        a.close()
        assert reader.task.is_alive()
        b.send(b"x")
        assert reader.task.result() == (None, None, set())


def test_close_wakes_where_every_real_time_signal_has_a_handler() -> None:
    code = """
        import signal, threading, time
        import oxisock

        seen = []
        for number in range(signal.SIGRTMIN, signal.SIGRTMAX + 1):
            signal.signal(number, lambda number, frame: seen.append(number))
        a, b = oxisock.socketpair()
        ready = threading.Event()

        def read():
            ready.set()
            try:
                a.recv(1)
            except OSError as error:
                print(error.errno)

        thread = threading.Thread(target=read)
        thread.start()
        ready.wait()
        time.sleep(0.2)
        a.close()
        thread.join(10)
        print(thread.is_alive(), seen, signal.getsignal(signal.SIGURG) is signal.SIG_DFL)
        b.close()
    """
    assert run_python(textwrap.dedent(code)).stdout == "9\nFalse [] True\n"


def test_a_signal_that_the_program_waits_for_stays_its_own() -> None:
    """One that is sent to it comes once, and nothing comes before."""
    a, b = oxisock.socketpair()
    number = signal.SIGRTMAX
    with b:
        reader = Reader(a, {number})
        wait_until(lambda: asleep(reader.task))
        signal.pthread_kill(reader.task.ident or 0, number)
        a.close()
        assert reader.task.result() == (OSError, 9, {number})
