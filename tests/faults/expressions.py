"""Calls that need no network, each with what it gives or how it is refused."""

import os
from collections.abc import Callable
from typing import Any, Self

import oxisock
import oxisock.select
from oxisock import _socket


def lines(table: str) -> list[str]:
    """The expressions of a table."""
    return [line.strip() for line in table.splitlines() if line.strip()]


RESULTS = lines("""
    m.htons(1000)
    m.ntohs(1000)
    m.htonl(1000)
    m.ntohl(70000)
    m.CMSG_LEN(1000)
    m.CMSG_SPACE(1000)
    m.AF_INET
    m.stats()
    m.getdefaulttimeout()
    m.getbusypoll()
    m.getconnecttimeout()
    m.getconnectionattemptdelay()
    m.getdefaultkeepalive()
    m.getresolvertimeout()
    m.deadline(1000.5).remaining()
    m.inet_aton("1.2.3.4")
    m.inet_ntoa(b"1234")
    m.inet_pton(m.AF_INET, "1.2.3.4")
    m.inet_ntop(m.AF_INET6, b"1234" * 4)
    m.gethostname()
    m.gethostbyname("127.0.0.1")
    m.getnameinfo(("127.0.0.1", 8000), m.NI_NUMERICHOST | m.NI_NUMERICSERV)
    m.getaddrinfo("127.0.0.1", 8000)
    m.if_nameindex()
    m.if_nametoindex("lo")
    m.if_indextoname(1)
    m.getifaddrs()
    m.tls_status()
    high.fileno()
    keep(high.dup()).fileno()
    (a.family, a.type)
    a.proto
    a.timeout
    a.gettimeout()
    a.getblocking()
    a.get_inheritable()
    a.stats()
    a.getsockopt(m.SOL_SOCKET, m.SO_SNDBUF)
    a.getsockopt(m.SOL_SOCKET, m.SO_SNDBUF, 4)
    tcp.getsockname()
    udp.ancillary(ecn=1, ttl=3)
    repr(tcp)
    m.close(high.dup().detach())
    epoll.fileno()
    epoll.poll(0)
    m.select.poll().poll(0)
    m.select.select([], [], [], 0)
    reading.fileno()
    reading.name
    raw.readable()
    (datagram.data, datagram.address, datagram.ancdata)
    datagram.flags
    datagram.timestamp
    datagram.timestamp_ns
    datagram.destination
    datagram.interface
    repr(datagram)
    n.counters()
    n.constants("SO_")
    n.thread_waits()
    n.decode_address(0, n.encode_address(m.AF_INET, 0, ("1.2.3.4", 8000)))
    n.decode_address(0, n.encode_address(m.AF_ALG, 0, ("hash", "sha256", 1000, 2000)))
    n.decode_address(0, n.encode_address(m.AF_CAN, m.CAN_J1939, ("", 1 << 40, 70000, 100)))
    n.decode_address(0, n.encode_address(m.AF_PACKET, 0, ("lo", 2048, 0, 1000, b"123456")))
    n.decode_address(0, n.encode_address(m.AF_TIPC, 0, (m.TIPC_ADDR_ID, 1000, 2000, 0)))
    n.decode_ancillary(n.encode_ancillary([(1000, 1000, b"abcd")]))
    n.family_member(2000)
    n.tune("keep_limit", 65536)
""")

