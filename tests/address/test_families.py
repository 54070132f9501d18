"""Addresses of every family, both ways: as the kernel has them, as the standard library does."""

import shutil
import socket as std
import struct
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from oxisock import _socket
from tests.helpers.families import Oracle, answer, oracle
from tests.helpers.process import needs

NETLINK, PACKET, CAN, TIPC, BLUETOOTH, ALG, VSOCK, QIPCRTR, RDS = 16, 17, 29, 30, 31, 38, 40, 42, 21
RAW, BCM, ISOTP, J1939 = 1, 2, 6, 7
L2CAP, HCI, SCO, RFCOMM = 0, 1, 2, 3
LO = std.if_nametoindex("lo")
DEVICE = "01:23:45:67:89:AB"
DEVICE_BYTES = bytes.fromhex("ab8967452301")


class Row(NamedTuple):
    """An address and its layout: `pack` and `fields` are those of the struct module."""

    name: str
    family: int
    protocol: int
    address: object
    pack: str
    fields: tuple[object, ...]
    back: object = None  # what comes back, where it is not the address

    @property
    def encoded(self) -> bytes:
        return struct.pack(self.pack, self.family, *self.fields)


ROWS = [
    Row("netlink", NETLINK, 0, (0x01020304, 0x05060708), "=HHII", (0, 0x01020304, 0x05060708)),
    Row(
        "packet", PACKET, 0, ("lo", 0x86DD, 4, 0x0304, b"abcdef"),
        "=H2siHBB8s", (b"\x86\xdd", LO, 0x0304, 4, 6, b"abcdef"),
    ),
    Row("vsock", VSOCK, 0, (0x01020304, 0x05060708), "=HHII4x", (0, 0x05060708, 0x01020304)),
    Row("qipcrtr", QIPCRTR, 0, (0x01020304, 0x05060708), "=HxxII", (0x01020304, 0x05060708)),
    Row(
        "tipc_name", TIPC, 0, (2, 0x01020304, 0x05060708, 0, 3),
        "=HBbIII", (2, 3, 0x01020304, 0x05060708, 0), (2, 0x01020304, 0x05060708, 0x05060708, 3),
    ),
    Row(
        "tipc_nameseq", TIPC, 0, (1, 0x01020304, 0x05060708, 0x090A0B0C),
        "=HBbIII", (1, 2, 0x01020304, 0x05060708, 0x090A0B0C),
        (1, 0x01020304, 0x05060708, 0x090A0B0C, 2),
    ),
    Row(
        "tipc_id", TIPC, 0, (3, 0x01020304, 0x05060708, 0, 1),
        "=HBbIII", (3, 1, 0x05060708, 0x01020304, 0),
    ),
    Row("can_raw", CAN, RAW, ("lo",), "=Hxxi16x", (LO,)),
    Row("can_bcm", CAN, BCM, ("",), "=Hxxi16x", (0,)),
    Row(
        "can_isotp", CAN, ISOTP, ("lo", 0x01020304, 0x85060708),
        "=HxxiII8x", (LO, 0x01020304, 0x85060708),
    ),
    Row(
        "can_j1939", CAN, J1939, ("lo", 0xF102030405060708, 0x0A0B0C0D, 0xFE),
        "=HxxiQIB3x", (LO, 0xF102030405060708, 0x0A0B0C0D, 0xFE),
    ),
    Row(
        "alg", ALG, 0, ("skcipher", "cbc(aes)", 0x0102, 0x0304),
        "=H14sII64s", (b"skcipher", 0x0102, 0x0304, b"cbc(aes)"),
    ),
    Row(
        "l2cap", BLUETOOTH, L2CAP, (DEVICE, 0x1001),
        "=H2s6s2sBx", (b"\x01\x10", DEVICE_BYTES, b"\0\0", 0),
    ),
    Row(
        "l2cap_le", BLUETOOTH, L2CAP, (DEVICE, 0x81, 0x0104, 2),
        "=H2s6s2sBx", (b"\x81\0", DEVICE_BYTES, b"\x04\x01", 2),
    ),
    Row("rfcomm", BLUETOOTH, RFCOMM, (DEVICE, 30), "=H6sBx", (DEVICE_BYTES, 30)),
    Row("hci", BLUETOOTH, HCI, (2,), "=HHH", (2, 0), 2),
    Row("hci_channel", BLUETOOTH, HCI, (2, 1), "=HHH", (2, 1)),
    Row("sco", BLUETOOTH, SCO, DEVICE.encode(), "=H6s", (DEVICE_BYTES,), DEVICE),
]  # fmt: skip

