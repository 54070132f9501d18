"""Datagrams by the batch: every one once, whole, in order, from its sender."""

import errno
import hashlib
import os
import random
import socket as std
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

import oxisock
from tests.helpers.process import alarm, needs, system_call

PATIENCE = 20
FAMILIES = ["udp4", "udp6", "unix"]
Pair = tuple[Any, Any]


def udp(family: int, host: str) -> Any:
    sock = oxisock.socket(family, oxisock.SOCK_DGRAM)
    sock.bind((host, 0))
    sock.settimeout(PATIENCE)
    return sock


@pytest.fixture(params=FAMILIES)
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Two datagram sockets that are connected to each other."""
    if request.param == "unix":
        one, other = oxisock.socketpair(oxisock.AF_UNIX, oxisock.SOCK_DGRAM)
    else:
        family, host = (
            (oxisock.AF_INET, "127.0.0.1") if request.param == "udp4" else (oxisock.AF_INET6, "::1")
        )
        one, other = udp(family, host), udp(family, host)
        one.connect(other.getsockname())
        other.connect(one.getsockname())
    with one, other:
        for sock in (one, other):
            sock.settimeout(PATIENCE)
            sock.setsockopt(oxisock.SOL_SOCKET, oxisock.SO_RCVBUF, 1 << 20)
        yield one, other


@pytest.fixture
def v4() -> Iterator[Pair]:
    """Two UDP sockets, connected to each other."""
    with udp(oxisock.AF_INET, "127.0.0.1") as one, udp(oxisock.AF_INET, "127.0.0.1") as other:
        one.connect(other.getsockname())
        other.connect(one.getsockname())
        yield one, other


def received(sock: Any, count: int, n: int = 64, bufsize: int = 65_535) -> list[Any]:
    """So many datagrams, by as many calls as it takes."""
    found: list[Any] = []
    while len(found) < count:
        found += sock.recvfrom_many(min(n, count - len(found)), bufsize)
    return found


def test_what_was_sent_one_by_one(pair: Pair) -> None:
    one, other = pair
    texts = [b"", b"a", b"bc" * 700, b"", b"d"]
    for text in texts:
        one.send(text)
    found = received(other, len(texts))
    assert [data for data, _ in found] == texts
    one.send(b"again")
    _, address = other.recvfrom(10)
    assert {sender for _, sender in found} == {address}
    assert type(found[0]) is tuple
    assert type(found[0][0]) is bytes


def test_what_was_sent_by_the_batch_is_received_one_by_one(pair: Pair) -> None:
    one, other = pair
    texts = [b"", b"a", bytearray(b"bc"), memoryview(b"def"), b"g" * 1400]
    assert one.send_many(texts) == len(texts)
    assert [other.recv(2000) for _ in texts] == [bytes(text) for text in texts]


def test_any_iterable_is_sent(v4: Pair) -> None:
    one, other = v4
    assert one.send_many(bytes([number]) for number in range(3)) == 3
    assert one.send_many({b"x": 1}) == 1
    assert one.send_many(()) == 0
    assert one.sendto_many(()) == 0
    assert [data for data, _ in received(other, 4)] == [b"\0", b"\1", b"\2", b"x"]


@pytest.mark.parametrize("count", [1, 63, 64, 65, 200])
def test_more_than_one_system_call_takes(v4: Pair, count: int) -> None:
    one, other = v4
    other.setsockopt(oxisock.SOL_SOCKET, oxisock.SO_RCVBUF, 1 << 20)
    texts = [b"%d" % number for number in range(count)]
    assert one.send_many(texts) == count
    # What was sent over loopback is there when the call returns.
    assert [data for data, _ in other.recvfrom_many(1000)] == texts


def test_never_more_than_asked_for(v4: Pair) -> None:
    one, other = v4
    one.send_many([b"x"] * 10)
    assert [len(other.recvfrom_many(3)) for _ in range(4)] == [3, 3, 3, 1]


def test_to_several_addresses() -> None:
    with (
        udp(oxisock.AF_INET, "127.0.0.1") as sender,
        udp(oxisock.AF_INET, "127.0.0.1") as one,
        udp(oxisock.AF_INET, "127.0.0.1") as other,
    ):
        first, second = one.getsockname(), other.getsockname()
        items = [(b"1", first), (b"2", second), [b"3", first], (b"4", ("localhost", second[1]))]
        assert sender.sendto_many(items) == 4
        assert [data for data, _ in received(one, 2)] == [b"1", b"3"]
        found = received(other, 2)
        assert [data for data, _ in found] == [b"2", b"4"]
        assert {address for _, address in found} == {sender.getsockname()}


def test_from_several_senders() -> None:
    with udp(oxisock.AF_INET, "127.0.0.1") as receiver:
        senders = [udp(oxisock.AF_INET, "127.0.0.1") for _ in range(5)]
        names = []
        chance = random.Random(5)
        for number in range(50):
            sender = chance.choice(senders)
            sender.sendto(b"%d" % number, receiver.getsockname())
            names.append((b"%d" % number, sender.getsockname()))
        assert receiver.recvfrom_many(99) == names
        for sender in senders:
            sender.close()


def test_neighbours_of_one_sender_share_its_address(v4: Pair) -> None:
    one, other = v4
    one.send_many([b"a", b"b"])
    (_, first), (_, second) = other.recvfrom_many(2)
    assert first is second


def test_the_last_sender_is_one_object_for_all_methods(v4: Pair) -> None:
    """Its address is built once, and taken as it is when an answer goes back there."""
    one, other = v4
    address = one.getsockname()
    one.send_many([b"x"] * 5)
    found = [
        other.recvfrom(9)[1],
        other.recvfrom_into(bytearray(9))[1],
        other.recvmsg(9)[3],
        other.recvfrom_many(1)[0][1],
        other.recvmsg_many(1)[0].address,
    ]
    assert found == [address] * 5
    assert len({id(sender) for sender in found}) == 1


@pytest.mark.parametrize(
    ("family", "host"), [(oxisock.AF_INET, "127.0.0.1"), (oxisock.AF_INET6, "::1")]
)
def test_answers_go_to_whoever_asked(family: int, host: str) -> None:
    with udp(family, host) as server, udp(family, host) as one, udp(family, host) as two:
        for turn in range(3):
            for client in (one, two, two, one):
                client.sendto(b"question %d" % turn, server.getsockname())
            for data, sender in [server.recvfrom(100), server.recvfrom(100)]:
                assert server.sendto(data, sender) == len(data)
            (data, sender), *rest = server.recvfrom_many(10)
            assert server.sendmsg([data], [], 0, sender) == len(data)
            assert server.sendto_many(rest) == 1
            for client in (one, two):
                answers = client.recvfrom_many(10)
                assert answers == [(b"question %d" % turn, server.getsockname())] * 2


def test_a_sender_is_parsed_by_the_family_that_the_socket_has() -> None:
    """The address that a socket has learnt is none of a second one in its place."""
    with udp(oxisock.AF_INET, "127.0.0.1") as sock, udp(oxisock.AF_INET, "127.0.0.1") as peer:
        peer.sendto(b"x", sock.getsockname())
        _, sender = sock.recvfrom(10)
        sock.close()
        sock.__init__(oxisock.AF_INET6, oxisock.SOCK_DGRAM)
        reference = std.socket(std.AF_INET6, std.SOCK_DGRAM)
        with reference, pytest.raises(OSError) as expected:
            reference.sendto(b"x", sender)
        with pytest.raises(type(expected.value)) as told:
            sock.sendto(b"x", sender)
        assert (told.value.errno, told.value.strerror) == (
            expected.value.errno,
            expected.value.strerror,
        )


def test_what_is_too_long_is_cut(pair: Pair) -> None:
    one, other = pair
    one.send_many([b"abcdef", b"gh"])
    assert [data for data, _ in received(other, 2, bufsize=4)] == [b"abcd", b"gh"]
    one.send_many([b"abcdef", b"gh"])
    assert [data for data, _ in received(other, 2, bufsize=0)] == [b"", b""]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_behind_one_that_came_alone(pair: Pair, count: int) -> None:
    """As many as are there, cut or not, whatever the last batch had."""
    one, other = pair
    texts = [b"abcdefgh", b"", b"abcd"][:count]
    for _ in range(2):
        one.send(b"alone")
        assert [data for data, _ in other.recvfrom_many(32, 4)] == [b"alon"]
        one.send_many(texts)
        assert [data for data, _ in other.recvfrom_many(32, 4)] == [text[:4] for text in texts]
        one.send(b"alone")
        buffer = bytearray(32 * 4)
        assert list(other.recv_many_into(buffer, 4)) == [5]
        one.send_many(texts)
        assert list(other.recv_many_into(buffer, 4)) == [len(text) for text in texts]
        assert bytes(buffer[: 4 * count]).startswith(b"abcd")
        one.send(b"alone")
        lengths, senders = other.recvfrom_many_into(buffer, 4)
        one.send_many([b"x"] * count)
        more, again = other.recvfrom_many_into(buffer, 4)
        assert (len(lengths), list(more)) == (1, [1] * count)
        assert senders * count == again
        if other.family != oxisock.AF_UNIX:
            assert senders == [one.getsockname()]


def test_into_a_buffer(pair: Pair) -> None:
    one, other = pair
    one.send_many([b"abcdef", b"gh", b"", b"ijkl"])
    buffer = bytearray(b"." * 18)
    lengths = other.recv_many_into(buffer, 4)
    assert lengths.format == "I"
    # The first one was cut, and the last place is no whole slot.
    assert list(lengths) == [6, 2, 0, 4]
    assert buffer == b"abcdgh......ijkl.."


def test_into_a_buffer_with_addresses(v4: Pair) -> None:
    one, other = v4
    one.send_many([b"a", b"bb"])
    buffer = bytearray(100)
    lengths, addresses = other.recvfrom_many_into(buffer, 10)
    assert list(lengths) == [1, 2]
    assert addresses == [one.getsockname()] * 2


def test_a_buffer_of_more_slots_than_a_call_takes(v4: Pair) -> None:
    one, other = v4
    other.setsockopt(oxisock.SOL_SOCKET, oxisock.SO_RCVBUF, 1 << 20)
    one.send_many([struct.pack("I", number) for number in range(150)])
    buffer = bytearray(4 * 200)
    assert list(other.recv_many_into(buffer, 4)) == [4] * 150
    assert memoryview(buffer).cast("I").tolist() == [*range(150), *[0] * 50]


def test_as_many_as_a_call_takes_and_no_more(v4: Pair) -> None:
    """Whether there are more has to be asked, and nobody waits for them."""
    one, other = v4
    other.setsockopt(oxisock.SOL_SOCKET, oxisock.SO_RCVBUF, 1 << 20)
    for timeout in (None, PATIENCE):
        other.settimeout(timeout)
        for calls in (1, 2):
            assert one.send_many([b"x"] * 64 * calls) == 64 * calls
            buffer = bytearray(4 * 200)
            before = time.monotonic()
            assert list(other.recv_many_into(buffer, 4)) == [1] * 64 * calls
            assert one.send_many([b"x"] * 64 * calls) == 64 * calls
            assert len(other.recvfrom_many(200, 10)) == 64 * calls
            assert time.monotonic() - before < PATIENCE / 2


def test_a_peek_takes_nothing(v4: Pair) -> None:
    one, other = v4
    one.send_many([b"a", b"b"])
    assert [data for data, _ in other.recvfrom_many(5, 10, oxisock.MSG_PEEK)] == [b"a"]
    assert [data for data, _ in other.recvfrom_many(5)] == [b"a", b"b"]


@pytest.mark.parametrize("method", ["recvfrom_many", "recv_many_into"])
def test_waits_for_the_first_only(v4: Pair, method: str) -> None:
    one, other = v4
    arguments: tuple[Any, ...] = (9,) if method == "recvfrom_many" else (bytearray(90), 10)
    for timeout in (None, PATIENCE):
        other.settimeout(timeout)
        timer = threading.Timer(0.05, one.send, (b"x",))
        timer.start()
        assert len(getattr(other, method)(*arguments)) == 1
        timer.join()


@pytest.mark.parametrize("method", ["recvfrom_many", "recv_many_into"])
def test_the_three_modes(v4: Pair, method: str) -> None:
    _, other = v4
    arguments: tuple[Any, ...] = (9,) if method == "recvfrom_many" else (bytearray(90), 10)
    other.settimeout(0.05)
    with pytest.raises(TimeoutError):
        getattr(other, method)(*arguments)
    other.setblocking(False)
    with pytest.raises(BlockingIOError):
        getattr(other, method)(*arguments)
    other.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        getattr(other, method)(*arguments)


def test_close_wakes(v4: Pair) -> None:
    _, other = v4
    other.settimeout(None)
    found: list[BaseException] = []

    def wait() -> None:
        try:
            other.recvfrom_many(5)
        except OSError as error:
            found.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.05)
    other.close()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert [getattr(error, "errno", None) for error in found] == [errno.EBADF]


def test_a_signal_during_the_wait(v4: Pair) -> None:
    one, other = v4
    other.settimeout(None)
    with alarm(lambda: one.send(b"from the handler")):
        assert [data for data, _ in other.recvfrom_many(5)] == [b"from the handler"]


def test_a_short_count_and_the_error_with_the_next_call(v4: Pair) -> None:
    one, other = v4
    assert one.send_many([b"a", b"b", bytes(70_000), b"c"]) == 2
    with pytest.raises(OSError, match="Message too long"):
        one.send_many([b"c"])
    assert one.send_many([b"c"]) == 1
    assert [data for data, _ in received(other, 3)] == [b"a", b"b", b"c"]


def test_the_error_of_the_first_is_raised_at_once(v4: Pair) -> None:
    one, _ = v4
    with pytest.raises(OSError, match="Message too long"):
        one.send_many([bytes(70_000), b"c"])
    assert one.send_many([b"c"]) == 1


def test_a_peer_that_is_gone() -> None:
    with udp(oxisock.AF_INET, "127.0.0.1") as one:
        with udp(oxisock.AF_INET, "127.0.0.1") as other:
            address = other.getsockname()
        one.connect(address)
        one.send(b"x")
        with pytest.raises(ConnectionRefusedError):
            one.recvfrom_many(5)
        one.settimeout(0.05)
        with pytest.raises(TimeoutError):
            one.recvfrom_many(5)


def test_no_room_is_a_short_count() -> None:
    one, other = oxisock.socketpair(oxisock.AF_UNIX, oxisock.SOCK_DGRAM)
    with one, other:
        one.setblocking(False)
        sent = one.send_many([bytes(1000)] * 5000)
        assert 0 < sent < 5000
        with pytest.raises(BlockingIOError):
            one.send_many([b"x"])
        one.settimeout(0.05)
        with pytest.raises(TimeoutError):
            one.send_many([b"x"])
        assert len(received(other, sent)) == sent


def test_a_blocking_send_waits_for_room() -> None:
    one, other = oxisock.socketpair(oxisock.AF_UNIX, oxisock.SOCK_DGRAM)
    with one, other:
        result: list[int] = []
        texts = [b"%d" % number for number in range(3000)]
        thread = threading.Thread(target=lambda: result.append(one.send_many(texts)))
        thread.start()
        assert [data for data, _ in received(other, 3000)] == texts
        thread.join(PATIENCE)
        assert result == [3000]


RECEIVE = [
    lambda sock, n: [data for data, _ in sock.recvfrom_many(n, 100)],
    lambda sock, n: [datagram.data for datagram in sock.recvmsg_many(n, 100)],
    lambda sock, n: [b"x" * length for length in sock.recv_many_into(bytearray(100 * n), 100)],
    lambda sock, n: [
        b"x" * length for length in sock.recvfrom_many_into(bytearray(100 * n), 100)[0]
    ],
]


@pytest.mark.parametrize("receive", RECEIVE, ids=["from", "msg", "into", "from-into"])
def test_the_end_of_a_connection_of_records(receive: Any) -> None:
    """It is one empty record a call, not as many as were asked for: it comes for ever."""
    one, other = oxisock.socketpair(oxisock.AF_UNIX, oxisock.SOCK_SEQPACKET)
    with one, other:
        other.settimeout(PATIENCE)
        for _ in range(2):
            one.send_many([b"x", b"xxx", b"xx"])
            assert receive(other, 1000) == [b"x", b"xxx", b"xx"]
        # An empty record may be the end, so that what is behind it comes with the next call.
        one.send_many([b"x", b"", b"xx"])
        assert receive(other, 1000) == [b"x", b""]
        assert receive(other, 1000) == [b"xx"]
        one.send_many([b"xx", b"x"])
        one.close()
        assert receive(other, 1000) == [b"xx", b"x", b""]
        assert receive(other, 1000) == [b""]


def test_no_segments_of_an_empty_buffer(pair: Pair) -> None:
    one, other = pair
    assert one.send_segments(b"", 10) == 0
    one.send(b"x")
    assert [data for data, _ in other.recvfrom_many(5)] == [b"x"]
    one.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        one.send_segments(b"", 10)


def test_streams_have_no_datagrams() -> None:
    one, other = oxisock.socketpair()
    with one, other:
        for call in (
            lambda: one.send_many([b"x"]),
            lambda: one.sendto_many([(b"x", "/x")]),
            lambda: one.recvfrom_many(1),
            lambda: one.recv_many_into(bytearray(1), 1),
            lambda: one.send_segments(b"x", 1),
            lambda: one.recv_segments(),
        ):
            with pytest.raises(OSError, match="not supported") as caught:
                call()
            assert caught.value.errno == errno.EOPNOTSUPP


@pytest.mark.parametrize(
    ("method", "arguments", "error", "words"),
    [
        ("recvfrom_many", (0,), ValueError, "n must be positive"),
        ("recvfrom_many", (-1,), ValueError, "n must be positive"),
        ("recvfrom_many", (1, -1), ValueError, "negative buffersize"),
        ("recvfrom_many", ("1",), TypeError, "integer"),
        ("recvfrom_many", (2**70,), OverflowError, "."),
        ("recv_many_into", (b"x", 1), TypeError, "buffer"),
        ("recv_many_into", (bytearray(4), 0), ValueError, "stride"),
        ("recv_many_into", (bytearray(4), 5), ValueError, "stride"),
        ("recv_many_into", (bytearray(0), 1), ValueError, "stride"),
        ("recvfrom_many_into", (bytearray(4), -1), ValueError, "stride"),
        ("send_many", (3,), TypeError, "iterable"),
        ("send_many", (["text"],), TypeError, "bytes-like"),
        ("send_many", ("text",), TypeError, "bytes-like"),
        ("sendto_many", (3,), TypeError, "iterable"),
        ("sendto_many", ([3],), TypeError, r"\(data, address\)"),
        ("sendto_many", ([(b"x",)],), TypeError, r"\(data, address\)"),
        ("sendto_many", ([(b"x", 3)],), TypeError, "address"),
        ("sendto_many", ([("x", ("127.0.0.1", 1))],), TypeError, "bytes-like"),
        ("send_segments", (b"x", 0), ValueError, "size"),
        ("send_segments", (b"x", 65_508), ValueError, "size"),
        ("send_segments", ("x", 1), TypeError, "bytes-like"),
        ("recv_segments", (-1,), ValueError, "negative"),
    ],
)
def test_bad_arguments(
    v4: Pair, method: str, arguments: tuple[Any, ...], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        getattr(v4[0], method)(*arguments)


def test_an_iterable_that_closes_the_socket(v4: Pair) -> None:
    one, _ = v4

    def items() -> Iterator[bytes]:
        yield b"x"
        one.close()
        yield b"y"

    with pytest.raises(OSError, match="Bad file descriptor"):
        one.send_many(items())


def test_an_iterable_that_changes_what_it_gave(v4: Pair) -> None:
    one, other = v4
    buffer = bytearray(b"ab")

    def items() -> Iterator[bytearray]:
        yield buffer
        buffer[:] = b"cd"
        yield buffer

    one.send_many(items())
    # Buffers are borrowed when the iterable is at its end, as those of sendmsg are.
    assert [data for data, _ in received(other, 2)] == [b"cd", b"cd"]


def test_audit_events(v4: Pair) -> None:
    import subprocess
    import sys

    program = (
        "import sys, oxisock as s\n"
        "a = s.socket(s.AF_INET, s.SOCK_DGRAM); a.bind(('127.0.0.1', 0)); to = a.getsockname()\n"
        "def refuse(event, args):\n"
        "    if event == 'socket.sendto': raise RuntimeError('refused')\n"
        "sys.addaudithook(refuse)\n"
        "for call in (lambda: a.sendto_many([(b'x', to)]), lambda: a.send_segments(b'x', 1, to)):\n"
        "    try: call()\n"
        "    except RuntimeError as error: print(error)\n"
        "a.setblocking(False)\n"
        "try: a.recv(1)\n"
        "except BlockingIOError: print('nothing')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert done.stdout.split() == [b"refused", b"refused", b"nothing"], done.stderr


@pytest.mark.parametrize("family", ["udp4", "udp6"])
def test_segments(family: str) -> None:
    kind, host = (oxisock.AF_INET, "127.0.0.1") if family == "udp4" else (oxisock.AF_INET6, "::1")
    with udp(kind, host) as one, udp(kind, host) as other:
        other.setsockopt(oxisock.SOL_SOCKET, oxisock.SO_RCVBUF, 1 << 20)
        data = random.Random(1).randbytes(70_500)
        assert one.send_segments(data, 1200, other.getsockname()) == len(data)
        found = received(other, 59)
        assert [len(part) for part, _ in found] == [1200] * 58 + [900]
        assert b"".join(part for part, _ in found) == data
        other.setgro(True)
        one.connect(other.getsockname())
        assert one.send_segments(data, 1200) == len(data)
        got = bytearray()
        while len(got) < len(data):
            part, size, address = other.recv_segments()
            assert size == 1200 or len(part) == size
            assert address == one.getsockname()
            got += part
        assert got == data
        other.setgro(False)
        one.send_segments(b"ab", 1)
        assert other.recv_segments()[:2] == (b"a", 1)
        assert other.recv_segments()[:2] == (b"b", 1)
        assert one.send_segments(b"", 5) == 0 or other.recv(1) == b""


def test_segments_of_other_sockets() -> None:
    one, other = oxisock.socketpair(oxisock.AF_UNIX, oxisock.SOCK_DGRAM)
    with one, other:
        assert one.send_segments(b"abcde", 2) == 5
        assert [data for data, _ in received(other, 3)] == [b"ab", b"cd", b"e"]
        one.send(b"whole")
        assert other.recv_segments() == (b"whole", 5, None)
        other.setgro(True)


def test_segments_where_the_kernel_refuses(v4: Pair) -> None:
    """A socket that wants no checksums is refused, with EIO: batches take over."""
    one, other = v4
    so_no_check = 11
    one.setsockopt(oxisock.SOL_SOCKET, so_no_check, 1)
    for _ in range(2):
        assert one.send_segments(b"abcdefg", 3) == 7
        assert [data for data, _ in received(other, 3)] == [b"abc", b"def", b"g"]


def system_calls(program: str, tmp_path: Any) -> list[str]:
    """The network's system calls of a program, from its first `getsockopt` on."""
    import subprocess
    import sys

    strace = needs("strace")
    setup = (
        "import oxisock as s\n"
        "a = s.socket(s.AF_INET, s.SOCK_DGRAM); b = s.socket(s.AF_INET, s.SOCK_DGRAM)\n"
        "a.bind(('127.0.0.1', 0)); a.settimeout(5); b.connect(a.getsockname())\n"
        "b.getsockopt(s.SOL_SOCKET, s.SO_SNDBUF)\n"
    )
    end = "a.close(); b.close()\n"
    log = tmp_path / "log"
    subprocess.run(
        [
            strace,
            "-o",
            str(log),
            "-e",
            "trace=network",
            sys.executable,
            "-c",
            setup + program + end,
        ],
        check=True,
        timeout=60,
    )
    calls = [system_call(line) for line in log.read_text().splitlines()]
    calls = calls[calls.index("getsockopt") + 1 :]
    return [name for name in calls if name not in ("getsockopt", "+++ exited with 0 +++")]


