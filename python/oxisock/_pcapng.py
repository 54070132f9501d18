"""Writes the data of sockets as packets that Wireshark opens: pcapng (draft-ietf-opsawg-pcapng).

A program's calls have no packets. So headers are made up around the data that they moved: a stream
gets a handshake, numbers that go on, and an end, a datagram its addresses.
"""

from __future__ import annotations

import socket
import struct
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, BinaryIO

RAW_IP = 101
"""Link type of IPv4 and IPv6 without anything in front."""
USER = 147
"""Link type for private use: the data of sockets that have no internet address."""

FIN, SYN, PSH, ACK = 1, 2, 8, 16
_SEGMENT = 32 * 1024
_INBOUND, _OUTBOUND = 1, 2


class Writer:
    """Writes packets to a file.

    Args:
        file: an unbuffered binary file.
        application: what has made it.
    """

    def __init__(self, file: BinaryIO, application: str) -> None:
        self._file = file
        section = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + _option(4, application.encode())
        self._block(0x0A0D0D0A, section + _option(0, b""))
        for link, name in ((RAW_IP, b"internet sockets"), (USER, b"other sockets")):
            # Times are in nanoseconds.
            options = _option(2, name) + _option(9, b"\x09") + _option(0, b"")
            self._block(1, struct.pack("<HHI", link, 0, 0) + options)

    def _block(self, kind: int, body: bytes) -> None:
        length = struct.pack("<I", len(body) + 12)
        self._file.write(struct.pack("<I", kind) + length + body + length)

    def packet(self, time: int, data: bytes, *, sent: bool, other: bool, comment: str = "") -> None:
        """Write one packet of a moment in nanoseconds since the epoch."""
        head = struct.pack(
            "<IIIII", int(other), time >> 32, time & 0xFFFFFFFF, len(data), len(data)
        )
        options = _option(2, struct.pack("<I", _OUTBOUND if sent else _INBOUND))
        if comment:
            options += _option(1, comment.encode())
        self._block(6, head + _padded(data) + options + _option(0, b""))


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _sum(data: bytes) -> int:
    """Return the checksum of RFC 1071."""
    data += bytes(len(data) % 2)
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def internet(source: Any, target: Any, protocol: int, segment: bytes, place: int) -> bytes:
    """Return an IP packet around a segment whose checksum is at a place."""
    four = ":" not in source[0]
    family = socket.AF_INET if four else socket.AF_INET6
    # A zone is no part of the number.
    ends = b"".join(socket.inet_pton(family, end[0].partition("%")[0]) for end in (source, target))
    pseudo = ends + struct.pack(">II" if not four else ">HH", *(
        (len(segment), protocol) if not four else (protocol, len(segment))
    ))  # fmt: skip
    # Zero would mean that there is none.
    check = struct.pack(">H", _sum(pseudo + segment) or 0xFFFF)
    segment = segment[:place] + check + segment[place + 2 :]
    if not four:
        return struct.pack(">IHBB", 6 << 28, len(segment), protocol, 64) + ends + segment
    head = struct.pack(">BBHHHBBH", 0x45, 0, len(segment) + 20, 0, 0x4000, 64, protocol, 0)
    check = struct.pack(">H", _sum(head + ends))
    return head[:10] + check + ends + segment


class Stream:
    """The packets of one connection.

    Args:
        writer: where they go.
        local, peer: the addresses of this end and of the other.
        accepted: whether the other end began.
        comment: what to say beside the data.
    """

    def __init__(
        self, writer: Writer, local: Any, peer: Any, *, accepted: bool, comment: str
    ) -> None:
        self._writer = writer
        self._ends = (local, peer)
        self._next = [1, 1]  # of this end, of the other
        self._comment = comment
        self._accepted = accepted
        self._begun = False
        self._ended: set[int] = set()
        self._mirrored = False
        # Bytes that were received, and told of, before it was known that their sender is here.
        self._heard = 0

    def _segment(self, time: int, end: int, flags: int, data: bytes = b"") -> None:
        source, target = self._ends[end], self._ends[1 - end]
        comment = self._comment if data else ""
        numbers = self._next[end] & 0xFFFFFFFF, self._next[1 - end] & 0xFFFFFFFF
        if flags & SYN:
            numbers = 0, 1 if flags & ACK else 0
        head = struct.pack(
            ">HHIIBBHHH", source[1], target[1], *numbers, 5 << 4, flags, 0xFFFF, 0, 0
        )
        packet = internet(source, target, socket.IPPROTO_TCP, head + data, 16)
        self._writer.packet(time, packet, sent=end == 0, other=False, comment=comment)
        self._next[end] += len(data)

    def _begin(self, time: int) -> None:
        if not self._begun:
            self._begun = True
            first = 1 if self._accepted else 0
            for end, flags in ((first, SYN), (1 - first, SYN | ACK), (first, ACK)):
                self._segment(time, end, flags)

    def data(self, time: int, data: bytes, *, sent: bool) -> None:
        """Write data that went one way or the other."""
        if not sent:
            if self._mirrored:
                return  # the far end tells of it
            self._heard += len(data)
        self._write(time, data, 0 if sent else 1)

    def data_of_the_far_end(self, time: int, data: bytes) -> None:
        """Write data that the far end has sent, but for what was received meanwhile."""
        told = min(self._heard, len(data))
        self._heard -= told
        if data[told:]:
            self._write(time, data[told:], 1)

    def _write(self, time: int, data: bytes, end: int) -> None:
        self._begin(time)
        for start, stop in pairwise((*range(0, len(data), _SEGMENT), len(data))):
            self._segment(time, end, PSH | ACK, data[start:stop])

    def skip(self, length: int, *, sent: bool) -> None:
        """Leave out data that went and were not seen."""
        self._next[0 if sent else 1] += length

    def end(self, time: int, *, sent: bool) -> None:
        """Write the end of a direction."""
        end = 0 if sent else 1
        if self._begun and end not in self._ended:
            self._ended.add(end)
            self._segment(time, end, FIN | ACK)
            self._next[end] += 1

    def mirrored(self) -> Mirror:
        """Return the far end of the stream, which is in this process, too."""
        self._mirrored = True
        return Mirror(self)


class Mirror:
    """The far end of a stream: what it sends is what the stream receives."""

    def __init__(self, stream: Stream) -> None:
        self._far = stream

    def data(self, time: int, data: bytes, *, sent: bool) -> None:
        """Write data that went one way or the other, unless the other end has written it."""
        if sent:
            self._far.data_of_the_far_end(time, data)

    def skip(self, length: int, *, sent: bool) -> None:
        """Leave out data that went and were not seen."""
        if sent:
            self._far.skip(length, sent=False)

    def end(self, time: int, *, sent: bool) -> None:
        """Write the end of a direction."""
        self._far.end(time, sent=not sent)


def datagram(writer: Writer, time: int, local: Any, peer: Any, data: bytes, *, sent: bool) -> None:
    """Write a datagram of UDP."""
    source, target = (local, peer) if sent else (peer, local)
    head = struct.pack(">HHHH", source[1], target[1], len(data) + 8, 0)
    packet = internet(source, target, socket.IPPROTO_UDP, head + data, 6)
    writer.packet(time, packet, sent=sent, other=False)
