"""Names to addresses and back, against the standard library on the same machine."""

import socket as std
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import oxisock
from tests.helpers.oracle import agree, cases, same
from tests.helpers.process import Task


@cases("""
    m.getaddrinfo("127.0.0.1", 80)
    m.getaddrinfo("127.0.0.1", 80, type=m.SOCK_STREAM)
    m.getaddrinfo("127.0.0.1", "80", 0, m.SOCK_STREAM)
    m.getaddrinfo(b"127.0.0.1", b"80", 0, m.SOCK_STREAM)
    m.getaddrinfo("127.0.0.1", "http", m.AF_INET, m.SOCK_STREAM, m.IPPROTO_TCP)
    m.getaddrinfo("127.0.0.1", "domain")
    m.getaddrinfo("127.0.0.1", "no-such-service")
    m.getaddrinfo("127.0.0.1", "")
    m.getaddrinfo("127.0.0.1", None, m.AF_INET, m.SOCK_DGRAM)
    m.getaddrinfo("127.1", 1, 0, 1)
    m.getaddrinfo("0x7f.1", 1, 0, 1)
    m.getaddrinfo("::1", 80)
    m.getaddrinfo("::1", 80, m.AF_INET)
    m.getaddrinfo("127.0.0.1", 80, m.AF_INET6)
    m.getaddrinfo("127.0.0.1", 80, m.AF_INET6, 1, 0, m.AI_V4MAPPED)
    m.getaddrinfo("fe80::1%lo", 80, 0, 1)
    m.getaddrinfo("fe80::1%1", 80, 0, 1)
    m.getaddrinfo("::1%1", 80, 0, 1)
    m.getaddrinfo("fe80::1%nowhere", 80, 0, 1)
    m.getaddrinfo("::ffff:1.2.3.4", 80, 0, 1)
    m.getaddrinfo("localhost", 80)
    m.getaddrinfo("localhost", 80, m.AF_INET, m.SOCK_STREAM)
    m.getaddrinfo("localhost", 80, m.AF_INET6, m.SOCK_STREAM)
    m.getaddrinfo("localhost", 80, m.AF_UNSPEC, m.SOCK_DGRAM, 0, m.AI_CANONNAME)
    m.getaddrinfo("127.0.0.1", 80, 0, 1, 0, m.AI_CANONNAME)
    m.getaddrinfo("localhost", 80, 0, 1, 0, m.AI_NUMERICHOST)
    m.getaddrinfo("127.0.0.1", "http", 0, 1, 0, m.AI_NUMERICSERV)
    m.getaddrinfo("127.0.0.1", "80", 0, 1, 0, m.AI_NUMERICSERV)
    m.getaddrinfo(None, 80)
    m.getaddrinfo(None, 80, 0, m.SOCK_STREAM, 0, m.AI_PASSIVE)
    m.getaddrinfo(None, 80, m.AF_INET, m.SOCK_STREAM, 0, m.AI_PASSIVE)
    m.getaddrinfo(None, None)
    m.getaddrinfo("", 80)
    m.getaddrinfo("", None)
    m.getaddrinfo(b"", 80, 0, 1)
    m.getaddrinfo(None, 0, 0, 1)
    m.getaddrinfo(None, 65535, 0, 1)
    m.getaddrinfo(None, 65536, 0, 1)
    m.getaddrinfo(None, 65616, 0, 1)
    m.getaddrinfo(None, -1, 0, 1)
    m.getaddrinfo(None, 2**31, 0, 1)
    m.getaddrinfo(None, 2**63 - 1, 0, 1)
    m.getaddrinfo(None, 2**63, 0, 1)
    m.getaddrinfo(None, -2**64, 0, 1)
    m.getaddrinfo(None, "65536", 0, 1)
    m.getaddrinfo(None, "-1", 0, 1)
    m.getaddrinfo(None, "80x", 0, 1)
    m.getaddrinfo(None, " 80", 0, 1)
    m.getaddrinfo(None, 80.0)
    m.getaddrinfo(None, [])
    m.getaddrinfo(None, Index(80))
    m.getaddrinfo(None, Integer(80), 0, 1)
    m.getaddrinfo(None, True, 0, 1)
    m.getaddrinfo(None, "80\\0", 0, 1)
    m.getaddrinfo(None, bytearray(b"80"), 0, 1)
    m.getaddrinfo(None, "\\udcff", 0, 1)
    m.getaddrinfo(1, 80)
    m.getaddrinfo(1.5, 80)
    m.getaddrinfo([], 80)
    m.getaddrinfo(bytearray(b"127.0.0.1"), 80)
    m.getaddrinfo(Text("127.0.0.1"), 80, 0, 1)
    m.getaddrinfo("127.0.0.1\\0", 80, 0, 1)
    m.getaddrinfo("\\0", 80, 0, 1)
    m.getaddrinfo("127.0.0.1 ", 80, 0, 1)
    m.getaddrinfo("no-such-host.invalid", 80)
    m.getaddrinfo("b\\u00fccher.invalid", 80)
    m.getaddrinfo("localhost", 80, 99)
    m.getaddrinfo("localhost", 80, -1)
    m.getaddrinfo("localhost", 80, 0, 99)
    m.getaddrinfo("localhost", 80, 0, 0, 99)
    m.getaddrinfo("localhost", 80, 0, 0, 0, -1)
    m.getaddrinfo("localhost", 80, 2**31)
    m.getaddrinfo("localhost", 80, "2")
    m.getaddrinfo("localhost", 80, None)
    m.getaddrinfo("localhost", 80, 0, None)
    m.getaddrinfo("localhost", 80, 0, 1.0)
    m.getaddrinfo("localhost", 80, 0, 0, 2**64)
    m.getaddrinfo("localhost", 80, 0, m.SOCK_STREAM, m.IPPROTO_UDP)
    m.getaddrinfo("127.0.0.1", 80, 0, m.SOCK_RAW)
    m.getaddrinfo("127.0.0.1", "http", 0, m.SOCK_RAW)
    m.getaddrinfo("localhost")
    m.getaddrinfo()
    m.getaddrinfo(host="127.0.0.1", port=80, family=0, type=1, proto=0, flags=0)
    m.getaddrinfo("127.0.0.1", 80, socktype=1)
    m.getnameinfo(("127.0.0.1", 80), m.NI_NUMERICHOST | m.NI_NUMERICSERV)
    m.getnameinfo(("127.0.0.1", 80), 0)
    m.getnameinfo(("127.0.0.1", 53), m.NI_DGRAM)
    m.getnameinfo(("::1", 80), m.NI_NUMERICHOST | m.NI_NUMERICSERV)
    m.getnameinfo(("::1", 80, 0, 0), m.NI_NUMERICHOST)
    m.getnameinfo(("::1", 80, 1), 3)
    m.getnameinfo(("fe80::1", 80, 0, 1), m.NI_NUMERICHOST | m.NI_NUMERICSERV)
    m.getnameinfo(("localhost", 80), m.NI_NUMERICSERV)
    m.getnameinfo(("203.0.113.9", 1), m.NI_NUMERICHOST | m.NI_NUMERICSERV)
    m.getnameinfo(("127.0.0.1", 80, 1), 3)
    m.getnameinfo(("127.0.0.1", 80, 0, 1), 3)
    m.getnameinfo(("127.0.0.1", 65536), 3)
    m.getnameinfo(("127.0.0.1", -1), 3)
    m.getnameinfo(("127.0.0.1", 2**31), 3)
    m.getnameinfo(("127.0.0.1", 2**64), 3)
    m.getnameinfo(("127.0.0.1", "80"), 3)
    m.getnameinfo(("127.0.0.1", None), 3)
    m.getnameinfo((None, 80), 3)
    m.getnameinfo((b"127.0.0.1", 80), 3)
    m.getnameinfo(("127.0.0.1\\0", 80), 3)
    m.getnameinfo(("no-such-host.invalid", 80), 3)
    m.getnameinfo(("", 80), 3)
    m.getnameinfo(("::1", 80, 0x100000), 3)
    m.getnameinfo(("::1", 80, -1), 3)
    m.getnameinfo(("::1", 80, 0, -1), 3)
    m.getnameinfo(("::1", 80, "0"), 3)
    m.getnameinfo(("127.0.0.1",), 3)
    m.getnameinfo((), 3)
    m.getnameinfo(("127.0.0.1", 80, 0, 0, 0), 3)
    m.getnameinfo(["127.0.0.1", 80], 3)
    m.getnameinfo("127.0.0.1", 3)
    m.getnameinfo(None, 3)
    m.getnameinfo(("127.0.0.1", 80), -1)
    m.getnameinfo(("127.0.0.1", 80), 2**31)
    m.getnameinfo(("127.0.0.1", 80), "3")
    m.getnameinfo(("127.0.0.1", 80), None)
    m.getnameinfo(("127.0.0.1", 80))
    m.getnameinfo()
    m.gethostbyname("127.0.0.1")
    m.gethostbyname("localhost")
    m.gethostbyname("")
    m.gethostbyname("<broadcast>")
    m.gethostbyname("255.255.255.255")
    m.gethostbyname("127.1")
    m.gethostbyname("::1")
    m.gethostbyname(b"localhost")
    m.gethostbyname(bytearray(b"localhost"))
    m.gethostbyname("no-such-host.invalid")
    m.gethostbyname("local\\0host")
    m.gethostbyname("b\\u00fccher.invalid")
    m.gethostbyname(None)
    m.gethostbyname(1)
    m.gethostbyname()
    m.gethostbyname("a", "b")
    m.gethostbyname_ex("127.0.0.1")
    m.gethostbyname_ex("localhost")
    m.gethostbyname_ex("no-such-host.invalid")
    m.gethostbyname_ex("::1")
    m.gethostbyname_ex("")
    m.gethostbyname_ex(b"localhost")
    m.gethostbyname_ex("a\\0")
    m.gethostbyname_ex(None)
    m.gethostbyname_ex(1)
    m.gethostbyname_ex()
    m.gethostbyaddr("127.0.0.1")
    m.gethostbyaddr("::1")
    m.gethostbyaddr("localhost")
    m.gethostbyaddr(b"127.0.0.1")
    m.gethostbyaddr("no-such-host.invalid")
    m.gethostbyaddr("127.0.0.1\\0")
    m.gethostbyaddr(None)
    m.gethostbyaddr(1)
    m.gethostbyaddr()
    m.gethostname()
    m.gethostname(1)
    m.getfqdn()
    m.getfqdn("")
    m.getfqdn("0.0.0.0")
    m.getfqdn("::")
    m.getfqdn("127.0.0.1")
    m.getfqdn("localhost")
    m.getfqdn("no-such-host.invalid")
    m.getfqdn("  localhost  ")
    m.getfqdn(None)
    m.getfqdn(1)
    m.getfqdn("a", "b")
    m.has_ipv6
    m.getservbyname("http")
    m.getservbyname("http", "tcp")
    m.getservbyname("domain", "udp")
    m.getservbyname("http", "none")
    m.getservbyname("no-such-service")
    m.getservbyname("")
    m.getservbyname("80")
    m.getservbyname("http\\0")
    m.getservbyname("http", "tcp\\0")
    m.getservbyname("\\u00e9")
    m.getservbyname(b"http")
    m.getservbyname(None)
    m.getservbyname(80)
    m.getservbyname("http", None)
    m.getservbyname("http", b"tcp")
    m.getservbyname()
    m.getservbyname("http", "tcp", 1)
    m.getservbyport(80)
    m.getservbyport(80, "tcp")
    m.getservbyport(53, "udp")
    m.getservbyport(80, "none")
    m.getservbyport(1)
    m.getservbyport(0)
    m.getservbyport(-1)
    m.getservbyport(65535)
    m.getservbyport(65536)
    m.getservbyport(65616)
    m.getservbyport(2**31)
    m.getservbyport(2**64)
    m.getservbyport("80")
    m.getservbyport(80.0)
    m.getservbyport(None)
    m.getservbyport(Index(80))
    m.getservbyport(80, None)
    m.getservbyport(80, "tcp\\0")
    m.getservbyport()
    m.getprotobyname("tcp")
    m.getprotobyname("udp")
    m.getprotobyname("TCP")
    m.getprotobyname("icmp")
    m.getprotobyname("ipv6-icmp")
    m.getprotobyname("ip")
    m.getprotobyname("no-such-protocol")
    m.getprotobyname("")
    m.getprotobyname("6")
    m.getprotobyname("tcp\\0")
    m.getprotobyname(b"tcp")
    m.getprotobyname(None)
    m.getprotobyname(6)
    m.getprotobyname()
""")
def test_resolver(expression: str, tmp_path: Path) -> None:
    agree(expression, tmp_path)


