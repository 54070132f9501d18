"""Byte-order and address conversions, against the standard library over their whole range."""

import random
import sys
from pathlib import Path

import pytest

import oxisock
from tests.helpers.oracle import agree, cases, same

EDGES = [0, 1, 255, 256, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF, 0x10000, 0x12345678, 2**31 - 1, 2**31,
         2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 2**100]  # fmt: skip


@pytest.mark.parametrize("name", ["htons", "ntohs", "htonl", "ntohl"])
@pytest.mark.parametrize("value", EDGES + [-edge for edge in EDGES[1:]])
def test_range(name: str, value: int) -> None:
    # The words for what is no C int are the interpreter's, and change with its version.
    same(lambda m: getattr(m, name)(value), message=-(2**31) <= value < 2**31)


def test_every_short() -> None:
    for value in range(0x10000):
        swapped = int.from_bytes(value.to_bytes(2, "big"), sys.byteorder)
        assert oxisock.htons(value) == swapped
        assert oxisock.ntohs(swapped) == value


def test_random_longs() -> None:
    choose = random.Random(3)
    for _ in range(10_000):
        value = choose.getrandbits(32)
        swapped = int.from_bytes(value.to_bytes(4, "big"), sys.byteorder)
        assert oxisock.htonl(value) == swapped
        assert oxisock.ntohl(swapped) == value


@cases("""
    m.htons("1")
    m.htons(None)
    m.htons(1.0)
    m.htons(Index(1))
    m.htons(Index(ZeroDivisionError()))
    m.htons(Integer(258))
    m.htons(True)
    m.htons()
    m.htons(1, 2)
    m.htons(x=1)
    m.ntohs(b"1")
    m.ntohs(Index(1))
    m.ntohs()
    m.htonl("1")
    m.htonl(None)
    m.htonl(1.0)
    m.htonl(Index(1))
    m.htonl(Index(ZeroDivisionError()))
    m.htonl(Integer(258))
    m.htonl(True)
    m.htonl()
    m.ntohl(1.5)
    m.ntohl([])
    m.ntohl(Index(1))
    m.ntohl(1, 2)
""")
def test_arguments(expression: str, tmp_path: Path) -> None:
    agree(expression, tmp_path)


TEXTS = [
    "127.0.0.1", "0.0.0.0", "255.255.255.255", "1.2.3.4", "127.1", "1.2.3", "1", "0",
    "4294967295", "4294967296", "0x7f.1", "0x7F000001", "0177.1", "08.8.8.8", "1.2.3.256",
    "1.2.256", "1.2.65536", "1.16777216", "256.1", "1.2.3.4.5", "1.2.3.", ".1.2.3", "1..2.3", "",
    " ", " 1.2.3.4", "1.2.3.4 ", "1.2.3.4 x", "1.2.3.4\t", "1.2.3.4\n", "1.2.3.4x", "-1.2.3.4",
    "+1.2.3.4", "a.b.c.d", "1.2.3.4\0", "\0", "1.2.3.4\0x", "0x", "0x.1", "00000000001.2.3.4",
    "1.2.3.04", "1.2.3.0x4", "\uff11.2.3.4", "1.2.3.\u00e9", "\udc80", "999999999999999999999",
    "x" * 10_000, "::", "::1", "::1.2.3.4", "::ffff:1.2.3.4", "::ffff:1.2.3", "1:2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7", "1::2::3", "1:2:3:4:5:6:7:8:9", "::1:2:3:4:5:6:7", "1:2:3:4:5:6:7::",
    "12345::", "fffff::", "g::", ":::", ":", "::1%lo", "::1%1", "fe80::1%lo", "FE80::ABCD",
    "::1/64", "[::1]", " ::1", "::1 ", "0:0:0:0:0:0:0:0", "1:0:0:2:0:0:0:3",
    "64:ff9b::192.0.2.33", "::1.2.3.256", "::01.2.3.4", "::1\0",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:40])
def test_texts(text: str) -> None:
    same(lambda m: m.inet_aton(text), message=True)
    same(lambda m: m.inet_pton(m.AF_INET, text), message=True)
    same(lambda m: m.inet_pton(m.AF_INET6, text), message=True)


@pytest.mark.parametrize("length", [*range(20), 32, 1000])
def test_packed_lengths(length: int) -> None:
    packed = bytes(range(length % 256)) if length < 256 else bytes(length)
    same(lambda m: m.inet_ntoa(packed), message=True)
    same(lambda m: m.inet_ntop(m.AF_INET, packed), message=True)
    same(lambda m: m.inet_ntop(m.AF_INET6, packed), message=True)


def test_random_addresses() -> None:
    """Zero runs, mapped and compatible forms come out as the standard library writes them."""
    choose = random.Random(4)
    for _ in range(3000):
        words = [choose.choice([0, 0, 1, 0xFFFF, choose.getrandbits(16)]) for _ in range(8)]
        packed = b"".join(word.to_bytes(2, "big") for word in words)
        if choose.random() < 0.2:
            packed = bytes(10) + choose.choice([b"\xff\xff", bytes(2)]) + packed[12:]
        text = same(lambda m, p=packed: m.inet_ntop(m.AF_INET6, p))[1][1]  # type: ignore[misc]
        assert oxisock.inet_pton(oxisock.AF_INET6, text) == packed
        text = same(lambda m, p=packed[:4]: m.inet_ntoa(p))[1][1]  # type: ignore[misc]
        assert oxisock.inet_aton(text) == packed[:4]


@cases("""
    m.inet_aton(b"1.2.3.4")
    m.inet_aton(None)
    m.inet_aton(1)
    m.inet_aton()
    m.inet_aton(Text("1.2.3.4"))
    m.inet_aton("1.2.3.4", 1)
    m.inet_ntoa(bytearray(b"1234"))
    m.inet_ntoa(memoryview(b"1234"))
    m.inet_ntoa(memoryview(b"12345678")[::2])
    m.inet_ntoa("1234")
    m.inet_ntoa(None)
    m.inet_ntoa(1)
    m.inet_ntoa()
    m.inet_pton(m.AF_INET, b"1.2.3.4")
    m.inet_pton(m.AF_INET, None)
    m.inet_pton(m.AF_INET)
    m.inet_pton(m.AF_UNIX, "1.2.3.4")
    m.inet_pton(99, "1.2.3.4")
    m.inet_pton(-1, "1.2.3.4")
    m.inet_pton(2**31, "1.2.3.4")
    m.inet_pton("2", "1.2.3.4")
    m.inet_pton(2.0, "1.2.3.4")
    m.inet_pton(Index(2), "1.2.3.4")
    m.inet_pton(m.AF_INET, Text("1.2.3.4"))
    m.inet_ntop(m.AF_INET, bytearray(4))
    m.inet_ntop(m.AF_INET6, memoryview(bytes(16)))
    m.inet_ntop(m.AF_INET, memoryview(b"12345678")[::2])
    m.inet_ntop(m.AF_INET, "1234")
    m.inet_ntop(m.AF_INET, None)
    m.inet_ntop(m.AF_INET)
    m.inet_ntop(m.AF_UNIX, b"1234")
    m.inet_ntop(99, b"1234")
    m.inet_ntop(-1, b"1234")
    m.inet_ntop(2**31, b"1234")
    m.inet_ntop(None, b"1234")
    m.inet_ntop(Index(2), b"1234")
""")
def test_conversions(expression: str, tmp_path: Path) -> None:
    agree(expression, tmp_path)
