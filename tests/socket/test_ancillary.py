"""Ancillary data and iterables of buffers: CMSG_LEN, CMSG_SPACE, sendmsg, recvmsg, recvmsg_into."""

import array
import os
import re
import socket as std
import struct
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import oxisock
from oxisock import _socket
from tests.helpers.families import Oracle, answer, built_probe, oracle
from tests.helpers.oracle import agree, cases, same
from tests.helpers.process import (
    EMULATED,
    descriptors as open_descriptors,
    new_descriptors,
    not_emulated,
)

INT = array.array("i").itemsize
HEADER = std.CMSG_LEN(0)

# -- sizes -----------------------------------------------------------------------------------------

EDGE = 2**31 - 1
SIZES = [
    *range(70),
    *(EDGE - n for n in range(40)),
    EDGE + 1,
    2**32,
    2**63 - 1,
    2**63,
    2**80,
    -1,
    -(2**80),
]


@pytest.mark.parametrize("name", ["CMSG_LEN", "CMSG_SPACE"])
def test_sizes_are_those_of_the_standard_library(name: str) -> None:
    for size in [*SIZES, True, "1", None, 1.0, b"1"]:
        same(lambda m, size=size: getattr(m, name)(size))  # type: ignore[misc]
    for size in (-1, EDGE):
        same(lambda m, size=size: getattr(m, name)(size), message=True)  # type: ignore[misc]
    same(lambda m: getattr(m, name)())
    same(lambda m: getattr(m, name)(1, 2))
    same(lambda m: getattr(m, name)(length=1))


# -- encoding --------------------------------------------------------------------------------------

ITEMS = """
    []
    ()
    [(1, 2, b'')]
    [(1, 2, b'abc')]
    [(1, 2, b'12345678'), (3, 4, b'123456789'), (-1, -2, b'')]
    [[1, 2, bytearray(b'abc')], (1, 2, memoryview(b'abc'))]
    ((1, True, b'x') for _ in range(3))
    {(1, 2, b'abc'): None}
    iter([(1, 2, b'abc')])
    [(2**31 - 1, -2**31, b'x' * 5000)]
    [(1, 2, __import__('array').array('i', [1, 2, 3]))]
    [(1, 2, b'x' * n) for n in range(100)]
    None
    7
    b'abc'
    'abc'
    [7]
    [None]
    ['abc']
    [b'abc']
    [{1, 2, 3}]
    [()]
    [(1, 2)]
    [(1, 2, b'', 4)]
    [(1, 2, 'abc')]
    [(1, 2, None)]
    [('1', 2, b'')]
    [(1, '2', b'')]
    [(1.0, 2, b'')]
    [(2**31, 2, b'')]
    [(1, -2**31 - 1, b'')]
    [(2**80, 2, b'')]
    [(1, 2, memoryview(b'abcdef')[::2])]
    [(1, 2, b''), 7]
    [type('S', (), {'__len__': lambda s: 3, '__getitem__': lambda s, i: (1, 2, b'x')[i]})()]
    [type('S', (), {'__len__': lambda s: 1 / 0, '__getitem__': lambda s, i: i})()]
"""


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("probe")


@pytest.fixture(scope="module")
def stdlib(build: Path) -> Iterator[Oracle]:
    with oracle(sys.executable, build) as it:
        yield it


@cases(ITEMS)
def test_encodes_as_the_standard_library(stdlib: Oracle, expression: str) -> None:
    expected = stdlib.ask("control", 0, 0, expression)
    ours = answer("control", 0, 0, expression)
    assert ours[:2] == expected[:2]


@pytest.mark.differs("CPython 3.14 and later hide it behind a TypeError")
def test_the_exception_of_an_iterable_goes_through() -> None:
    with pytest.raises(ZeroDivisionError):
        _socket.encode_ancillary(1 / 0 for _ in range(3))  # type: ignore[misc]


def test_the_exception_of_an_item_goes_through() -> None:
    """The standard library hides it behind a TypeError."""

    class Item:
        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: int) -> int:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        _socket.encode_ancillary([Item()])  # type: ignore[list-item]


