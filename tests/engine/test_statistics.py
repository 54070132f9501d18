"""``oxisock.stats()`` and ``socket.stats()``: every number is that of what the test has done."""

import errno
import os
import ssl
import sysconfig
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import oxisock
from oxisock import _socket as native
from tests.helpers.net import listening
from tests.helpers.process import Task, output, python, run_python
from tests.helpers.tls import HOST, authority, identity, serving_tls


def difference(before: Any, after: Any) -> Any:
    """What has been added, without what has not changed."""
    changes: dict[str, Any] = {}
    for name, value in after.items():
        if isinstance(value, dict):
            change: Any = difference(before.get(name, {}), value)
        else:
            change = value - before.get(name, 0)
        if change:
            changes[name] = change
    return changes


@contextmanager
def counting() -> Iterator[dict[str, Any]]:
    """What the block adds to the counters of the process; those of time only where asked."""
    changes: dict[str, Any] = {}
    before = oxisock.stats()
    yield changes
    changes.update(difference(before, oxisock.stats()))
    changes.pop("wait_seconds", None)


def test_data_that_moves_is_counted() -> None:
    a, b = oxisock.socketpair()
    with a, b, counting() as changes:
        a.sendall(b"x" * 1000)
        a.send(b"y" * 24)
        data = bytearray(1000)
        assert b.recv_into(data) == 1000
        assert len(b.recv(4096)) == 24
        b.sendmsg([b"a", b"bc"])
        assert a.recvmsg(10)[0] == b"abc"
    assert changes == {
        "operations": {"send": 3, "receive": 3},
        "bytes": {"sent": 1027, "received": 1027},
    }
    assert a.stats()["operations"] == {"receive": 1, "send": 2, "accept": 0, "connect": 0}
    assert b.stats()["bytes"] == {"received": 1024, "sent": 3}


def test_the_rest_of_a_large_read_counts_too() -> None:
    a, b = oxisock.socketpair()
    with a, b, counting() as changes:
        a.setsockopt(oxisock.SOL_SOCKET, oxisock.SO_SNDBUF, 1 << 20)
        a.sendall(bytes(100_000))
        got = b.recv(1 << 20)
        while len(got) < 100_000:
            got += b.recv(1 << 20)
    assert changes["bytes"] == {"sent": 100_000, "received": 100_000}


def test_datagrams_by_the_batch() -> None:
    a, b = oxisock.socketpair(type=oxisock.SOCK_DGRAM)
    with a, b, counting() as changes:
        a.send_many([b"x" * 10] * 100)
        got = 0
        while got < 100:
            got += len(b.recvfrom_many(16, 100))
    assert changes["bytes"] == {"sent": 1000, "received": 1000}


def test_exact_reads() -> None:
    a, b = oxisock.socketpair()
    with a, b, counting() as changes:
        task = Task(b.recv_exactly, 100)
        for _ in range(10):
            a.sendall(bytes(10))
        assert len(task.result()) == 100
    assert changes["bytes"] == {"sent": 100, "received": 100}
    assert changes["operations"]["receive"] == 1


def test_connections() -> None:
    with counting() as changes:
        with listening(oxisock) as server, oxisock.socket() as client:
            client.connect(server.getsockname())
            connection, _ = server.accept()
            connection.close()
    assert changes["operations"] == {"connect": 1, "accept": 1}
    assert changes["sockets"] == {"opened": 3}  # open is what it was before
    assert "errors" not in changes


def test_create_connection() -> None:
    with counting() as changes, listening(oxisock) as server:
        address = server.getsockname()
        with oxisock.create_connection(address) as client, server.accept()[0]:
            assert client.stats()["operations"]["connect"] == 1
    assert changes["operations"] == {"connect": 1, "accept": 1}
    with counting() as changes, pytest.raises(ConnectionRefusedError):
        oxisock.create_connection(address)
    assert changes["operations"] == {"connect": 1}
    assert changes["errors"] == {"ECONNREFUSED": 1}


def test_open_sockets_are_those_that_are_open() -> None:
    before = oxisock.stats()["sockets"]["open"]
    with oxisock.socket() as a, oxisock.socket() as b:
        assert oxisock.stats()["sockets"]["open"] == before + 2
        os.close(b.detach())
        assert oxisock.stats()["sockets"]["open"] == before + 1
        again = oxisock.socket(fileno=os.dup(a.fileno()))
        assert oxisock.stats()["sockets"]["open"] == before + 2
        again.__init__(fileno=again.fileno())  # type: ignore[misc]
        again.__init__()  # type: ignore[misc]
        assert oxisock.stats()["sockets"]["open"] == before + 2
        again.close()
        again.close()
    assert oxisock.stats()["sockets"]["open"] == before


def test_errors_have_their_names() -> None:
    with counting() as changes, oxisock.socket() as sock:
        with listening(oxisock) as server:
            address = server.getsockname()
        with pytest.raises(ConnectionRefusedError):
            sock.connect(address)
        with pytest.raises(OSError):
            sock.recv(1)
        with pytest.raises(OSError):
            sock.recv(1)
        assert sock.stats()["errors"] == {"ECONNREFUSED": 1, "ENOTCONN": 2}
    assert changes["errors"] == {"ECONNREFUSED": 1, "ENOTCONN": 2}


