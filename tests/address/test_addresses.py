"""Addresses as programs write them, on their way down and back."""

import os
import socket as std
from pathlib import Path
from typing import Any

import pytest

import oxisock
from tests.helpers.oracle import agree, cases, same
from tests.helpers.process import not_emulated

# `bind` stands for all that take an address: no packet leaves, and the port 0 keeps it repeatable.
INET = """
    udp.bind(("127.0.0.1", 0))
    udp.bind(("localhost", 0))
    udp.bind(("", 0))
    udp.bind(("0.0.0.0", 0))
    udp.bind(("<broadcast>", 0))
    udp.bind(("255.255.255.255", 0))
    udp.bind(("<any>", 0))
    udp.bind(("127.1", 0))
    udp.bind(("127.0.1", 0))
    udp.bind(("0x7f000001", 0))
    udp.bind(("2130706433", 0))
    udp.bind(("0177.0.0.1", 0))
    udp.bind(("127.0.0.256", 0))
    udp.bind(("1.2.3.4.5", 0))
    udp.bind((" 127.0.0.1", 0))
    udp.bind(("127.0.0.1 ", 0))
    udp.bind(("::1", 0))
    udp.bind(("::ffff:127.0.0.1", 0))
    udp.bind((b"127.0.0.1", 0))
    udp.bind((bytearray(b"127.0.0.1"), 0))
    udp.bind((memoryview(b"127.0.0.1"), 0))
    udp.bind((b"", 0))
    udp.bind((Text("127.0.0.1"), 0))
    udp.bind(("203.0.113.7", 0))
    udp.bind(("no-such-host.invalid", 0))
    udp.bind((None, 0))
    udp.bind((1, 0))
    udp.bind((1.5, 0))
    udp.bind((["127.0.0.1"], 0))
    udp.bind(("127.0.0.1\\0", 0))
    udp.bind(("\\0", 0))
    udp.bind(("127.0.0.1\\0.example", 0))
    udp.bind((b"127.0.0.1\\0", 0))
    udp.bind((bytearray(b"\\0"), 0))
    udp.bind(("a" * 64 + ".invalid", 0))
    udp.bind(("a..b", 0))
    udp.bind((".", 0))
    udp.bind(("\\u2488.invalid", 0))
    udp.bind(("xn--a", 0))
    udp.bind(("", -1))
    udp.bind(("", 65536))
    udp.bind(("", 2**31))
    udp.bind(("", -2**31))
    udp.bind(("", 2**32))
    udp.bind(("", 2**63))
    udp.bind(("", -2**64))
    udp.bind(("", "0"))
    udp.bind(("", b"0"))
    udp.bind(("", 0.0))
    udp.bind(("", None))
    udp.bind(("", Index(0)))
    udp.bind(("", Integer(0)))
    udp.bind(("", False))
    udp.bind(("", Index(ZeroDivisionError())))
    udp.bind(("", Index(None)))
    udp.bind(("no-such-host.invalid", -1))
    udp.bind(("no-such-host.invalid", "x"))
    udp.bind(("\\0", "x"))
    udp.bind(())
    udp.bind(("",))
    udp.bind(("", 0, 0))
    udp.bind(("", 0, 0, 0))
    udp.bind(["", 0])
    udp.bind("127.0.0.1")
    udp.bind(b"127.0.0.1")
    udp.bind(0)
    udp.bind(None)
    udp.bind({})
    udp.bind()
    udp.bind("", 0)
    udp.bind(address=("", 0))
    udp.bind(type("T", (tuple,), {})(("127.0.0.1", 0)))
    (udp.bind(("", 0)), udp.bind(("", 0)))
    (tcp.bind(address))
    tcp.connect(("127.0.0.1", 0))
    tcp.connect(("127.0.0.1", -1))
    tcp.connect(("127.0.0.1", 65536))
    tcp.connect(("\\0", 1))
    tcp.connect(("", 65536))
    tcp.connect("x")
    tcp.connect(None)
    tcp.connect(("255.255.255.255", 1))
    tcp.connect_ex(("255.255.255.255", 1))
    tcp.connect_ex(("127.0.0.1", 65536))
    tcp.connect_ex(("\\0", 1))
    tcp.connect_ex("x")
    tcp.connect_ex(None)
    tcp.connect_ex()
    tcp.connect_ex(("no-such-host.invalid", 1))
    tcp.connect_ex((b"::1", 1))
    udp.connect(("", 9))
    udp.connect(("<broadcast>", 9))
    udp.connect_ex(("<broadcast>", 9))
    udp.sendto(b"", ("127.0.0.1", 65536))
    udp.sendto(b"", ("127.0.0.1", "1"))
    udp.sendto(b"", "127.0.0.1")
    udp.sendto(b"", None)
    udp.sendto(b"", ("\\0", 1))
    udp.sendto(b"x", ("<broadcast>", 9))
    udp.sendto(b"x", ("127.0.0.1", 0))
    udp.getpeername()
    udp.getsockname()
    (udp.connect(("127.0.0.1", 9)), udp.getpeername())
    (udp.bind(("127.0.0.1", 0)), udp.getsockname()[0], len(udp.getsockname()))
    (udp.bind(("", 0)), udp.getsockname()[0])
    (client.getpeername() == address, server.getsockname() == address)
    server.getpeername()
"""