rows = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


@rows
def test_layout_by_hand(row: Row) -> None:
    encoded = _socket.encode_address(row.family, row.protocol, row.address)
    assert encoded == row.encoded
    back = row.address if row.back is None else row.back
    assert _socket.decode_address(row.protocol, encoded) == back
    # What comes back can be given again: the same bytes.
    if row.name != "tipc_name":
        assert _socket.encode_address(row.family, row.protocol, back) == encoded


def test_layout_of_the_headers(tmp_path: Path) -> None:
    program = tmp_path / "layout"
    source = Path(__file__).with_name("families_layout.c")
    built = subprocess.run(
        [needs("cc"), "-o", str(program), str(source)], capture_output=True, text=True, check=False
    )
    if built.returncode:
        pytest.skip(f"no kernel headers: {built.stderr[:200]}")
    lines = subprocess.run([str(program)], capture_output=True, text=True, check=True).stdout
    expected = dict(line.split() for line in lines.splitlines())
    assert len(expected) >= 12
    if LO != 1:
        expected = {name: it for name, it in expected.items() if name not in ("packet", *CAN_ON_LO)}
    ours = {
        row.name: _socket.encode_address(row.family, row.protocol, row.address).hex()
        for row in ROWS
    }
    assert {name: ours[name] for name in expected} == expected


CAN_ON_LO = ("can_raw", "can_isotp", "can_j1939")


# -- side by side with the standard library --------------------------------------------------------

NUMBERS = (0, 1, -1, 255, 256, 65535, 65536, 2**31, 2**32 - 1, 2**32, 2**64 - 1, 2**64, -(2**70))
ODD = ("()", "None", "'x'", "b'x'", "7", "(None,)", "(1, 2, 3, 4, 5, 6, 7)", "[1, 2]", "{}")


def numbers(form: str, below: int = 2**80) -> list[str]:
    """The form with each number in turn, and with what is no number."""
    values = [number for number in NUMBERS if -below <= number < below]
    return [form.format(number) for number in (*values, "'1'", "None", "1.0", "True", "b'1'")]