@pytest.mark.skipif(sys.maxsize < 2**32, reason="no buffer has more than 32 bits can count")
def test_too_much_is_refused() -> None:
    # Zeros that nobody writes to take no memory; a copy of them would.
    import mmap

    with mmap.mmap(-1, 2**31) as zeros, memoryview(zeros) as view:
        with pytest.raises(OSError, match="ancillary data item too large") as caught:
            _socket.encode_ancillary([(1, 2, view)])
    assert caught.value.errno is None


# -- decoding --------------------------------------------------------------------------------------


def message(level: int, kind: int, data: bytes, length: int | None = None) -> bytes:
    """A control message, with a false length where one is given."""
    length = std.CMSG_LEN(len(data)) if length is None else length
    padding = std.CMSG_SPACE(len(data)) - std.CMSG_LEN(len(data))
    return struct.pack("@Nii", length, level, kind) + data + bytes(padding)


ONE = message(1, 2, b"abc")
TWO = ONE + message(-3, -4, b"12345678")
WHOLE = [
    b"",
    ONE,
    TWO,
    message(1, 2, b""),
    message(1, 2, b"") + ONE,
    b"".join(message(n, n, b"x" * n) for n in range(30)),
]
# The first message is cut or makes no sense, so that its walk never gets to a second one.
BROKEN = [
    *(ONE[:end] for end in range(len(ONE))),
    *(message(1, 2, b"abc", length) + ONE for length in (0, 1, HEADER - 1)),
    *(
        message(1, 2, b"abc", length) + ONE
        for length in (100, 2**31, 2**32 - 7, 2**32 - 1, 2**32, 2**63, 2**64 - 7, 2**64 - 1)
        if length <= 2 * sys.maxsize + 1
    ),
]


@pytest.mark.parametrize("raw", [*WHOLE, *BROKEN], ids=range(len(WHOLE) + len(BROKEN)))
@pytest.mark.filterwarnings("ignore:received malformed:RuntimeWarning")
def test_decodes_as_the_standard_library(stdlib: Oracle, raw: bytes) -> None:
    assert answer("messages", 0, 0, repr(raw)) == stdlib.ask("messages", 0, 0, repr(raw))


@pytest.mark.filterwarnings("ignore:received malformed:RuntimeWarning")
def test_a_last_message_that_was_cut_is_there(stdlib: Oracle) -> None:
    """Some C libraries drop it, and the standard library with them."""
    for end in range(len(ONE), len(TWO) + 1):
        ours = answer("messages", 0, 0, repr(TWO[:end]))
        there = max(0, end - len(ONE) - HEADER)
        expected = [(1, 2, b"abc"), (-3, -4, b"12345678"[:there])]
        if end < len(ONE) + HEADER:
            expected.pop()
        assert ours == ["returns", repr(expected)]
        theirs = stdlib.ask("messages", 0, 0, repr(TWO[:end]))
        assert theirs in (ours, ["returns", repr(expected[:1])])


def test_a_cut_message_warns() -> None:
    for raw in (WHOLE[0], ONE, TWO):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            _socket.decode_ancillary(raw)
    words = "^received malformed or improperly-truncated ancillary data$"
    for raw, left in ((ONE[: HEADER + 1], [(1, 2, b"a")]), (message(1, 2, b"", 3), [])):
        with pytest.warns(RuntimeWarning, match=words):
            assert _socket.decode_ancillary(raw) == left


def test_what_is_encoded_decodes() -> None:
    for count in range(20):
        items = [(n, -n, os.urandom(n * 7 % 50)) for n in range(count)]
        assert _socket.decode_ancillary(_socket.encode_ancillary(items)) == items


def test_random_bytes_are_safe() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for seed in range(3000):
            raw = bytearray(os.urandom(seed % 96))
            if seed % 2 and len(raw) >= len(length := struct.pack("@N", seed % 64)):
                raw[: len(length)] = length
            found = _socket.decode_ancillary(bytes(raw))
            assert sum(HEADER + len(data) for _, _, data in found) <= len(raw)