def test_address_families_are_enumerations() -> None:
    """The first three fields of an answer name themselves, as in the standard library."""
    family, kind, _, _, _ = oxisock.getaddrinfo("127.0.0.1", 80, type=std.SOCK_STREAM)[0]
    assert (family.name, kind.name) == ("AF_INET", "SOCK_STREAM")


def test_failures_can_be_caught() -> None:
    """The exceptions are the interpreter's own classes, with number and text."""
    with pytest.raises(std.gaierror) as caught:
        oxisock.getaddrinfo("no-such-host.invalid", 1, 0, 0, 0, std.AI_NUMERICHOST)
    assert caught.value.errno == std.EAI_NONAME
    assert caught.value.strerror == "Name or service not known"
    assert oxisock.gaierror is std.gaierror
    assert oxisock.herror is std.herror


@pytest.mark.differs(
    "the standard library raises only a UnicodeError, which no `except OSError` catches"
)
@pytest.mark.parametrize("host", ["a" * 64, "a..b", "\udcff"], ids=ascii)
def test_impossible_names(host: str) -> None:
    """A name that IDNA cannot express does not exist: a gaierror, and a UnicodeError too."""
    calls: list[Callable[[], object]] = [lambda: oxisock.getaddrinfo(host, 80)]
    if host != "a..b":  # gethostbyname passes it on to the system as it is
        calls.append(lambda: oxisock.gethostbyname(host))
    for call in calls:
        with pytest.raises(std.gaierror) as caught:
            call()
        assert isinstance(caught.value, UnicodeError)
        assert caught.value.errno == std.EAI_NONAME