INET6 = """
    udp6.bind(("::1", 0))
    udp6.bind(("::1", 0, 0))
    udp6.bind(("::1", 0, 0, 0))
    udp6.bind(("::", 0))
    udp6.bind(("", 0))
    udp6.bind(("<broadcast>", 0))
    udp6.bind(("<any>", 0))
    udp6.bind(("localhost", 0))
    udp6.bind(("ip6-localhost", 0))
    udp6.bind(("127.0.0.1", 0))
    udp6.bind(("::ffff:127.0.0.1", 0))
    udp6.bind(("::1%lo", 0))
    udp6.bind(("::1%1", 0))
    udp6.bind(("fe80::1%lo", 0))
    udp6.bind(("fe80::1%nowhere", 0))
    udp6.bind(("fe80::1%", 0))
    udp6.bind(("fe80::1%99999", 0))
    udp6.bind(("[::1]", 0))
    udp6.bind(("::g", 0))
    udp6.bind((":::", 0))
    udp6.bind(("::1", 0, 1))
    udp6.bind(("::1", 0, 0xfffff))
    udp6.bind(("::1", 0, 0x100000))
    udp6.bind(("::1", 0, -1))
    udp6.bind(("::1", 0, 2**32))
    udp6.bind(("::1", 0, 2**64))
    udp6.bind(("::1", 0, "0"))
    udp6.bind(("::1", 0, None))
    udp6.bind(("::1", 0, 0.0))
    udp6.bind(("::1", 0, Index(0)))
    udp6.bind(("::1", 0, 0, 1))
    udp6.bind(("::1", 0, 0, 99999))
    udp6.bind(("::1", 0, 0, "1"))
    udp6.bind(("::1", 0, 0, None))
    udp6.bind(("::1", 0, 0, 1.0))
    udp6.bind(("::1", 0, 0, Index(ZeroDivisionError())))
    udp6.bind(("fe80::1", 0, 0, 0))
    udp6.bind(("::1", 65536))
    udp6.bind(("::1", -1))
    udp6.bind(("::1", "0"))
    udp6.bind(("\\0", 0))
    udp6.bind((None, 0))
    udp6.bind(("::1",))
    udp6.bind(())
    udp6.bind(("::1", 0, 0, 0, 0))
    udp6.bind(["::1", 0])
    udp6.bind("::1")
    udp6.bind(None)
    udp6.getsockname()
    (udp6.bind(("::1", 0)), udp6.getsockname()[0::2], len(udp6.getsockname()))
    (udp6.bind(("::1", 0, 0, 1)), udp6.getsockname()[0::2], udp6.getsockname()[3])
    (udp6.connect(("::1", 9, 0x12345)), udp6.getpeername())
    (udp6.connect(("::1", 9, 0xfffff, 1)), udp6.getpeername())
    (udp6.connect(("::ffff:127.0.0.1", 9)), udp6.getpeername())
    (udp6.connect(("ff02::1%lo", 9)), udp6.getpeername())
    (udp6.connect(("ff02::1", 9, 0, 1)), udp6.getpeername())
    udp6.getpeername()
    tcp6.connect(("::1", 65536))
    tcp6.connect(("::1",))
    tcp6.connect_ex(("::1", 1, 2, 3, 4))
    udp6.sendto(b"x", ("::1", 9, 1, 0))
    udp6.sendto(b"x", ("::1", 0))
    udp6.sendto(b"", ("::1", 9, 0x100000))
"""

