"""create_connection() races the addresses of a host: far, silent, refusing and lossy ones."""

import json
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

import oxisock
from tests.helpers.far_hosts import REFUSING, SILENT, V4, V6, Host, run_far
from tests.helpers.net import full_backlog, listening
from tests.helpers.process import descriptors, handled, no_new_descriptors, run_python

PROGRAM = """
import importlib, json, os, sys, time
socket = importlib.import_module(sys.argv[1])
addresses, options, keywords = eval(sys.argv[2])
found = [(socket.AF_INET6 if ":" in a else socket.AF_INET, 1, 6, "", (a, 80)) for a in addresses]
socket.getaddrinfo = lambda *arguments: found
for name, value in options.items():
    getattr(socket, name)(value)
before = os.listdir("/proc/self/fd")
start = time.monotonic()
result = kinds = None
try:
    with socket.create_connection(("host.invalid", 80), **keywords) as sock:
        result = sock.getpeername()[0], sock.gettimeout(), os.get_blocking(sock.fileno())
except OSError as error:
    result = type(error).__name__
except ExceptionGroup as group:
    result = [type(error).__name__ for error in group.exceptions]
took = time.monotonic() - start
assert sorted(os.listdir("/proc/self/fd")) == sorted(before)
print(json.dumps([took, result]))
"""

LATE = 0.5
"""What may be added to a time in the best of TRIES; what is too late is a second and more."""
TRIES = 10


def connect(
    hosts: dict[int, Host],
    addresses: list[str],
    *,
    module: str = "oxisock",
    options: dict[str, Any] | None = None,
    within: float = 1e9,
    program: str = PROGRAM,
    **keywords: Any,
) -> tuple[float, Any]:
    """Connect to a host with these addresses; the seconds it took, and what came of it.

    A busy machine may be late, but not each time: it is tried until it took less than `within`
    seconds. What is too slow by itself never does.
    """
    arguments = repr([addresses, options or {}, keywords])
    for _ in range(TRIES):
        took, result = json.loads(run_far(program, hosts, module, arguments))
        if took < within:
            break
    return took, result


def v4(*numbers: int) -> list[str]:
    return [V4.format(number) for number in numbers]


def v6(*numbers: int) -> list[str]:
    return [V6.format(number) for number in numbers]


@pytest.mark.parametrize(
    ("far", "count", "timeout"),
    [(0.2, 8, 1), (0.2, 16, 3), (0.4, 4, 1), (0.4, 8, 2), (0.4, 8, 0.9)],
)
def test_far_hosts_connect_as_soon_as_in_the_standard_library(
    far: float, count: int, timeout: float
) -> None:
    """An attempt is not closed because the next one begins, however many addresses there are."""
    hosts = {number: Host(far) for number in range(1, count + 1)}
    took, result = connect(hosts, v4(*hosts), timeout=timeout, within=far + LATE)
    assert result == [V4.format(1), timeout, False]
    assert far <= took < far + LATE


@pytest.mark.parametrize(
    ("count", "timeout"), [(3, 2), (8, 2), (100, 2), (8, 100), (8, None), (100, None)]
)
def test_silent_then_refusing_then_far(count: int, timeout: float | None) -> None:
    hosts = {1: SILENT, 2: REFUSING, **{number: Host(0.2) for number in range(3, count + 1)}}
    took, result = connect(hosts, v4(*hosts), timeout=timeout, within=0.5 + LATE)
    assert result[0] == V4.format(3)
    assert result[1:] == [timeout, timeout is None]
    assert took < 0.5 + LATE


def test_of_several_that_are_connected_the_first_address_wins() -> None:
    """All of them are by the time a signal's handler lets go of the thread."""
    handler = "signal.setitimer(signal.ITIMER_REAL, 0.2)"
    program = PROGRAM.replace("start = ", f"{handler}\nstart = ", 1)
    program = "import signal, time\nsignal.signal(14, lambda *_: time.sleep(0.7))\n" + program
    hosts = dict.fromkeys(range(1, 6), Host(0.5))
    options = {"setconnectionattemptdelay": 0.02}
    _, result = connect(hosts, v4(*hosts), program=program, options=options, timeout=10)
    assert result == [V4.format(1), 10, False]