REFUSALS = lines("""
    m.htons(70000)
    m.htons(None)
    m.htonl("x")
    m.htonl(1 << 40)
    m.CMSG_LEN(-1)
    m.inet_aton("x")
    m.inet_ntoa(b"1")
    m.inet_pton(m.AF_INET, "x")
    m.inet_pton(99, "x")
    m.inet_ntop(m.AF_INET, b"1")
    m.getservbyport(-3)
    m.getprotobyname(5)
    m.getaddrinfo("127.0.0.1", 1.5)
    m.getaddrinfo("127.0.0.1", "no such service")
    m.getaddrinfo("127.0.0.1", 1, timeout=-1)
    m.getnameinfo(5, 3)
    m.if_nametoindex("no such one")
    m.if_indextoname(99999)
    m.socket(99)
    m.socket(fileno=-3)
    m.socket(fileno=99999)
    m.socket(fileno=1.5)
    m.socketpair(m.AF_INET)
    m.close(99999)
    m.dup(99999)
    m.setdefaulttimeout(-1)
    m.setbusypoll(9)
    m.setbusypoll("x")
    m.setconnecttimeout(-1)
    m.setconnectionattemptdelay(9)
    m.setresolvertimeout(-1)
    m.setdefaultkeepalive(1, 2)
    m.deadline("x")
    m.deadline(5).__exit__(1, 2, 3)
    m.deadline()
    m.deadline(1, 2)
    m.deadline(seconds=1)
    m.getaddrinfo()
    m.getaddrinfo("127.0.0.1", 1, host="127.0.0.1")
    m.getaddrinfo("127.0.0.1", 1, **{"\\udc80": 1})
    m.sethostname(5)
    m.no_such_name
    b.recv(5)
    b.recv(-5)
    b.recv("x")
    b.recv_into(b"x")
    b.recv_into(bytearray(5))
    b.recvfrom(5)
    b.recvmsg(5)
    b.recvmsg_into()
    b.recvmsg_into([b"x"])
    b.recv_exactly(5)
    b.accept()
    b.listen("x")
    b.shutdown(99)
    a.send("x")
    a.send()
    a.sendall("x")
    a.sendto(b"x")
    a.sendto(b"x", ("127.0.0.1", 1))
    a.sendmsg([1])
    a.sendmsg([b"x"], [5])
    a.sendmsg_afalg([b"x"], op=1)
    a.setsockopt(1, 1)
    a.setsockopt(1, 9999, 1)
    a.setsockopt(1, 1, None)
    a.getsockopt(1, 9999)
    a.getsockopt(1, 9999, -4)
    a.settimeout(-1)
    a.settimeout("x")
    a.setkeepalive(1)
    a.setkeepalive(0, 0, 0)
    a.recvfrom_many(5)
    a.setrecvinfo(ecn=True)
    a.bind("y" * 200)
    a.bind(5)
    closed.recv(5)
    closed.getsockname()
    keep(m.socket()).connect(("127.0.0.1", 1))
    tcp.connect(("127.0.0.1", 99999))
    tcp.connect(("x" * 70, 5))
    udp.bind(("127.0.0.1", 1, 2))
    udp.recvmsg_many(0)
    udp.recv_many_into(bytearray(5), 0)
    udp.send_many([5])
    udp.sendto_many([5])
    udp.send_segments(b"x", 0)
    udp.setrecvinfo(ecn=5)
    udp.setrecvinfo(5)
    udp.setkeepalive(1 << 40, 1, 1)
    udp.ancillary(ecn=99)
    udp.ancillary(source="x")
    udp.join_group("1.2.3.4")
    epoll.register(99999)
    epoll.register("x")
    epoll.poll(maxevents=-5)
    epoll.poll(maximum=5)
    m.select.epoll(-5)
    m.select.epoll(1, 2, 3)
    m.select.epoll(size=5)
    m.select.poll().register(-1)
    m.select.poll().unregister(99999)
    m.select.select([], [], [], -1)
    m.select.select([], [], ["x"])
    reading.read("x")
    reading.read(-5)
    reading.readline("x")
    raw.readinto(b"x")
    a.makefile("q")
    n.encode_address(m.AF_INET, 0, 5)
    n.encode_ancillary(5)
    n.tune("x", 5)
    n.constant(5)
""")


class Expressions:
    """The names that the expressions use; sockets and files are there while it is entered."""

    def __enter__(self) -> Self:
        a, b = oxisock.socketpair()
        a.settimeout(1000.5)
        b.settimeout(0)
        tcp, udp, closed = oxisock.socket(), oxisock.socket(type=oxisock.SOCK_DGRAM), a.dup()
        closed.close()
        tcp.bind(("127.0.0.1", 0))
        udp.bind(("127.0.0.1", 0))
        udp.setrecvinfo(destination=True, timestamp=True)
        udp.sendto(b"data", udp.getsockname())
        # With a number that the interpreter has not ready.
        number = 300
        os.dup2(a.fileno(), number)
        self.high = oxisock.socket(fileno=number)
        self.sockets = [a, b, tcp, udp, self.high]
        self.made: list[Any] = []
        self.epoll = oxisock.select.epoll()
        self.names: dict[str, Any] = {
            "m": oxisock, "n": _socket, "a": a, "b": b, "tcp": tcp, "udp": udp, "closed": closed,
            "high": self.high, "epoll": self.epoll, "keep": self.keep, "reading": a.makefile("rb"),
            "raw": b.makefile("rb", 0), "datagram": udp.recvmsg_many(1)[0],
        }  # fmt: skip
        return self

    def keep(self, thing: Any) -> Any:
        """Have it closed after the call."""
        self.made.append(thing)
        return thing

    def call(self, expression: str) -> Callable[[], Any]:
        """The expression as a function."""
        function: Callable[[], Any] = eval(f"lambda: {expression}", self.names)
        return function

    def clear(self) -> None:
        """Close what was kept."""
        for thing in self.made:
            thing.close()
        self.made.clear()

    def __exit__(self, *_: object) -> None:
        for name in ("reading", "raw"):
            self.names[name].close()
        self.epoll.close()
        for sock in self.sockets:
            sock.close()
