"""Operations whose system calls are made to fail, each with what it needs beforehand.

None makes a list: without memory for its items, free-threaded CPython 3.13 crashes.
"""

import os
import tempfile
from collections.abc import Callable
from typing import Any, Self

import oxisock as socket
import oxisock.selectors

State = dict[str, Any]
Keep = Callable[[Any], None]
Operation = Callable[[State, Keep], Any]
SCENARIOS: dict[str, Operation] = {}


def scenario(operation: Operation) -> Operation:
    SCENARIOS[operation.__name__] = operation
    return operation


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
        self.state = {
            "a": a, "b": b, "x": x, "y": y, "listener": listener, "waiting": waiting, "file": file,
            "address": listener.getsockname(),
        }  # fmt: skip
        return self

    def is_usable(self) -> bool:
        """Whether each socket is closed or still answers."""
        sockets = [thing for thing in self.state.values() if isinstance(thing, socket.socket)]
        return all(
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
            os.close(number)


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


@scenario
def interfaces(state: State, keep: Keep) -> None:
    assert socket.if_nameindex()
    assert socket.if_nametoindex("lo")


@scenario
def select(state: State, keep: Keep) -> None:
    with oxisock.selectors.DefaultSelector() as selector:
        selector.register(state["a"], oxisock.selectors.EVENT_READ)
        assert selector.select(5)