def test_system_calls(tmp_path: Any) -> None:
    program = (
        "b.send_many([b'x'] * 32); a.recvfrom_many(32)\n"
        "b.send_many([b'x'] * 32); a.recv_many_into(bytearray(320), 10)\n"
    )
    calls = system_calls(program, tmp_path)
    assert calls == ["sendmmsg", "recvmmsg", "sendmmsg", "recvmmsg"]


@pytest.mark.parametrize("receive", ["a.recvfrom_many(32)", "a.recv_many_into(bytearray(320), 10)"])
def test_system_calls_where_datagrams_come_one_by_one(receive: str, tmp_path: Any) -> None:
    """As many as are there, which two calls of recvfrom(2) find out in less time for one."""
    program = f"for count in (1, 1, 32, 32, 1): b.send_many([b'x'] * count); {receive}\n"
    calls = system_calls(program, tmp_path)
    one, batch = ["sendmmsg", "recvfrom", "recvfrom"], ["sendmmsg", "recvmmsg"]
    assert calls == batch + one + [*one, "recvmmsg"] + batch + batch


@pytest.mark.parametrize("total", [20_000])
def test_a_stream_of_datagrams_with_checksums(total: int) -> None:
    """Mixed sizes, from several senders at once, each in order and none twice."""
    with udp(oxisock.AF_INET, "127.0.0.1") as receiver:
        receiver.setsockopt(oxisock.SOL_SOCKET, oxisock.SO_RCVBUF, 1 << 22)
        senders = [udp(oxisock.AF_INET, "127.0.0.1") for _ in range(3)]
        credit = threading.Semaphore(100)

        def send(sender: Any, seed: int) -> None:
            chance = random.Random(seed)
            sender.connect(receiver.getsockname())
            number = 0
            while number < total:
                batch = []
                for _ in range(min(chance.randint(1, 20), total - number)):
                    credit.acquire()
                    body = struct.pack("I", number) + chance.randbytes(chance.choice((0, 40, 900)))
                    batch.append(hashlib.blake2b(body, digest_size=8).digest() + body)
                    number += 1
                sent = 0
                while sent < len(batch):
                    sent += sender.send_many(batch[sent:])

        threads = [
            threading.Thread(target=send, args=(sender, seed), daemon=True)
            for seed, sender in enumerate(senders)
        ]
        for thread in threads:
            thread.start()
        expected = {sender.getsockname(): 0 for sender in senders}
        buffer = bytearray(64 * 1000)
        for turn in range(3 * total):
            if turn % 2:
                batch = receiver.recvfrom_many(50)
            else:
                lengths, addresses = receiver.recvfrom_many_into(buffer, 1000)
                batch = [
                    (bytes(buffer[1000 * at : 1000 * at + length]), addresses[at])
                    for at, length in enumerate(lengths)
                ]
            for data, address in batch:
                digest, body = data[:8], data[8:]
                assert hashlib.blake2b(body, digest_size=8).digest() == digest
                assert struct.unpack_from("I", body)[0] == expected[address]
                expected[address] += 1
                credit.release()
            if set(expected.values()) == {total}:
                break
        assert set(expected.values()) == {total}
        for thread in threads:
            thread.join(PATIENCE)
        for sender in senders:
            sender.close()


def test_standard_sockets_are_the_peers_as_well() -> None:
    with (
        std.socket(std.AF_INET, std.SOCK_DGRAM) as plain,
        udp(oxisock.AF_INET, "127.0.0.1") as ours,
    ):
        plain.bind(("127.0.0.1", 0))
        plain.settimeout(PATIENCE)
        assert ours.sendto_many([(b"to you", plain.getsockname())]) == 1
        data, address = plain.recvfrom(100)
        plain.sendto(b"and back", address)
        assert ours.recvfrom_many(5) == [(b"and back", plain.getsockname())]
        assert data == b"to you"


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_after_a_fork(v4: Pair) -> None:
    one, other = v4
    other.recvfrom_many  # noqa: B018 - the thread's slots are made by the first call
    one.send(b"x")
    other.recvfrom_many(3)
    child = os.fork()
    if child == 0:
        try:
            assert one.send_many([b"a", b"b"]) == 2
            assert len(received(other, 2)) == 2
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