# -- AF_ALG ----------------------------------------------------------------------------------------


def test_alg_operations() -> None:
    def pieces(**arguments: Any) -> Any:
        return _socket.decode_ancillary(_socket.encode_ancillary_alg(**arguments))

    op, assoclen = (279, 3, struct.pack("@i", 1)), (279, 4, struct.pack("@i", 20))
    iv = (279, 2, struct.pack("@I", 5) + b"12345")
    assert pieces(op=1) == [op]
    assert pieces(op=1, iv=b"12345") == [op, iv]
    assert pieces(op=1, iv=bytearray(b"12345"), assoclen=20) == [op, iv, assoclen]
    assert pieces(op=1, assoclen=20) == [op, assoclen]
    assert pieces(op=1, iv=b"") == [op, (279, 2, bytes(4))]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({}, TypeError),
        ({"op": -1}, TypeError),
        ({"op": "1"}, TypeError),
        ({"op": 1.0}, TypeError),
        ({"op": 2**31}, TypeError),
        ({"op": 1, "assoclen": -1}, TypeError),
        ({"op": 1, "assoclen": "1"}, TypeError),
        ({"op": 1, "assoclen": 2**31}, OverflowError),
        ({"op": 1, "iv": "1"}, TypeError),
        ({"op": 1, "iv": 7}, TypeError),
    ],
)
def test_alg_arguments(arguments: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        _socket.encode_ancillary_alg(**arguments)


# -- callbacks that pull the arguments away --------------------------------------------------------


class Clearing:
    """Empties a list while it is converted."""

    def __init__(self, victim: list[Any], value: Any) -> None:
        self.victim, self.value = victim, value

    def __index__(self) -> int:
        self.victim.clear()
        return self.value  # type: ignore[no-any-return]

    def __buffer__(self, flags: int) -> memoryview:
        self.victim.clear()
        return memoryview(self.value)


def test_a_list_of_items_that_is_cleared_meanwhile() -> None:
    items: list[Any] = []
    items += [(Clearing(items, 1), 2, bytes([n]) * 100) for n in range(50)]
    expected = [(1, 2, bytes([n]) * 100) for n in range(50)]
    assert _socket.decode_ancillary(_socket.encode_ancillary(items)) == expected
    assert items == []


def test_an_item_that_is_cleared_meanwhile() -> None:
    item: list[Any] = []
    item += [Clearing(item, 1), 2, b"x" * 100]
    assert _socket.decode_ancillary(_socket.encode_ancillary([item])) == [(1, 2, b"x" * 100)]  # type: ignore[list-item]


def test_data_that_are_resized_by_a_later_item() -> None:
    data = bytearray(b"x" * 1000)
    items = [(1, 2, data), (Clearing(data, 3), 4, b"y")]  # type: ignore[arg-type]
    assert _socket.decode_ancillary(_socket.encode_ancillary(items)) == [  # type: ignore[arg-type]
        (1, 2, b"x" * 1000),
        (3, 4, b"y"),
    ]
    assert not data


@pytest.mark.skipif(sys.version_info < (3, 12), reason="__buffer__ is called since 3.12")
@pytest.mark.parametrize("count", [2, 8, 9, 300])
def test_a_list_of_buffers_that_is_cleared_meanwhile(unix: tuple[Any, Any], count: int) -> None:
    a, b = unix
    buffers: list[Any] = []
    buffers += [Clearing(buffers, bytes([n % 256]) * 10) for n in range(count)]
    assert a.sendmsg(buffers) == 10 * count
    assert b.recv(1 << 16) == b"".join(bytes([n % 256]) * 10 for n in range(count))
    targets = [bytearray(10) for _ in range(count)]
    into: list[Any] = []
    into += [Clearing(into, target) for target in targets]
    a.sendall(b"z" * 10 * count)
    assert b.recvmsg_into(into)[0] == 10 * count
    assert targets == [bytearray(b"z" * 10)] * count


def test_buffers_are_held_for_the_call_and_given_back(unix: tuple[Any, Any]) -> None:
    a, b = unix
    for count in (1, 8, 9, 100):
        buffers = [bytearray(b"abc") for _ in range(count)]
        a.sendmsg(buffers)
        b.recvmsg_into(buffers)
        with pytest.raises(TypeError):
            a.sendmsg([*buffers, "no buffer"])
        with pytest.raises(TypeError):
            b.recvmsg_into([*buffers, b"read-only"])
        for buffer in buffers:
            buffer.clear()  # BufferError as long as somebody holds a view


# -- live, beside the standard library -------------------------------------------------------------

CALLS = """
    a.sendmsg([])
    a.sendmsg([b''])
    a.sendmsg([b'abc', bytearray(b'def'), memoryview(b'ghi')]), b.recv(100)
    a.sendmsg((bytes([n]) for n in range(50))), b.recv(100)
    a.sendmsg([bytes([n % 256]) for n in range(1024)]), b.recv(2000)
    a.sendmsg([b''] * 1025)
    a.sendmsg([b'x'] * 1025)
    a.sendmsg(7)
    a.sendmsg(None)
    a.sendmsg(b'abc')
    a.sendmsg('abc')
    a.sendmsg(['abc'])
    a.sendmsg([7])
    a.sendmsg([memoryview(b'abcdef')[::2]])
    a.sendmsg([b'x'], 7)
    a.sendmsg([b'x'], [7])
    a.sendmsg([b'x'], [], None)
    a.sendmsg([b'x'], [], 0, None), b.recv(10)
    a.sendmsg([b'x'], [], 0, 7)
    a.sendmsg([b'x'], [(m.SOL_SOCKET, m.SCM_RIGHTS, b'')]), b.recvmsg(10, 100)
    a.sendmsg([b'x'], [(m.SOL_SOCKET, m.SCM_RIGHTS, b'abc')]), b.recvmsg(10, 100)
    a.sendmsg([b'x'], [(m.SOL_SOCKET, m.SCM_RIGHTS, b'\\xff' * 4)])
    a.sendmsg([b'x'], [(m.SOL_SOCKET, 9999, b'abcd')])
    a.sendmsg([b'x'], [(9999, 9999, b'abcd')]), b.recvmsg(10, 100)
    a.sendmsg()
    a.sendmsg([b'abc']), b.recvmsg(10)
    a.sendmsg([b'abc']), b.recvmsg(2), b.recvmsg(2)
    a.sendmsg([b'abc']), b.recvmsg(0)
    a.sendmsg([b'abc']), b.recvmsg(10, 0, m.MSG_PEEK), b.recvmsg(10, 100, m.MSG_PEEK)
    b.recvmsg(-1)
    b.recvmsg(1, -1)
    b.recvmsg(1, 2**31)
    a.send(b'x'), b.recvmsg(1, 2**31 - 1)
    b.recvmsg()
    b.recvmsg('1')
    b.recvmsg(1, '1')
    b.recvmsg(2**80)
    b.recvmsg_into(7)
    b.recvmsg_into(None)
    b.recvmsg_into([b'x'])
    b.recvmsg_into([7])
    b.recvmsg_into([memoryview(bytearray(6))[::2]])
    b.recvmsg_into([bytearray(1)], -1)
    b.recvmsg_into([bytearray(1)], 2**31)
    a.send(b'x'), b.recvmsg_into([bytearray(1)] * 1025)
    b.recvmsg_into()
    a.send(b'x'), b.recvmsg_into([])
    a.send(b'x'), b.recvmsg_into(bytearray(2) for _ in range(3))
    (lambda s, t: (a.send(b'abc'), b.recvmsg_into([s, t]), s, t))(bytearray(2), bytearray(9))
    x.sendmsg([b'abc', b'def']), y.recvmsg(4)
    x.sendmsg([]), y.recvmsg(4)
    x.sendmsg([b'abc']), y.recvmsg_into([bytearray(1), bytearray(1)])
    udp.sendmsg([b'x'], [], 0, ('127.0.0.1', 70000))
    udp.sendmsg([b'x'], [], 0, ('127.0.0.1',))
    udp.sendmsg([b'x'])
    closed.sendmsg([b'x'])
    closed.recvmsg(1)
    closed.recvmsg_into([bytearray(1)])
    udp.bind(('127.0.0.1', 0)), udp.sendmsg([b'ab'], (), 0, udp.getsockname()), udp.recvmsg(9)[:3]
    udp6.bind(('::1', 0)), udp6.sendmsg([b'ab'], (), 0, udp6.getsockname()), udp6.recvmsg(9)[:3]
    udgram.bind(tmp + '/s'), udgram.sendmsg([b'abc'], [], 0, tmp + '/s'), udgram.recvmsg(9)[:3]
"""


@cases(CALLS)
def test_calls_agree_with_the_standard_library(expression: str, short_path: Path) -> None:
    if EMULATED and ("2**31 - 1" in expression or "recvmsg_into([])" in expression):
        pytest.skip("qemu crashes for want of stack, or gives no address")
    agree(expression, short_path)


def rights(*numbers: int) -> tuple[int, int, "array.array[int]"]:
    return (std.SOL_SOCKET, std.SCM_RIGHTS, array.array("i", numbers))


def received(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    """The descriptors in ancillary data, whole ones only."""
    found = array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (std.SOL_SOCKET, std.SCM_RIGHTS):
            found.frombytes(data[: len(data) - len(data) % INT])
    return list(found)


def test_descriptors_go_to_the_peer(unix: tuple[Any, Any]) -> None:
    a, b = unix
    read, write = os.pipe()
    assert a.sendmsg([b"two"], [rights(read, write)]) == 3
    data, ancillary, flags, address = b.recvmsg(10, oxisock.CMSG_SPACE(2 * INT))
    numbers = received(ancillary)
    try:
        assert (data, flags, address) == (b"two", 0, None)
        assert len(numbers) == 2
        os.write(numbers[1], b"through the copy")
        assert os.read(read, 100) == b"through the copy"
        # As they come from the system without MSG_CMSG_CLOEXEC: nothing sets them afterwards.
        assert all(os.get_inheritable(number) for number in numbers)
    finally:
        for number in (read, write, *numbers):
            os.close(number)


def test_descriptors_closed_on_exec(unix: tuple[Any, Any]) -> None:
    a, b = unix
    a.sendmsg([b"x"], [rights(0)])
    _, ancillary, flags, _ = b.recvmsg(1, 100, std.MSG_CMSG_CLOEXEC)
    [number] = received(ancillary)
    assert not os.get_inheritable(number)
    assert flags & std.MSG_CMSG_CLOEXEC
    os.close(number)


SPACES = [
    0,
    1,
    HEADER - 1,
    HEADER,
    *(std.CMSG_LEN(n) for n in range(13)),
    std.CMSG_SPACE(8),
    100,
    5000,
]


@not_emulated
@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("into", [False, True])
def test_short_buffers_take_as_many_descriptors_as_fit(space: int, into: bool) -> None:
    answers = []
    for module in (std, oxisock):
        a, b = module.socketpair()
        with a, b:
            before = open_descriptors()
            a.sendmsg([b"x"], [rights(0, 1, 2)])
            _, ancillary, flags, address = (
                b.recvmsg_into([bytearray(1)], space) if into else b.recvmsg(1, space)
            )
            numbers = received(ancillary)
            assert set(new_descriptors(before)) == set(numbers)
            shape = [(level, kind, len(data)) for level, kind, data in ancillary]
            answers.append((shape, flags, address))
            for number in numbers:
                os.close(number)
    assert answers[0] == answers[1]


def test_a_descriptor_behind_another_message_in_a_buffer_that_just_fits(
    unix: tuple[Any, Any],
) -> None:
    """The last message fits without its padding, where some C libraries do not see it."""
    a, b = unix
    b.setsockopt(std.SOL_SOCKET, std.SO_PASSCRED, 1)
    a.sendmsg([b"x"], [rights(0)])
    before = open_descriptors()
    credentials = struct.calcsize("3i")
    _, ancillary, flags, _ = b.recvmsg(1, std.CMSG_SPACE(credentials) + std.CMSG_LEN(INT))
    assert [item[:2] for item in ancillary] == [
        (std.SOL_SOCKET, std.SCM_CREDENTIALS),
        (std.SOL_SOCKET, std.SCM_RIGHTS),
    ]
    assert struct.unpack("3i", ancillary[0][2]) == (os.getpid(), os.getuid(), os.getgid())
    assert flags & std.MSG_CTRUNC == 0
    [number] = received(ancillary)
    assert set(new_descriptors(before)) == {number}
    os.close(number)


LEAK = """
import array, gc, os, sys, warnings
module = __import__(sys.argv[1])
warnings.simplefilter("error")
a, b = module.socketpair()
before = set(os.listdir("/proc/self/fd"))
failures = 0
for call in (lambda: b.recvmsg(1, 1000), lambda: b.recvmsg_into([bytearray(1)], 1000)):
    a.sendmsg([b"x"], [(module.SOL_SOCKET, module.SCM_RIGHTS, array.array("i", [0, 1, 2]))])
    try:
        call()
    except RuntimeWarning:
        failures += 1
assert failures == 2, failures
print(len(set(os.listdir("/proc/self/fd")) - before))
a.close(), b.close()
"""


@pytest.mark.parametrize("module", ["socket", "oxisock"])
def test_a_failure_behind_the_system_call_leaks_no_descriptor(build: Path, module: str) -> None:
    """The probe makes a message malformed, and the warning about it is an error here."""
    done = subprocess.run(
        [sys.executable, "-c", SEND_PASSES + LEAK, module],
        env=os.environ | {"LD_PRELOAD": str(built_probe(build))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.strip(), done.stderr) == ("0", "")


# The probe keeps what is sent; here it has to arrive.
SEND_PASSES = """
import ctypes, os
ctypes.CDLL(os.environ["LD_PRELOAD"]).probe_pass()
"""


def udp_pair(module: Any, family: int, *options: tuple[int, int, int]) -> Any:
    receiver = module.socket(family, std.SOCK_DGRAM)
    sender = module.socket(family, std.SOCK_DGRAM)
    for option in options:
        receiver.setsockopt(*option)
    receiver.bind(("127.0.0.1" if family == std.AF_INET else "::1", 0))
    receiver.settimeout(10)
    sender.connect(receiver.getsockname())
    return sender, receiver


def kinds(ancillary: list[tuple[int, int, bytes]]) -> list[tuple[int, int, int]]:
    return [(level, kind, len(data)) for level, kind, data in ancillary]


IP_PKTINFO, IP_RECVTTL, SO_TIMESTAMPNS = 8, 12, 35

OPTIONS: dict[str, Callable[[], tuple[int, list[tuple[int, int, int]]]]] = {
    "pktinfo": lambda: (std.AF_INET, [(std.IPPROTO_IP, IP_PKTINFO, 1)]),
    "all": lambda: (
        std.AF_INET,
        [
            (std.SOL_SOCKET, SO_TIMESTAMPNS, 1),
            (std.IPPROTO_IP, IP_PKTINFO, 1),
            (std.IPPROTO_IP, IP_RECVTTL, 1),
            (std.IPPROTO_IP, std.IP_RECVTOS, 1),
        ],
    ),
    "six": lambda: (
        std.AF_INET6,
        [
            (std.IPPROTO_IPV6, std.IPV6_RECVPKTINFO, 1),
            (std.IPPROTO_IPV6, std.IPV6_RECVHOPLIMIT, 1),
            (std.IPPROTO_IPV6, std.IPV6_RECVTCLASS, 1),
        ],
    ),
}


@not_emulated
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("space", [0, 20, 28, 40, 60, 64, 1000])
def test_messages_of_the_network(options: str, space: int) -> None:
    family, wanted = OPTIONS[options]()
    answers = []
    for module in (std, oxisock):
        sender, receiver = udp_pair(module, family, *wanted)
        with sender, receiver:
            sender.sendmsg([b"da", b"ta"])
            data, ancillary, flags, address = receiver.recvmsg(100, space)
            assert (data, address) == (b"data", sender.getsockname())
            answers.append((kinds(ancillary), flags))
            if space == 1000:
                assert len(ancillary) == len(wanted)
                index = std.if_nametoindex("lo")
                for level, kind, content in ancillary:
                    if (level, kind) == (std.IPPROTO_IP, IP_PKTINFO):
                        assert struct.unpack("@I4s4s", content)[0] == index
                    if (level, kind) == (std.IPPROTO_IPV6, std.IPV6_PKTINFO):
                        assert content == std.inet_pton(std.AF_INET6, "::1") + struct.pack(
                            "@I", index
                        )
    theirs, ours = answers
    assert theirs[1] == ours[1]
    # A last message that was cut is there, where the C library lets the standard one see it.
    assert theirs[0] in (ours[0], ours[0][:-1])


@not_emulated
def test_a_message_chooses_its_own_options() -> None:
    """Ancillary data that are sent have an effect: the TTL of this one datagram."""
    sender, receiver = udp_pair(oxisock, std.AF_INET, (std.IPPROTO_IP, IP_RECVTTL, 1))
    with sender, receiver:
        sender.sendmsg([b"x"], [(std.IPPROTO_IP, std.IP_TTL, struct.pack("@i", 77))])
        _, ancillary, _, _ = receiver.recvmsg(1, 100)
        assert ancillary == [(std.IPPROTO_IP, std.IP_TTL, struct.pack("@i", 77))]


def test_a_cut_datagram_says_so() -> None:
    sender, receiver = udp_pair(oxisock, std.AF_INET)
    with sender, receiver:
        sender.send(b"0123456789")
        assert receiver.recvmsg(4)[::2] == (b"0123", std.MSG_TRUNC)
        sender.send(b"0123456789")
        room = [bytearray(2), bytearray(3)]
        length, _, flags, _ = receiver.recvmsg_into(room)
        assert (length, flags, room) == (5, std.MSG_TRUNC, [bytearray(b"01"), bytearray(b"234")])


def test_docstrings_name_the_manual() -> None:
    for name in ("CMSG_LEN", "CMSG_SPACE"):
        function = getattr(oxisock, name)
        assert re.search(rf"{name}\(3\)", function.__doc__)
        assert function.__text_signature__ == "(length, /)"


# -- descriptors -----------------------------------------------------------------------------------


def test_descriptors_to_send_are_those_that_the_standard_library_takes() -> None:
    """Numbers in any iterable, or bytes that have them as C does."""

    class Number:
        def __index__(self) -> int:
            return 1

    def sent(module: Any, fds: Any) -> list[tuple[int, int]]:
        one, other = module.socketpair()
        with one, other:
            module.send_fds(one, [b"x"], fds)
            found = module.recv_fds(other, 1, 4)[1]
            # Other numbers, of the same files.
            files = [os.fstat(fd) for fd in found]
            for fd in found:
                os.close(fd)
        return [(file.st_dev, file.st_ino) for file in files]

    packed = struct.pack("ii", 0, 1)
    good = [[0, 1], (0, 1), {0: 1}, [], array.array("i", [0, 1]), packed, bytearray(packed)]
    bad = [[2**31], [-(2**31) - 1], [2**80], [-1], ["0"], [1.0], [None], 5, None, "01", packed[:3]]
    for fds in [*good, [Number()], [True], *bad]:
        same(lambda m, fds=fds: sent(m, fds))  # type: ignore[misc]
    same(lambda m: sent(m, iter([0, 1])))