UNIX = """
    unix.bind(tmp + "/name")
    unix.bind((tmp + "/name").encode())
    unix.bind(bytearray((tmp + "/name").encode()))
    unix.bind(memoryview((tmp + "/name").encode()))
    unix.bind(tmp + "/\\u00e9\\u4e2d")
    unix.bind(tmp + "/\\udcff")
    unix.bind(tmp + "/\\ud800")
    unix.bind("")
    unix.bind(b"")
    unix.bind(tmp + "/a\\0b")
    unix.bind((tmp + "/a\\0b").encode())
    unix.bind("\\0oxisock-abstract")
    unix.bind(b"\\0oxisock\\0\\xff\\xfe")
    unix.bind("\\0")
    unix.bind("\\0" + "x" * 107)
    unix.bind("\\0" + "x" * 108)
    unix.bind("/missing/" + "x" * 98)
    unix.bind("/missing/" + "x" * 99)
    unix.bind("/missing/" + "x" * 100)
    unix.bind("x" * 100000)
    unix.bind(tmp)
    unix.bind(tmp + "/missing/name")
    unix.bind("/proc/name")
    unix.bind(__import__("pathlib").Path(tmp))
    unix.bind(None)
    unix.bind(1)
    unix.bind(())
    unix.bind(("127.0.0.1", 0))
    unix.bind([])
    unix.bind()
    (unix.bind(tmp + "/n"), unix.getsockname().rsplit("/", 1)[1])
    (unix.bind((tmp + "/n").encode()), unix.getsockname().rsplit("/", 1)[1])
    (unix.bind(tmp + "/\\u00e9"), unix.getsockname().rsplit("/", 1)[1])
    (unix.bind(tmp + "/\\udcff"), unix.getsockname().rsplit("/", 1)[1])
    (unix.bind("\\0oxisock-abstract"), unix.getsockname())
    (unix.bind(b"\\0oxisock\\0\\xff\\xfe\\0"), unix.getsockname())
    (unix.bind("\\0" + "x" * 107), unix.getsockname())
    (unix.bind(""), len(unix.getsockname()), unix.getsockname()[:1])
    (unix.bind(tmp + "/" + "y" * (107 - len(tmp))), len(unix.getsockname()))
    (unix.bind(tmp + "/" + "y" * (106 - len(tmp))), len(unix.getsockname()))
    (unix.bind(tmp + "/n"), unix.bind(tmp + "/m"))
    (unix.bind(tmp + "/n"), udgram.bind(tmp + "/n"))
    unix.getsockname()
    unix.getpeername()
    (a.getsockname(), a.getpeername())
    (x.getsockname(), x.getpeername())
    unix.connect(tmp + "/missing")
    unix.connect(tmp)
    unix.connect("")
    unix.connect("\\0oxisock-missing")
    unix.connect(("127.0.0.1", 1))
    unix.connect_ex(tmp + "/missing")
    unix.connect_ex("x" * 200)
    unix.connect_ex(None)
    (unix.bind(tmp + "/n"), udgram.connect_ex(tmp + "/n"))
    (unix.bind("\\0oxisock-n"), keep(m.socket(m.AF_UNIX)).connect_ex("\\0oxisock-n"))
    udgram.sendto(b"x", tmp + "/missing")
    udgram.sendto(b"x", ("127.0.0.1", 1))
    udgram.sendto(b"x", "")
    udgram.sendto(b"x", "x" * 200)
    y.recvfrom(1) if x.send(b"z") else None
    (udgram.bind("\\0oxisock-d"), udgram.sendto(b"zz", "\\0oxisock-d"), udgram.recvfrom(9))
"""


