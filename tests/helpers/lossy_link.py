"""A link that loses, doubles, delays and reorders packets, or resets connections, in a namespace.

`run_across` runs Python code in a new network namespace, where a TUN device stands for the link and
a thread of this module for the other end, which turns every packet round: what is sent to a port of
the host at the other end comes from there to that port of this machine. So one process has both
ends. What became of its datagrams is noted, and returned with what the code prints.
"""

import fcntl
import heapq
import json
import os
import random
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, field

from tests.helpers.far_hosts import ACK, RST, V4, V6, ip, obstacle, open_network
from tests.helpers.namespace import unshare

OTHER = 7
"""The number of the host at the other end."""
ENDS = {socket.AF_INET: V4.format(OTHER), socket.AF_INET6: V6.format(OTHER)}
"""Its addresses."""

NUMBER = struct.Struct("!I")
"""What the datagrams of a test begin with, where the link is to note what becomes of them."""
END = 0xFFFFFFFF
"""The number of one that the link passes on once, behind everything that it has passed on."""


@dataclass(frozen=True)
class Link:
    """What the link does to packets; shares of them, and seconds."""

    loss: float = 0.0
    twice: float = 0.0
    delay: float = 0.0
    jitter: float = 0.0  # so much more delay at most, so that packets overtake each other
    mtu: int = 1500
    seed: int = 1
    cut: int | None = None  # from so many packets on nothing passes, in either direction
    reset: int | None = None  # the number of the packet with data that resets its TCP connection
    told: str = "both"  # who hears of the reset: "sender", "receiver" or "both"


@dataclass
class Passed:
    """How often each packet was passed on, by the number of the datagram that it is a part of."""

    copies: dict[int, list[int]] = field(default_factory=dict)
    packets: int = 0
    """How many there were of all protocols."""
    lost: int = 0
    """How many of them were lost."""
    _numbers: dict[bytes, int] = field(default_factory=dict)

    def number(self, packet: bytes) -> int | None:
        """Tell the number of a datagram; fragments are known by the identification they share."""
        if packet[0] >> 4 == 4:
            protocol, head = packet[9], 4 * (packet[0] & 15)
            at = struct.unpack_from("!H", packet, 6)[0] & 0x1FFF
            fragment = packet[4:6]
        else:
            protocol, head, at, fragment = packet[6], 40, 0, b""
            if protocol == socket.IPPROTO_FRAGMENT:
                protocol, head = packet[40], 48
                at = struct.unpack_from("!H", packet, 42)[0] >> 3
                fragment = packet[44:48]
        if protocol != socket.IPPROTO_UDP:
            return None
        if at == 0:
            # The kernel sends fragments in their order.
            (self._numbers[fragment],) = NUMBER.unpack_from(packet, head + 8)
        return self._numbers[fragment]


def run_across(link: Link, code: str, *arguments: str, timeout: float = 60) -> tuple[str, Passed]:
    """Run Python code at both ends of such a link; return what it prints, and what passed.

    Skips the test where the system allows no namespace, but not in CI.
    """
    if reason := obstacle():
        from tests.helpers.process import missing  # not in the namespace, where it takes time

        missing(f"no network namespace: {reason}")
    command = [*unshare("--net"), sys.executable, "-m", __name__, json.dumps(asdict(link))]
    done = subprocess.run(
        [*command, "-W", "error", "-c", code, *arguments],
        capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    printed, _, told = done.stdout.rstrip("\n").rpartition("\n")
    copies, packets, lost = json.loads(told)
    return printed, Passed({int(number): counts for number, counts in copies}, packets, lost)


def turned(packet: bytes) -> bytes:
    """The packet with its addresses in each other's place; no checksum changes by that."""
    at, size = (12, 4) if packet[0] >> 4 == 4 else (8, 16)
    source, target = packet[at : at + size], packet[at + size : at + 2 * size]
    return packet[:at] + target + source + packet[at + 2 * size :]


def has_data(packet: bytes) -> bool:
    """Whether it is a TCP segment with data."""
    at = tcp(packet)
    return at > 0 and len(packet) > at + (packet[at + 12] >> 4) * 4


def tcp(packet: bytes) -> int:
    """Where the TCP segment of a packet begins; 0 where it has none."""
    if packet[0] >> 4 == 4:
        return 4 * (packet[0] & 15) if packet[9] == socket.IPPROTO_TCP else 0
    return 40 if packet[6] == socket.IPPROTO_TCP else 0


def resets(packet: bytes, told: str) -> list[bytes]:
    """What resets the connection of a segment, at its sender, its receiver or both; RFC 9293."""
    at = tcp(packet)
    sport, dport, number, awaited = struct.unpack_from("!HHII", packet, at)
    v4 = packet[0] >> 4 == 4
    source, target = (packet[12:16], packet[16:20]) if v4 else (packet[8:24], packet[24:40])
    made = []
    for whom, ports, sequence, answers in (
        # As if the other end had sent it: it has the number that is awaited next.
        ("receiver", (sport, dport), number, awaited),
        ("sender", (dport, sport), awaited, number),
    ):
        if told in {whom, "both"}:
            # The packet is turned round for the receiver, and answers the sender.
            segment = struct.pack(
                "!HHIIBBHHH", *ports, sequence, answers, 5 << 4, RST | ACK, 0, 0, 0
            )
            made.append(ip(target + source, segment))
    return made


def serve(tun: int, link: Link, passed: Passed) -> None:
    """Be the link until the process ends."""
    chance = random.Random(link.seed)
    due: list[tuple[float, int, bytes]] = []
    order, last = 0, 0.0
    segments: Counter[bytes] = Counter()
    while True:
        pause = max(0.0, due[0][0] - time.monotonic()) if due else None
        if select.select([tun], [], [], pause)[0]:
            packet = os.read(tun, 1 << 16)
            number = passed.number(packet)
            if link.reset and has_data(packet):
                ports = packet[tcp(packet) :][:4]
                segments[ports] += 1
                if segments[ports] == link.reset:
                    for reset in resets(packet, link.told):
                        os.write(tun, reset)
                    continue
            now, count = time.monotonic(), 1
            if number == END:
                moments = [max(last, now)]
            else:
                lost, twice = chance.random() < link.loss, chance.random() < link.twice
                lost |= link.cut is not None and passed.packets >= link.cut
                count = 0 if lost else 1 + twice
                passed.packets += 1
                passed.lost += lost
                moments = [now + link.delay + chance.random() * link.jitter for _ in range(count)]
                if number is not None:
                    passed.copies.setdefault(number, []).append(count)
            for moment in moments:
                # Without jitter they stay in their order.
                order += 1
                heapq.heappush(due, (moment, order, turned(packet)))
                last = max(last, moment)
        while due and due[0][0] <= time.monotonic():
            os.write(tun, heapq.heappop(due)[2])


def set_mtu(mtu: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, 0x8922, struct.pack("16si20x", b"far0", mtu))  # SIOCSIFMTU


def main() -> int:
    table, *arguments = sys.argv[1:]
    link, passed = Link(**json.loads(table)), Passed()
    tun = open_network()
    set_mtu(link.mtu)
    threading.Thread(target=serve, args=(tun, link, passed), daemon=True).start()
    code = subprocess.run([sys.executable, *arguments]).returncode
    print(json.dumps([list(passed.copies.items()), passed.packets, passed.lost]))
    return code


if __name__ == "__main__":
    sys.exit(main())
