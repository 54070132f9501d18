"""What the system tells of a connection and its other end, and of this machine's addresses."""

from typing import NamedTuple

from ._class import socket

class Credentials(NamedTuple):
    pid: int
    uid: int
    gid: int

class InterfaceAddress(NamedTuple):
    name: str
    flags: int
    family: int
    address: str | None
    netmask: str | None
    broadcast: str | None

class TCPInfo(NamedTuple):
    state: int
    ca_state: int
    retransmits: int
    probes: int
    backoff: int
    options: int
    snd_wscale: int
    rcv_wscale: int
    rto: float | None
    ato: float | None
    snd_mss: int | None
    rcv_mss: int | None
    unacked: int | None
    sacked: int | None
    lost: int | None
    retrans: int | None
    fackets: int | None
    last_data_sent: float | None
    last_ack_sent: float | None
    last_data_recv: float | None
    last_ack_recv: float | None
    pmtu: int | None
    rcv_ssthresh: int | None
    rtt: float | None
    rttvar: float | None
    snd_ssthresh: int | None
    snd_cwnd: int | None
    advmss: int | None
    reordering: int | None
    rcv_rtt: float | None
    rcv_space: int | None
    total_retrans: int | None
    pacing_rate: int | None
    max_pacing_rate: int | None
    bytes_acked: int | None
    bytes_received: int | None
    segs_out: int | None
    segs_in: int | None
    notsent_bytes: int | None
    min_rtt: float | None
    data_segs_in: int | None
    data_segs_out: int | None
    delivery_rate: int | None
    busy_time: float | None
    rwnd_limited: float | None
    sndbuf_limited: float | None
    delivered: int | None
    delivered_ce: int | None
    bytes_sent: int | None
    bytes_retrans: int | None
    dsack_dups: int | None
    reord_seen: int | None
    rcv_ooopack: int | None
    snd_wnd: int | None

def tcp_info(self: socket) -> TCPInfo: ...
def peer_credentials(self: socket) -> Credentials: ...
def getifaddrs() -> list[InterfaceAddress]: ...
