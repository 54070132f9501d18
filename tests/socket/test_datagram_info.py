"""What the system tells of datagrams, and what it is told with them."""

import array
import errno
import os
import socket as std
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

import oxisock
from tests.helpers.process import (
    descriptors,
    needs_strace,
    no_new_descriptors,
    run_python,
    system_call,
    wait_until,
)

PATIENCE = 10
HOSTS = {
    "v4": (oxisock.AF_INET, "127.0.0.1", "127.0.0.1"),
    "v6": (oxisock.AF_INET6, "::1", "::1"),
    # A socket of both families, and a peer that comes over IPv4.
    "mapped": (oxisock.AF_INET6, "::", "::ffff:127.0.0.1"),
}
# No size has more than 32 bits where a pointer has not.
TOO_LARGE = ValueError if sys.maxsize > 2**40 else OverflowError
LOOPBACK = oxisock.if_nametoindex("lo")
Pair = tuple[Any, Any, Any]


@pytest.fixture(params=HOSTS)
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """A sender, a receiver, and the receiver's address."""
    family, own, host = HOSTS[request.param]
    with (
        oxisock.socket(family, oxisock.SOCK_DGRAM) as sender,
        oxisock.socket(family, oxisock.SOCK_DGRAM) as receiver,
    ):
        receiver.bind((own, 0))
        receiver.settimeout(PATIENCE)
        yield sender, receiver, (host, receiver.getsockname()[1])


def test_without_options_there_is_the_datagram_alone(pair: Pair) -> None:
    sender, receiver, address = pair
    sender.sendto(b"one", address)
    sender.sendto(b"", address)
    one, empty = receiver.recvmsg_many(5)
    assert isinstance(one, oxisock.Datagram)
    assert (one.data, empty.data) == (b"one", b"")
    assert one.address[:2] == (address[0], sender.getsockname()[1])
    assert one.address is empty.address
    for name in ("ecn", "dscp", "ttl", "destination", "interface", "timestamp", "timestamp_ns"):
        assert getattr(one, name) is None
    assert one.hardware_timestamp is one.hardware_timestamp_ns is one.segment_size is None
    assert (one.drops, one.flags, one.truncated, one.ancdata) == (None, 0, False, ())


def test_everything_that_was_sent_along_is_told(pair: Pair) -> None:
    sender, receiver, address = pair
    receiver.setrecvinfo(ecn=True, ttl=True, destination=True, timestamp=True, drops=True)
    message = sender.ancillary(ecn=2, dscp=46, ttl=9, source=address[0], interface="lo")
    before = time.time_ns()
    for number in range(3):
        sender.sendmsg([b"%d" % number], message, 0, address)
    found = receiver.recvmsg_many(5)
    after = time.time_ns()
    assert [datagram.data for datagram in found] == [b"0", b"1", b"2"]
    for datagram in found:
        assert (datagram.ecn, datagram.dscp, datagram.ttl) == (2, 46, 9)
        assert (datagram.destination, datagram.interface) == (address[0], LOOPBACK)
        assert datagram.address[0] == address[0]
        # The clock may be set meanwhile, but not by a day.
        assert before - 10**14 < datagram.timestamp_ns < after + 10**14
        assert datagram.timestamp == pytest.approx(datagram.timestamp_ns / 1e9)
        assert datagram.ancdata == ()


def test_each_datagram_has_its_own(pair: Pair) -> None:
    sender, receiver, address = pair
    receiver.setrecvinfo(ecn=True, ttl=True)
    for number in range(100):
        message = sender.ancillary(ecn=number % 4, ttl=1 + number)
        sender.sendmsg([b"%d" % number], message, 0, address)
    # The same slots are used twice and more, with and without room for ancillary data.
    found = [*receiver.recvmsg_many(70), *receiver.recvmsg_many(2)]
    plain = receiver.recvfrom_many(3)
    bare = receiver.recvmsg_many(3, 10, 0)
    rest = receiver.recvmsg_many(99)
    assert [(d.data, d.ecn, d.ttl) for d in found] == [
        (b"%d" % number, number % 4, 1 + number) for number in range(72)
    ]
    assert [data for data, _ in plain] == [b"72", b"73", b"74"]
    assert [(d.data, d.ecn, d.truncated) for d in bare] == [
        (b"%d" % number, None, False) for number in (75, 76, 77)
    ]
    assert all(d.flags & oxisock.MSG_CTRUNC for d in bare)
    assert [d.ttl for d in rest] == [1 + number for number in range(78, 100)]


