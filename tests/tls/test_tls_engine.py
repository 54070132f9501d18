"""Sessions on the engine, held against the same on `ssl`'s own classes."""

import contextlib
import hashlib
import os
import random
import select
import signal
import socket
import ssl
import struct
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import oxisock
from oxisock import _socket
from tests.helpers.net import shake_hands
from tests.helpers.tls import HOST, PATIENCE, authority, identity, version
from tests.helpers.tls_records import CLASSES, outcome

Session = Any
Trace = list[Any]


@contextlib.contextmanager
def session(
    kind: str, *, both: bool = False, tcp: bool = False, key: str = "ec", **settings: Any
) -> Iterator[tuple[Session, Session]]:
    """A client of the class under test and its server, one of `ssl`'s own unless `both` are."""
    client = authority(key).client_context(**settings)
    client.sslsocket_class = CLASSES[kind]
    server = identity(key).server_context(**settings)
    if both:
        server.sslsocket_class = CLASSES[kind]
    near, far = transport(tcp)
    made: list[Any] = []
    thread = threading.Thread(
        target=lambda: made.append(server.wrap_socket(far, server_side=True)), daemon=True
    )
    near.settimeout(PATIENCE)
    far.settimeout(PATIENCE)
    thread.start()
    with client.wrap_socket(near, server_hostname=HOST) as one:
        thread.join(PATIENCE)
        with made[0] as other:
            yield one, other


def limits(number: str) -> dict[str, Any]:
    return dict(version(number))


def transport(tcp: bool) -> tuple[socket.socket, socket.socket]:
    if not tcp:
        return socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        return near, listener.accept()[0]


def same(scenario: Callable[[str], Trace]) -> Trace:
    """Run a scenario on both classes; what it returns has to be equal."""
    standard, engine = scenario("standard"), scenario("engine")
    assert engine == standard
    return engine


def test_the_engine_carries_tls_here() -> None:
    assert oxisock.tls_status() == f"active: {ssl.OPENSSL_VERSION}"


def test_a_session_is_on_the_engine_and_looks_like_ever() -> None:
    with session("engine") as (client, _):
        assert isinstance(client, ssl.SSLSocket)
        assert isinstance(client, oxisock.socket)
        assert issubclass(oxisock.SSLSocket, oxisock.socket)
        assert type(client._sslobj) is _socket.TLSSession
        assert client.version() == "TLSv1.3"
        assert client.cipher() == client._sslobj.cipher()
        assert client.getpeercert()["subject"]
        assert client.context.sslsocket_class is oxisock.SSLSocket
        assert client.session == client._sslobj.session
        assert client.server_hostname == HOST


def test_the_rest_of_the_object_is_that_of_ssl() -> None:
    def scenario(kind: str) -> Trace:
        with session(kind) as (client, _):
            inner = client._sslobj
            other = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            trace: Trace = [outcome(setattr, inner, "context", other), inner.context is other]
            trace += [inner.server_side, inner.owner is client, inner.session_reused]
            trace += [inner.getpeercert(True) == client.getpeercert(True)]
            for name, value in (("context", 1), ("server_side", True), ("nosuch", 1)):
                try:
                    setattr(inner, name, value)
                except Exception as error:
                    trace.append(type(error))
            public = {name for name in dir(inner) if not name.startswith("_")}
            return [*trace, sorted(public - {"close_descriptor", "forget_descriptor", "stats"})]

    assert len(same(scenario)) > 5


@pytest.mark.differs("`_ssl` crashes")
def test_attributes_of_the_object_cannot_be_deleted() -> None:
    with session("engine") as (client, _):
        for name in ("owner", "context", "session"):
            with pytest.raises(AttributeError, match=f"'{name}' of a TLS session cannot be"):
                delattr(client._sslobj, name)


