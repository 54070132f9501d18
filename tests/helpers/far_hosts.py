"""A network of hosts that are far away, silent, refusing or lossy, in a namespace of its own.

`run_far` runs Python code in a new network namespace, where a TUN device stands for a network and a
thread of this module for its hosts. The hosts answer the first packet of a TCP connection, or do
not, and nothing else: enough for everything that is about connecting.
"""

import fcntl
import heapq
import json
import os
import select
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass
from functools import cache

from tests.helpers.namespace import unshare

V4 = "10.66.0.{}"
V6 = "fd66::{:x}"
OWN = 254  # the number of this machine in that network

SYN, RST, ACK = 2, 4, 16


@dataclass(frozen=True)
class Host:
    """How a host answers a request to connect: after so many seconds, or never."""

    delay: float = 0.0
    silent: bool = False
    refuses: bool = False
    lost: int = 0  # so many requests get lost before one arrives


SILENT = Host(silent=True)
REFUSING = Host(refuses=True)


@cache
def obstacle() -> str | None:
    """Why there can be no such network here; None if there can."""
    if shutil.which("unshare") is None:
        return "unshare is not installed"
    probe = [*unshare("--net"), sys.executable, "-m", __name__, "{}", "-c", "pass"]
    done = subprocess.run(probe, capture_output=True, text=True, timeout=60)
    return None if done.returncode == 0 else done.stderr.strip().rpartition("\n")[2]


def run_far(code: str, hosts: dict[int, Host], *arguments: str, timeout: float = 60) -> str:
    """Run Python code beside these hosts, by number; return what it prints.

    Their addresses are `V4.format(number)` and `V6.format(number)`. Skips the test where the
    system allows no namespace, but not in CI.
    """
    if (reason := obstacle()) and not os.environ.get("CI"):
        import pytest  # not in the namespace, where it would only cost time

        pytest.skip(f"no network namespace: {reason}")
    table = json.dumps({number: asdict(host) for number, host in hosts.items()})
    command = [*unshare("--net"), sys.executable, "-m", __name__, table, "-W", "error", "-c", code]
    done = subprocess.run(
        [*command, *arguments], capture_output=True, text=True, timeout=timeout, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def checksum(data: bytes) -> int:
    """The internet checksum; RFC 1071."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total >> 16) + (total & 0xFFFF)
    return ~total & 0xFFFF


def ip(ends: bytes, segment: bytes) -> bytes:
    """The packet of a TCP segment without checksum, from the first address to the second."""
    pseudo = ends + struct.pack("!II", len(segment), socket.IPPROTO_TCP)
    segment = segment[:16] + struct.pack("!H", checksum(pseudo + segment)) + segment[18:]
    if len(ends) == 32:
        fields = struct.pack("!IHBB", 6 << 28, len(segment), socket.IPPROTO_TCP, 64)
        return fields + ends + segment
    length = 20 + len(segment)
    fields = struct.pack("!BBHIBB", 0x45, 0, length, 0, 64, socket.IPPROTO_TCP)
    return fields + struct.pack("!H", checksum(fields + b"\0\0" + ends)) + ends + segment


@dataclass(frozen=True)
class Request:
    """The first packet of a TCP connection; RFC 9293."""

    source: bytes
    target: bytes
    ports: tuple[int, int]
    number: int

    @classmethod
    def parse(cls, packet: bytes) -> "Request | None":
        """Take an IP packet apart; None where it is something else."""
        if packet[0] >> 4 == 4:
            protocol, head = packet[9], 4 * (packet[0] & 15)
            source, target = packet[12:16], packet[16:20]
        else:
            protocol, head = packet[6], 40
            source, target = packet[8:24], packet[24:40]
        if protocol != socket.IPPROTO_TCP:
            return None
        sport, dport, number, _, _, flags = struct.unpack_from("!HHIIBB", packet, head)
        if flags & (SYN | ACK) != SYN:
            return None
        return cls(source, target, (sport, dport), number)

    @property
    def host(self) -> int:
        return int(self.target[-1])

    def answer(self, flags: int) -> bytes:
        """The reply as an IP packet."""
        sport, dport = self.ports
        sequence = (self.number + 1) & 0xFFFFFFFF
        segment = struct.pack("!HHIIBBHHH", dport, sport, 1, sequence, 5 << 4, flags, 65535, 0, 0)
        return ip(self.target + self.source, segment)


def serve(tun: int, hosts: dict[int, Host]) -> None:
    """Answer for the hosts until the process ends."""
    due: list[tuple[float, bytes]] = []
    lost: Counter[bytes] = Counter()
    while True:
        pause = max(0.0, due[0][0] - time.monotonic()) if due else None
        if select.select([tun], [], [], pause)[0]:
            request = Request.parse(os.read(tun, 1 << 16))
            host = hosts.get(request.host) if request else None
            if request and host and not host.silent:
                if lost[request.target] < host.lost:
                    lost[request.target] += 1
                else:
                    reply = request.answer((RST if host.refuses else SYN) | ACK)
                    heapq.heappush(due, (time.monotonic() + host.delay, reply))
        while due and due[0][0] <= time.monotonic():
            os.write(tun, heapq.heappop(due)[1])


def open_network() -> int:
    """Make the device, give it this machine's addresses and switch it on; netdevice(7)."""
    setiff, setaddr, setmask, setflags = 0x400454CA, 0x8916, 0x891C, 0x8914
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    no_packet_info, is_tun, up = 0x1000, 1, 1
    fcntl.ioctl(tun, setiff, struct.pack("16sH22x", b"far0", is_tun | no_packet_info))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for request, text in (setaddr, V4.format(OWN)), (setmask, "255.255.255.0"):
            address = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(text))
            fcntl.ioctl(control, request, struct.pack("16s16s8x", b"far0", address))
        for name in b"lo", b"far0":
            fcntl.ioctl(control, setflags, struct.pack("16sH22x", name, up))
    if socket.has_ipv6 and os.path.exists("/proc/sys/net/ipv6"):
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as control:
            packed = socket.inet_pton(socket.AF_INET6, V6.format(OWN))
            index = socket.if_nametoindex("far0")
            fcntl.ioctl(control, setaddr, struct.pack("16sIi", packed, 64, index))
            # The kernel completes the address in the background: what comes before that is lost.
            end = time.monotonic() + 20
            while True:
                try:
                    control.bind((V6.format(OWN), 0))
                    break
                except OSError:
                    if time.monotonic() > end:
                        raise
                    time.sleep(0.005)
    return tun


def main() -> int:
    table, *arguments = sys.argv[1:]
    hosts = {int(number): Host(**fields) for number, fields in json.loads(table).items()}
    tun = open_network()
    threading.Thread(target=serve, args=(tun, hosts), daemon=True).start()
    return subprocess.run([sys.executable, *arguments]).returncode


if __name__ == "__main__":
    sys.exit(main())
