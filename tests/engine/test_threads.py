"""Several threads on one socket, and one thread that must not hold up the others."""

import os
import random
import socket as std
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import oxisock
from tests.helpers.net import connected, full_backlog, listening
from tests.helpers.process import Task, sleeping, wait_until

# -- close() while another thread waits ------------------------------------------------------------

WAITS: dict[str, Callable[[Any], Any]] = {
    "recv": lambda s: s.recv(10),
    "recv_into": lambda s: s.recv_into(bytearray(10)),
    "recvfrom": lambda s: s.recvfrom(10),
    "recvfrom_into": lambda s: s.recvfrom_into(bytearray(10)),
    "sendall": lambda s: s.sendall(bytes(1 << 26)),
    "readline": lambda s: s.makefile("rb", buffering=0).readline(),
}
CLOSE = "a waiter of the standard library sits out its timeout, on a number that may be reused"


def waiting(call: Callable[[Any], Any], *arguments: Any) -> Task:
    """A thread that waits in `call`; on a busy machine it takes a while to get there."""
    task = Task(call, *arguments)
    wait_until(lambda: task.native_id is not None and sleeping(task.native_id))
    return task


def wait_and_close(sock: Any, call: Callable[[Any], Any]) -> OSError:
    """Close `sock` while another thread waits in `call`; the error the waiter gets."""
    task = waiting(call, sock)
    assert task.is_alive()
    sock.close()
    closed = time.monotonic()
    with pytest.raises(OSError) as caught:
        task.result(20)
    assert task.finished - closed < 10  # the timeout is 60 seconds
    return caught.value


@pytest.mark.differs(CLOSE)
@pytest.mark.parametrize("name", [name for name in WAITS if name != "readline"])
def test_close_wakes_a_waiter(stream: Any, name: str) -> None:
    sock, _ = stream
    sock.settimeout(60)
    assert wait_and_close(sock, WAITS[name]).errno == 9


@pytest.mark.differs(CLOSE)
@pytest.mark.parametrize("name", [name for name in WAITS if name != "readline"])
def test_a_second_init_wakes_a_waiter(stream: Any, name: str) -> None:
    sock, _ = stream
    sock.settimeout(60)
    task = waiting(WAITS[name], sock)
    sock.__init__(std.AF_INET, std.SOCK_DGRAM)
    with pytest.raises(OSError) as caught:
        task.result(20)
    assert caught.value.errno == 9
    sock.bind(("127.0.0.1", 0))


@pytest.mark.differs(CLOSE)
def test_close_wakes_accept() -> None:
    with listening(oxisock) as server:
        server.settimeout(60)
        assert wait_and_close(server, lambda s: s.accept()).errno == 9


@pytest.mark.differs(CLOSE)
def test_close_wakes_connect() -> None:
    with full_backlog() as address, oxisock.socket() as client:
        client.settimeout(60)
        assert wait_and_close(client, lambda s: s.connect(address)).errno == 9


@pytest.mark.differs(CLOSE)
def test_close_wakes_udp(udp: Any) -> None:
    udp[0].settimeout(60)
    assert wait_and_close(udp[0], lambda s: s.recvfrom(10)).errno == 9


@pytest.mark.differs(CLOSE)
def test_close_wakes_every_waiter(stream: Any) -> None:
    sock, _ = stream
    sock.settimeout(60)
    tasks = [Task(sock.recv, 10) for _ in range(5)]
    time.sleep(0.1)
    sock.close()
    for task in tasks:
        with pytest.raises(OSError) as caught:
            task.result(10)
        assert caught.value.errno == 9


@contextmanager
def newcomers() -> Iterator[Callable[[], None]]:
    """New connections on whatever numbers are free; the value checks that they are intact."""
    pairs = [std.socketpair() for _ in range(4)]

    def check() -> None:
        for one, two in pairs:
            for sender, receiver in ((one, two), (two, one)):
                sender.sendall(b"secret")
                receiver.settimeout(10)
                assert receiver.recv(100) == b"secret"

    for one, two in pairs:
        one.sendall(b"early")
        two.sendall(b"early")
    time.sleep(0.02)  # long enough for a thief
    for sock in (sock for pair in pairs for sock in pair):
        assert sock.recv(100) == b"early"
    try:
        yield check
    finally:
        for pair in pairs:
            for sock in pair:
                sock.close()


@pytest.mark.differs(CLOSE)
def test_a_waiter_never_reads_from_a_reused_descriptor() -> None:
    """The number is taken by another connection at once; its data stays its own."""
    for _ in range(20):
        a, b = oxisock.socketpair()
        with b:
            a.settimeout(60)
            task = Task(a.recv, 100)
            time.sleep(0.01)
            a.close()
            with newcomers() as check:
                with pytest.raises(OSError) as caught:
                    task.result()
                assert caught.value.errno == 9
                check()