@pytest.mark.parametrize(("count", "timeout"), [(1, 1), (3, 2), (100, 1)])
def test_all_silent(count: int, timeout: float) -> None:
    hosts = dict.fromkeys(range(1, count + 1), SILENT)
    took, result = connect(hosts, v4(*hosts), timeout=timeout, within=timeout * 1.01 + LATE)
    assert result == "TimeoutError"
    assert timeout <= took < timeout * 1.01 + LATE


def test_a_lost_packet_costs_no_more_than_the_next_address() -> None:
    """The kernel repeats a lost packet after a second; the other address is there before."""
    took, result = connect(
        {1: Host(lost=1), 2: Host(0.1)}, v4(1, 2), timeout=10, within=0.35 + LATE
    )
    assert result[0] == V4.format(2)
    assert took < 0.35 + LATE


def test_a_lost_packet_of_the_only_address() -> None:
    took, result = connect({1: Host(lost=1)}, v4(1), timeout=10, within=3)
    assert result[0] == V4.format(1)
    assert 0.9 < took < 3


def test_families_take_turns() -> None:
    """Where IPv6 is silent, IPv4 is next, however many IPv6 addresses there are."""
    hosts = {1: SILENT, 2: SILENT, 3: SILENT, 4: Host(0.05)}
    took, result = connect(hosts, [*v6(1, 2, 3), *v4(4)], timeout=10, within=0.3 + LATE)
    assert result[0] == V4.format(4)
    assert took < 0.3 + LATE


def test_the_first_address_has_its_head_start() -> None:
    """It is preferred: a nearer one does not win before its delay is over."""
    # Long enough for a busy machine to hear from the first address.
    options = {"setconnectionattemptdelay": 2}
    hosts = {1: Host(0.15), 2: Host(0.0)}
    took, result = connect(hosts, v6(1) + v4(2), options=options, timeout=10)
    assert result[0] == V6.format(1)
    assert took >= 0.15


@pytest.mark.parametrize("seconds", [0.01, 0.6])
def test_the_delay_can_be_set(seconds: float) -> None:
    options = {"setconnectionattemptdelay": seconds}
    took, result = connect(
        {1: SILENT, 2: Host()}, v4(1, 2), options=options, timeout=10, within=seconds + LATE
    )
    assert result[0] == V4.format(2)
    assert seconds <= took < seconds + LATE


@pytest.mark.parametrize("module", ["socket", "oxisock"])
def test_one_error_for_each_address(module: str) -> None:
    hosts = {1: REFUSING, 2: SILENT, 3: REFUSING}
    _, result = connect(hosts, v4(1, 2, 3), module=module, timeout=0.5, all_errors=True)
    assert result == ["ConnectionRefusedError", "TimeoutError", "ConnectionRefusedError"]


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
@pytest.mark.parametrize("module", ["socket", "oxisock"])
def test_the_error_is_that_of_the_last_address(module: str, order: tuple[int, int]) -> None:
    _, result = connect({1: REFUSING, 2: SILENT}, v4(*order), module=module, timeout=0.5)
    assert result == ("TimeoutError" if order == (1, 2) else "ConnectionRefusedError")


def test_no_route_costs_nothing() -> None:
    """Outside of the network there is nothing: connect(2) says so at once."""
    options = {"setconnectionattemptdelay": 2}
    addresses = ["2001:db8::1", *v4(1)]
    took, result = connect({1: Host()}, addresses, options=options, within=1, timeout=10)
    assert result[0] == V4.format(1)
    assert took < 1


def test_source_address_of_one_family() -> None:
    keywords: dict[str, Any] = {"timeout": 5, "source_address": (V4.format(254), 0)}
    took, result = connect(
        {1: Host(), 2: Host(0.1)}, [*v6(1), *v4(2)], **keywords, within=0.1 + LATE
    )
    assert result[0] == V4.format(2)
    assert took < 0.1 + LATE


def test_a_source_port_lets_one_after_the_other_have_it() -> None:
    """Two sockets cannot both be bound to it, and the first attempt must not be closed early."""
    keywords: dict[str, Any] = {"timeout": 0.4, "source_address": (V4.format(254), 40404)}
    took, result = connect({1: SILENT, 2: Host(0.05)}, v4(1, 2), **keywords, within=0.45 + LATE)
    assert result[0] == V4.format(2)
    assert 0.4 <= took < 0.45 + LATE


