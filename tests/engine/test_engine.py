"""The engine's use of the interpreter lock, proved with its own counters and never with a clock."""

import contextlib
import os
import signal
import socket as stdlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

import oxisock
from oxisock import _socket
from tests.helpers.net import connected, datagrams
from tests.helpers.process import handled, run_python

ROUNDS = 200


@contextlib.contextmanager
def counting_thread() -> Iterator[Any]:
    """A CPU-bound thread; gives a list whose only item it counts up."""
    count, running = [0], threading.Event()
    stop: list[bool] = []

    def run() -> None:
        running.set()
        while not stop:
            count[0] += 1

    thread = threading.Thread(target=run)
    thread.start()
    running.wait()
    try:
        yield count
    finally:
        stop.append(True)
        thread.join()


@contextlib.contextmanager
def counted() -> Iterator[Any]:
    """Give a dict that holds, after the block, how far each operations' counter moved in it."""
    moved: dict[str, int] = {}
    before = _socket.counters()
    yield moved
    moved.update(
        {
            name: value - before[name]
            for name, value in _socket.counters().items()
            if not name.startswith("yield")
        }
    )


@contextlib.contextmanager
def looking_for(seconds: Any) -> Iterator[Any]:
    """Let sockets busy-poll for that long before they sleep."""
    before = oxisock.getbusypoll()
    oxisock.setbusypoll(seconds)
    try:
        yield
    finally:
        oxisock.setbusypoll(before)


def unix() -> Any:
    return oxisock.socketpair()


@contextlib.contextmanager
def udp() -> Iterator[Any]:
    with datagrams(oxisock) as (a, b):
        a.connect(b.getsockname())
        b.connect(a.getsockname())
        yield a, b


@contextlib.contextmanager
def unix_pair() -> Iterator[Any]:
    a, b = unix()
    with a, b:
        yield a, b


def tcp() -> Any:
    return connected(oxisock)


TIMEOUTS = pytest.mark.parametrize(
    "timeout", [None, 10.0, 0.0], ids=["blocking", "timeout", "nonblocking"]
)


@TIMEOUTS
@pytest.mark.parametrize("make", [unix_pair, tcp, udp], ids=["unix", "tcp", "udp"])
def test_ready_operations_beside_a_cpu_bound_thread_keep_the_lock(make: Any, timeout: Any) -> None:
    buffer = bytearray(64)
    with make() as (a, b), counting_thread():
        a.settimeout(timeout)
        b.settimeout(timeout)
        with counted() as moved:
            for _ in range(ROUNDS):
                assert a.send(buffer) == 64
                assert b.recv_into(buffer) == 64
                assert b.send(buffer) == 64
                assert len(a.recv(1 << 20)) == 64
    assert moved == {"kept": 4 * ROUNDS, "released": 0, "busy_polls": 0, "busy_poll_hits": 0}


def test_nothing_there_yet_on_a_nonblocking_socket_keeps_the_lock() -> None:
    a, b = unix()
    with a, b:
        a.setblocking(False)
        with counted() as moved:
            for _ in range(ROUNDS):
                with pytest.raises(BlockingIOError):
                    a.recv(1)
    assert moved["released"] == 0


@pytest.mark.parametrize("timeout", [None, 10.0], ids=["blocking", "timeout"])
def test_waiting_gives_the_lock_up_so_that_others_run(timeout: Any) -> None:
    """The data only comes after another thread has seen that the lock was given up."""
    a, b = unix()
    with a, b:
        a.settimeout(timeout)

        released = _socket.counters()["released"]

        def answer() -> None:
            patience = time.monotonic() + 60
            while _socket.counters()["released"] == released and time.monotonic() < patience:
                pass
            b.send(b"x")

        thread = threading.Thread(target=answer)
        with counted() as moved:
            thread.start()
            assert a.recv(1) == b"x"
            thread.join()
    assert moved["released"] == 1


def test_large_transfer_lets_other_threads_run() -> None:
    a, b = stdlib.socketpair()
    drain = "import sys; f = sys.stdin.buffer.raw\nwhile f.read(1 << 20): pass"
    with subprocess.Popen([sys.executable, "-c", drain], stdin=b.fileno()) as reader:
        b.close()
        data = bytes(64 << 20)
        with oxisock.socket(fileno=a.detach()) as ours, counting_thread() as count:
            before = count[0]
            with counted() as moved:
                ours.sendall(data)
            after = count[0]
    assert reader.returncode == 0
    assert moved["released"] >= 1
    assert after - before > 1000


def test_busy_receive_loop_lets_other_threads_run() -> None:
    """Kept for one operation after the other, the lock still goes round between them."""
    a, b = unix()
    with a, b, counting_thread() as count:
        before = count[0]
        with counted() as moved:
            while True:
                a.send(b"x")
                b.recv(1)
                if count[0] != before:
                    break
    assert moved["kept"] > 0
    assert moved["released"] == 0