@pytest.mark.differs(CLOSE)
@pytest.mark.parametrize("name", ["recv", "recv_into", "recvfrom", "recvfrom_into", "sendall"])
def test_closing_ends_a_blocked_call(unix: Any, name: str) -> None:
    """Without a timeout, too, and without reading what comes for whoever gets the number next."""
    a, _ = unix
    task = waiting(WAITS[name], a)
    number = a.fileno()
    a.close()
    with newcomers() as check:
        with pytest.raises(OSError) as caught:
            task.result()
        assert caught.value.errno == 9
        assert a.fileno() == -1 != number
        check()


@pytest.mark.differs(CLOSE)
def test_the_connection_ends_when_a_waiting_socket_is_closed(stream: Any) -> None:
    """The peer sees the end at once: no waiter keeps the connection open."""
    a, b = stream
    a.settimeout(60)
    b.settimeout(10)
    task = Task(a.recv, 10)
    time.sleep(0.1)
    a.close()
    assert b.recv(1) == b""
    with pytest.raises(OSError):
        task.result()


@pytest.mark.differs(CLOSE)
def test_detach_wakes_a_waiter_and_keeps_the_descriptor(unix: Any) -> None:
    a, b = unix
    a.settimeout(60)
    task = Task(a.recv, 10)
    time.sleep(0.1)
    with oxisock.socket(fileno=a.detach()) as other:
        b.sendall(b"for the new owner")
        b.close()
        try:
            got = task.result(10)
        except OSError as error:
            if error.errno != 9:
                raise
            got = b""
        other.settimeout(10)
        rest = b"".join(iter(lambda: other.recv(100), b""))
        assert got + rest == b"for the new owner"  # whoever read it: nothing is lost


def test_shutdown_wakes_a_waiter(stream: Any) -> None:
    a, _ = stream
    a.settimeout(60)
    task = Task(a.recv, 10)
    time.sleep(0.05)
    a.shutdown(std.SHUT_RDWR)
    assert task.result() == b""


def test_close_races_with_everything() -> None:
    """Whoever wins, the others get an OSError and nothing else."""
    for _ in range(100):
        a, b = oxisock.socketpair()
        a.settimeout(5)
        start = threading.Barrier(5)

        def run(call: Callable[[], Any], start: threading.Barrier = start) -> None:
            start.wait(10)
            try:
                call()
            except OSError as error:
                if error.errno not in (9, 32, 104, None):
                    raise

        tasks = [
            Task(run, a.close),
            Task(run, lambda a=a: a.send(b"x")),
            Task(run, lambda a=a: a.getsockname()),
            Task(run, lambda b=b: b.sendall(b"y")),
            Task(run, lambda a=a: a.settimeout(1)),
        ]
        for task in tasks:
            task.result()
        a.close()
        b.close()


# -- other threads go on ---------------------------------------------------------------------------


@contextmanager
def counting() -> Iterator[Callable[[], int]]:
    """A thread that counts as fast as it can; the context value reads its counter."""
    count, stop = [0], threading.Event()

    def run() -> None:
        while not stop.is_set():
            for _ in range(1000):
                count[0] += 1

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    wait_until(lambda: count[0])
    try:
        yield lambda: count[0]
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize("timeout", [0.3, None])
@pytest.mark.parametrize("name", ["recv", "recv_into", "recvfrom", "accept", "connect"])
def test_counting_goes_on_beside_a_blocked_call(name: str, timeout: float | None) -> None:
    """The lock is free while a call waits. A thread frozen for the whole wait would not count."""
    with full_backlog() as address, listening(oxisock) as server, connected(oxisock) as (a, b):
        client = oxisock.socket()
        with client, counting() as count:
            for sock in (a, server, client):
                sock.settimeout(timeout)
            call = {
                "accept": server.accept,
                "connect": lambda: client.connect(address),
            }.get(name, lambda: WAITS[name](a))
            task = Task(call)
            before = count()
            wait_until(lambda: count() > before + 50_000)
            assert task.is_alive() or timeout is not None
            end_wait(name, timeout, task, b, server, client)


def end_wait(
    name: str, timeout: float | None, task: Task, b: Any, server: Any, client: Any
) -> None:
    if timeout is not None:
        with pytest.raises(TimeoutError):
            task.result()
    elif name == "accept":
        with oxisock.create_connection(server.getsockname()):
            task.result()[0].close()
    elif name == "connect":
        client.shutdown(
            std.SHUT_RDWR
        )  # ends the attempt; how it is reported is the kernel's choice
        with pytest.raises(OSError):
            task.result()
    else:
        b.sendall(b"end")
        task.result()