def test_few_descriptors_are_enough() -> None:
    """Where there is none for the next attempt, it waits until one has failed."""
    program = PROGRAM.replace(
        "before =",
        "import resource; count = len(os.listdir('/proc/self/fd')) + 1\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (count, count)); before =",
    )
    hosts = {1: Host(0.5, refuses=True), 2: Host(0.8, refuses=True), 3: Host()}
    limit = 0.5 + 0.8 + 3 * LATE
    took, result = connect(hosts, v4(1, 2, 3), within=limit, program=program, timeout=10)
    assert result[0] == V4.format(3)
    assert took < limit


@pytest.mark.parametrize("timeout", [20, None])
def test_ctrl_c_closes_everything(timeout: float | None) -> None:
    program = """
import os, signal, sys, threading
import oxisock
found = [(2, 1, 6, "", (f"10.66.0.{n}", 80)) for n in range(1, 9)]
oxisock.getaddrinfo = lambda *arguments: found
oxisock.setconnectionattemptdelay(0.02)
before = sorted(os.listdir("/proc/self/fd"))
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    oxisock.create_connection(("host.invalid", 80), eval(sys.argv[1]))
except KeyboardInterrupt as error:
    # While the traceback still holds every frame.
    assert sorted(os.listdir("/proc/self/fd")) == before
    print("interrupted")
"""
    hosts = dict.fromkeys(range(1, 9), SILENT)
    assert run_far(program, hosts, repr(timeout)) == "interrupted\n"


# What needs no network of its own.


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make getaddrinfo() find the given TCP addresses, in a form of the caller's choice."""

    def resolve_to(*addresses: tuple[str, int], form: Callable[[Any], Any] = list) -> None:
        found = [(oxisock.AF_INET, 1, 6, "", address) for address in addresses]
        monkeypatch.setattr(oxisock, "getaddrinfo", lambda *_: form(found))

    return resolve_to


def refusing() -> Any:
    """An address where nobody listens."""
    with oxisock.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()


def test_handlers_run_while_it_waits(resolve: Any) -> None:
    """A handler that returns lets it go on; its time is not counted anew."""
    seen = []
    with full_backlog() as one, full_backlog() as two, listening(oxisock) as server:
        resolve(one, two, server.getsockname())
        with handled(signal.SIGALRM, lambda *_: seen.append(time.monotonic())):
            signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
            try:
                start = time.monotonic()
                with oxisock.create_connection(("host.invalid", 1), 10) as sock:
                    took = time.monotonic() - start
                    assert sock.getpeername() == server.getsockname()
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
    assert len(seen) >= 3
    assert 0.5 <= took < 0.5 + 5 * LATE


@pytest.mark.parametrize("form", [iter, tuple, lambda found: (entry for entry in found)])
def test_a_replaced_lookup_may_return_any_iterable(resolve: Any, form: Any) -> None:
    with listening(oxisock) as server:
        resolve(refusing(), server.getsockname(), form=form)
        with oxisock.create_connection(("host.invalid", 1), 5) as sock:
            assert sock.getpeername() == server.getsockname()


