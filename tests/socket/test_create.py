"""`create_connection`, `create_server` and `has_dualstack_ipv6`."""

import socket as std
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import oxisock
from tests.helpers.net import listening
from tests.helpers.oracle import agree, cases
from tests.helpers.process import descriptors


def test_create_server_and_connection() -> None:
    with oxisock.create_server(("127.0.0.1", 0)) as server:
        assert server.getsockopt(std.SOL_SOCKET, std.SO_REUSEADDR)
        with oxisock.create_connection(
            server.getsockname(), timeout=5, source_address=("127.0.0.1", 0)
        ) as client:
            assert client.gettimeout() == 5
            accepted, address = server.accept()
            with accepted:
                assert address == client.getsockname()


def test_dualstack_server() -> None:
    if not oxisock.has_dualstack_ipv6():
        pytest.skip("no dual-stack sockets here")
    with oxisock.create_server(("", 0), family=std.AF_INET6, dualstack_ipv6=True) as server:
        for host in ("127.0.0.1", "::1"):
            with oxisock.create_connection((host, server.getsockname()[1])) as client:
                accepted, address = server.accept()
                with accepted:
                    assert address[0] == {"127.0.0.1": "::ffff:127.0.0.1"}.get(host, host)
                    client.sendall(b"x")
                    assert accepted.recv(1) == b"x"


@cases("""
    m.has_dualstack_ipv6()
    m.create_server(("127.0.0.1", 0))
    m.create_server(("::1", 0), family=m.AF_INET6)
    m.create_server(("127.0.0.1", 0), backlog=3, reuse_port=True)
    m.create_server(("127.0.0.1", 0), dualstack_ipv6=True)
    m.create_server(("::1", 0), family=m.AF_INET6, reuse_port=True, dualstack_ipv6=True)
    m.create_server(tmp + "/server", family=m.AF_UNIX)
    m.create_server(("127.0.0.1", 65536))
    m.create_server(("127.0.0.1", "0"))
    m.create_server(("203.0.113.7", 0))
    m.create_server("127.0.0.1")
    m.create_server(None)
    m.create_server(("::1", 0))
    m.create_server(("127.0.0.1", 0), family=99)
    m.create_server(("127.0.0.1", 0), backlog="x")
    m.create_server(("127.0.0.1", 0), 2)
    m.create_server()
    [keep(m.create_server(("127.0.0.1", 0))).getsockopt(m.SOL_SOCKET, o) for o in (2, 15, 30)]
    keep(m.create_server(("::1", 0), family=10)).getsockopt(m.IPPROTO_IPV6, m.IPV6_V6ONLY)
    m.create_connection(address)
    m.create_connection(address, 5)
    m.create_connection(address, timeout=None)
    m.create_connection(("localhost", port))
    m.create_connection(address, source_address=("127.0.0.1", 0))
    m.create_connection(address, source_address=("203.0.113.7", 0))
    m.create_connection(address, source_address=("127.0.0.1", 65536))
    m.create_connection(address, source_address=None)
    m.create_connection(address, timeout=-1)
    m.create_connection(address, timeout="x")
    m.create_connection(address, all_errors=False)
    m.create_connection(("127.0.0.1", 65536))
    m.create_connection(("127.0.0.1", 1))
    m.create_connection(("127.0.0.1", 1), all_errors=True)
    m.create_connection(("no-such-host.invalid", 1))
    m.create_connection(("127.0.0.1",))
    m.create_connection("127.0.0.1")
    m.create_connection(None)
    m.create_connection()
    m.create_connection((None, port))
    m.create_connection(("127.0.0.1", str(port)))
    m.create_connection(("127.0.0.1", b"1"))
""")
@pytest.mark.filterwarnings(
    "ignore::ResourceWarning"
)  # the standard library leaks in some of these
def test_helpers(expression: str, short_path: Path) -> None:
    agree(expression, short_path)


@pytest.mark.differs("the standard library leaves the half-made socket to the garbage collector")
@pytest.mark.parametrize(
    "call",
    [
        lambda where: oxisock.create_server(("127.0.0.1", 65536)),
        lambda where: oxisock.create_server("127.0.0.1"),
        lambda where: oxisock.create_server(("127.0.0.1", 0), backlog="x"),  # type: ignore[arg-type]
        lambda where: oxisock.create_connection(where, timeout=-1),
        lambda where: oxisock.create_connection(where, timeout="x"),  # type: ignore[arg-type]
        lambda where: oxisock.create_connection(where, source_address=("127.0.0.1", 65536)),
        lambda where: oxisock.create_connection(where, source_address="x"),
    ],
)
def test_bad_arguments_leave_no_socket(call: Callable[[Any], Any]) -> None:
    with listening(oxisock) as server:
        before = descriptors()
        with pytest.raises((OverflowError, TypeError, ValueError)) as caught:
            call(server.getsockname())
        assert descriptors() == before  # while the traceback still holds every frame
        assert caught.value.__traceback__


def test_all_errors() -> None:
    """`all_errors` gathers one exception for each address that was tried."""
    with oxisock.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        where = ("127.0.0.1", sock.getsockname()[1])
        with pytest.raises(ExceptionGroup, match="create_connection failed") as caught:
            oxisock.create_connection(where, all_errors=True)
    assert [type(error) for error in caught.value.exceptions] == [ConnectionRefusedError]