@cases(INET)
def test_inet(expression: str, short_path: Path) -> None:
    agree(expression, short_path)


@cases(INET6)
def test_inet6(expression: str, short_path: Path) -> None:
    agree(expression, short_path)


@cases(UNIX)
def test_unix(expression: str, short_path: Path) -> None:
    agree(expression, short_path)


MESSAGES = """
    udp.bind("x")
    udp.bind(("", 65536))
    udp.bind(("", -1))
    udp.connect(("", 65536))
    udp.sendto(b"", ("", 65536))
    udp6.bind(("::1", 65536))
    udp6.bind(("::1", 0, 0x100000))
    unix.bind("x" * 109)
"""


@cases(MESSAGES)
def test_wording(expression: str, short_path: Path) -> None:
    """Where the standard library's message says what is wrong, ours says it too."""
    assert agree(expression, short_path, message=True)[0] == "raises"


def test_idna() -> None:
    """A host name outside ASCII goes through IDNA, and the look-up gets its ASCII form."""

    def look_up(module: Any) -> Any:
        with module.socket() as sock:
            sock.connect(("b\u00fccher.invalid", 1))

    assert same(look_up)[1] is std.gaierror


@pytest.mark.differs("the standard library raises a TypeError here, and a UnicodeError elsewhere")
@pytest.mark.parametrize("host", ["\u00e9" * 70, "\udcff", "\udcff.invalid"], ids=ascii)
def test_impossible_names(host: str) -> None:
    """A name that IDNA cannot express does not exist: a gaierror, and a UnicodeError too."""
    with oxisock.socket(std.AF_INET, std.SOCK_DGRAM) as sock:
        for call in (sock.bind, sock.connect, lambda address: sock.sendto(b"", address)):
            with pytest.raises(std.gaierror) as caught:
                call((host, 1))
            assert isinstance(caught.value, UnicodeError)
            assert caught.value.errno == std.EAI_NONAME


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "", "\uff11\uff12\uff17.0.0.1"])
def test_hosts_reach_the_server(host: str) -> None:
    """Every spelling of this host connects; IDNA turns full-width digits into plain ones."""
    with oxisock.socket() as server, oxisock.socket() as client:
        server.bind(("", 0))
        server.listen()
        client.connect((host, server.getsockname()[1]))
        assert client.getpeername()[0] == "127.0.0.1"


def test_port_order() -> None:
    """The port travels in network byte order: the standard library reads the same number."""
    with oxisock.socket(std.AF_INET, std.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        with std.socket(fileno=os.dup(sock.fileno())) as other:
            assert other.getsockname() == ("127.0.0.1", port)


@not_emulated
@pytest.mark.parametrize("flow", [0, 1, 0x12345, 0xFFFFF])
def test_flowinfo_order(flow: int) -> None:
    """The flow label survives the way to the standard library and back."""
    with oxisock.socket(std.AF_INET6, std.SOCK_DGRAM) as sock:
        sock.setsockopt(std.IPPROTO_IPV6, 33, 1)  # IPV6_FLOWINFO_SEND: the kernel keeps the label
        sock.connect(("::1", 9, flow, 0))
        assert sock.getpeername() == ("::1", 9, flow, 0)
        with std.socket(fileno=os.dup(sock.fileno())) as other:
            assert other.getpeername() == sock.getpeername()


def test_the_path_stays_after_close(short_path: Path) -> None:
    with oxisock.socket(std.AF_UNIX) as sock:
        sock.bind(str(short_path / "stays"))
    assert (short_path / "stays").is_socket()


def test_relative_unix_path(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(short_path)
    with oxisock.socket(std.AF_UNIX) as server, oxisock.socket(std.AF_UNIX) as client:
        server.bind("here")
        server.listen()
        client.connect("./here")
        assert server.getsockname() == "here"
        assert client.getpeername() == "here"
