"""Keepalive, a limit for connects, and errors that name their address."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import oxisock
from tests.helpers.net import connected, full_backlog, listening
from tests.helpers.process import run_python

OPTIONS = [
    (oxisock.SOL_SOCKET, oxisock.SO_KEEPALIVE),
    (oxisock.IPPROTO_TCP, oxisock.TCP_KEEPIDLE),
    (oxisock.IPPROTO_TCP, oxisock.TCP_KEEPINTVL),
    (oxisock.IPPROTO_TCP, oxisock.TCP_KEEPCNT),
    (oxisock.IPPROTO_TCP, oxisock.TCP_USER_TIMEOUT),
]
ON = [1, 60, 10, 6, 120_000]


def options(sock: Any) -> list[int]:
    return [sock.getsockopt(*option) for option in OPTIONS]


@pytest.fixture
def by_default() -> Iterator[None]:
    oxisock.setdefaultkeepalive(60, 10, 6)
    try:
        yield
    finally:
        oxisock.setdefaultkeepalive()


def test_setkeepalive() -> None:
    with oxisock.socket() as sock:
        off = options(sock)
        assert off[0] == 0
        sock.setkeepalive(60, interval=10, count=6)
        assert options(sock) == ON
        sock.setkeepalive()
        assert options(sock)[0] == 0
        assert options(sock)[-1] == off[-1]


@pytest.mark.parametrize(
    "arguments",
    [(0, 1, 1), (1, 0, 1), (1, 1, 0), (32768, 1, 1), (1, 1, 128), (1,), (1, 1), (None, 1, 1)],
)
def test_values_out_of_range(arguments: Any) -> None:
    with oxisock.socket() as sock, pytest.raises(ValueError, match="idle"):
        sock.setkeepalive(*arguments)
    with pytest.raises(ValueError, match="idle"):
        oxisock.setdefaultkeepalive(*arguments)
    assert oxisock.getdefaultkeepalive() is None


def test_only_tcp_has_it() -> None:
    with oxisock.socket(type=oxisock.SOCK_DGRAM) as sock, pytest.raises(OSError, match=r"\[Errno"):
        sock.setkeepalive(60, 10, 6)
    with pytest.raises(OSError, match="Bad file descriptor"):
        sock.setkeepalive(60, 10, 6)


@pytest.mark.usefixtures("by_default")
@pytest.mark.parametrize("family", [oxisock.AF_INET, oxisock.AF_INET6])
@pytest.mark.parametrize("timeout", [None, 5])
def test_new_connections_get_the_default(family: int, timeout: float | None) -> None:
    assert oxisock.getdefaultkeepalive() == (60, 10, 6)
    with listening(oxisock, family) as server:
        with oxisock.socket(family) as client:
            client.settimeout(timeout)
            client.connect(server.getsockname())
            assert options(client) == ON
        with oxisock.create_connection(server.getsockname()[:2], timeout) as client:
            assert options(client) == ON
        for _ in range(2):
            with server.accept()[0] as accepted:
                assert options(accepted) == ON


@pytest.mark.usefixtures("by_default")
def test_what_the_program_has_set_stays() -> None:
    with listening(oxisock) as server, oxisock.socket() as client:
        client.setsockopt(oxisock.SOL_SOCKET, oxisock.SO_KEEPALIVE, 1)
        client.setsockopt(oxisock.IPPROTO_TCP, oxisock.TCP_KEEPIDLE, 7)
        client.connect(server.getsockname())
        assert options(client)[:2] == [1, 7]


@pytest.mark.usefixtures("by_default")
def test_other_sockets_are_left_alone(short_path: Any) -> None:
    path = str(short_path / "name")
    with oxisock.socket(oxisock.AF_UNIX) as server, oxisock.socket(oxisock.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        client.connect(path)
        assert client.getsockopt(*OPTIONS[0]) == 0
    with oxisock.socket(type=oxisock.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", 9))
        assert sock.getsockopt(*OPTIONS[0]) == 0


def test_off_unless_asked_for() -> None:
    with connected(oxisock) as (client, accepted):
        assert options(client)[0] == options(accepted)[0] == 0


@pytest.mark.parametrize(
    ("text", "value"), [("60,10,6", "(60, 10, 6)"), ("60", "None"), ("0,1,1", "None"), ("", "None")]
)
def test_the_environment_sets_the_default(
    text: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "OXISOCK_KEEPALIVE", text)
    assert run_python("import oxisock; print(oxisock.getdefaultkeepalive())").stdout == value + "\n"


@pytest.mark.parametrize("call", ["connect", "connect_ex", "create_connection"])
def test_the_limit_for_connects(call: str) -> None:
    oxisock.setconnecttimeout(0.15)
    try:
        with full_backlog() as address, oxisock.socket() as sock:
            start = time.monotonic()
            if call == "connect_ex":
                assert sock.connect_ex(address) == 11
            else:
                with pytest.raises(TimeoutError, match="timed out"):
                    sock.connect(address) if call == "connect" else oxisock.create_connection(
                        address
                    )
            assert 0.15 <= time.monotonic() - start < 2
            assert sock.gettimeout() is None
            assert os.get_blocking(sock.fileno())
    finally:
        oxisock.setconnecttimeout(None)
    with pytest.raises(ValueError, match="above 0"):
        oxisock.setconnecttimeout(0)
    assert oxisock.getconnecttimeout() is None


def test_run_takes_options() -> None:
    code = (
        "import socket; print(socket.getdefaultkeepalive(), socket.getresolvertimeout(),"
        " socket.getconnecttimeout())"
    )
    command = [sys.executable, "-m", "oxisock", "run"]
    given = ["--keepalive", "60,10,6", "--resolver-timeout=2.5", "--deadline-connect", "7"]
    done = subprocess.run([*command, *given, "-c", code], capture_output=True, text=True)
    assert done.stdout == "(60, 10, 6) 2.5 7.0\n", done.stderr
    for wrong in (["--keepalive", "60"], ["--keepalive"], ["--resolver-timeout=soon"]):
        done = subprocess.run([*command, *wrong, "-c", code], capture_output=True, text=True)
        assert done.returncode == 2
        assert f"a valid value is expected for {wrong[0].partition('=')[0]}" in done.stderr


# Errors that say where.


def refusing() -> Any:
    with oxisock.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()


@pytest.mark.parametrize(
    "call",
    [
        lambda sock, address: sock.connect(address),
        lambda sock, address: oxisock.create_connection(address),
        lambda sock, address: oxisock.create_connection(address, 5),
    ],
)
def test_a_failed_connection_names_its_address(call: Callable[[Any, Any], Any]) -> None:
    address = refusing()
    with oxisock.socket() as sock, pytest.raises(ConnectionRefusedError) as caught:
        call(sock, address)
    assert caught.value.__notes__ == [f"address: {address!r}"]
    assert str(caught.value) == "[Errno 111] Connection refused"
    assert caught.value.args == (111, "Connection refused")


def test_a_timeout_names_its_address() -> None:
    with full_backlog() as address:
        for timeout in (0.05, None):
            with pytest.raises(TimeoutError) as caught, oxisock.deadline(0.1):
                oxisock.create_connection(address, timeout)
            assert caught.value.__notes__ == [f"address: {address!r}"]


def test_each_error_of_a_group_names_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = [refusing(), refusing()]
    found = [(oxisock.AF_INET, 1, 6, "", address) for address in addresses]
    monkeypatch.setattr(oxisock, "getaddrinfo", lambda *_: found)
    for timeout in (None, 5):
        with pytest.raises(ExceptionGroup) as caught:
            oxisock.create_connection(("host.invalid", 1), timeout, all_errors=True)
        notes = [error.__notes__ for error in caught.value.exceptions]
        assert notes == [[f"address: {address!r}"] for address in addresses]


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("no-such-host.invalid", 1)])
def test_bind_and_sendto_name_it(address: Any) -> None:
    with oxisock.socket() as sock, pytest.raises(OSError, match=r"\[Errno") as caught:
        sock.bind(address)
    assert caught.value.__notes__ == [f"address: {address!r}"]
    address = ("255.255.255.255", 9)  # not without SO_BROADCAST
    with oxisock.socket(type=oxisock.SOCK_DGRAM) as sock:
        with pytest.raises(PermissionError) as denied:
            sock.sendto(b"x", address)
        assert denied.value.__notes__ == [f"address: {address!r}"]


def test_what_is_no_failure_has_no_note() -> None:
    with full_backlog() as address, oxisock.socket() as sock:
        sock.setblocking(False)
        with pytest.raises(BlockingIOError) as caught:
            sock.connect(address)
        assert not hasattr(caught.value, "__notes__")
    with oxisock.socket() as sock, pytest.raises(TypeError) as wrong:
        sock.connect("no address")
    assert not hasattr(wrong.value, "__notes__")
