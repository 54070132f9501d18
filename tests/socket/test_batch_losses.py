"""Batches where the network is narrow or lossy, and where the system refuses in the middle.

What went is told, an error is told once, and whoever goes on behind it loses nothing.
"""

import ctypes
import errno
import os
import socket as std
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

import oxisock
from tests.helpers.namespace import run_alone
from tests.helpers.process import needs_strace, output

PATIENCE = 20

# In every namespace's program: a receiver `a`, a sender `b` that is connected to it, and a loop
# that sends a list and collects the errors on the way, with the number of datagrams before each.
SETUP = """
HEADERS = {headers}
import errno, oxisock as s
a = s.socket(s.AF_INET{six}, s.SOCK_DGRAM)
a.bind(("{host}", 0))
a.settimeout(10)
a.setsockopt(s.SOL_SOCKET, s.SO_RCVBUF, 1 << 20)
b = s.socket(s.AF_INET{six}, s.SOCK_DGRAM)
b.connect(a.getsockname())

def send(items, method=None):
    method = method or b.send_many
    sent, errors = 0, []
    while sent < len(items):
        try:
            sent += method(items[sent:])
        except OSError as error:
            errors.append((sent, error.errno))
            if error.errno == errno.EMSGSIZE:
                sent += 1  # this one will never go
    return errors

def received(count):
    found = []
    while len(found) < count:
        found += a.recvfrom_many(64)
    return [data for data, _ in found]

def rest():
    # What is there, and comes within half a second.
    a.settimeout(0.5)
    found = []
    try:
        while True:
            found += received(1)
    except TimeoutError:
        return found
"""
V4 = SETUP.format(six="", host="127.0.0.1", headers=28)
V6 = SETUP.format(six="6", host="::1", headers=48)


@pytest.mark.parametrize("setup", [V4, V6], ids=["v4", "v6"])
def test_a_small_mtu(setup: str) -> None:
    """Fragments arrive whole; what must not be fragmented is refused, and nothing else."""
    mtu = 1300  # IPv6 has at least 1280
    run_alone(
        setup
        + f"""
texts = [bytes([number]) * (number * 37 % 3000) for number in range(200)]
assert send(texts) == []
assert received(200) == texts
data = bytes(range(256)) * 200
for size in (500, 1200, 2000, 9000):
    assert b.send_segments(data, size) == len(data), size
    assert b"".join(received(-(-len(data) // size))) == data
if a.family == s.AF_INET:
    b.setsockopt(s.IPPROTO_IP, s.IP_MTU_DISCOVER, s.IP_PMTUDISC_DO)
else:
    b.setsockopt(s.IPPROTO_IPV6, s.IPV6_DONTFRAG, 1)
short = [text for text in texts if len(text) <= {mtu} - HEADERS]
errors = send(texts)
assert {{number for _, number in errors}} == {{errno.EMSGSIZE}}
assert [texts[at] for at, _ in errors] == [text for text in texts if len(text) > {mtu} - HEADERS]
assert received(len(short)) == short
""",
        f"ip link set lo mtu {mtu}",
    )


def test_a_queue_that_is_full_refuses_some_and_the_rest_arrives() -> None:
    """The device's queue has room for a few datagrams: ENOBUFS, where the program wants to know."""
    run_alone(
        V4
        + """
b.setsockopt(s.IPPROTO_IP, s.IP_RECVERR, 1)
texts = [b"%d " % number * 200 for number in range(300)]
errors = send(texts)
assert errors and {number for _, number in errors} == {errno.ENOBUFS}, errors[:3]
# What was refused was sent again behind the error, so that all are there, once and in order.
assert received(300) == texts
""",
        "tc qdisc add dev lo root tbf rate 20mbit burst 4kb limit 20kb",
    )


def test_a_queue_that_is_full_loses_some_in_silence() -> None:
    run_alone(
        V4
        + """
texts = [b"%d " % number * 200 for number in range(300)]
assert send(texts) == []
found = rest()
# Some are missing; those that are there are whole, in order, and there once.
assert 0 < len(found) < 300, len(found)
numbers = [int(data.split()[0]) for data in found]
assert numbers == sorted(set(numbers))
assert all(data == texts[number] for data, number in zip(found, numbers))
""",
        "tc qdisc add dev lo root tbf rate 20mbit burst 4kb limit 20kb",
    )