def test_a_closed_socket_counts_as_an_error_and_keeps_its_numbers() -> None:
    a, b = oxisock.socketpair()
    a.send(b"abc")
    a.close()
    b.close()
    with pytest.raises(OSError) as caught:
        a.send(b"abc")
    assert caught.value.errno == errno.EBADF
    assert a.stats()["bytes"]["sent"] == 3
    assert a.stats()["errors"] == {"EBADF": 1}


def test_a_timeout_and_a_call_that_would_block() -> None:
    a, b = oxisock.socketpair()
    with a, b, counting() as changes:
        a.settimeout(0.01)
        with pytest.raises(TimeoutError):
            a.recv(1)
        a.setblocking(False)
        with pytest.raises(BlockingIOError):
            a.recv(1)
    assert changes["timeouts"] == 1
    assert changes["would_block"] == 1
    assert "errors" not in changes
    assert changes["operations"] == {"receive": 2}
    assert a.stats()["wait_seconds"]["network"] >= 0.009


def test_a_wait_for_the_network_is_told_apart_from_one_for_the_lock() -> None:
    a, b = oxisock.socketpair()
    with a, b:
        before = native.thread_waits()
        timer = threading.Timer(0.2, a.send, [b"x"])
        timer.start()
        b.recv(1)
        timer.join()
        network, lock = (
            now - then for now, then in zip(native.thread_waits(), before, strict=True)
        )
        told = b.stats()
    assert told["waits"]["network"] >= 1
    assert told["wait_seconds"]["network"] > 0.1
    assert told["wait_seconds"]["lock"] < told["wait_seconds"]["network"]
    assert abs(network / 1e9 - told["wait_seconds"]["network"]) < 1e-6
    assert abs(lock / 1e9 - told["wait_seconds"]["lock"]) < 1e-6


@pytest.mark.skipif(
    bool(sysconfig.get_config_var("Py_GIL_DISABLED")), reason="there is no lock to wait for"
)
def test_a_wait_for_the_lock_is_counted() -> None:
    """A thread keeps the lock in one long call, so that whoever wakes up meanwhile waits."""
    program = """
        import threading, time, oxisock
        from oxisock._socket import counters
        a, b = oxisock.socketpair()
        before = counters()["released"]
        thread = threading.Thread(target=b.recv, args=[1])
        thread.start()
        while counters()["released"] == before:
            time.sleep(0.01)
        time.sleep(0.05)
        a.send(b"x")
        began = time.perf_counter()
        sum(range(10_000_000))  # one call of C that never lets go
        held = time.perf_counter() - began
        thread.join()
        lock = b.stats()["wait_seconds"]["lock"]
        # Not all of it: the thread has to wake up first.
        assert held / 4 < lock < held * 4, (held, lock)
        a.close(), b.close()
    """
    # Nobody may be asked for the lock before that call begins.
    output(python("-W", "error", "-c", textwrap.dedent(program), OXISOCK_YIELD="0"))


def test_selectors_and_lookups() -> None:
    from oxisock import selectors

    a, b = oxisock.socketpair()
    with a, b, selectors.DefaultSelector() as selector, counting() as changes:
        selector.register(b, 1)
        assert selector.select(0) == []
        oxisock.getaddrinfo("localhost", None)
    assert changes["operations"] == {"select": 1, "lookup": 1}


def test_tls_counts_the_payload() -> None:
    if not oxisock.tls_status().startswith("active"):
        pytest.skip(oxisock.tls_status())
    context = authority().client_context()

    def answer(connection: ssl.SSLSocket) -> None:
        connection.sendall(connection.recv(100))

    with serving_tls(answer, identity()) as raw:
        context.sslsocket_class = oxisock.SSLSocket
        with context.wrap_socket(raw, server_hostname=HOST) as sock:
            assert isinstance(sock, oxisock.SSLSocket)
            sock.sendall(b"abcde")
            assert sock.recv(100) == b"abcde"
            told = sock.stats()
    assert told["bytes"] == {"received": 5, "sent": 5}
    assert sock.stats() == {}


def test_the_names_are_the_documented_ones() -> None:
    names = {
        "operations", "bytes", "waits", "wait_seconds", "timeouts", "would_block", "errors",
    }  # fmt: skip
    told = oxisock.stats()
    assert set(told) == names | {"sockets"}
    assert set(told["operations"]) == {"receive", "send", "accept", "connect", "select", "lookup"}
    assert set(told["bytes"]) == {"received", "sent"}
    assert set(told["waits"]) == set(told["wait_seconds"]) == {"network", "lock"}
    assert set(told["sockets"]) == {"opened", "open"}
    with oxisock.socket() as sock:
        assert set(sock.stats()) == names
        assert set(sock.stats()["operations"]) == {"receive", "send", "accept", "connect"}
    documented = oxisock.stats.__doc__ or ""
    assert sorted(name for name in names if f"``{name}``" not in documented) == []


def test_a_fork_goes_on_counting() -> None:
    run_python("""
        import os, oxisock
        a, b = oxisock.socketpair()
        a.send(b"abc")
        if not os.fork():
            a.send(b"de")
            os._exit(oxisock.stats()["bytes"]["sent"] != 5 or a.stats()["bytes"]["sent"] != 5)
        assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
        assert oxisock.stats()["bytes"]["sent"] == 3
        a.close(), b.close()
    """)