def test_one_part_of_the_traffic_class_leaves_the_other(pair: Pair) -> None:
    sender, receiver, address = pair
    receiver.setrecvinfo(ecn=True)
    for level, name in [(oxisock.IPPROTO_IP, oxisock.IP_TOS), (41, oxisock.IPV6_TCLASS)]:
        if level == oxisock.IPPROTO_IP or sender.family == oxisock.AF_INET6:
            sender.setsockopt(level, name, 10 << 2 | 1)
    sender.sendto(b"", address)
    sender.sendmsg([], sender.ancillary(ecn=2), 0, address)
    sender.sendmsg([], sender.ancillary(dscp=7), 0, address)
    found = receiver.recvmsg_many(9)
    assert [(d.dscp, d.ecn) for d in found] == [(10, 1), (10, 2), (7, 1)]


def test_what_is_switched_off_is_not_told_any_more(pair: Pair) -> None:
    sender, receiver, address = pair
    receiver.setrecvinfo(ecn=True, ttl=True, destination=True, timestamp=True)
    receiver.setrecvinfo(ttl=False, destination=False, timestamp=False)
    sender.sendto(b"x", address)
    [found] = receiver.recvmsg_many(1)
    assert (found.ecn, found.ttl, found.destination, found.timestamp) == (0, None, None, None)
    receiver.setrecvinfo()


def test_hardware_timestamps_leave_other_bits_alone(pair: Pair) -> None:
    sender, receiver, address = pair
    software = oxisock.SOF_TIMESTAMPING_RX_SOFTWARE | oxisock.SOF_TIMESTAMPING_SOFTWARE
    option = (oxisock.SOL_SOCKET, oxisock.SO_TIMESTAMPING)
    receiver.setsockopt(*option, software)
    receiver.setrecvinfo(hardware_timestamp=True)
    assert receiver.getsockopt(*option) & oxisock.SOF_TIMESTAMPING_RAW_HARDWARE

    def told() -> bool:
        sender.sendto(b"x", address)
        [found] = receiver.recvmsg_many(1)
        # The loopback interface has no clock; the system's time comes in the same message.
        assert found.hardware_timestamp is found.hardware_timestamp_ns is None
        return found.timestamp is not None

    # The kernel begins to take the time a moment after somebody has asked for it.
    wait_until(told)
    receiver.setrecvinfo(hardware_timestamp=False)
    assert receiver.getsockopt(*option) == software


def test_lost_datagrams_are_counted(pair: Pair) -> None:
    sender, receiver, address = pair
    receiver.setrecvinfo(drops=True)
    receiver.setsockopt(oxisock.SOL_SOCKET, oxisock.SO_RCVBUF, 1)
    for _ in range(50):
        sender.sendto(bytes(1000), address)
    arrived = len(receiver.recvmsg_many(50))
    assert 0 < arrived < 50
    sender.sendto(b"x", address)
    assert receiver.recvmsg_many(1)[0].drops == 50 - arrived


def test_a_datagram_that_is_cut_says_so(pair: Pair) -> None:
    sender, receiver, address = pair
    for size in (10, 11, 1000, 9):
        sender.sendto(bytes(size), address)
    found = receiver.recvmsg_many(9, 10)
    assert [(len(d.data), d.truncated) for d in found] == [
        (10, False),
        (10, True),
        (10, True),
        (9, False),
    ]
    assert found[1].flags & oxisock.MSG_TRUNC