CASES: dict[tuple[int, int], list[str]] = {
    (NETLINK, 0): numbers("({}, 0)") + numbers("(0, {})") + ["(1,)", "(1, 2, 3)"],
    (QIPCRTR, 0): numbers("({}, 0)") + numbers("(0, {})") + ["(1,)", "(1, 2, 3)"],
    (VSOCK, 0): numbers("({}, 0)") + numbers("(0, {})") + ["(1,)", "(1, 2, 3)"],
    (PACKET, 0): [
        *numbers("('lo', {})"),
        *numbers("('lo', 3, {})"),
        *numbers("('lo', 3, 0, {})"),
        *(
            "('lo',)",
            "('nope', 3)",
            "('nope', -1)",
            "('', 0)",
            "(b'lo', 3)",
            "(None, 3)",
            "('l\\0', 3)",
        ),
        *(
            "('\\udc80', 3)",
            "('lo' + 'o' * 100, 3)",
            "('lo', 3, 0, 0, b'')",
            "('lo', 3, 0, 0, b'12345678')",
        ),
        *("('lo', 3, 0, 0, b'123456789')", "('lo', 3, 0, 0, 'abc')", "('lo', 3, 0, 0, None)"),
        *("('nope', 3, 0, 0, b'123456789')", "('lo', 3, 0, 0, memoryview(b'abc'))"),
        "('lo', 3, 0, 0, bytearray(b'abc'))",
        "('lo', 3, 0, 0, memoryview(b'abcdef')[::2])",
    ],
    (TIPC, 0): [
        *numbers("({}, 1, 2, 3)"),
        *numbers("(1, {}, 2, 3)"),
        *numbers("(2, 1, {}, 3)"),
        *numbers("(1, 1, 2, {}, 3)"),
        *numbers("(3, 1, 2, 3, {})"),
        *("(1, 2, 3)", "(0, 1, 2, 3)", "(4, 1, 2, 3)"),
    ],
    **{
        (CAN, protocol): [
            *(
                "('lo',)",
                "(b'lo',)",
                "('',)",
                "('nope',)",
                "('x' * 15,)",
                "('x' * 16,)",
                "('a\\0b',)",
            ),
            *(
                "(1,)",
                "('\\udc80',)",
                "(b'\\xff',)",
                "('lo', 1)",
                "(__import__('pathlib').Path('lo'),)",
            ),
        ]
        for protocol in (RAW, BCM)
    },
    (CAN, ISOTP): [
        *(case for case in numbers("('lo', {}, 0)") + numbers("('lo', 0, {})")),
        *("('lo',)", "('nope', 1, 2)", "('x' * 16, 1, 2)", "(1, 1, 2)", "('lo', 1, 2, 3)"),
    ],
    (CAN, J1939): [
        *numbers("('lo', {}, 0, 0)"),
        *numbers("('lo', 0, {}, 0)"),
        *numbers("('lo', 0, 0, {})"),
        *("('lo',)", "('lo', 1, 2)", "('nope', 1, 2, 3)", "('x' * 16, 1, 2, 3)", "(1, 1, 2, 3)"),
    ],
    (CAN, 0): ["('lo',)"],
    (CAN, 5): ["('lo',)", "7"],
    (ALG, 0): [
        *numbers("('hash', 'sha1', {})"),
        *numbers("('hash', 'sha1', 0, {})"),
        *("('hash',)", "('hash', 'sha1', 1, 2, 3)", "('x' * 13, 'x')", "('x' * 14, 'x')"),
        *("('x', 'x' * 63)", "('x', 'x' * 64)", "(b'hash', 'x')", "('hash', b'x')", "('\\0', 'x')"),
        *("('x', '\\0')", "('\\udc80', 'x')", "('\\xe9', '\\u20ac')", "('', '')"),
        *("('\\xe9' * 7, 'x')", "('x', '\\u20ac' * 22)"),
    ],
    (RDS, 0): ["('127.0.0.1', 7)", "('127.0.0.1', 70000)", "('127.0.0.1',)", "(1, 2)"],
    (0, 0): ["('lo',)"],
    (99, 0): ["(1, 2)", "(99, b'abc')"],
}

# C formats that want a tuple and get none raise SystemError there, which blames the interpreter.
TUPLE_WANTED = {(CAN, ISOTP), (CAN, J1939)}


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("probe")


@pytest.fixture(scope="module")
def stdlib(build: Path) -> Iterator[Oracle]:
    with oracle(sys.executable, build) as it:
        yield it


# What the fields cover. Up to 3.13 the standard library does not clear the rest, which comes from
# whatever was on its stack; oxisock's is zero.
COVERED = {
    (NETLINK, 0): ((0, 2), (4, 12)),
    (QIPCRTR, 0): ((0, 2), (4, 12)),
    (CAN, RAW): ((0, 2), (4, 8)),
    (CAN, BCM): ((0, 2), (4, 8)),
    (CAN, ISOTP): ((0, 2), (4, 16)),
    (CAN, J1939): ((0, 2), (4, 21)),
    (BLUETOOTH, L2CAP): ((0, 10),),
    (BLUETOOTH, RFCOMM): ((0, 9),),
    (BLUETOOTH, HCI): ((0, 4),),
}


def covered(family: int, protocol: int, encoded: str) -> str:
    raw = bytes.fromhex(encoded)
    ranges = COVERED.get((family, protocol), ((0, len(raw)),))
    if family == PACKET:
        ranges = ((0, 12 + raw[11]),)
    return f"{len(raw)} bytes: " + b"".join(raw[start:end] for start, end in ranges).hex()


def compare(oracle: Oracle, operation: str, family: int, protocol: int, expression: str) -> None:
    expected = oracle.ask(operation, family, protocol, expression)
    ours = answer(operation, family, protocol, expression)
    if expected[:2] == ["raises", "SystemError"]:
        assert (family, protocol) in TUPLE_WANTED
        expected[1] = "TypeError"
    if operation == "encode" and expected[0] == ours[0] == "returns":
        ours[1], expected[1] = (covered(family, protocol, it[1]) for it in (ours, expected))
    assert ours[:2] == expected[:2], expression
    if ours[0] == "raises":
        assert ours[2] == expected[2], expression
        if ours[2] is not None:
            assert ours[3] == expected[3], expression