def test_border_between_small_and_large_can_be_set() -> None:
    a, b = unix()
    before = _socket.tune("keep_limit", 1024)
    try:
        with a, b:
            with counted() as small:
                a.send(bytes(1024))
                b.recv(1024)
            with counted() as large:
                a.send(bytes(1025))
            assert _socket.tune("keep_limit", 1024) == 1024
    finally:
        _socket.tune("keep_limit", before)
    assert small == {"kept": 2, "released": 0, "busy_polls": 0, "busy_poll_hits": 0}
    assert large == {"kept": 0, "released": 1, "busy_polls": 0, "busy_poll_hits": 0}


def test_unknown_parameter_is_refused() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        _socket.tune("nonsense", 1)


@pytest.fixture
def echo_process() -> Iterator[Any]:
    """A process that echoes on the socket it is given: answers come soon, but not at once."""
    ours, theirs = stdlib.socketpair()
    echo = "import os\nwhile data := os.read(0, 64): os.write(0, data)"
    with subprocess.Popen([sys.executable, "-c", echo], stdin=theirs.fileno()) as process:
        theirs.close()
        with oxisock.socket(fileno=ours.detach()) as connection:
            yield connection
        process.wait()


def test_looking_again_can_be_switched_off(echo_process: Any) -> None:
    with looking_for(0), counted() as moved:
        for _ in range(ROUNDS):
            echo_process.send(b"x")
            assert echo_process.recv(64) == b"x"
    assert moved["busy_polls"] == 0


def test_answers_that_come_soon_are_looked_for(echo_process: Any) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("the peer needs a core of its own")
    with looking_for(0.005), counted() as moved:
        polled = _socket.counters()["busy_poll_hits"]
        patience = time.monotonic() + 60
        while _socket.counters()["busy_poll_hits"] == polled and time.monotonic() < patience:
            echo_process.send(b"x")
            assert echo_process.recv(64) == b"x"
    assert moved["busy_polls"] >= moved["busy_poll_hits"] >= 1


def test_a_signal_during_a_look_is_not_slept_over() -> None:
    """What the read waits for comes only when the handler of that signal has run."""
    looked = slept_over = 0
    with looking_for(0.005):
        for _ in range(200):
            a, b = unix()
            with a, b, handled(signal.SIGALRM, lambda *_, b=b: b.send(b"from the handler")):
                a.settimeout(10)
                sender = threading.Timer(0.001, b.send, (b"x",))
                sender.start()
                assert a.recv(1) == b"x"  # a short sleep, so that the next read looks first
                sender.join()
                a.settimeout(0.5)
                with counted() as moved:
                    signal.setitimer(signal.ITIMER_REAL, 0.001)  # a busy-poll takes 2.5 ms
                    try:
                        assert a.recv(64) == b"from the handler"
                    except TimeoutError:
                        slept_over += 1
            looked += moved["busy_polls"]
            if looked >= 10:
                break
    assert looked >= 10
    # Between the last question for signals and the system call any program can miss one.
    assert slept_over <= 1


@pytest.mark.parametrize("seconds", [-1e-9, 0.1, float("nan"), float("inf")])
def test_time_to_look_again_is_bounded(seconds: Any) -> None:
    before = oxisock.getbusypoll()
    with pytest.raises(ValueError):
        oxisock.setbusypoll(seconds)
    assert oxisock.getbusypoll() == before


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cannot be set here")
def test_nobody_looks_again_on_one_processor() -> None:
    code = (
        "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]);"
        "import oxisock; print(oxisock.getbusypoll())"
    )
    assert float(run_python(code).stdout) == 0


USUAL = 150e-6 if len(os.sched_getaffinity(0)) > 1 else 0.0


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0.0), ("20", 20e-6), ("1000000", 0.005), ("nonsense", USUAL)]
)
def test_time_to_look_again_comes_from_the_environment(text: Any, seconds: Any) -> None:
    code = "import oxisock; print(oxisock.getbusypoll())"
    environment = {**os.environ, "OXISOCK_BUSY_POLL_US": text}
    command = [sys.executable, "-c", code]
    output = subprocess.run(command, env=environment, capture_output=True, check=True).stdout
    assert float(output) == pytest.approx(seconds)


def test_idle_connection_is_not_looked_at_again() -> None:
    """Data that comes late teaches a socket to sleep: it burns no time looking each time."""
    a, b = unix()
    with a, b:
        a.settimeout(0.002)
        with counted() as moved:
            for _ in range(50):
                with pytest.raises(TimeoutError):
                    a.recv(1)
    # A machine that is busy with something else may look like a lock that is.
    assert moved["busy_polls"] <= 5
    assert moved["released"] == 50