@pytest.mark.parametrize("port", [80, 0, 65535])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", None])
def test_answers_can_be_bound(host: str | None, port: int) -> None:
    """Whatever comes out goes into a socket."""
    for family, kind, proto, _, address in oxisock.getaddrinfo(host, 0, type=std.SOCK_STREAM):
        with oxisock.socket(family, kind, proto) as sock:
            sock.bind(address)
            assert sock.getsockname()[0] == address[0]
    assert oxisock.getaddrinfo(host, port)[0][4][1] == port


def services() -> dict[str, int]:
    found: dict[str, int] = {}
    for line in Path("/etc/services").read_text().splitlines():
        fields = line.partition("#")[0].split()
        if len(fields) >= 2 and fields[1].endswith("/tcp"):
            found.setdefault(fields[0], int(fields[1].split("/")[0]))
    return found


@pytest.mark.skipif(not Path("/etc/services").exists(), reason="no list of services here")
def test_the_whole_list_of_services() -> None:
    for name in services():
        same(lambda m, n=name: m.getservbyname(n))  # type: ignore[misc]
        same(lambda m, n=name: m.getservbyname(n, "tcp"))  # type: ignore[misc]
    for port in {*services().values(), *range(0, 1024, 7)}:
        same(lambda m, p=port: m.getservbyport(p))  # type: ignore[misc]
        same(lambda m, p=port: m.getservbyport(p, "udp"))  # type: ignore[misc]


