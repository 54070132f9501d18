"""create_connection(): one deadline over all addresses of a host."""

import contextlib
import gc
import time
from collections.abc import Iterator
from typing import Any

import pytest

import oxisock
from tests.helpers.net import full_backlog


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Make getaddrinfo() answer with the given addresses; offers those of three kinds."""
    with contextlib.ExitStack() as stack:

        class Hosts:
            def silent(self) -> Any:
                return stack.enter_context(full_backlog())

            def refusing(self) -> Any:
                sock = stack.enter_context(oxisock.socket())
                sock.bind(("127.0.0.1", 0))
                return sock.getsockname()

            def live(self) -> Any:
                server = stack.enter_context(oxisock.create_server(("127.0.0.1", 0)))
                return server.getsockname()

            def resolve_to(self, *addresses: Any) -> None:
                found = [(oxisock.AF_INET, oxisock.SOCK_STREAM, 0, "", each) for each in addresses]
                monkeypatch.setattr(oxisock, "getaddrinfo", lambda *arguments: found)

        yield Hosts()


def connect(**options: Any) -> Any:
    return oxisock.create_connection(("host.invalid", 1), **options)


def test_dead_addresses_share_one_timeout(hosts: Any) -> None:
    hosts.resolve_to(*(hosts.silent() for _ in range(3)))
    start = time.monotonic()
    with pytest.raises(TimeoutError, match="timed out"):
        connect(timeout=2)
    # One after the other with the whole timeout each, they would take 6 s.
    assert 1.9 < time.monotonic() - start < 5


def test_a_dead_address_does_not_starve_the_next(hosts: Any) -> None:
    live = hosts.live()
    hosts.resolve_to(hosts.silent(), hosts.silent(), live)
    with connect(timeout=6) as sock:
        assert sock.getpeername() == live
        assert sock.gettimeout() == 6


def test_the_default_timeout_is_shared_too(hosts: Any) -> None:
    live = hosts.live()
    hosts.resolve_to(hosts.silent(), live)
    oxisock.setdefaulttimeout(3)
    try:
        with connect() as sock:
            assert sock.getpeername() == live
            assert sock.gettimeout() == 3
    finally:
        oxisock.setdefaulttimeout(None)


@pytest.mark.parametrize("timeout", [None, 30])
def test_the_socket_has_the_timeout_that_was_asked_for(hosts: Any, timeout: Any) -> None:
    hosts.resolve_to(hosts.refusing(), hosts.live())
    with connect(timeout=timeout) as sock:
        assert sock.gettimeout() == timeout


def test_all_errors_has_one_for_each_address(hosts: Any) -> None:
    hosts.resolve_to(hosts.refusing(), hosts.silent(), hosts.refusing())
    with pytest.raises(ExceptionGroup, match="create_connection failed") as caught:
        connect(timeout=2, all_errors=True)
    kinds = [type(exc) for exc in caught.value.exceptions]
    assert kinds == [ConnectionRefusedError, TimeoutError, ConnectionRefusedError]
    assert "ConnectionRefusedError" in repr(caught.value)


def test_without_waiting_at_all(hosts: Any) -> None:
    hosts.resolve_to(hosts.live(), hosts.live())
    with pytest.raises(BlockingIOError):
        connect(timeout=0)


@pytest.mark.parametrize(("timeout", "error"), [(-1, ValueError), ("1", TypeError)])
def test_a_wrong_timeout_leaves_no_socket_open(hosts: Any, timeout: Any, error: Any) -> None:
    hosts.resolve_to(hosts.live(), hosts.live())
    with pytest.raises(error):
        connect(timeout=timeout)
    gc.collect()  # a socket that was left open would warn now, and warnings are errors


def test_no_addresses(hosts: Any) -> None:
    hosts.resolve_to()
    with pytest.raises(OSError, match="getaddrinfo returns an empty list"):
        connect()


@pytest.mark.parametrize("all_errors", [False, True])
def test_a_failure_leaves_no_cycle(hosts: Any, all_errors: Any) -> None:
    hosts.resolve_to(hosts.refusing(), hosts.refusing())
    gc.collect()
    gc.disable()
    try:
        with contextlib.suppress(OSError, ExceptionGroup):
            connect(timeout=5, all_errors=all_errors)
        assert gc.collect() == 0
    finally:
        gc.enable()
