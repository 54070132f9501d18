"""Operations whose system calls are made to fail, each with what it needs beforehand.

None makes a list: without memory for its items, free-threaded CPython 3.13 crashes.
"""

import contextlib
import os
import ssl
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Self

import oxisock as socket
import oxisock.select
import oxisock.selectors
from oxisock._socket import deadline_left

State = dict[str, Any]
Keep = Callable[[Any], Any]
Operation = Callable[[State, Keep], Any]
SCENARIOS: dict[str, Operation] = {}


class Descriptor(NamedTuple):
    """A descriptor that came; it is closed as all that is kept."""

    number: int

    def close(self) -> None:
        os.close(self.number)


def scenario(operation: Operation) -> Operation:
    SCENARIOS[operation.__name__] = operation
    return operation


IDENTITY = Path(__file__).parents[2] / "benches/python/oxisock_bench/localhost.pem"


@cache
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Of a client and a server, whose sessions go through the engine."""
    client = ssl.create_default_context(cafile=str(IDENTITY))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(IDENTITY)
    server.num_tickets = 0
    for context in (client, server):
        context.sslsocket_class = socket.SSLSocket
    return client, server


def sessions() -> tuple[Any, Any]:
    """The two ends of a TLS connection, the first of which has a line to read."""
    near, far = socket.socketpair()
    near.settimeout(0)
    far.settimeout(0)
    contexts_of = contexts()
    one: Any = contexts_of[0].wrap_socket(
        near, server_hostname="localhost", do_handshake_on_connect=False
    )
    other: Any = contexts_of[1].wrap_socket(far, server_side=True, do_handshake_on_connect=False)
    for end in (one, other) * 3:
        with contextlib.suppress(ssl.SSLWantReadError):
            end.do_handshake()
    other.sendall(b"line\n")
    one.settimeout(5)
    return one, other


class Scenario:
    """A scenario by its name; its peers are there while it is entered."""

    def __init__(self, name: str) -> None:
        self.operation = SCENARIOS[name]
        self.state: State = {}

    def __enter__(self) -> Self:
        a, b = socket.socketpair()
        x, y = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        listener = socket.create_server(("127.0.0.1", 0))
        waiting = socket.create_connection(listener.getsockname())
        file = tempfile.TemporaryFile()
        file.write(bytes(100_000))
        file.seek(0)
        for sock in (a, b, x, y, listener):
            sock.settimeout(5)
        b.sendall(b"line\n" * 20)
        y.send(b"one")
        y.send(b"two")
        quiet, silent = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        quiet.settimeout(0.01)
        udp = socket.socket(type=socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 0))
        udp.settimeout(5)
        udp.setrecvinfo(ecn=True, ttl=True, destination=True, timestamp=True)
        for data in (b"one", b"two"):
            udp.sendto(data, udp.getsockname())
        self.state = {
            "quiet": quiet, "silent": silent, "udp": udp,
            "a": a, "b": b, "x": x, "y": y, "listener": listener, "waiting": waiting, "file": file,
            "address": listener.getsockname(),
        }  # fmt: skip
        if self.operation.__name__.startswith("tls"):
            self.state["session"], self.state["other session"] = sessions()
        return self

    def is_usable(self) -> bool:
        """Whether each socket is closed or still answers, within no deadline."""
        sockets = [thing for thing in self.state.values() if isinstance(thing, socket.socket)]
        return deadline_left() is None and all(
            sock.fileno() == -1 or sock.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE)
            for sock in sockets
        )

    def __exit__(self, *_: object) -> None:
        for thing in self.state.values():
            if hasattr(thing, "close"):
                thing.close()
        self.state.clear()


@scenario
def create(state: State, keep: Keep) -> None:
    keep(socket.socket())


@scenario
def adopt(state: State, keep: Keep) -> None:
    number = os.dup(state["a"].fileno())
    try:
        keep(socket.socket(fileno=number))
    except (OSError, MemoryError):
        os.close(number)  # it is still ours
        raise


@scenario
def pair(state: State, keep: Keep) -> None:
    for sock in socket.socketpair():
        keep(sock)


@scenario
def duplicate(state: State, keep: Keep) -> None:
    keep(state["a"].dup())


@scenario
def serve(state: State, keep: Keep) -> None:
    keep(socket.create_server(("127.0.0.1", 0)))


@scenario
def connect(state: State, keep: Keep) -> None:
    keep(socket.create_connection(state["address"]))


@scenario
def connect_in_time(state: State, keep: Keep) -> None:
    keep(socket.create_connection(state["address"], timeout=5))


@scenario
def connect_to_a_name(state: State, keep: Keep) -> None:
    keep(socket.create_connection(("localhost", state["address"][1]), timeout=5))


@scenario
def accept(state: State, keep: Keep) -> None:
    keep(state["listener"].accept()[0])


@scenario
def receive(state: State, keep: Keep) -> None:
    assert state["a"].recv(5) == b"line\n"


@scenario
def receive_blocking(state: State, keep: Keep) -> None:
    state["a"].settimeout(None)
    assert state["a"].recv_into(bytearray(5)) == 5


@scenario
def receive_message(state: State, keep: Keep) -> None:
    assert state["a"].recvmsg(5, 100)[0] == b"line\n"


@scenario
def receive_descriptors(state: State, keep: Keep) -> None:
    socket.send_fds(state["y"], [b"x"], [0, 1])
    for _ in range(3):
        for number in socket.recv_fds(state["x"], 10, 2)[1]:
            keep(Descriptor(number))


@scenario
def receive_exactly(state: State, keep: Keep) -> None:
    assert state["a"].recv_exactly(100) == b"line\n" * 20


@scenario
def receive_many(state: State, keep: Keep) -> None:
    (one, _), (two, _) = state["x"].recvfrom_many(8)
    assert (one, two) == (b"one", b"two")


@scenario
def send(state: State, keep: Keep) -> None:
    assert state["a"].send(b"x" * 100) == 100


@scenario
def send_all(state: State, keep: Keep) -> None:
    state["a"].sendall(b"x" * 50_000)


@scenario
def send_message(state: State, keep: Keep) -> None:
    assert state["a"].sendmsg((b"a", b"b")) == 2


@scenario
def send_many(state: State, keep: Keep) -> None:
    assert state["x"].send_many((b"a", b"b", b"c")) == 3


@scenario
def send_file(state: State, keep: Keep) -> None:
    assert state["a"].sendfile(state["file"], 0, 50_000) == 50_000


@scenario
def read_lines(state: State, keep: Keep) -> None:
    with state["a"].makefile("rb") as file:
        assert file.readline() == b"line\n"
        assert file.read(10) == b"line\nline\n"


@scenario
def write_lines(state: State, keep: Keep) -> None:
    with state["a"].makefile("w") as file:
        file.write("line\n" * 100)


@scenario
def options(state: State, keep: Keep) -> None:
    state["a"].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 100_000)
    assert state["a"].getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    state["listener"].setkeepalive(10, 5, 3)


@scenario
def names(state: State, keep: Keep) -> None:
    assert state["waiting"].getpeername() == state["listener"].getsockname()


@scenario
def modes(state: State, keep: Keep) -> None:
    state["a"].settimeout(None)
    state["a"].settimeout(1)
    state["a"].set_inheritable(True)
    assert state["a"].get_inheritable()


@scenario
def end(state: State, keep: Keep) -> None:
    state["a"].shutdown(socket.SHUT_RDWR)


@scenario
def look_up(state: State, keep: Keep) -> None:
    assert socket.getaddrinfo("localhost", 80, timeout=5)


TOO_LONG = ".".join(["x" * 60] * 5)
"""A name that nobody asks a name server for: its protocol has no room for it."""


@scenario
def look_up_in_a_thread(state: State, keep: Keep) -> None:
    with contextlib.suppress(socket.gaierror):
        socket.getaddrinfo(TOO_LONG, 80, timeout=5)


@scenario
def look_up_a_service(state: State, keep: Keep) -> None:
    assert socket.getaddrinfo("127.0.0.1", "http", timeout=5)


@scenario
def interfaces(state: State, keep: Keep) -> None:
    assert socket.if_nameindex()
    assert socket.if_nametoindex("lo")


@scenario
def select(state: State, keep: Keep) -> None:
    with oxisock.selectors.DefaultSelector() as selector:
        selector.register(state["a"], oxisock.selectors.EVENT_READ)
        assert selector.select(5)


@scenario
def select_in_other_ways(state: State, keep: Keep) -> None:
    a = state["a"]
    reading, writing, _ = oxisock.select.select((a,), (a,), (), 5)
    assert (*reading, *writing) == (a, a)
    poll = oxisock.select.poll()
    poll.register(a, oxisock.select.POLLIN)
    assert poll.poll(5000)


@scenario
def receive_in_other_ways(state: State, keep: Keep) -> None:
    a, x = state["a"], state["x"]
    a.recv_exactly_into(bytearray(5))
    assert a.recvmsg_into((bytearray(5),))[0] == 5
    assert x.recvfrom(9)[0] == b"one"
    assert x.recvfrom_into(bytearray(9))[0] == 3


@scenario
def receive_nothing(state: State, keep: Keep) -> None:
    with contextlib.suppress(TimeoutError):
        state["quiet"].recv(1)


@scenario
def receive_until_a_deadline(state: State, keep: Keep) -> None:
    state["quiet"].settimeout(None)
    with contextlib.suppress(TimeoutError), socket.deadline(0.01):
        state["quiet"].recvfrom_many(4)


@scenario
def receive_with_metadata(state: State, keep: Keep) -> None:
    udp = state["udp"]
    one, two = udp.recvmsg_many(8)
    assert (one.data, one.destination, two.data) == (b"one", "127.0.0.1", b"two")


@scenario
def receive_into_one_buffer(state: State, keep: Keep) -> None:
    assert tuple(state["x"].recv_many_into(bytearray(100), 10)) == (3, 3)


@scenario
def receive_into_one_buffer_with_addresses(state: State, keep: Keep) -> None:
    assert tuple(state["udp"].recvfrom_many_into(bytearray(100), 10)[0]) == (3, 3)


@scenario
def receive_segments(state: State, keep: Keep) -> None:
    state["udp"].setgro(True)
    state["udp"].recv_segments(1000)


@scenario
def send_in_other_ways(state: State, keep: Keep) -> None:
    state["a"].sendmsg_all((b"a" * 1000, b"b" * 1000))
    state["udp"].sendto(b"three", state["udp"].getsockname())


@scenario
def send_with_metadata(state: State, keep: Keep) -> None:
    udp = state["udp"]
    udp.sendmsg((b"three",), udp.ancillary(ecn=1, ttl=3), 0, udp.getsockname())


@scenario
def send_many_somewhere(state: State, keep: Keep) -> None:
    udp = state["udp"]
    assert udp.sendto_many(((b"three", udp.getsockname()), (b"four", udp.getsockname()))) == 2


@scenario
def send_segments(state: State, keep: Keep) -> None:
    state["udp"].send_segments(b"x" * 100, 50, state["udp"].getsockname())


@scenario
def metadata(state: State, keep: Keep) -> None:
    state["udp"].setrecvinfo(ecn=False, ttl=True, drops=True)


@scenario
def groups(state: State, keep: Keep) -> None:
    state["udp"].join_group("239.1.2.3", "lo")
    state["udp"].leave_group("239.1.2.3", "lo")


@scenario
def accept_nothing(state: State, keep: Keep) -> None:
    state["waiting"].setblocking(False)
    state["listener"].accept()[0].close()
    state["listener"].settimeout(0.01)
    with contextlib.suppress(TimeoutError):
        state["listener"].accept()


@scenario
def machine(state: State, keep: Keep) -> None:
    assert socket.gethostname()
    assert socket.getifaddrs()


@scenario
def connection(state: State, keep: Keep) -> None:
    assert state["a"].peer_credentials().uid == os.getuid()
    assert state["waiting"].tcp_info().rtt >= 0


@scenario
def tls_receive(state: State, keep: Keep) -> None:
    # On CPython 3.11 `ssl` takes a reset for the end of the connection.
    assert state["session"].recv(9) in {b"line\n", b""}


@scenario
def tls_receive_nothing(state: State, keep: Keep) -> None:
    state["session"].recv(9)
    state["session"].settimeout(0.01)
    with contextlib.suppress(TimeoutError):
        state["session"].recv(1)


@scenario
def tls_send(state: State, keep: Keep) -> None:
    state["session"].sendall(b"x" * 50_000)


@scenario
def tls_send_file(state: State, keep: Keep) -> None:
    assert state["session"].sendfile(state["file"], 0, 16_000) == 16_000
