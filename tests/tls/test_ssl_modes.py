"""`ssl()` and `SSLObject` in the three modes of a socket: one deadline a call, nothing lost."""

import os
import select
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import oxisock
from tests.helpers.process import handled
from tests.helpers.tls import PATIENCE, authority, goodbye, identity, incoming, serving, serving_tls

pytestmark = pytest.mark.filterwarnings("ignore::oxisock.UnverifiedTLSWarning")

# More than a send buffer grows to (tcp(7), tcp_wmem: 4 MiB) beside a receiver that does not read.
BLOB = os.urandom(12_000_000)


def ready(sock: Any, error: ssl.SSLError) -> None:
    """Wait for what an error of a non-blocking call asks for."""
    poller = select.poll()
    poller.register(
        sock.fileno(),
        select.POLLIN if isinstance(error, ssl.SSLWantReadError) else select.POLLOUT,
    )
    assert poller.poll(PATIENCE * 1000), f"{error!r} asks for what never comes"


def patiently(sock: Any, call: Any) -> Any:
    """Make a non-blocking call until it is through."""
    while True:
        try:
            return call()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
            ready(sock, error)


def stalled(release: threading.Event) -> Any:
    """A server that shakes hands and reads nothing until it is released, then reports all."""

    def serve(session: ssl.SSLSocket) -> None:
        assert release.wait(PATIENCE)
        total = bytearray()
        while len(total) < len(BLOB):
            total += session.recv(1 << 20)
        assert bytes(total) == BLOB
        session.sendall(b"all there")
        goodbye(session)

    return serve


# -- non-blocking ------------------------------------------------------------------------------


@pytest.mark.parametrize("number", ["TLSv1_2", "TLSv1_3"])
def test_non_blocking_handshake_goes_on_in_any_call(number: str) -> None:
    maximum = ssl.TLSVersion[number]
    calls = {
        "do_handshake": lambda session: session.do_handshake(),
        "server": lambda session: session.server(),
        "write": lambda session: session.write(b"x"),
    }
    for first in calls.values():
        proceed = threading.Event()

        def serve(conn: Any, proceed: threading.Event = proceed) -> None:
            assert proceed.wait(PATIENCE)
            context = identity().server_context(maximum_version=maximum)
            with context.wrap_socket(conn, server_side=True) as session:
                for data in incoming(session):
                    session.sendall(data)

        with serving(serve) as sock:
            sock.setblocking(False)
            session = oxisock.ssl(sock)
            for call in (session.do_handshake, session.server, lambda s=session: s.read(1)):
                with pytest.raises(ssl.SSLWantReadError) as caught:
                    call()
                assert caught.value.errno == ssl.SSL_ERROR_WANT_READ
            with pytest.raises(ssl.SSLWantReadError):
                session.write(b"not yet")
            proceed.set()
            patiently(sock, lambda s=session, first=first: first(s))
            assert patiently(sock, lambda s=session: s.write(b"hello")) == 5
            answer = b""
            while not answer.endswith(b"hello"):
                answer += patiently(sock, lambda s=session: s.read(100))


def test_non_blocking_write_resumes_without_loss() -> None:
    release = threading.Event()
    with serving_tls(stalled(release), identity()) as sock:
        session = oxisock.ssl(sock)
        sock.setblocking(False)
        sent = 0
        wanting: list[int | None] = []
        while len(wanting) < 3:  # more tries neither lose nor double anything
            try:
                sent += session.write(BLOB[sent:])
                wanting.clear()  # the system took more: it moves from our buffer to the peer's
            except ssl.SSLWantWriteError as error:
                wanting.append(error.errno)
                time.sleep(0.15)
        assert wanting == [ssl.SSL_ERROR_WANT_WRITE] * 3
        assert 0 < sent < len(BLOB)
        with pytest.raises(ssl.SSLError, match="repeat write"):
            session.write(b"something else")
        with pytest.raises(ssl.SSLWantReadError):
            session.read(1)
        release.set()
        while sent < len(BLOB):
            rest = BLOB[sent:]
            sent += patiently(sock, lambda rest=rest: session.write(rest))
        assert patiently(sock, session.read) == b"all there"


