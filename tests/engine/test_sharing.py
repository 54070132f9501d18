"""Ten threads share sockets, files, look-ups and settings, with the interpreter lock or without it.

Every test counts what has come of it: nothing may be lost, torn, twice there or somebody else's.
"""

import functools
import os
import select
import socket as std
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest

import oxisock
from tests.helpers.net import connected, listening
from tests.helpers.process import Task, descriptors, run_python, wait_until

THREADS = 10
T = TypeVar("T")


@pytest.fixture(autouse=True)
def _eager() -> Iterator[None]:
    """Where there is an interpreter lock, it changes hands as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def together(call: Callable[[int], T], threads: int = THREADS) -> list[T]:
    """What `call(0)`, `call(1)` and so on return, in threads that begin at the same moment."""
    barrier = threading.Barrier(threads)

    def begin(index: int) -> T:
        barrier.wait(20)
        return call(index)

    tasks = [Task(begin, index) for index in range(threads)]
    return [task.result(30) for task in tasks]


def gathered(call: Callable[[int], list[T]]) -> list[T]:
    """What all of them return, in one list."""
    return [item for part in together(call) for item in part]


def outcome(call: Callable[[], T]) -> T | int | None:
    """What a call returns, or the number of its error."""
    try:
        return call()
    except OSError as error:
        return error.errno


# Sockets


def test_each_datagram_arrives_once() -> None:
    """Half of the threads send on one socket, the other half receives on its peer."""
    each = 100
    one, other = oxisock.socketpair(std.AF_UNIX, std.SOCK_DGRAM)
    before = oxisock.stats()

    def work(index: int) -> list[bytes]:
        if index % 2:
            for number in range(each):
                one.send(b"%d-%d" % (index, number))
            return []
        return [other.recv(64) for _ in range(each)]

    with one, other:
        one.settimeout(20)
        other.settimeout(20)
        received = Counter(gathered(work))
        mine, theirs = one.stats(), other.stats()
    after = oxisock.stats()
    expected = [b"%d-%d" % (i, n) for i in range(1, THREADS, 2) for n in range(each)]
    assert received == Counter(expected)
    # Every count is exact, those of the process too: xdist's threads use no socket of ours.
    total, size = len(expected), sum(map(len, expected))
    assert mine["operations"]["send"] == theirs["operations"]["receive"] == total
    assert mine["bytes"]["sent"] == theirs["bytes"]["received"] == size
    for name in ("send", "receive"):
        assert after["operations"][name] - before["operations"][name] == total
    for name in ("sent", "received"):
        assert after["bytes"][name] - before["bytes"][name] == size


@pytest.mark.parametrize("timeout", [None, 20.0, 0.0])
def test_no_byte_of_a_stream_is_lost(timeout: float | None) -> None:
    """Large writes and reads of many threads at once, of each thread's own letter."""
    size = 50_000
    one, other = oxisock.socketpair()

    def patiently(sock: Any, call: Callable[[], T]) -> T:
        while True:
            try:
                return call()
            except BlockingIOError:
                select.select([sock], [], [], 0.01)

    def work(index: int) -> Counter[int]:
        letters: Counter[int] = Counter()
        if index % 2:
            rest = memoryview(bytes([index]) * size)
            while rest:
                rest = rest[patiently(one, functools.partial(one.send, rest)) :]
            if finished.wait(20) == 0:
                one.shutdown(std.SHUT_WR)
        else:
            while piece := patiently(other, functools.partial(other.recv, 8192)):
                letters.update(piece)
        return letters

    finished = threading.Barrier(THREADS // 2)
    with one, other:
        one.settimeout(timeout)
        other.settimeout(timeout)
        found = sum(together(work), Counter[int]())
    assert found == dict.fromkeys(range(1, THREADS, 2), size)


def test_sendall_is_whole_although_others_send() -> None:
    """As the standard library's: pieces of two may alternate, but none is lost."""
    size = 40_000
    with connected(oxisock) as (one, other):

        def work(index: int) -> int:
            if index:
                one.sendall(bytes([index]) * size)
                return 0
            found: Counter[int] = Counter()
            while sum(found.values()) < (THREADS - 1) * size:
                found.update(other.recv(1 << 16))
            return sum(found[number] == size for number in range(1, THREADS))

        assert together(work)[0] == THREADS - 1


def test_each_connection_is_accepted_once() -> None:
    each = 8
    with listening(oxisock) as server:
        address = server.getsockname()

        def work(index: int) -> list[Any]:
            found = []
            for number in range(each):
                if index % 2:
                    with oxisock.create_connection(address, 20) as client:
                        client.sendall(b"%d-%d" % (index, number))
                else:
                    connection, _ = server.accept()
                    with connection:
                        connection.settimeout(20)
                        found.append(connection.recv(64))
            return found

        server.settimeout(20)
        found = Counter(gathered(work))
    assert found == Counter(b"%d-%d" % (i, n) for i in range(1, THREADS, 2) for n in range(each))


def test_senders_are_told_apart() -> None:
    """The socket remembers its last sender, whoever asks."""
    each = 30
    with oxisock.socket(type=std.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(20)
        address = server.getsockname()

        def work(index: int) -> bool:
            if index % 2 == 0:
                for _ in range(each):
                    data, sender = server.recvfrom(64)
                    server.sendto(data, sender)
                return True
            with oxisock.socket(type=std.SOCK_DGRAM) as client:
                client.bind(("127.0.0.1", 0))
                client.settimeout(20)
                for number in range(each):
                    client.sendto(b"%d-%d" % (index, number), address)
                    if client.recvfrom(64) != (b"%d-%d" % (index, number), address):
                        return False
            return True

        assert all(together(work))


def test_exact_reads_share_what_is_kept() -> None:
    """An exact read that times out gives back what it has: the next of any thread gets it."""
    one, other = oxisock.socketpair()
    with one, other:
        other.settimeout(0.05)
        one.sendall(b"ab" * 5)
        # Nobody gets six bytes of ten twice.
        found = together(lambda _: outcome(lambda: other.recv_exactly(6)), 2)
        taken = [item for item in found if isinstance(item, bytes)]
        assert len(taken) <= 1
        rest = b"".join(taken)
        while len(rest) < 10:
            rest += other.recv(64)
        assert rest == b"ab" * 5


def test_the_last_timeout_counts_for_the_system_too() -> None:
    """Whoever comes last, the descriptor is in the mode that the socket says."""
    one, other = oxisock.socketpair()
    with one, other:
        for _ in range(30):
            together(lambda i: one.settimeout([None, 0.0, 5.0][i % 3]), 4)
            assert os.get_blocking(one.fileno()) == (one.gettimeout() is None)
        one.settimeout(5)
        other.send(b"x")
        assert one.recv(1) == b"x"


def test_a_switch_of_the_mode_ends_no_wait() -> None:
    """Operations keep the mode that they began in, while other threads change it all the time."""
    one, other = oxisock.socketpair()
    done = threading.Event()

    def work(index: int) -> bytes:
        if index == 0:
            while not done.is_set():
                one.settimeout(5)
                one.settimeout(None)
            return b""
        if index == 1:
            for _ in range(200):
                other.send(b"x")
                if other.recv(1) != b"y":
                    return b"?"
            done.set()
            return b""
        for _ in range(200):
            one.recv(1)
            one.send(b"y")
        return b""

    with one, other:
        other.settimeout(20)
        try:
            assert together(work, 3) == [b""] * 3
        finally:
            done.set()


# Ends


def test_many_closes_are_one() -> None:
    """Ten threads close files and the socket at once: the descriptor, and no other, goes."""
    for _ in range(20):
        one, other = oxisock.socketpair()
        # To live on numbers that a second close would hit.
        things = [one, *(one.makefile("rb", buffering=i % 2) for i in range(THREADS - 1))]
        number = one.fileno()

        def end(index: int, things: list[Any] = things) -> None:
            things[index].close()
            with std.socket(std.AF_UNIX) as late:
                late.getsockname()

        together(end)
        assert one.fileno() == -1
        assert "socket" not in descriptors().get(number, "")
        other.settimeout(20)
        assert other.recv(1) == b""
        other.close()


def test_a_detached_number_is_nobody_elses() -> None:
    """While threads use the socket, one takes its number and gives that to another file."""
    for _ in range(20):
        one, other = oxisock.socketpair()
        foreign, reader = std.socketpair()
        reader.setblocking(False)
        one.settimeout(0)

        def work(index: int, one: Any = one, foreign: Any = foreign) -> set[int | bytes | None]:
            if index == 0:
                number = one.detach()
                # From here on the number is that of a connection which nobody may write to.
                os.dup2(foreign.fileno(), number)
                return {number}
            found: set[int | bytes | None] = set()
            for _ in range(20):
                found.add(outcome(lambda: one.send(b"x")))
            return found

        number, *others = together(work, 4)
        with pytest.raises(BlockingIOError):
            reader.recv(1)
        assert set().union(*others) <= {1, 9, 11}
        os.close(next(iter(number)))  # type: ignore[arg-type]
        for sock in (other, foreign, reader):
            sock.close()


def test_a_second_deadline_in_the_same_block_is_refused() -> None:
    block = oxisock.deadline(20)

    def enter(_: int) -> bool:
        try:
            block.__enter__()
        except RuntimeError:
            return False
        left.wait(20)
        block.__exit__(None, None, None)
        return True

    left = threading.Event()
    tasks = [Task(enter, index) for index in range(THREADS)]
    try:
        wait_until(lambda: sum(task.is_alive() for task in tasks) == 1)
    finally:
        left.set()
    assert sum(task.result() for task in tasks) == 1
    with block:
        assert 0 < (block.remaining() or 0) <= 20


# Files


@pytest.mark.parametrize("mode", ["rb", "r", "unbuffered"])
def test_each_line_is_read_once(mode: str) -> None:
    lines = [f"line {number} ".ljust(number % 80, "x") + "\n" for number in range(500)]
    one, other = oxisock.socketpair()
    with one, other:
        one.settimeout(20)
        file: Any = one.makefile("rb", buffering=0) if mode == "unbuffered" else one.makefile(mode)

        def work(index: int) -> list[Any]:
            if index == 0:
                for number in range(0, len(lines), 7):
                    other.sendall("".join(lines[number : number + 7]).encode())
                other.shutdown(std.SHUT_WR)
                return []
            return list(iter(file.readline, file.read(0) if mode == "r" else b""))

        with file:
            found = gathered(work)
    assert Counter(item if mode == "r" else item.decode() for item in found) == Counter(lines)


def test_lines_that_are_written_are_whole() -> None:
    """What one thread writes and flushes at once stays together."""
    with connected(oxisock) as (one, other):
        file = one.makefile("wb")

        def work(index: int) -> list[bytes]:
            if index == 0:
                with other.makefile("rb") as reader:
                    return [reader.readline() for _ in range((THREADS - 1) * 50)]
            for number in range(50):
                file.write(b"%d %d\n" % (index, number))
            file.flush()
            return []

        with file:
            found = Counter(together(work)[0])
    assert found == Counter(b"%d %d\n" % (i, n) for i in range(1, THREADS) for n in range(50))


# Look-ups and selectors


def test_lookups_do_not_mix() -> None:
    calls: list[Callable[[], object]] = [
        lambda: oxisock.getaddrinfo("127.0.0.1", 80),
        lambda: oxisock.getaddrinfo("::1", "443", type=std.SOCK_STREAM),
        lambda: oxisock.getaddrinfo("localhost", 25, std.AF_INET),
        lambda: oxisock.gethostbyname("localhost"),
        lambda: oxisock.gethostbyname_ex("127.0.0.1"),
        lambda: oxisock.getnameinfo(("127.0.0.1", 80), std.NI_NUMERICHOST),
        lambda: oxisock.getservbyname("http"),
        lambda: oxisock.getservbyport(25),
        lambda: oxisock.getprotobyname("tcp"),
        lambda: oxisock.if_nameindex(),
        lambda: oxisock.inet_ntop(std.AF_INET6, bytes(15) + b"\1"),
        lambda: outcome(lambda: oxisock.getaddrinfo("no such host", 80)),
    ]
    expected = [call() for call in calls]

    def work(index: int) -> bool:
        order = [*range(index, len(calls)), *range(index)]
        return all(calls[number]() == expected[number] for _ in range(5) for number in order)

    assert all(together(work))


def test_a_poll_object_has_one_call_at_a_time() -> None:
    """Others are refused, registering goes on, and every event is told of."""
    from oxisock import select as ours

    pairs = [oxisock.socketpair() for _ in range(THREADS)]
    poll = ours.poll()

    def work(index: int) -> int:
        mine, peer = pairs[index]
        refused = 0
        for _ in range(30):
            poll.register(mine, select.POLLIN)
            try:
                assert (mine.fileno(), select.POLLOUT) not in poll.poll(0)
            except RuntimeError:
                refused += 1
            poll.modify(mine, select.POLLOUT)
            poll.unregister(mine)
        poll.register(mine, select.POLLIN)
        peer.send(b"x")
        return refused

    together(work)
    expected = {(mine.fileno(), select.POLLIN) for mine, _ in pairs}
    assert set(poll.poll(1000)) == expected
    for pair in pairs:
        for sock in pair:
            sock.close()


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="no epoll here")
def test_an_epoll_object_tells_each_thread() -> None:
    """With EPOLLONESHOT each event comes to exactly one of the threads that wait."""
    from oxisock import select as ours

    each = 20
    with ours.epoll() as poll:
        pairs = [oxisock.socketpair() for _ in range(each)]
        for mine, peer in pairs:
            poll.register(mine, select.EPOLLIN | select.EPOLLONESHOT)
            peer.send(b"x")

        def work(_: int) -> list[int]:
            found = []
            while events := poll.poll(0, 2):
                found += [number for number, _ in events]
            return found

        found = Counter(gathered(work))
        assert found == Counter(mine.fileno() for mine, _ in pairs)
        for pair in pairs:
            for sock in pair:
                sock.close()


# Settings and names


def test_settings_are_one_of_those_that_were_set() -> None:
    settings: list[tuple[Callable[[Any], None], Callable[[], Any], list[Any]]] = [
        (oxisock.setdefaulttimeout, oxisock.getdefaulttimeout, [None, 1.5, 20.0]),
        (oxisock.setbusypoll, oxisock.getbusypoll, [0.0, 0.0001, 0.005]),
        (oxisock.setresolvertimeout, oxisock.getresolvertimeout, [None, 2.5, 30.0]),
        (oxisock.setconnecttimeout, oxisock.getconnecttimeout, [None, 3.5, 40.0]),
        (oxisock.setconnectionattemptdelay, oxisock.getconnectionattemptdelay, [0.1, 0.25, 1.0]),
        (
            lambda value: oxisock.setdefaultkeepalive(*value or ()),
            oxisock.getdefaultkeepalive,
            [(10, 5, 3), (7, 7, 7), None],
        ),
    ]
    before = [get() for _, get, _ in settings]

    def work(index: int) -> list[object]:
        wrong: list[object] = []
        for turn in range(20):
            for put, get, values in settings:
                put(values[(index + turn) % len(values)])
                if (found := get()) not in values:
                    wrong.append((get, found))
            with oxisock.socket() as sock:
                if sock.gettimeout() not in settings[0][2]:
                    wrong.append(sock.gettimeout())
                if os.get_blocking(sock.fileno()) != (sock.gettimeout() is None):
                    wrong.append("mode")
        return wrong

    try:
        assert gathered(work) == []
    finally:
        for (put, _, _), value in zip(settings, before, strict=True):
            put(value)


NAMES = """
import sys, threading
sys.setswitchinterval(1e-6)
import oxisock
names = sorted(set(dir(oxisock)) - {"__getattr__", "datagram_endpoint", "DatagramEndpoint"})
barrier = threading.Barrier(10)
found = []

def work(index):
    barrier.wait(30)
    if index == 9:
        import ssl
        vars(oxisock)
    turned = names[index * 50:] + names[:index * 50]
    found.append({name: getattr(oxisock, name) for name in turned})

threads = [threading.Thread(target=work, args=(index,)) for index in range(10)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert len(found) == 10, len(found)
for other in found[1:]:
    differing = [name for name in names if other[name] is not found[0][name]
                 and name not in ("__dict__", "__annotations__")]
    # Members compare by value, and there is one class of each.
    differing = [name for name in differing if other[name] != found[0][name]
                 or type(other[name]) is not type(found[0][name])]
    assert not differing, differing
"""


def test_names_are_the_same_in_all_threads() -> None:
    """The module's names are made when they are first asked for, by whoever comes first."""
    run_python(NAMES)


FORKED = """
import os, threading, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)
import oxisock
listener = oxisock.create_server(("127.0.0.1", 0))
address = listener.getsockname()
listener.settimeout(20)
# Threads that wait in the parent are on the list of the socket, and not in the child.
waiting = [threading.Thread(target=listener.accept, daemon=True) for _ in range(3)]
for thread in waiting: thread.start()
time.sleep(0.1)
child = os.fork()
if child == 0:
    barrier, found = threading.Barrier(10), []
    def work():
        barrier.wait(20)
        found.append(listener.gettimeout())
        listener.settimeout(20)
        listener.getsockname()
    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads: thread.start()
    for thread in threads: thread.join(20)
    number = listener.fileno()
    listener.close()
    try:
        os.fstat(number)
    except OSError:
        os._exit(0 if found == [20.0] * 10 else 1)
    os._exit(2)  # somebody was counted who is not there, and has it open
assert os.waitpid(child, 0)[1] == 0
clients = [oxisock.create_connection(address, 20) for _ in waiting]
for thread in waiting: thread.join(20)
os._exit(0)
"""


def test_a_forked_process_begins_anew_with_ten_threads() -> None:
    run_python(FORKED)