def drop_some(sock: Any) -> None:
    """Have the kernel drop a third of what arrives at a socket, at random; BPF of socket(7)."""

    class Program(ctypes.Structure):
        _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    random_word, less = 0x20, 0x35  # BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JGE|BPF_K
    code = [
        struct.pack("HBBI", random_word, 0, 0, 0xFFFFF000 + 56),  # SKF_AD_OFF + SKF_AD_RANDOM
        struct.pack("HBBI", less, 1, 0, 0x5555_5555),
        struct.pack("HBBI", 0x06, 0, 0, 0),  # BPF_RET: none of it
        struct.pack("HBBI", 0x06, 0, 0, 0xFFFF),
    ]
    memory = ctypes.create_string_buffer(b"".join(code))
    program = Program(len(code), ctypes.addressof(memory))
    sock.setsockopt(oxisock.SOL_SOCKET, 26, bytes(program))  # SO_ATTACH_FILTER


@pytest.mark.parametrize("method", ["recvfrom_many", "recvmsg_many", "recvfrom_many_into"])
def test_random_loss_leaves_the_others_as_they_were(method: str) -> None:
    with (
        oxisock.socket(oxisock.AF_INET, oxisock.SOCK_DGRAM) as one,
        oxisock.socket(oxisock.AF_INET, oxisock.SOCK_DGRAM) as other,
    ):
        other.bind(("127.0.0.1", 0))
        other.setsockopt(oxisock.SOL_SOCKET, oxisock.SO_RCVBUF, 1 << 22)
        drop_some(other)
        one.bind(("127.0.0.1", 0))
        one.connect(other.getsockname())
        texts = [b"%d " % number * (number % 90) for number in range(1000)]
        assert one.send_many(texts) == 1000
        # A busy kernel may deliver what was sent on loopback later.
        other.settimeout(0.5)
        found: list[bytes] = []
        buffer = bytearray(50 * 500)
        try:
            while True:
                if method == "recvfrom_many_into":
                    lengths, addresses = other.recvfrom_many_into(buffer, 500)
                    batch = [bytes(buffer[500 * i :][:n]) for i, n in enumerate(lengths)]
                elif method == "recvmsg_many":
                    datagrams = other.recvmsg_many(50)
                    batch = [datagram.data for datagram in datagrams]
                    addresses = [datagram.address for datagram in datagrams]
                else:
                    batch, addresses = map(list, zip(*other.recvfrom_many(50), strict=True))
                # A test beside this one may have a peer that had this port before.
                for data, address in zip(batch, addresses, strict=True):
                    if address == one.getsockname():
                        found.append(data)
                    else:
                        assert not data or data not in texts
        except TimeoutError:
            pass
        assert 500 < len(found) < 850
        order = iter(texts)
        assert all(data in order for data in found)


def test_a_refused_connection_in_the_middle() -> None:
    """Datagrams to a port that nobody has, each of which may meet with the answer to another."""
    with oxisock.socket(oxisock.AF_INET, oxisock.SOCK_DGRAM) as one:
        with std.socket(std.AF_INET, std.SOCK_DGRAM) as gone:
            gone.bind(("127.0.0.1", 0))
            name = gone.getsockname()
        one.connect(name)
        sent, errors = 0, []
        texts = [b"%d" % number for number in range(100)]
        while sent < 100:
            try:
                sent += one.send_many(texts[sent:])
            except ConnectionRefusedError:
                errors.append(sent)
        # When the answers come is the system's business: one for each datagram at the most, and
        # each is told once.
        one.settimeout(PATIENCE)
        if not errors or errors[-1] < 100:
            with pytest.raises(ConnectionRefusedError):
                one.recvfrom_many(5)
        assert errors == sorted(set(errors))
        one.settimeout(0.1)
        with pytest.raises(TimeoutError):
            one.recvfrom_many(5)


INJECTED = """
import oxisock as s, sys
a = s.socket(s.AF_INET, s.SOCK_DGRAM); a.bind(("127.0.0.1", 0)); a.settimeout(10)
b = s.socket(s.AF_INET, s.SOCK_DGRAM); b.connect(a.getsockname())
texts = [b"%d" % number for number in range(200)]
sent, errors = 0, []
items = [(text, a.getsockname()) for text in texts]
while sent < 200:
    try:
        sent += b.send_many(texts[sent:]) if sent % 2 else b.sendto_many(items[sent:])
    except OSError as error:
        errors.append((sent, error.errno))
found = []
while len(found) < 200:
    found += a.recvfrom_many(70)
assert [data for data, _ in found] == texts
a.setblocking(False)
try:
    a.recvfrom_many(1)
except BlockingIOError:
    print(*errors)
"""