def test_non_blocking_read_to_the_end_keeps_what_it_has() -> None:
    """`read()` fails again and again on the way, and the data is complete in the end."""
    asked = threading.Event()

    def trickle(session: ssl.SSLSocket) -> None:
        for start in range(0, 100_000, 10_000):
            session.sendall(BLOB[start : start + 10_000])
            assert asked.wait(PATIENCE)
            asked.clear()
        goodbye(session)

    with serving_tls(trickle, identity()) as sock:
        session = oxisock.ssl(sock)
        sock.setblocking(False)
        failures = 0
        while True:
            try:
                data = session.read()
                break
            except ssl.SSLWantReadError as error:
                failures += 1
                asked.set()
                ready(sock, error)
        assert failures >= 10
        assert data == BLOB[:100_000]


def test_read_with_a_size_gets_what_an_unfinished_read_holds() -> None:
    def serve(session: ssl.SSLSocket) -> None:
        session.sendall(b"first second")
        assert session.recv(1) == b"!"
        session.sendall(b" third")
        goodbye(session)

    with serving_tls(serve, identity()) as sock:
        session = oxisock.ssl(sock)
        assert select.select([sock], [], [], PATIENCE)[0]
        sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            session.read()
        sock.settimeout(PATIENCE)
        assert session.read(5) == b"first"
        assert session.read(100) == b" second"
        session.write(b"!")
        assert session.read() == b" third"


def test_selector_sees_every_record() -> None:
    """The session never reads ahead: as long as records wait, the socket is readable."""
    count = 50
    sent = threading.Event()

    def serve(session: ssl.SSLSocket) -> None:
        for number in range(count):
            session.sendall(b"%03d" % number)
        sent.set()
        for _ in incoming(session):
            pass

    with serving_tls(serve, identity()) as sock:
        session = oxisock.ssl(sock)
        assert sent.wait(PATIENCE)
        for number in range(count):
            # All was sent, but TCP may take its time to hand it over.
            assert select.select([sock], [], [], PATIENCE)[0], f"record {number} is hidden"
            assert session.read(100) == b"%03d" % number
        sock.setblocking(False)
        with pytest.raises(ssl.SSLWantReadError):
            session.read(1)


# -- timeouts ----------------------------------------------------------------------------------


def test_silent_peer_during_the_handshake() -> None:
    done = threading.Event()
    with serving(lambda conn: done.wait(PATIENCE)) as sock:
        sock.settimeout(0.3)
        started = time.monotonic()
        with pytest.raises(TimeoutError, match="handshake"):
            oxisock.ssl(sock)
        assert 0.3 <= time.monotonic() - started < PATIENCE / 2
        assert sock.fileno() >= 0
        done.set()


def test_silent_peer_during_a_read() -> None:
    with serving_tls(lambda session: list(incoming(session)), identity()) as sock:
        session = oxisock.ssl(sock)
        sock.settimeout(0.3)
        calls: list[Callable[[], object]] = [session.read, lambda: session.read(10)]
        for call in calls:
            started = time.monotonic()
            with pytest.raises(TimeoutError, match="read"):
                call()
            assert 0.3 <= time.monotonic() - started < PATIENCE / 2


def test_one_deadline_for_a_whole_read() -> None:
    """A peer that sends a little, all the time, does not put the deadline off."""
    stop = threading.Event()

    def drip(session: ssl.SSLSocket) -> None:
        session.sendall(b".")
        while not stop.wait(0.05):
            session.sendall(b".")
        goodbye(session)

    with serving_tls(drip, identity()) as sock:
        session = oxisock.ssl(sock)
        sock.settimeout(0.4)
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            session.read()
        assert 0.4 <= time.monotonic() - started < PATIENCE / 2
        stop.set()
        sock.settimeout(PATIENCE)
        assert set(session.read()) == set(b".")


def test_one_deadline_for_the_bytes_of_one_record() -> None:
    """The handshake of a peer that sends it byte by byte."""
    stop = threading.Event()

    def drip(conn: Any) -> None:
        server, other = socket.socketpair()
        with server, other:
            other.settimeout(PATIENCE)
            thread = threading.Thread(target=shake, args=(server,))
            thread.start()
            other.sendall(conn.recv(65536))
            for octet in other.recv(65536):
                if stop.wait(0.03):
                    break
                conn.send(bytes([octet]))
            other.shutdown(socket.SHUT_RDWR)
            thread.join()

    def shake(server: Any) -> None:
        with pytest.raises((ssl.SSLError, OSError)):
            identity().server_context().wrap_socket(server, server_side=True)

    with serving(drip) as sock:
        sock.settimeout(0.5)
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            oxisock.ssl(sock)
        assert 0.5 <= time.monotonic() - started < PATIENCE / 2
        stop.set()