def test_a_replaced_class_is_used(resolve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One with a `connect` of its own: the calls of the standard library, in its order."""
    calls: list[Any] = []

    class Logging(oxisock.socket):
        def settimeout(self, timeout: float | None) -> None:
            calls.append(("settimeout", timeout))
            super().settimeout(timeout)

        def bind(self, address: Any) -> None:
            calls.append(("bind", address))
            super().bind(address)

        def connect(self, address: Any) -> None:
            calls.append(("connect", address))
            super().connect(address)

        def close(self) -> None:
            calls.append("close")
            super().close()

    with listening(oxisock) as server:
        addresses = refusing(), server.getsockname()
        resolve(*addresses)
        monkeypatch.setattr(oxisock, "socket", Logging)
        source = ("127.0.0.1", 0)
        sock = oxisock.create_connection(("host.invalid", 1), 5, source)
        assert type(sock) is Logging
        one = [("settimeout", 5), ("bind", source)]
        expected = [*one, ("connect", addresses[0]), "close", *one, ("connect", addresses[1])]
        assert calls == expected
        sock.close()


@pytest.mark.parametrize("timeout", [None, 5])
def test_a_replaced_connect_is_used(
    resolve: Any, monkeypatch: pytest.MonkeyPatch, timeout: float | None
) -> None:
    """As programs do that forbid connections in tests."""

    def forbidden(self: Any, address: Any) -> None:
        raise RuntimeError("no network here")

    resolve(refusing(), refusing())
    monkeypatch.setattr(oxisock.socket, "connect", forbidden)
    with no_new_descriptors(), pytest.raises(RuntimeError, match="no network here"):
        oxisock.create_connection(("host.invalid", 1), timeout)


@pytest.mark.parametrize("timeout", [None, 5])
def test_a_subclass_without_a_connect_of_its_own_races(
    resolve: Any, monkeypatch: pytest.MonkeyPatch, timeout: float | None
) -> None:
    class Named(oxisock.socket):
        made: list[Any] = []

        def __init__(self, *arguments: Any, **keywords: Any) -> None:
            super().__init__(*arguments, **keywords)
            self.made.append(self)

    with full_backlog() as silent, listening(oxisock) as server:
        resolve(silent, server.getsockname())
        monkeypatch.setattr(oxisock, "socket", Named)
        for _ in range(TRIES):
            Named.made.clear()
            start = time.monotonic()
            with oxisock.create_connection(("host.invalid", 1), timeout) as sock:
                took = time.monotonic() - start
                assert type(sock) is Named
                assert [made.fileno() == -1 for made in Named.made] == [True, False]
            if took < 0.25 + LATE:
                break
        assert took < 0.25 + LATE
    Named.made.clear()


@pytest.mark.parametrize("keywords", [{}, {"timeout": 5}, {"timeout": None}])
def test_audit_events_come_once_for_each_attempt(keywords: dict[str, Any]) -> None:
    program = """
import sys
import oxisock
with oxisock.create_server(("127.0.0.1", 0)) as server, oxisock.socket() as closed:
    closed.bind(("127.0.0.1", 0))
    addresses = [closed.getsockname(), server.getsockname()]
    found = [(2, 1, 6, "", address) for address in addresses]
    oxisock.getaddrinfo = lambda *arguments: found
    events = []
    sys.addaudithook(lambda event, arguments:
        events.append((event, arguments[1])) if event.startswith("socket.") else None)
    oxisock.create_connection(("host.invalid", 1), **eval(sys.argv[1])).close()
    one = [("socket.__new__", 2), ("socket.connect", addresses[0])]
    assert events == [*one, one[0], ("socket.connect", addresses[1])], events
"""
    run_python(program, repr(keywords))


def test_a_hook_that_forbids_ends_it(resolve: Any) -> None:
    program = """
import sys
import oxisock
found = [(2, 1, 6, "", ("127.0.0.1", 1)), (2, 1, 6, "", ("127.0.0.1", 2))]
oxisock.getaddrinfo = lambda *arguments: found
def hook(event, arguments):
    if event == "socket.connect":
        raise RuntimeError("forbidden")
sys.addaudithook(hook)
try:
    oxisock.create_connection(("host.invalid", 1), 5)
except RuntimeError as error:
    assert str(error) == "forbidden"
else:
    raise AssertionError("connected")
"""
    run_python(program)


@pytest.mark.parametrize("seconds", [0.0099, 2.01, -1, float("nan"), float("inf")])
def test_a_delay_out_of_range(seconds: float) -> None:
    before = oxisock.getconnectionattemptdelay()
    with pytest.raises(ValueError, match="seconds must be between"):
        oxisock.setconnectionattemptdelay(seconds)
    assert oxisock.getconnectionattemptdelay() == before == 0.25


@pytest.mark.parametrize(
    ("text", "seconds"), [("20", 0.02), ("1", 0.01), ("9999", 2.0), ("soon", 0.25), ("", 0.25)]
)
def test_the_environment_sets_the_delay(
    text: str, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OXISOCK_CONNECTION_ATTEMPT_DELAY_MS", text)
    done = run_python("import oxisock; print(oxisock.getconnectionattemptdelay())")
    assert float(done.stdout) == seconds


def test_malformed_entries_raise_as_in_the_standard_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for found, error in [
        ([(2, 1, 6)], ValueError),
        ([5], TypeError),
        ([None, None], TypeError),
        (None, TypeError),
        ([(2, 1, 6, "", "no address")], TypeError),
        ([("x", 1, 6, "", ("127.0.0.1", 1))], TypeError),
    ]:
        monkeypatch.setattr(oxisock, "getaddrinfo", lambda *_, found=found: found)
        before = descriptors()
        for timeout in (None, 5):
            with pytest.raises(error):
                oxisock.create_connection(("host.invalid", 1), timeout)
        assert descriptors() == before