# Where the standard library forgets the order of bytes: the PSM of L2CAP has the other one, and
# numbers of ALG are written as if they had 16 bits.
ORDERED = [case for case in CASES if sys.byteorder == "little" or case[0] != ALG]


@pytest.mark.parametrize(("family", "protocol"), ORDERED)
def test_encodes_and_refuses_as_the_standard_library(
    stdlib: Oracle, family: int, protocol: int
) -> None:
    for expression in (*CASES[family, protocol], *ODD):
        compare(stdlib, "encode", family, protocol, expression)


PATTERNS = (bytes(range(1, 127)), b"\xff" * 126, bytes(126), b"lo\0" * 42)


def raw_addresses(family: int) -> list[bytes]:
    """Structures of the family with all kinds of bytes in the fields, the interface a real one."""
    front = struct.pack("=H", family)
    found = [front + pattern for pattern in PATTERNS]
    if family == TIPC:
        found = [front + struct.pack("=Bb", kind, 3) + PATTERNS[0] for kind in range(5)]
    if family == CAN:
        found += [front + bytes(2) + struct.pack("=i", LO) + pattern for pattern in PATTERNS]
    if family == PACKET:
        # The length of the hardware address is a byte; the structure has room for eight.
        ends = [
            struct.pack("=2siHBB", b"\x01\x02", LO, 3, 4, length) + PATTERNS[0]
            for length in range(9)
        ]
        found = [front + end for end in ends]
    return found


SIZES = {NETLINK: 12, PACKET: 20, CAN: 24, TIPC: 16, ALG: 88, VSOCK: 16, QIPCRTR: 12}


@pytest.mark.parametrize("family", SIZES)
def test_decodes_as_the_standard_library(stdlib: Oracle, family: int) -> None:
    for protocol in (0, RAW, BCM, ISOTP, J1939) if family == CAN else (0,):
        for raw in raw_addresses(family):
            raw = raw[: SIZES[family]]
            if family == ALG and not raw.isascii():
                continue  # a UnicodeDecodeError there, see below
            compare(stdlib, "decode", family, protocol, repr(raw))


def test_text_of_the_system_never_fails_to_decode() -> None:
    raw = struct.pack("=H14sII64s", ALG, b"\xff", 1, 2**32 - 1, b"n\xff")
    assert _socket.decode_address(0, raw) == ("\udcff", "n\udcff", 1, 2**32 - 1)


def test_long_hardware_addresses_come_whole() -> None:
    # InfiniBand's has 20 bytes, more than the structure has room for.
    raw = struct.pack("=HHiHBB20s", PACKET, 0, LO, 32, 0, 20, bytes(range(20)))
    assert _socket.decode_address(0, raw) == ("lo", 0, 0, 32, bytes(range(20)))
    assert _socket.decode_address(0, raw[:16]) == ("lo", 0, 0, 32, bytes(range(4)))


@pytest.mark.parametrize("family", [0, 1, 9, 44, 99, 255])
def test_unknown_families_come_as_bytes(stdlib: Oracle, family: int) -> None:
    if family == std.AF_UNIX:
        return
    for length in (0, 1, 13, 14):
        raw = struct.pack("=H", family) + bytes(range(1, length + 1))
        expected = (family, bytes(range(1, length + 1)).ljust(14, b"\0"))
        assert _socket.decode_address(0, raw) == expected
    # The standard library asks the socket's own family, so that it must be a known one.
    # The one with the longest address, or the bytes behind would be those of its stack.
    compare(stdlib, "decode", ALG, 0, repr(struct.pack("=H", family) + b"0123456789"))


def test_unknown_families_are_not_cut() -> None:
    raw = struct.pack("=H", 99) + bytes(range(126))
    assert _socket.decode_address(0, raw) == (99, bytes(range(126)))