def test_peer_that_stops_reading_and_a_write_that_goes_on() -> None:
    release = threading.Event()
    with serving_tls(stalled(release), identity()) as sock:
        session = oxisock.ssl(sock)
        sock.settimeout(1)
        started = time.monotonic()
        with pytest.raises(TimeoutError, match="write") as caught:
            session.write(BLOB)
        assert 1 <= time.monotonic() - started < PATIENCE / 2
        sent = caught.value.characters_written  # type: ignore[attr-defined]
        assert 0 < sent < len(BLOB)
        release.set()
        sock.settimeout(PATIENCE)
        assert session.write(BLOB[sent:]) == len(BLOB) - sent
        assert session.read() == b"all there"


def test_reading_while_a_write_is_unfinished() -> None:
    """The peer reads only after we have read: the rest of the write must not be in the way."""
    reply = BLOB[:1_000_000]

    for mode in (None, PATIENCE):
        received_all = threading.Event()

        def serve(session: ssl.SSLSocket, gate: threading.Event = received_all) -> None:
            session.sendall(reply)
            assert gate.wait(PATIENCE)
            for _ in incoming(session):
                pass

        with serving_tls(serve, identity()) as sock:
            session = oxisock.ssl(sock)
            sock.setblocking(False)
            with pytest.raises(ssl.SSLWantWriteError):
                for _ in range(100):
                    session.write(bytes(1_000_000))
            sock.settimeout(mode)
            received = bytearray()
            while len(received) < len(reply):
                received += session.read(65536)
            received_all.set()
            assert bytes(received) == reply


def test_the_mode_is_that_of_each_call() -> None:
    with serving_tls(lambda session: list(incoming(session)), identity()) as sock:
        session = oxisock.ssl(sock)
        sock.setblocking(False)
        with pytest.raises(ssl.SSLWantReadError):
            session.read(1)
        sock.settimeout(0.05)
        with pytest.raises(TimeoutError):
            session.read(1)
        assert sock.gettimeout() == 0.05


def test_a_second_thread_waits_no_longer_than_its_deadline() -> None:
    """Both threads want the same turn; neither hangs."""
    errors: list[BaseException] = []

    def wait(call: Any) -> None:
        try:
            call()
        except BaseException as error:
            errors.append(error)

    release = threading.Event()
    with serving_tls(stalled(release), identity()) as sock:
        session = oxisock.ssl(sock)
        sock.settimeout(1)  # the first writer has to be stuck by then
        calls = [lambda: session.read(1)] * 2 + [lambda: session.write(BLOB)]
        threads = [threading.Thread(target=wait, args=(call,)) for call in calls]
        for thread in threads:
            thread.start()
        while select.select([], [sock], [], 0)[1] and threads[-1].is_alive():
            time.sleep(0.001)  # until the writer is stuck and has its turn
        threads.append(threading.Thread(target=wait, args=(lambda: session.write(b"more"),)))
        threads[-1].start()
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        sent = max(getattr(error, "characters_written", 0) for error in errors)
        assert len(errors) == 4
        # The writer that comes second may find the first one's record on its way.
        assert sum(type(error) is TimeoutError for error in errors) >= 3
        release.set()
        sock.settimeout(PATIENCE)
        session.write(BLOB[sent:])
        assert session.read() == b"all there"


def test_signal_handlers_run_during_a_wait() -> None:
    class InterruptionError(Exception):
        pass

    def interrupt(*_: object) -> None:
        raise InterruptionError

    with handled(signal.SIGALRM, interrupt):
        try:
            for timeout in (None, PATIENCE):
                with serving_tls(lambda session: list(incoming(session)), identity()) as sock:
                    session = oxisock.ssl(sock)
                    sock.settimeout(timeout)
                    signal.setitimer(signal.ITIMER_REAL, 0.1)
                    with pytest.raises(InterruptionError):
                        session.read()
                    assert session.write(b"still works") == 11
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


def test_verified_session_on_a_non_blocking_socket() -> None:
    proceed = threading.Event()

    def refused(conn: Any) -> None:
        assert proceed.wait(PATIENCE)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            identity().server_context().wrap_socket(conn, server_side=True).recv(1)

    with serving(refused) as sock:
        sock.setblocking(False)
        context = authority().client_context()
        session = oxisock.ssl(sock, context=context, server_hostname="wrong.example.org")
        proceed.set()
        with pytest.raises(ssl.SSLCertVerificationError):
            patiently(sock, lambda: session.write(b"secret"))
        with pytest.raises(ssl.SSLError):
            patiently(sock, lambda: session.write(b"secret"))