@pytest.mark.parametrize("method", ["send", "sendall"])
def test_what_a_program_puts_in_the_place_of_a_method_is_called(
    monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    def scenario(kind: str) -> Trace:
        trace: Trace = []
        genuine: Any = getattr(ssl.SSLSocket, method)

        def logged(self: Any, data: Any, flags: int = 0) -> Any:
            trace.append(bytes(data))
            return genuine(self, data, flags)

        with monkeypatch.context() as patch, session(kind) as (client, server):
            patch.setattr(ssl.SSLSocket, method, logged)
            client.sendall(b"whole")
            return [*trace, server.recv(10)]

    assert same(scenario)[-1] == b"whole"


@pytest.mark.parametrize("number", ["1.2", "1.3"])
@pytest.mark.parametrize("key", ["ec", "rsa"])
def test_moves_data(number: str, key: str) -> None:
    def scenario(kind: str) -> Trace:
        with session(kind, key=key, **limits(number)) as (client, server):
            trace: Trace = [client.version(), client.send(b"request")]
            trace.append(server.recv(100))
            server.sendall(b"reply and more")
            trace += [client.recv(5), client.pending(), client.recv(100)]
            server.sendall(b"x" * 100)
            buffer = bytearray(40)
            trace += [client.recv_into(buffer), bytes(buffer), client.recv_into(buffer, 10)]
            trace += [client.read(7, buffer), client.read(100), client.pending()]
            trace += [client.write(b"w"), server.recv(10), client.send(b""), client.recv(0)]
            return trace

    same(scenario)


@pytest.mark.parametrize("number", ["1.2", "1.3"])
def test_bad_arguments(number: str) -> None:
    def attempt(call: Callable[..., Any], *args: Any) -> Any:
        try:
            return call(*args)
        except Exception as error:
            return type(error), str(error)

    def scenario(kind: str) -> Trace:
        with session(kind, **limits(number)) as (client, server):
            inner = client._sslobj
            server.sendall(b"abc")
            return [
                attempt(inner.read),
                attempt(inner.read, -1),
                attempt(inner.read, "3"),
                attempt(inner.read, 3.0),
                attempt(inner.read, 1, b"x"),
                attempt(inner.read, 1, "x"),
                attempt(inner.read, 1, 2, 3),
                attempt(inner.write),
                attempt(inner.write, "text"),
                attempt(inner.write, None),
                attempt(inner.write, b"a", b"b"),
                attempt(inner.read, 2**70),
                attempt(inner.read, 0),
                attempt(inner.read, 0, bytearray(0)),
                attempt(inner.read, 99, memoryview(bytearray(2))),
                attempt(inner.read, 1),
                attempt(lambda: inner.nosuch),
                attempt(client.recv, 1, socket.MSG_PEEK),
            ]

    def words(trace: Trace) -> Trace:
        return [
            (
                item[0],
                item[1]
                .replace("'TLSSession'", "'_SSLSocket'")
                .replace("TLSSession.", "_SSLSocket.")
                .replace("oxisock._socket.TLSSession", "_ssl._SSLSocket"),
            )
            if isinstance(item, tuple)
            else item
            for item in trace
        ]

    assert words(scenario("engine")) == words(scenario("standard"))


def test_timeouts_and_non_blocking_mode_say_the_same() -> None:
    def scenario(kind: str) -> Trace:
        with session(kind) as (client, server):
            trace: Trace = []
            client.settimeout(0.05)
            trace.append(outcome(client.recv, 1))
            client.settimeout(0)
            # The second is made by the engine, from what the first one said.
            trace += [outcome(client.recv, 1) for _ in range(3)]
            server.sendall(b"late")
            select.select([client], [], [], PATIENCE)
            trace.append(outcome(client.recv, 10))
            while not isinstance(found := outcome(client.send, bytes(1 << 16)), tuple):
                pass
            trace.append(found)
            client.settimeout(0.05)
            trace.append(outcome(client.send, bytes(1 << 16)))
            return trace

    trace = same(scenario)
    assert [item[0] for item in trace if isinstance(item, tuple)] == [
        TimeoutError,
        *[ssl.SSLWantReadError] * 3,
        ssl.SSLWantWriteError,
        TimeoutError,
    ]


@pytest.mark.parametrize("suppress", [True, False])
def test_a_peer_that_goes_without_a_word(suppress: bool) -> None:
    def scenario(kind: str) -> Trace:
        client = authority().client_context()
        client.sslsocket_class = CLASSES[kind]
        near, far = socket.socketpair()
        made: list[Any] = []
        context = identity().server_context()
        thread = threading.Thread(
            target=lambda: made.append(context.wrap_socket(far, server_side=True))
        )
        thread.start()
        with client.wrap_socket(near, server_hostname=HOST, suppress_ragged_eofs=suppress) as one:
            thread.join(PATIENCE)
            made[0].sendall(b"last")
            os.close(made[0].detach())
            # A UNIX socket that still has tickets to read would say ECONNRESET.
            trace = [outcome(one.recv, 10)]
            trace += [outcome(one.recv, 10) for _ in range(3)]
            trace += [outcome(one.send, b"x") for _ in range(2)]
            return trace

    same(scenario)


def test_a_reset() -> None:
    def scenario(kind: str) -> Trace:
        with session(kind, tcp=True) as (client, server):
            server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(server.detach())
            # Readable it is before, for the tickets.
            poll = select.poll()
            poll.register(client, 0)
            poll.poll(PATIENCE * 1000)
            return [outcome(client.recv, 10), outcome(client.recv, 10), outcome(client.send, b"x")]

    # 3.11 takes it for the end of the stream, and later versions for an error.
    assert len(same(scenario)) == 3


def test_a_peer_that_says_good_bye() -> None:
    def scenario(kind: str) -> Trace:
        with session(kind) as (client, server):
            thread = threading.Thread(target=server.unwrap)
            thread.start()
            trace: Trace = [outcome(client.recv, 10), outcome(client.recv, 10)]
            plain = client.unwrap()
            thread.join(PATIENCE)
            trace += [plain is client, client.send(b"plain"), server.recv(10)]
            server.sendall(b"text")
            return [*trace, client.recv(10)]

    assert same(scenario) == [b"", b"", True, 5, b"plain", b"text"]


class Meddler:
    """Stands between the two ends of a session and changes one record."""

    def __init__(self, change: Callable[[bytes], bytes]) -> None:
        self._change = change
        self.near, inner = socket.socketpair()
        outer, self.far = socket.socketpair()
        self._ends = inner, outer
        self.armed = threading.Event()
        self._threads = [
            threading.Thread(target=self._move, args=pair, daemon=True)
            for pair in ((inner, outer), (outer, inner))
        ]
        for thread in self._threads:
            thread.start()

    def _move(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if self.armed.is_set() and source is self._ends[1]:
                    self.armed.clear()
                    data = self._change(data)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
        for end in self._ends:
            end.close()


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: b"HTTP/1.1 400 Bad Request\r\n\r\n",
        lambda data: data[: len(data) // 2],
        lambda data: bytes([21]) + data[1:],
        lambda data: data + data,
        lambda data: b"\x15\x03\x03\x00\x02\x02\x14",
        lambda data: data[:3] + b"\xff\xff" + data[5:],
    ],
    ids=["flipped", "plain", "cut", "alert", "repeated", "fatal alert", "long"],
)
@pytest.mark.parametrize("number", ["1.2", "1.3"])
def test_a_damaged_record(change: Callable[[bytes], bytes], number: str) -> None:
    def scenario(kind: str) -> Trace:
        meddler = Meddler(change)
        client = authority().client_context(**limits(number))
        client.sslsocket_class = CLASSES[kind]
        context = identity().server_context(**limits(number))
        made: list[Any] = []
        thread = threading.Thread(
            target=lambda: made.append(context.wrap_socket(meddler.far, server_side=True))
        )
        thread.start()
        with client.wrap_socket(meddler.near, server_hostname=HOST) as one:
            thread.join(PATIENCE)
            one.settimeout(0.2)
            made[0].sendall(b"first")
            trace: Trace = [outcome(one.recv, 100)]
            meddler.armed.set()
            made[0].sendall(b"second")
            trace += [outcome(one.recv, 100) for _ in range(3)]
            trace += [outcome(one.send, b"x"), outcome(one.pending)]
            with made[0]:
                pass
        meddler.close()
        return trace

    same(scenario)


def test_ready_data_keep_the_lock() -> None:
    with session("engine") as (client, server):
        server.sendall(b"x" * 1000)
        select.select([client], [], [], PATIENCE)
        client.recv(1)
        before = _socket.counters()
        for _ in range(100):
            client.recv(5)
        for _ in range(10):
            client.send(b"y")
        after = _socket.counters()
        assert after["released"] == before["released"]
        assert after["kept"] - before["kept"] == 110


@pytest.mark.parametrize("timeout", [None, PATIENCE])
def test_both_directions_at_once(timeout: float | None) -> None:
    size = 4 << 20
    data = random.Random(13).randbytes(size)
    # `ssl`'s own class cannot send and receive at once everywhere.
    with session("engine", both=True, tcp=True) as (client, server):
        client.settimeout(timeout)
        digests: dict[str, str] = {}

        def receive(name: str, end: Any) -> None:
            digest, left = hashlib.sha256(), size
            while left:
                part = end.recv(min(left, 50_000))
                assert part
                digest.update(part)
                left -= len(part)
            digests[name] = digest.hexdigest()

        threads = [
            threading.Thread(target=receive, args=("client", client)),
            threading.Thread(target=receive, args=("server", server)),
            threading.Thread(target=client.sendall, args=(data,)),
            threading.Thread(target=server.sendall, args=(data,)),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
        assert digests == dict.fromkeys(("client", "server"), hashlib.sha256(data).hexdigest())


def test_several_readers_and_writers_of_one_session() -> None:
    with session("engine") as (client, server):
        got: list[bytes] = []
        readers = [threading.Thread(target=lambda: got.append(client.recv(1))) for _ in range(4)]
        for reader in readers:
            reader.start()
        for byte in b"abcd":
            server.sendall(bytes([byte]))
        for reader in readers:
            reader.join(PATIENCE)
            assert not reader.is_alive()
        assert sorted(got) == [b"a", b"b", b"c", b"d"]
        writers = [threading.Thread(target=client.sendall, args=(b"w" * 3000,)) for _ in range(4)]
        for writer in writers:
            writer.start()
        count = 0
        while count < 12_000:
            count += len(server.recv(1 << 14))
        for writer in writers:
            writer.join(PATIENCE)
        assert count == 12_000


@pytest.mark.differs("the standard library waits on, on a number that may be somebody else's")
@pytest.mark.parametrize("timeout", [None, PATIENCE])
def test_close_wakes(timeout: float | None) -> None:
    with session("engine") as (client, _):
        client.settimeout(timeout)
        found: list[Any] = []
        released = _socket.counters()["released"]
        thread = threading.Thread(target=lambda: found.append(outcome(client.recv, 1)))
        thread.start()
        limit = time.monotonic() + PATIENCE
        while _socket.counters()["released"] == released:
            assert time.monotonic() < limit, "it does not wait by way of the engine"
            time.sleep(0.001)
        client.close()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        assert found[0][1][0] == 9
        assert client.fileno() == -1


def test_detach_gives_the_descriptor() -> None:
    with session("engine") as (client, server):
        number = client.detach()
        assert client.fileno() == -1
        os.fstat(number)
        os.close(number)
        with pytest.raises(OSError, match="Bad file descriptor"):
            client._sslobj.read(1)
        server.settimeout(1)


def test_a_session_that_is_let_go_closes_its_descriptor_once() -> None:
    near, far = socket.socketpair()
    context = authority().client_context()
    context.sslsocket_class = oxisock.SSLSocket
    made: list[Any] = []
    server = identity().server_context()
    thread = threading.Thread(target=lambda: made.append(server.wrap_socket(far, server_side=True)))
    thread.start()
    client = context.wrap_socket(near, server_hostname=HOST)
    thread.join(PATIENCE)
    number = client.fileno()
    with pytest.warns(ResourceWarning, match="unclosed"):
        del client
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)
    made[0].close()


def test_a_file_goes_on_after_a_timeout() -> None:
    with session("engine") as (client, server):
        client.settimeout(0.05)
        with client.makefile("rb") as file:
            assert isinstance(file.raw, oxisock.SocketIO)
            server.sendall(b"half a li")
            with pytest.raises(TimeoutError):
                file.readline()
            server.sendall(b"ne\nnext")
            assert file.readline() == b"half a line\n"
            assert file.read(4) == b"next"


def test_signal_handlers_run_while_it_waits() -> None:
    with session("engine") as (client, server):
        client.settimeout(None)
        seen: list[int] = []

        def handler(number: int, _: object) -> None:
            seen.append(number)
            server.sendall(b"after")

        before = signal.signal(signal.SIGALRM, handler)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            assert client.recv(10) == b"after"
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert seen == [signal.SIGALRM]


def test_a_handler_that_raises_loses_nothing() -> None:
    class Stop(Exception):  # noqa: N818 - not an error
        pass

    def handler(*_: object) -> None:
        raise Stop

    with session("engine") as (client, server):
        client.settimeout(None)
        before = signal.signal(signal.SIGALRM, handler)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            with pytest.raises(Stop):
                client.recv(10)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        server.sendall(b"whole")
        assert client.recv(10) == b"whole"


def test_handshake_later() -> None:
    def scenario(kind: str) -> Trace:
        client = authority().client_context()
        client.sslsocket_class = CLASSES[kind]
        near, far = socket.socketpair()
        made: list[Any] = []
        context = identity().server_context()
        thread = threading.Thread(
            target=lambda: made.append(context.wrap_socket(far, server_side=True))
        )
        with client.wrap_socket(near, server_hostname=HOST, do_handshake_on_connect=False) as one:
            one.settimeout(0)
            trace: Trace = [outcome(one.do_handshake), one.version()]
            one.settimeout(PATIENCE)
            thread.start()
            # A read makes the handshake, too.
            one.settimeout(PATIENCE)
            trace.append(outcome(one.do_handshake))
            thread.join(PATIENCE)
            with made[0]:
                made[0].sendall(b"data")
                trace += [one.recv(10), one.version()]
        return trace

    same(scenario)


def test_connect_later_and_accept() -> None:
    client, server = authority().client_context(), identity().server_context()
    for context in (client, server):
        context.sslsocket_class = oxisock.SSLSocket
    with server.wrap_socket(socket.create_server(("127.0.0.1", 0)), server_side=True) as listener:
        made: list[Any] = []
        thread = threading.Thread(target=lambda: made.append(listener.accept()[0]))
        thread.start()
        with client.wrap_socket(socket.socket(), server_hostname=HOST) as one:
            one.connect(listener.getsockname())
            thread.join(PATIENCE)
            with made[0] as other:
                for end in (one, other):
                    assert type(end) is oxisock.SSLSocket
                    assert type(end._sslobj) is _socket.TLSSession
                one.sendall(b"there")
                assert other.recv(10) == b"there"
                other.sendall(b"back")
                assert one.recv(10) == b"back"


def test_on_memory() -> None:
    def scenario(kind: str) -> Trace:
        client, server = authority().client_context(), identity().server_context()
        if kind == "engine":
            client.sslobject_class = server.sslobject_class = oxisock.TLSObject
        a, b = ssl.MemoryBIO(), ssl.MemoryBIO()
        one = client.wrap_bio(a, b, server_hostname=HOST)
        other = server.wrap_bio(b, a, server_side=True)
        trace: Trace = [outcome(one.read, 10)]
        shake_hands(one, other)
        trace += [one.version(), outcome(one.read, 1), outcome(one.read, 1)]
        trace += [
            one.write(b"x" * 40_000),
            other.read(100_000) == b"x" * (1 << 14),
            other.pending(),
        ]
        buffer = bytearray(10)
        trace += [one.write(b"abc"), other.read(100_000) is not None]
        other.write(b"reply")
        trace += [one.read(10, buffer), bytes(buffer), outcome(one.read, 1, buffer)]
        trace.append(outcome(other.unwrap))
        trace += [outcome(one.read, 10), outcome(one.unwrap), outcome(other.unwrap)]
        b.write_eof()
        trace += [outcome(other.read, 1), outcome(one.write, b"x")]
        return trace

    same(scenario)


def test_random_schedules() -> None:
    """The same reads, writes and timeouts in the same order, on either class."""
    for seed in range(6):

        def scenario(kind: str, seed: int = seed) -> Trace:
            chance = random.Random(seed)
            trace: Trace = []
            unread = 0
            with session(kind, **limits(chance.choice(["1.2", "1.3"]))) as (client, server):
                for _ in range(120):
                    match chance.randrange(7):
                        case 0:
                            # What does not fit waits for a reader, and there is none.
                            size = min(chance.choice([1, 100, 5000, 16_384]), 20_000 - unread)
                            data = bytes([chance.randrange(256)]) * size
                            if data:
                                trace.append(server.send(data))
                                unread += trace[-1]
                        case 1 | 2:
                            client.settimeout(chance.choice([0, 0.002]))
                            found = outcome(client.recv, chance.choice([1, 50, 16_384, 70_000]))
                            trace.append(found)
                            unread -= len(found) if isinstance(found, bytes) else 0
                        case 3:
                            client.settimeout(PATIENCE)
                            trace.append(client.send(bytes(chance.choice([1, 1000]))))
                        case 4:
                            server.settimeout(0.002)
                            trace.append(outcome(server.recv, 30_000))
                            server.settimeout(PATIENCE)
                        case 5:
                            client.settimeout(0)
                            trace.append(outcome(client.recv_into, bytearray(700)))
                            unread -= trace[-1] if isinstance(trace[-1], int) else 0
                        case 6:
                            trace.append(client.pending())
            return trace

        same(scenario)


def run(program: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_installed_for_every_context() -> None:
    program = """
        import oxisock, ssl
        oxisock.install()
        context = ssl.create_default_context()
        print(context.sslsocket_class is oxisock.SSLSocket)
        print(context.sslobject_class is oxisock.TLSObject)
        oxisock.uninstall()
        print(ssl.SSLContext.sslsocket_class is ssl.SSLSocket)
        print(context.sslobject_class is ssl.SSLObject)
    """
    assert run(program) == "True\n" * 4


def test_switched_off() -> None:
    program = """
        import oxisock, ssl
        print(oxisock.tls_status())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.sslobject_class = oxisock.TLSObject
        print(type(context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO())._sslobj).__name__)
    """
    assert run(program, OXISOCK_TLS="0") == "off: switched off by OXISOCK_TLS=0\n_SSLSocket\n"


def test_kernel_tls_and_hooks_keep_the_interpreters_own() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.sslobject_class = oxisock.TLSObject
    context._msg_callback = lambda *_: None  # type: ignore[attr-defined]
    made: Any = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO())
    assert type(made._sslobj) is not _socket.TLSSession
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.sslobject_class = oxisock.TLSObject
    context.options |= 1 << 3  # ssl.OP_ENABLE_KTLS, which 3.11 has no name for
    made = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO())
    assert type(made._sslobj) is not _socket.TLSSession