@pytest.mark.parametrize("number", ["ENOBUFS", "ECONNREFUSED", "EMSGSIZE", "EPERM"])
def test_an_injected_error_is_told_once_and_loses_nothing(number: str, tmp_path: Any) -> None:
    """The second, fourth, … system call fails, so the first batch of 64 is followed by an error."""
    done = subprocess.run(
        [needs_strace(), "-o", str(tmp_path / "log"), "-e", "trace=sendmmsg",
         "-e", f"inject=sendmmsg:error={number}:when=2+2", sys.executable, "-c", INJECTED],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    calls = (tmp_path / "log").read_text().count("INJECTED")
    told = output(done).split()
    assert calls >= 2
    expected = getattr(errno, number)
    assert told[1::2] == [f"{expected})"] * calls
    assert [int(place.strip("(,")) for place in told[::2]] == [64 * (i + 1) for i in range(calls)]


@pytest.mark.parametrize("number", ["ECONNREFUSED", "ENOMEM"])
def test_an_injected_error_behind_one_that_came_alone(number: str, tmp_path: Any) -> None:
    """The call that asks for a second datagram fails: the next operation says so, once."""
    program = """
import oxisock as s
a = s.socket(s.AF_INET, s.SOCK_DGRAM); a.bind(("127.0.0.1", 0)); a.settimeout(10)
b = s.socket(s.AF_INET, s.SOCK_DGRAM); b.connect(a.getsockname())
for text in (b"first", b"second", b"third"):
    b.send(text)
    while True:
        try:
            print(a.recvfrom_many(32)[0][0].decode())
            break
        except OSError as error:
            print(error.errno)
"""
    done = subprocess.run(
        [needs_strace(), "-o", str(tmp_path / "log"), "-e", "trace=recvfrom",
         "-e", f"inject=recvfrom:error={number}:when=2", sys.executable, "-c", program],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert output(done).split() == ["first", "second", str(getattr(errno, number)), "third"]


@pytest.mark.parametrize("number", ["ECONNREFUSED", "ENOMEM"])
def test_an_injected_error_behind_received_datagrams(number: str, tmp_path: Any) -> None:
    program = """
import oxisock as s
a = s.socket(s.AF_INET, s.SOCK_DGRAM); a.bind(("127.0.0.1", 0)); a.settimeout(10)
a.setsockopt(s.SOL_SOCKET, s.SO_RCVBUF, 1 << 20)
b = s.socket(s.AF_INET, s.SOCK_DGRAM); b.connect(a.getsockname())
texts = [b"%d" % number for number in range(200)]
for call in (
    lambda: [data for data, _ in a.recvfrom_many(200)],
    lambda: [d.data for d in a.recvmsg_many(200)],
    lambda: [bytes(buffer[3 * i:][:n]) for i, n in enumerate(a.recv_many_into(buffer, 3))],
):
    buffer = bytearray(3 * 200)
    assert b.send_many(texts) == 200
    found, errors = [], []
    while len(found) < 200:
        try:
            found += call()
        except OSError as error:
            errors.append((len(found), error.errno))
    assert found == texts
    print(*errors)
"""
    done = subprocess.run(
        [needs_strace(), "-o", str(tmp_path / "log"), "-e", "trace=/^recvmmsg",
         "-e", f"inject=/^recvmmsg:error={number}:when=2+6", sys.executable, "-c", program],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    told = output(done).splitlines()
    assert told[0] == f"(64, {getattr(errno, number)})"
    assert (tmp_path / "log").read_text().count("INJECTED") == " ".join(told).count("(")


class Hostile:
    """An iterable that does what it likes while it is read."""

    def __init__(self, items: list[Any], act: Any) -> None:
        self.items = items
        self.act = act

    def __iter__(self) -> Iterator[Any]:
        for item in self.items:
            yield item
            self.act()

    def __len__(self) -> int:
        return -1  # which nobody should ask for


@pytest.mark.parametrize("method", ["send_many", "sendto_many"])
def test_hostile_iterables(method: str) -> None:
    with (
        oxisock.socket(oxisock.AF_INET, oxisock.SOCK_DGRAM) as one,
        oxisock.socket(oxisock.AF_INET, oxisock.SOCK_DGRAM) as other,
    ):
        other.bind(("127.0.0.1", 0))
        other.settimeout(PATIENCE)
        if method == "send_many":
            one.connect(other.getsockname())
        name = other.getsockname()
        send = getattr(one, method)

        def wrapped(data: Any) -> Any:
            return data if method == "send_many" else (data, name)

        def fails() -> None:
            raise ZeroDivisionError

        # Nothing goes where the iterable fails half-way.
        with pytest.raises(ZeroDivisionError):
            send(Hostile([wrapped(b"a"), wrapped(b"b")], fails))
        # One that sends and receives by batches itself while it is read.
        nested = Hostile(
            [wrapped(b"outer 1"), wrapped(b"outer 2")],
            lambda: send([wrapped(b"inner")]) and other.recvfrom_many(5),
        )
        assert send(nested) == 2
        assert [data for data, _ in other.recvfrom_many(9)] == [b"outer 1", b"outer 2"]
        # A buffer that is exported cannot be resized while it is sent; afterwards it can.
        buffer = bytearray(b"x")
        items = [wrapped(buffer)] * 3
        assert send(items) == 3
        buffer.extend(b"y")
        # A list that gets shorter while it is read.
        shrinking = [wrapped(b"1"), wrapped(b"2"), wrapped(b"3")]
        assert send(Hostile(shrinking, shrinking.clear)) in (1, 3)
        # Views without a contiguous buffer.
        with pytest.raises((BufferError, TypeError)):
            send([wrapped(memoryview(b"abcd")[::2])])


def test_buffers_that_change_while_they_are_received_into() -> None:
    with oxisock.socket(oxisock.AF_INET, oxisock.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        one.settimeout(PATIENCE)
        buffer = bytearray(100)
        failed: list[BaseException] = []

        def resize() -> None:
            try:
                buffer.extend(b"more")
            except BufferError as error:
                failed.append(error)
            one.sendto(b"now", one.getsockname())

        timer = threading.Timer(0.05, resize)
        timer.start()
        assert list(one.recv_many_into(buffer, 10)) == [3]
        timer.join()
        assert len(failed) == 1
        with pytest.raises(TypeError, match="buffer"):
            one.recv_many_into(memoryview(b"abc"), 1)


DATAGRAMS = int(os.environ.get("OXISOCK_TEST_DATAGRAMS", "60000"))
"""How many go through the test below, from all senders together: ten million take minutes."""

SENDER = """
import random, struct, sys, zlib, oxisock as s
family, port, seed, total, last = map(int, sys.argv[1:])
chance = random.Random(seed)
noise = chance.randbytes(1 << 16)
host = "127.0.0.1" if family == s.AF_INET else "::1"
with s.socket(family, s.SOCK_DGRAM) as sock:
    sock.bind((host, 0))
    sock.connect((host, port))
    sock.settimeout(60)
    number = 0
    while number < total:
        batch = []
        count = min(chance.randint(1, 40), total - number)
        for index in range(count):
            start = chance.randrange(60_000)
            size = chance.choice((0, 12, 64, 300, 1200, 1400))
            head = number | (last if index == count - 1 else 0)
            body = struct.pack("IH", head, size) + noise[start : start + size]
            batch.append(struct.pack("I", zlib.crc32(body)) + body)
            if number % 100 == 0:
                batch.insert(-1, b"")
            number += 1
        sent = 0
        while sent < len(batch):
            sent += sock.send_many(batch[sent:])
        sock.recv(1)  # the receiver has them all
"""
HEAD = 10


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6"])
def test_every_datagram_once_whole_and_in_order(family: str) -> None:
    """From three processes, of mixed sizes, with checksums, by each way of receiving in turn."""
    senders, last = 3, 1 << 31
    total = DATAGRAMS // senders // 2
    kind = getattr(oxisock, family)
    stride, short = 1480, 500
    with oxisock.socket(kind, oxisock.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1" if kind == oxisock.AF_INET else "::1", 0))
        receiver.settimeout(60)
        receiver.setsockopt(oxisock.SOL_SOCKET, oxisock.SO_RCVBUF, 1 << 22)
        arguments = [str(int(kind)), str(receiver.getsockname()[1])]
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", SENDER, *arguments, str(seed), str(total), str(last)]
            )
            for seed in range(senders)
        ]
        try:
            expected: dict[Any, int] = {}
            empty: dict[Any, int] = {}
            cut = turn = 0
            buffer = bytearray(64 * stride)
            while sum(expected.values()) < senders * total:
                turn += 1
                if turn % 3 == 0:
                    batch = [(data, address, False) for data, address in receiver.recvfrom_many(64)]
                elif turn % 3 == 1:
                    lengths, addresses = receiver.recvfrom_many_into(buffer, stride)
                    batch = [
                        (bytes(buffer[stride * at :][:length]), addresses[at], False)
                        for at, length in enumerate(lengths)
                    ]
                else:
                    datagrams = receiver.recvmsg_many(64, short)
                    batch = [(each.data, each.address, each.truncated) for each in datagrams]
                for data, address, truncated in batch:
                    if not data:
                        # It stands in front of every hundredth.
                        assert expected.get(address, 0) % 100 == 0
                        empty[address] = empty.get(address, 0) + 1
                        continue
                    checksum, number, size = struct.unpack_from("IIH", data)
                    assert number & ~last == expected.get(address, 0)
                    expected[address] = (number & ~last) + 1
                    if truncated:
                        assert len(data) == short < HEAD + size
                        cut += 1
                    else:
                        assert len(data) == HEAD + size
                        assert zlib.crc32(data[4:]) == checksum
                    if number & last:
                        receiver.sendto(b"", address)
            assert sorted(expected.values()) == [total] * senders
            assert sorted(empty.values()) == [-(-total // 100)] * senders
            assert cut
            assert [process.wait(60) for process in processes] == [0] * senders
        finally:
            for process in processes:
                process.kill()
                process.wait()
