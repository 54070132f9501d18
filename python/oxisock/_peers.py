"""What the system tells of a connection and its other end, and of this machine's addresses."""

from collections import namedtuple
from errno import ENOPROTOOPT, ENOTCONN
from os import strerror
from sys import byteorder

from ._socket import IPPROTO_TCP, SOL_SOCKET, constant, getifaddrs as _getifaddrs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ._class import socket

# Made when they are first needed: making the classes takes longer than importing this.
_classes: "dict[str, Any]" = {}


def _structure(name: str, fields: "Iterable[str]") -> "Any":
    """Return the named tuple of that name."""
    found = _classes.get(name)
    if found is None:
        found = _classes.setdefault(name, namedtuple(name, tuple(fields), module="oxisock"))
    return found


def _option(sock: "socket", level: int, name: str, size: int) -> bytes:
    """Return the value of an option that not every system has."""
    option: Any = constant(name)
    if option is None:
        raise OSError(ENOPROTOOPT, strerror(ENOPROTOOPT))
    return sock.getsockopt(level, option, size)


# `struct tcp_info` of <linux/tcp.h>: name and size of each field, in bytes, behind the first eight.
_FIELDS = (
    *((name, 4) for name in (
        "rto", "ato", "snd_mss", "rcv_mss", "unacked", "sacked", "lost", "retrans", "fackets",
        "last_data_sent", "last_ack_sent", "last_data_recv", "last_ack_recv", "pmtu",
        "rcv_ssthresh", "rtt", "rttvar", "snd_ssthresh", "snd_cwnd", "advmss", "reordering",
        "rcv_rtt", "rcv_space", "total_retrans",
    )),
    *((name, 8) for name in ("pacing_rate", "max_pacing_rate", "bytes_acked", "bytes_received")),
    *((name, 4) for name in (
        "segs_out", "segs_in", "notsent_bytes", "min_rtt", "data_segs_in", "data_segs_out",
    )),
    *((name, 8) for name in ("delivery_rate", "busy_time", "rwnd_limited", "sndbuf_limited")),
    *((name, 4) for name in ("delivered", "delivered_ce")),
    *((name, 8) for name in ("bytes_sent", "bytes_retrans")),
    *((name, 4) for name in ("dsack_dups", "reord_seen", "rcv_ooopack", "snd_wnd")),
)  # fmt: skip
_HEAD = ("state", "ca_state", "retransmits", "probes", "backoff", "options")
_MICROSECONDS = frozenset((
    "rto", "ato", "rtt", "rttvar", "rcv_rtt", "min_rtt", "busy_time", "rwnd_limited",
    "sndbuf_limited",
))  # fmt: skip
_MILLISECONDS = frozenset(("last_data_sent", "last_ack_sent", "last_data_recv", "last_ack_recv"))


def tcp_info(self: "socket") -> "Any":
    """Return the state of a TCP connection; ``TCP_INFO`` of tcp(7).

    Returns:
        A named tuple with the fields of the system's ``struct tcp_info``. Times are seconds as a
        float, sizes bytes, rates bytes a second; what the running kernel does not tell is None.

    Raises:
        OSError: the socket is not one of TCP, or closed, or the system has no such option.
    """
    data = _option(self, IPPROTO_TCP, "TCP_INFO", 512)
    values: list[float | None] = [*data[:6], data[6] & 15, data[6] >> 4]
    start = 8
    for name, size in _FIELDS:
        part = data[start : start + size]
        start += size
        number = int.from_bytes(part, byteorder)
        if len(part) < size:
            values.append(None)
        elif name in _MICROSECONDS:
            values.append(number / 1_000_000)
        elif name in _MILLISECONDS:
            values.append(number / 1_000)
        else:
            values.append(number)
    names = (*_HEAD, "snd_wscale", "rcv_wscale", *(name for name, _ in _FIELDS))
    return _structure("TCPInfo", names)._make(values)


def peer_credentials(self: "socket") -> "Any":
    """Return who is at the other end of a UNIX socket; ``SO_PEERCRED`` of unix(7).

    They are those of the time when the connection or the pair was made.

    Returns:
        A named tuple of ``pid``, ``uid`` and ``gid``. The numbers of a process that is not in
        sight, in another namespace, are 0, and those of users 65534.

    Raises:
        OSError: the socket is not one of AF_UNIX, not connected, or closed (ENOTCONN, EBADF), or
            the system has no such option.
    """
    data = _option(self, SOL_SOCKET, "SO_PEERCRED", 12)
    pid, uid, gid = (int.from_bytes(data[at : at + 4], byteorder) for at in (0, 4, 8))
    if uid == gid == 0xFFFFFFFF:
        # What the system says where there is no other end.
        raise OSError(ENOTCONN, strerror(ENOTCONN))
    return _structure("Credentials", ("pid", "uid", "gid"))(pid, uid, gid)


def getifaddrs() -> "list[Any]":
    """List the addresses of this machine's network interfaces; getifaddrs(3).

    Returns:
        One named tuple for each address. It has ``name``; ``flags``, the ``IFF_*`` bits of
        netdevice(7); ``family``; ``address``, ``netmask`` and ``broadcast`` (the other end's
        address on a point-to-point link) as text, a hardware address as pairs of hexadecimal
        digits, or None.

    Raises:
        OSError: the system gives no list.
    """
    fields = ("name", "flags", "family", "address", "netmask", "broadcast")
    make = _structure("InterfaceAddress", fields)._make
    return [make(item) for item in _getifaddrs()]