@pytest.mark.differs("the standard library mixes the answers up: its C functions share one buffer")
def test_right_answers_from_several_threads() -> None:
    names = ["http", "https", "ssh", "smtp", "domain", "telnet"]
    protocols = ["tcp", "udp", "icmp", "igmp"]
    right = {name: std.getservbyname(name, "tcp") for name in names}
    numbers = {name: std.getprotobyname(name) for name in protocols}

    def ask(turn: int) -> list[Any]:
        wrong: list[Any] = []
        for step in range(1500):
            name = names[(turn + step) % len(names)]
            protocol = protocols[(turn + step) % len(protocols)]
            answers = (
                (oxisock.getservbyname(name, "tcp"), right[name]),
                (oxisock.getprotobyname(protocol), numbers[protocol]),
                (oxisock.getservbyport(right[name], "tcp"), name),
            )
            wrong += [pair for pair in answers if pair[0] != pair[1]]
        return wrong

    tasks = [Task(ask, turn) for turn in range(4)]
    assert [task.result(60) for task in tasks] == [[], [], [], []]


def test_look_ups_in_several_threads() -> None:
    """Other threads run during a look-up, and each gets its own answer."""

    def ask(turn: int) -> bool:
        host = f"127.0.0.{turn}"
        return all(
            oxisock.getaddrinfo(host, turn, 0, 1)[0][4] == (host, turn)
            and oxisock.gethostbyname(host) == host
            for _ in range(300)
        )

    tasks = [Task(ask, turn) for turn in range(1, 9)]
    assert all(task.result(60) for task in tasks)