@pytest.mark.parametrize("timeout", [None, PATIENCE])
def test_a_deadline_bounds_reads(timeout: float | None) -> None:
    with session("engine") as (client, server):
        client.settimeout(timeout)
        began = time.monotonic()
        with pytest.raises(TimeoutError, match="timed out"), oxisock.deadline(0.1):
            client.recv(10)
        assert 0.1 <= time.monotonic() - began < PATIENCE / 2
        assert client.gettimeout() == timeout
        server.sendall(b"later")
        assert client.recv(10) == b"later"


@pytest.mark.parametrize("timeout", [None, PATIENCE])
@pytest.mark.parametrize("step", ["handshake", "unwrap"])
def test_a_deadline_bounds_what_waits_in_openssl(timeout: float | None, step: str) -> None:
    began = time.monotonic()
    if step == "handshake":
        near, far = socket.socketpair()
        near.settimeout(timeout)
        context = authority().client_context()
        context.sslsocket_class = oxisock.SSLSocket
        with (
            far,
            near,
            pytest.raises(TimeoutError, match="handshake operation timed out"),
            oxisock.deadline(0.1),
        ):
            context.wrap_socket(near, server_hostname=HOST)
    else:
        with session("engine") as (client, _):
            client.settimeout(timeout)
            with pytest.raises(TimeoutError, match="timed out"), oxisock.deadline(0.1):
                client.unwrap()
            assert client.gettimeout() == timeout
    assert 0.1 <= time.monotonic() - began < PATIENCE / 2


def test_key_log(tmp_path: Any) -> None:
    log = tmp_path / "keys"
    with session("engine", keylog_filename=str(log)) as (client, server):
        client.sendall(b"x")
        assert server.recv(1) == b"x"
    assert b"CLIENT_TRAFFIC_SECRET_0" in log.read_bytes()