def test_no_address_is_none() -> None:
    assert _socket.decode_address(0, b"") is None
    assert _socket.decode_address(0, b"\x10") is None
    with pytest.raises(ValueError, match="at most 128"):
        _socket.decode_address(0, bytes(129))


@pytest.mark.parametrize("family", [*SIZES, std.AF_INET, std.AF_INET6, std.AF_UNIX, BLUETOOTH])
def test_short_addresses_are_safe(family: int) -> None:
    """Bytes that the system did not write are read as zeros, whatever the length."""
    protocol = {CAN: J1939}.get(family, 0)
    for length in range(2, 128):
        raw = struct.pack("=H", family) + bytes(length - 2)
        if family == TIPC and length >= 2:
            with pytest.raises(ValueError, match="Invalid address type"):
                _socket.decode_address(protocol, raw)
        else:
            _socket.decode_address(protocol, raw)


@pytest.mark.parametrize(
    ("family", "protocol", "address", "error", "words"),
    [
        (NETLINK, 0, 7, TypeError, ["encode_address()", "AF_NETLINK", "tuple", "int"]),
        (VSOCK, 0, 7, TypeError, ["encode_address()", "AF_VSOCK", "tuple", "int"]),
        (VSOCK, 0, (1,), TypeError, ["AF_VSOCK", "(cid, port)"]),
        (QIPCRTR, 0, (1,), TypeError, ["AF_QIPCRTR", "(node, port)"]),
        (CAN, ISOTP, "lo", TypeError, ["encode_address()", "AF_CAN", "tuple", "str"]),
        (CAN, ISOTP, ("lo",), TypeError, ["AF_CAN", "(interface, rx_id, tx_id)"]),
        (CAN, J1939, ("lo",), TypeError, ["AF_CAN", "(interface, name, pgn, addr)"]),
        (CAN, 0, ("lo",), OSError, ["encode_address()", "unsupported CAN protocol"]),
        (PACKET, 0, ("lo",), TypeError, ["AF_PACKET", "two to five"]),
        (PACKET, 0, ("lo", 2**40), OverflowError, ["encode_address()", "out of range"]),
        (PACKET, 0, ("lo", 65536), OverflowError, ["encode_address()", "proto", "0-65535"]),
        (99, 0, (1,), OSError, ["encode_address()", "bad family"]),
        (BLUETOOTH, 9, DEVICE, OSError, ["encode_address()", "unknown Bluetooth protocol"]),
        (BLUETOOTH, L2CAP, (DEVICE,), OSError, ["encode_address()", "wrong format"]),
        (BLUETOOTH, SCO, 7, OSError, ["encode_address()", "wrong format"]),
    ],
)
def test_messages_name_the_method_and_the_form(
    family: int, protocol: int, address: object, error: type[Exception], words: list[str]
) -> None:
    with pytest.raises(error) as caught:
        _socket.encode_address(family, protocol, address)
    assert all(word in str(caught.value) for word in words), caught.value


def test_exceptions_of_conversions_go_through() -> None:
    class Index:
        def __index__(self) -> int:
            raise ZeroDivisionError

    class Path:
        def __fspath__(self) -> str:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        _socket.encode_address(NETLINK, 0, (Index(), 0))
    with pytest.raises(ZeroDivisionError):
        _socket.encode_address(PACKET, 0, ("lo", Index()))
    with pytest.raises(ZeroDivisionError):
        _socket.encode_address(CAN, RAW, (Path(),))


# -- Bluetooth -------------------------------------------------------------------------------------

# Larger numbers are refused by 3.11 and cut by later interpreters, and by oxisock.
INT = 2**31

BLUETOOTH_CASES = {
    L2CAP: [
        *numbers("('01:23:45:67:89:AB', {})", INT),
        *("('0:1:2:3:4:f', 1)", "('01:23:45:67:89', 1)", "('01:23:45:67:89:AB:CD', 1)", "('', 1)"),
        *(
            "('01:23:45:67:89:1FF', 1)",
            "('01:23:45:67:89:xy', 1)",
            "('\\xe9', 1)",
            "(b'1:2:3:4:5:6', 1)",
        ),
        *(
            "('1:2:3:4:5:6',)",
            "('1:2:3:4:5:6\\0', 1)",
            "('01:23:45:67:89:AB ', 1)",
            "('::::: ', 1)",
        ),
    ],
    RFCOMM: [
        *numbers("('01:23:45:67:89:AB', {})", INT),
        "('1:2:3:4:5:6',)",
        "('1:2:3:4:5:6', 1, 2)",
    ],
    HCI: [*numbers("({},)", INT), "()"],
    SCO: [
        "b'01:23:45:67:89:AB'",
        "b'01:23:45:67:89'",
        "b''",
        "b'1:2:3:4:5:6\\xff'",
        "(b'1:2:3:4:5:6',)",
    ],
    9: ["(1, 2)"],
}


