"""What OpenSSL demands of those who write again, and closing what waits inside of `ssl`."""

import socket
import ssl
import sys
import threading
import time
from typing import Any

import pytest

import oxisock
from tests.helpers.net import shake_hands
from tests.helpers.tls import HOST, PATIENCE, authority, identity
from tests.helpers.tls_records import far_end, outcome, same

Trace = list[Any]
numbers = pytest.mark.parametrize("number", ["1.2", "1.3"])


@numbers
def test_what_was_refused_is_written_again_from_other_memory(number: str) -> None:
    """Half a record has gone: what goes on with it has to be the same, wherever it is."""
    size = 100_000

    def scenario(kind: str) -> Trace:
        trace: Trace = []
        with far_end(kind, number) as far:
            sent = b""
            for turn in range(12):
                data = bytes([65 + turn]) * size
                while isinstance(found := outcome(far.client.send, data), int):
                    sent += data[:found]
                trace.append(found)
                arrived = far.read()
                # The memory of before is gone, and something else is there.
                moved = bytearray(data)
                del data
                trace.append(outcome(far.client.send, moved))
                if isinstance(trace[-1], int):
                    sent += bytes(moved[: trace[-1]])
                arrived += far.read()
                trace.append(sent[: len(arrived)] == arrived)
                sent = sent[len(arrived) :]
        return trace

    trace = same(scenario)
    assert [item[0] for item in trace[::3]] == [ssl.SSLWantWriteError] * 12
    assert all(trace[2::3])


@numbers
def test_less_than_was_refused_is_an_error(number: str) -> None:
    def scenario(kind: str) -> Trace:
        with far_end(kind, number) as far:
            while isinstance(outcome(far.client.send, b"a" * 5000), int):
                pass
            far.read()
            return [outcome(far.client.send, b"a" * size) for size in (10, 5000)]

    assert same(scenario)[0][0] is not int


@numbers
def test_more_than_was_refused_may_follow(number: str) -> None:
    def scenario(kind: str) -> Trace:
        with far_end(kind, number) as far:
            trace: Trace = []
            while isinstance(outcome(far.client.send, b"a" * 5000), int):
                pass
            trace.append(outcome(far.client.send, b"a" * 9000))
            far.read()
            trace.append(outcome(far.client.send, b"a" * 9000))
            return [*trace, far.read().count(b"a")]

    same(scenario)


@pytest.mark.differs("the standard class goes on with a number that may be another file's")
@pytest.mark.parametrize("timeout", [None, PATIENCE])
@pytest.mark.parametrize("step", ["do_handshake", "unwrap"])
def test_close_wakes_what_waits_inside_of_ssl(step: str, timeout: float | None) -> None:
    context = authority().client_context()
    context.sslsocket_class = oxisock.SSLSocket
    found: list[Any] = []
    if step == "unwrap":
        with far_end("engine", "1.3") as far:
            close_while(far.client, step, timeout, found)
    else:
        near, other = socket.socketpair()
        with other:
            client: Any = context.wrap_socket(
                near, server_hostname=HOST, do_handshake_on_connect=False
            )
            close_while(client, step, timeout, found)
    assert issubclass(found[0][0], OSError)
    assert found[0][0] is not TimeoutError


def close_while(client: Any, step: str, timeout: float | None, found: list[Any]) -> None:
    client.settimeout(timeout)
    thread = threading.Thread(target=lambda: found.append(outcome(getattr(client, step))))
    thread.start()
    time.sleep(0.02)
    client.close()
    thread.join(PATIENCE / 2)
    assert not thread.is_alive(), "it waits on"


@pytest.mark.parametrize("timeout", [0, 0.05])
@numbers
def test_an_alert_that_nobody_takes(number: str, timeout: float) -> None:
    """The peer talks nonsense and is gone before it can be told."""

    def scenario(kind: str) -> Trace:
        with far_end(kind, number) as far:
            far.deliver(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            far.take()
            far.close()
            far.client.settimeout(timeout)
            trace = [outcome(far.client.recv, 10) for _ in range(3)]
            return [*trace, outcome(far.client.send, b"x"), outcome(far.client.recv, 10)]

    trace = same(scenario)
    assert not any(isinstance(item, tuple) and item[0] is TimeoutError for item in trace)


@pytest.mark.parametrize("end", ["nothing", "good-bye", "nonsense"])
@numbers
def test_what_the_session_has_is_not_waited_for(number: str, end: str) -> None:
    """However often the reads before have had to wait: the socket knows nothing of it."""

    def scenario(kind: str) -> Trace:
        with far_end(kind, number) as far:
            trace: Trace = []
            for _ in range(8):
                far.client.settimeout(0.001)
                trace += [outcome(far.client.recv, 10) for _ in range(6)]
                far.client.settimeout(0.05)
                far.write(b"x" * 100)
                trace += [outcome(far.client.recv, 10) for _ in range(10)]
            # One record for each read, which finds nothing left.
            if end == "good-bye":
                far.end()
            elif end == "nonsense":
                far.deliver(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            return [*trace, *(outcome(far.client.recv, 10) for _ in range(3))]

    trace = same(scenario)
    assert trace.count(b"x" * 10) == 80


@pytest.mark.parametrize("size", [60_000, 8 << 20])
def test_what_is_large_gives_the_lock_up_on_memory(size: int) -> None:
    """Another thread gets its turn during a large write, and not during a small one."""
    context, server = authority().client_context(), identity().server_context()
    context.sslobject_class = oxisock.TLSObject
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = context.wrap_bio(back, there, server_hostname=HOST)
    other = server.wrap_bio(there, back, server_side=True)
    shake_hands(one, other)
    turn = threading.Lock()
    turn.acquire()
    ran: list[bool] = []

    def wait() -> None:
        with turn:
            ran.append(True)

    thread = threading.Thread(target=wait)
    thread.start()
    data, interval = bytes(size), sys.getswitchinterval()
    # Nobody is made to give the lock up.
    sys.setswitchinterval(1000)
    try:
        turn.release()
        for _ in range(40):
            assert one.write(data) == size
            if ran:
                break
        found = bool(ran)
    finally:
        sys.setswitchinterval(interval)
    thread.join(PATIENCE)
    assert found == (size > 1 << 20)


@numbers
def test_a_timeout_set_meanwhile_does_not_change_how_a_write_ends(number: str) -> None:
    """A write of a socket that does not block ends so, whatever another thread makes of it."""
    data = b"x" * 200_000
    with far_end("engine", number) as far:
        # The end of the handshake, which is `_ssl`'s: that waits without end for a timeout of 0.
        outcome(far.client.recv, 1)
        done = threading.Event()

        def read() -> None:
            while not done.is_set():
                far.client.settimeout(0.0002)
                outcome(far.client.recv, 1)

        reader = threading.Thread(target=read)
        reader.start()
        found = []
        for _ in range(300):
            far.client.settimeout(0)
            found.append(outcome(far.client.send, data))
        done.set()
        reader.join()
    classes = {type(item) if isinstance(item, int) else item[0] for item in found}
    assert ssl.SSLWantWriteError in classes
    # The write may have begun with the timeout of the other thread.
    assert classes <= {int, ssl.SSLWantWriteError, TimeoutError}