def test_joined_datagrams_tell_their_length(pair: Pair) -> None:
    sender, receiver, address = pair
    receiver.setgro(True)
    message = sender.ancillary(segment_size=300)
    assert sender.sendmsg([bytes(1000)], message, 0, address) == 1000
    found: list[Any] = []
    while sum(len(d.data) for d in found) < 1000:
        found += receiver.recvmsg_many(9)
    sizes = [d.segment_size or len(d.data) for d in found]
    assert set(sizes) <= {300, 100}


def test_answers_come_from_where_the_question_went() -> None:
    """A server that is bound to all addresses answers from the one that it was asked at."""
    with (
        oxisock.socket(oxisock.AF_INET, oxisock.SOCK_DGRAM) as server,
        std.socket(std.AF_INET, std.SOCK_DGRAM) as client,
    ):
        server.bind(("0.0.0.0", 0))
        server.settimeout(PATIENCE)
        client.settimeout(PATIENCE)
        server.setrecvinfo(destination=True)
        client.connect(("127.7.7.7", server.getsockname()[1]))
        client.send(b"question")
        [question] = server.recvmsg_many(5)
        assert question.destination == "127.7.7.7"
        message = server.ancillary(source=question.destination)
        server.sendmsg([b"answer"], message, 0, question.address)
        # Connected, it gets what comes from there alone.
        assert client.recv(100) == b"answer"


def test_the_same_as_recvmsg_tells(pair: Pair) -> None:
    sender, receiver, address = pair
    receiver.setrecvinfo(ecn=True, ttl=True, destination=True)
    message = sender.ancillary(ecn=1, ttl=33)
    for _ in range(2):
        sender.sendmsg([b"x"], message, 0, address)
    data, ancdata, flags, source = receiver.recvmsg(10, 512)
    [found] = receiver.recvmsg_many(1)
    assert (found.data, found.address, found.flags) == (data, source, flags)
    values = {struct.unpack("i", item)[0] for _, _, item in ancdata if len(item) == 4}
    # Of IPv4 the class comes as one byte.
    values |= {item[0] for _, _, item in ancdata if len(item) == 1}
    assert values == {1, 33} == {found.ecn, found.ttl}


def test_other_control_messages_come_as_they_are() -> None:
    one, other = oxisock.socketpair(oxisock.AF_UNIX, oxisock.SOCK_DGRAM)
    with one, other, open(os.devnull) as file, no_new_descriptors():
        numbers = array.array("i", [file.fileno()] * 3)
        for _ in range(2):
            one.sendmsg([b"x"], [(oxisock.SOL_SOCKET, oxisock.SCM_RIGHTS, numbers)])
        one.send(b"y")
        found = other.recvmsg_many(5)
        assert [d.data for d in found] == [b"x", b"x", b"y"]
        assert found[2].ancdata == ()
        for datagram in found[:2]:
            [(level, kind, data)] = datagram.ancdata
            assert (level, kind) == (oxisock.SOL_SOCKET, oxisock.SCM_RIGHTS)
            for number in struct.unpack("3i", data):
                assert os.path.sameopenfile(number, file.fileno())
                os.close(number)