def test_counting_goes_on_beside_a_large_sendall(stream: Any) -> None:
    """Not only while it waits: a payload that the peer takes at once must not hold the lock."""
    a, b = stream
    size = 64 << 20
    done: list[int] = []

    def read() -> int:
        buffer, got = bytearray(1 << 20), 0
        while got < size:
            got += b.recv_into(buffer)
        return got

    with counting() as count:
        reader = Task(read)
        before = count()
        a.sendall(bytes(size))
        done.append(count() - before)
        assert reader.result(60) == size
    assert done[0] > 1000


def test_counting_goes_on_beside_a_busy_receiver(stream: Any) -> None:
    """A loop over a socket that is always ready shares the interpreter like any other loop."""
    a, b = stream
    stop = threading.Event()

    def send() -> None:
        b.settimeout(10)
        try:
            while not stop.is_set():
                b.sendall(bytes(1 << 16))
        except OSError:
            pass

    sender = Task(send)
    with counting() as count:
        before, received = count(), 0
        end = time.monotonic() + 20
        while count() < before + 200_000 and time.monotonic() < end:
            received += len(a.recv(256))
        assert count() >= before + 200_000
        assert received > 0
    stop.set()
    a.close()
    sender.result()


def test_counting_goes_on_beside_small_messages(unix: Any) -> None:
    a, b = unix
    with counting() as count:
        before = count()
        end = time.monotonic() + 20
        while count() < before + 200_000 and time.monotonic() < end:
            a.send(b"x" * 64)
            assert b.recv(64) == b"x" * 64
        assert count() >= before + 200_000


# -- many threads on one socket --------------------------------------------------------------------


def test_many_receivers_of_one_socket() -> None:
    """Each message reaches exactly one of them."""
    a, b = oxisock.socketpair(std.AF_UNIX, std.SOCK_SEQPACKET)
    with a, b:

        def receive() -> list[int]:
            got = []
            while message := b.recv(100):
                got.append(int(message))
            return got

        tasks = [Task(receive) for _ in range(8)]
        for number in range(2000):
            a.send(b"%d" % number)
        a.shutdown(std.SHUT_WR)
        found = Counter(number for task in tasks for number in task.result())
        assert found == Counter(range(2000))


def test_many_senders_of_one_socket() -> None:
    a, b = oxisock.socketpair(std.AF_UNIX, std.SOCK_SEQPACKET)
    with a, b:
        a.settimeout(20)
        b.settimeout(20)
        tasks = [
            Task(lambda k=k: [a.send(b"%d" % (k * 300 + i)) for i in range(300)]) for k in range(8)
        ]
        found = Counter(int(b.recv(100)) for _ in range(2400))
        for task in tasks:
            task.result()
        assert found == Counter(range(2400))


def test_many_acceptors() -> None:
    with listening(oxisock, backlog=64) as server:
        tasks = [Task(server.accept) for _ in range(8)]
        clients = [oxisock.create_connection(server.getsockname()) for _ in range(8)]
        peers = set()
        for task in tasks:
            accepted, address = task.result()
            accepted.close()
            peers.add(address)
        assert peers == {client.getsockname() for client in clients}
        for client in clients:
            client.close()


def test_both_directions_at_once(stream: Any) -> None:
    """Reading and writing one socket from two threads do not get into each other's way."""
    a, b = stream
    sizes = 1 << 23
    datas = [os.urandom(sizes), os.urandom(sizes)]

    def read(sock: Any) -> bytes:
        got = bytearray()
        while len(got) < sizes:
            got += sock.recv(1 << 18)
        return bytes(got)

    readers = [Task(read, a), Task(read, b)]
    writers = [Task(a.sendall, datas[0]), Task(b.sendall, datas[1])]
    assert readers[1].result(60) == datas[0]
    assert readers[0].result(60) == datas[1]
    for writer in writers:
        writer.result()


def test_settings_from_many_threads(unix: Any) -> None:
    """Timeouts changed all the time never make a call misbehave."""
    a, b = unix
    stop = threading.Event()

    def change(seed: int) -> None:
        choose = random.Random(seed)
        while not stop.is_set():
            a.settimeout(choose.choice([0.5, 1, 5, 30]))
            assert a.gettimeout() in (0.5, 1, 5, 30)

    changers = [Task(change, seed) for seed in range(3)]
    for turn in range(2000):
        b.sendall(b"%05d" % turn)
        assert a.recv(5) == b"%05d" % turn
    stop.set()
    for changer in changers:
        changer.result()