@pytest.fixture(scope="module")
def bluetooth(build: Path) -> Iterator[Oracle]:
    """An interpreter that was built with BlueZ's headers, as those of distributions are."""
    for interpreter in (sys.executable, shutil.which("python3", path="/usr/bin:/usr/local/bin")):
        has = "import ctypes, socket; socket.AF_BLUETOOTH"
        if (
            interpreter
            and subprocess.run([interpreter, "-I", "-c", has], stderr=-3).returncode == 0
        ):
            with oracle(interpreter, build) as it:
                yield it
            return
    pytest.skip("no interpreter with Bluetooth support")


BLUETOOTH_ORDERED = [it for it in BLUETOOTH_CASES if sys.byteorder == "little" or it != L2CAP]


@pytest.mark.parametrize("protocol", BLUETOOTH_ORDERED)
def test_bluetooth_encodes_and_refuses_as_the_standard_library(
    bluetooth: Oracle, protocol: int
) -> None:
    for expression in BLUETOOTH_CASES[protocol]:
        compare(bluetooth, "encode", BLUETOOTH, protocol, expression)


@pytest.mark.parametrize(("protocol", "size"), [(RFCOMM, 10), (HCI, 4), (SCO, 8), (L2CAP, 10)])
def test_bluetooth_decodes_as_the_standard_library(
    bluetooth: Oracle, protocol: int, size: int
) -> None:
    if protocol not in BLUETOOTH_ORDERED:
        pytest.skip("the standard library forgets the order of bytes")
    for raw in raw_addresses(BLUETOOTH):
        # Without what newer interpreters give besides: the channel of HCI, and the channel
        # identifier and address type of L2CAP.
        compare(bluetooth, "decode", BLUETOOTH, protocol, repr(raw[:size].ljust(14, b"\0")))


def test_bluetooth_forms_of_newer_interpreters() -> None:
    encode = _socket.encode_address
    assert (
        encode(BLUETOOTH, HCI, 3) == encode(BLUETOOTH, HCI, (3,)) == encode(BLUETOOTH, HCI, (3, 0))
    )
    assert encode(BLUETOOTH, SCO, DEVICE) == encode(BLUETOOTH, SCO, DEVICE.encode())
    assert encode(BLUETOOTH, SCO, DEVICE.lower()) == encode(BLUETOOTH, SCO, DEVICE)
    assert encode(BLUETOOTH, L2CAP, (DEVICE, 1, 4)) == encode(BLUETOOTH, L2CAP, (DEVICE, 1, 4, 0))
    assert _socket.decode_address(L2CAP, encode(BLUETOOTH, L2CAP, (DEVICE, 1, 4))) == (DEVICE, 1, 4)
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        cut = encode(BLUETOOTH, RFCOMM, (DEVICE, 2**40 + 5))
    assert cut == encode(BLUETOOTH, RFCOMM, (DEVICE, 5))
    with pytest.raises(ValueError, match="Unknown Bluetooth protocol"):
        _socket.decode_address(9, struct.pack("=H", BLUETOOTH) + bytes(12))


def test_the_oracle_sees_what_the_library_does(stdlib: Oracle) -> None:
    """The comparison above is worth something: the oracle gives bytes and errors."""
    raw = struct.pack("=HHII4x", VSOCK, 0, 6, 5)
    assert stdlib.ask("encode", VSOCK, 0, "(5, 6)") == ["returns", raw.hex()]
    assert stdlib.ask("encode", VSOCK, 0, "(5,)")[:2] == ["raises", "TypeError"]
    assert stdlib.ask("decode", VSOCK, 0, repr(raw)) == ["returns", "(5, 6)"]
