"""Batches across a link that loses, doubles, delays and reorders packets, and has a small MTU.

The link tells how often it has passed each packet on, so that what arrives is known, not guessed.
"""

import json
import socket
from collections import Counter

import pytest

from tests.helpers.lossy_link import END, ENDS, Link, Passed, run_across

COUNT = 400

# Sends datagrams of many sizes by one method, a few at a time, and receives them by another; prints
# their numbers in the order of arrival.
PROGRAM = """
import json, sys, struct, zlib
import oxisock as s

method, receive, other, *numbers = sys.argv[1:]
family, count, longest, END = map(int, numbers)
v6 = family == s.AF_INET6
a = s.socket(family, s.SOCK_DGRAM); b = s.socket(family, s.SOCK_DGRAM)
for sock in (a, b):
    sock.bind(("", 0))
    sock.setsockopt(s.SOL_SOCKET, s.SO_RCVBUF, 1 << 22)
    sock.settimeout(20)
target = (other, a.getsockname()[1])
sender = (other, b.getsockname()[1], *(0, 0)[: 2 * v6])
if method != "sendto_many":
    b.connect(target)
if receive == "recv_segments":
    a.setgro(True)

def text(number):
    size = 1000 if method == "send_segments" else number * 37 % longest
    body = bytes([number % 251]) * size
    return struct.pack("!II", number, zlib.crc32(body)) + body

found = []
stride = longest + 8
buffer = bytearray(32 * stride)

def take():
    if receive == "recvfrom_many":
        return a.recvfrom_many(32)
    if receive == "recvmsg_many":
        return [(d.data, d.address) for d in a.recvmsg_many(32)]
    if receive == "recvfrom_many_into":
        lengths, names = a.recvfrom_many_into(buffer, stride)
        texts = [bytes(buffer[stride * i:][:length]) for i, length in enumerate(lengths)]
        return list(zip(texts, names))
    data, size, name = a.recv_segments()
    return [(data[i:i + size], name) for i in range(0, len(data), size)]

for start in range(0, count, 40):
    texts = [text(number) for number in range(start, min(start + 40, count))]
    while texts:
        if method == "send_many":
            sent = b.send_many(texts)
        elif method == "sendto_many":
            sent = b.sendto_many([(data, target) for data in texts])
        else:
            sent = b.send_segments(b"".join(texts), len(texts[0])) // len(texts[0])
        texts = texts[sent:]
    b.sendto(struct.pack("!I", END), *[] if b is None else [target]) if method == "sendto_many" \
        else b.send(struct.pack("!I", END))
    number = None
    while number != END:
        for data, name in take():
            assert name == sender, name
            (number,) = struct.unpack_from("!I", data)
            if number != END:
                assert data == text(number), number
                found.append(number)
print(json.dumps(found))
"""

FAMILIES = pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6], ids=["v4", "v6"])
METHODS = pytest.mark.parametrize(
    ("send", "receive"),
    [
        ("send_many", "recvfrom_many"),
        ("sendto_many", "recvmsg_many"),
        ("sendto_many", "recvfrom_many_into"),
        ("send_segments", "recv_segments"),
    ],
)


def transfer(
    link: Link, family: int, send: str, receive: str, longest: int
) -> tuple[list[int], Passed]:
    other = ENDS[socket.AddressFamily(family)]
    arguments = (send, receive, other, int(family), COUNT, longest, END)
    printed, passed = run_across(link, PROGRAM, *map(str, arguments))
    return json.loads(printed), passed


@FAMILIES
@METHODS
def test_what_passed_arrives(family: int, send: str, receive: str) -> None:
    """Each datagram as often as the link has passed it on, whole and from its sender."""
    link = Link(loss=0.1, twice=0.1, delay=0.001, jitter=0.003)
    found, passed = transfer(link, family, send, receive, 1200)
    expected = Counter({number: copies for number, [copies] in passed.copies.items() if copies})
    assert Counter(found) == expected
    # The link has done all of it.
    counts = Counter(copies for [copies] in passed.copies.values())
    assert {0, 1, 2} <= set(counts)
    assert sum(counts.values()) == COUNT
    assert found != sorted(found)


@FAMILIES
@pytest.mark.parametrize(
    ("send", "receive"), [("send_many", "recvfrom_many"), ("send_segments", "recv_segments")]
)
def test_without_reordering_the_order_stays(family: int, send: str, receive: str) -> None:
    found, passed = transfer(Link(loss=0.2), family, send, receive, 1200)
    assert found == [number for number, copies in sorted(passed.copies.items()) if copies == [1]]
    assert 0 < len(found) < COUNT


@FAMILIES
def test_a_small_mtu_and_losses(family: int) -> None:
    """A datagram arrives if all its fragments do, once and whole."""
    link = Link(loss=0.05, delay=0.001, mtu=1280)
    found, passed = transfer(link, family, "send_many", "recvfrom_many", 5000)
    pieces = {len(copies) for copies in passed.copies.values()}
    assert pieces >= {1, 2, 3, 4}
    assert sorted(found) == sorted(n for n, copies in passed.copies.items() if all(copies))
    assert 0 < len(found) < COUNT