def test_descriptors_that_do_not_get_out_are_closed() -> None:
    """Cut ancillary data warns; where that is an error, nobody gets what came before it."""
    one, other = oxisock.socketpair(oxisock.AF_UNIX, oxisock.SOCK_DGRAM)
    with one, other, open(os.devnull) as file:
        numbers = array.array("i", [file.fileno()])
        more = array.array("i", [file.fileno()] * 3)
        room = oxisock.CMSG_LEN(2 * numbers.itemsize)
        before = descriptors()
        for items in (numbers, numbers, more):
            one.sendmsg([b"x"], [(oxisock.SOL_SOCKET, oxisock.SCM_RIGHTS, items)])
        found = other.recvmsg_many(5, 10, room)
        assert [len(d.ancdata[0][2]) // 4 for d in found] == [1, 1, 2]
        assert found[2].flags & oxisock.MSG_CTRUNC
        for datagram in found:
            for number in array.array("i", datagram.ancdata[0][2]):
                os.close(number)
        assert descriptors() == before

        class Refuses:
            def __index__(self) -> int:
                raise RuntimeError

        with pytest.raises(RuntimeError):
            other.recvmsg_many(5, 10, Refuses())
        assert descriptors() == before


def test_peeking_gives_one_and_takes_none(pair: Pair) -> None:
    sender, receiver, address = pair
    sender.sendto(b"a", address)
    sender.sendto(b"b", address)
    assert [d.data for d in receiver.recvmsg_many(5, 10, 100, oxisock.MSG_PEEK)] == [b"a"]
    assert [d.data for d in receiver.recvmsg_many(5)] == [b"a", b"b"]


def test_its_text_names_what_was_told(pair: Pair) -> None:
    sender, receiver, address = pair
    receiver.setrecvinfo(ttl=True)
    sender.sendmsg([b"x"], sender.ancillary(ttl=5), 0, address)
    [found] = receiver.recvmsg_many(1)
    text = repr(found)
    assert text.startswith("Datagram(data=b'x', address=(")
    assert "ttl=5" in text
    assert "ecn" not in text
    match found:
        case oxisock.Datagram(data, sent_from):
            assert (data, sent_from) == (b"x", found.address)
    with pytest.raises(AttributeError):
        found.ttl = 3
    with pytest.raises(TypeError):
        oxisock.Datagram()


def test_the_three_modes() -> None:
    with oxisock.socket(oxisock.AF_INET, oxisock.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(0.02)
        with pytest.raises(TimeoutError):
            sock.recvmsg_many(3)
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            sock.recvmsg_many(3)
        sock.setblocking(True)
        sock.sendto(b"x", sock.getsockname())
        assert [d.data for d in sock.recvmsg_many(3)] == [b"x"]
    for call in (lambda: sock.recvmsg_many(3), sock.setrecvinfo, sock.ancillary):
        with pytest.raises(OSError, match="Bad file descriptor"):
            call()


@pytest.mark.parametrize(
    ("method", "arguments", "error", "words"),
    [
        ("recvmsg_many", {"n": 0}, ValueError, "n must be positive"),
        ("recvmsg_many", {"n": 1, "bufsize": -1}, ValueError, "negative buffersize"),
        ("recvmsg_many", {"n": 1, "ancbufsize": -1}, ValueError, "ancillary"),
        ("recvmsg_many", {"n": 1, "ancbufsize": 2**40}, TOO_LARGE, "anc"),
        ("recvmsg_many", {"n": "1"}, TypeError, "integer"),
        ("setrecvinfo", {"ttl": 1}, TypeError, "ttl"),
        ("ancillary", {"ecn": 4}, ValueError, "ecn must be between 0 and 3"),
        ("ancillary", {"ecn": -1}, ValueError, "ecn"),
        ("ancillary", {"dscp": 64}, ValueError, "dscp"),
        ("ancillary", {"ttl": 0}, ValueError, "ttl must be between 1 and 255"),
        ("ancillary", {"ttl": 2**70}, ValueError, "ttl"),
        ("ancillary", {"ttl": "1"}, TypeError, "."),
        ("ancillary", {"source": "localhost"}, ValueError, "source must be a numeric address"),
        ("ancillary", {"source": "::1"}, ValueError, "source must be an IPv4 address"),
        ("ancillary", {"source": b"127.0.0.1"}, TypeError, "source must be str"),
        ("ancillary", {"interface": "no such"}, OSError, "interface 'no such'"),
        ("ancillary", {"interface": "10.9.8.7"}, OSError, "interface '10.9.8.7'"),
        ("ancillary", {"interface": 2**32}, OverflowError, "interface"),
        ("ancillary", {"interface": -1}, OverflowError, "interface"),
        ("ancillary", {"interface": 1.5}, TypeError, "interface must be int or str"),
        ("ancillary", {"segment_size": 0}, ValueError, "segment_size"),
        ("ancillary", {"txtime": -1}, ValueError, "txtime"),
    ],
)
def test_bad_arguments(
    method: str, arguments: dict[str, Any], error: type[Exception], words: str
) -> None:
    with (
        oxisock.socket(oxisock.AF_INET, oxisock.SOCK_DGRAM) as sock,
        pytest.raises(error, match=words),
    ):
        getattr(sock, method)(**arguments)


def test_sockets_that_have_none_of_it() -> None:
    one, other = oxisock.socketpair(oxisock.AF_UNIX, oxisock.SOCK_DGRAM)
    with one, other:
        for call in (lambda: one.setrecvinfo(ttl=True), lambda: one.ancillary(ttl=1)):
            with pytest.raises(OSError, match="not supported") as caught:
                call()
            assert caught.value.errno == errno.EOPNOTSUPP
        one.setrecvinfo(timestamp=True)
        other.send(b"x")
        assert one.recvmsg_many(1)[0].timestamp is not None
    one, other = oxisock.socketpair()
    with one, other, pytest.raises(OSError, match="not supported"):
        one.recvmsg_many(1)


def test_a_departure_time_is_taken(pair: Pair) -> None:
    sender, receiver, address = pair
    sender.setsockopt(oxisock.SOL_SOCKET, oxisock.SO_TXTIME, struct.pack("iI", 1, 0))
    sender.sendmsg([b"x"], sender.ancillary(txtime=time.monotonic_ns()), 0, address)
    assert receiver.recvmsg_many(1)[0].data == b"x"


def test_one_system_call_for_all_of_them(tmp_path: Any) -> None:
    program = (
        "import oxisock as s\n"
        "a = s.socket(s.AF_INET, s.SOCK_DGRAM); b = s.socket(s.AF_INET, s.SOCK_DGRAM)\n"
        "a.bind(('127.0.0.1', 0)); a.settimeout(5); b.connect(a.getsockname())\n"
        "a.setrecvinfo(ttl=True, ecn=True, destination=True, timestamp=True)\n"
        "b.send_many([b'x'] * 32); b.send_many([b'x'] * 32)\n"
        "a.recvmsg_many(32); a.recvmsg_many(32)\n"
    )
    log = tmp_path / "log"
    subprocess.run(
        [needs_strace(), "-o", str(log), "-e", "trace=network", sys.executable, "-c", program],
        check=True,
        timeout=60,
    )
    calls = [system_call(line) for line in log.read_text().splitlines()]
    assert [name for name in calls if name.startswith("recv")] == ["recvmmsg"] * 2


def test_warnings_as_errors_leak_nothing() -> None:
    run_python(
        """
        import array, os, oxisock as s
        one, other = s.socketpair(s.AF_UNIX, s.SOCK_DGRAM)
        count = len(os.listdir("/proc/self/fd"))
        items = array.array("i", [1, 1])
        for size in range(s.CMSG_LEN(0), s.CMSG_SPACE(12)):
            one.sendmsg([b"x"], [(s.SOL_SOCKET, s.SCM_RIGHTS, items[:1])])
            one.sendmsg([b"x"], [(s.SOL_SOCKET, s.SCM_RIGHTS, items)])
            try:
                found = other.recvmsg_many(5, 10, size)
            except RuntimeWarning:
                found = []
            for datagram in found:
                for _, _, data in datagram.ancdata:
                    for number in array.array("i", data[: len(data) & ~3]):
                        os.close(number)
            other.setblocking(False)
            try:
                other.recvmsg_many(5)
            except BlockingIOError:
                pass
            other.setblocking(True)
            assert len(os.listdir("/proc/self/fd")) == count, size
        """
    )
