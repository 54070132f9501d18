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
        self._addresses = (local, peer)
        self._comment = comment
        self._accepted = accepted
        self._begun = False
        # Of each end what it has sent: bytes that are written, and whether the end of it is.
        self._written = [0, 0]
        self._finished = [False, False]
        self.ends = (End(self, 0), End(self, 1))

    def _segment(self, time: int, sender: int, flags: int, data: bytes = b"") -> None:
        source, target = self._addresses[sender], self._addresses[1 - sender]
        if flags & SYN:
            numbers = 0, 1 if flags & ACK else 0
        else:
            numbers = self._number(sender), self._number(1 - sender)
        head = struct.pack(
            ">HHIIBBHHH", source[1], target[1], *numbers, 5 << 4, flags, 0xFFFF, 0, 0
        )
        packet = internet(source, target, socket.IPPROTO_TCP, head + data, 16)
        comment = self._comment if data else ""
        self._writer.packet(time, packet, sent=sender == 0, other=False, comment=comment)
        self._written[sender] += len(data)

    def _number(self, end: int) -> int:
        """Return the sequence number of what an end sends next; its first and last are its own."""
        return (1 + self._written[end] + self._finished[end]) & 0xFFFFFFFF

    def _begin(self, time: int) -> None:
        if not self._begun:
            self._begun = True
            first = 1 if self._accepted else 0
            for end, flags in ((first, SYN), (1 - first, SYN | ACK), (first, ACK)):
                self._segment(time, end, flags)

    def write(self, time: int, sender: int, data: bytes, place: int) -> None:
        """Write what an end has sent, the first byte at a place, but for what is written."""
        fresh = data[max(self._written[sender] - place, 0) :]
        if not fresh:
            return
        self._begin(time)
        # What lies between was not seen.
        self._written[sender] = max(self._written[sender], place)
        for start, stop in pairwise((*range(0, len(fresh), _SEGMENT), len(fresh))):
            self._segment(time, sender, PSH | ACK, fresh[start:stop])

    def finish(self, time: int, sender: int) -> None:
        """Write the end of what an end sends."""
        if self._begun and not self._finished[sender]:
            self._segment(time, sender, FIN | ACK)
            self._finished[sender] = True


class End:
    """One end of a stream.

    Where both are in this process, both tell of the same data, in any order: whoever is first
    writes it.
    """

    def __init__(self, stream: Stream, index: int) -> None:
        self._stream = stream
        self._index = index
        self._sent = 0
        self._received = 0
        self.closed = False

    def sent(self, time: int, data: bytes) -> None:
        """Write data that this end has sent."""
        self._stream.write(time, self._index, data, self._sent)
        self._sent += len(data)

    def received(self, time: int, data: bytes) -> None:
        """Write data that this end has received, or the end of it if there is none."""
        if data:
            self._stream.write(time, 1 - self._index, data, self._received)
            self._received += len(data)
        else:
            self._stream.finish(time, 1 - self._index)

    def skip(self, length: int) -> None:
        """Leave out data that this end has sent and that were not seen."""
        self._sent += length

    def close(self, time: int) -> None:
        """Write the end of what this end sends."""
        self.closed = True
        self._stream.finish(time, self._index)


def datagram(writer: Writer, time: int, local: Any, peer: Any, data: bytes, *, sent: bool) -> None:
    """Write a datagram of UDP."""
    source, target = (local, peer) if sent else (peer, local)
    head = struct.pack(">HHHH", source[1], target[1], len(data) + 8, 0)
    packet = internet(source, target, socket.IPPROTO_UDP, head + data, 6)
    writer.packet(time, packet, sent=sent, other=False)
