"""Arguments that fight back; those at random are in `differential`."""

import os
import socket as std
from collections.abc import Callable
from typing import Any

import pytest

import oxisock
from tests.helpers.oracle import Acting, outcome, same
from tests.helpers.process import run_python

# -- code that runs in the middle of a call --------------------------------------------------------


CLOSING: dict[str, Callable[[Any, Acting], Any]] = {
    "recv": lambda s, n: s.recv(n),
    "recv flags": lambda s, n: s.recv(1, n),
    "recv_into": lambda s, n: s.recv_into(bytearray(4), n),
    "recvfrom": lambda s, n: s.recvfrom(n),
    "recvfrom_into": lambda s, n: s.recvfrom_into(bytearray(4), n),
    "send": lambda s, n: s.send(b"x", n),
    "sendall": lambda s, n: s.sendall(b"x", n),
    "sendto flags": lambda s, n: s.sendto(b"x", n, ("127.0.0.1", 9)),
    "sendto port": lambda s, n: s.sendto(b"x", ("127.0.0.1", n)),
    "bind": lambda s, n: s.bind(("127.0.0.1", n)),
    "connect": lambda s, n: s.connect(("127.0.0.1", n)),
    "connect_ex": lambda s, n: s.connect_ex(("127.0.0.1", n)),
    "listen": lambda s, n: s.listen(n),
    "shutdown": lambda s, n: s.shutdown(n),
    "getsockopt": lambda s, n: s.getsockopt(1, n),
    "getsockopt length": lambda s, n: s.getsockopt(1, 3, n),
    "setsockopt": lambda s, n: s.setsockopt(1, 9, n),
    "setsockopt length": lambda s, n: s.setsockopt(1, 9, None, n),
    "settimeout": lambda s, n: s.settimeout(n),
    "setblocking": lambda s, n: s.setblocking(n),
    "set_inheritable": lambda s, n: s.set_inheritable(n),
}


@pytest.mark.parametrize("how", ["close", "detach", "reuse"])
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.differs("the standard library uses a stale number"))
        if name == "set_inheritable"
        else name
        for name in CLOSING
    ],
)
def test_an_argument_closes_the_socket(name: str, how: str) -> None:
    """The call ends as one on a closed socket, and never touches whoever has the number now."""
    sock = oxisock.socket(std.AF_INET, std.SOCK_DGRAM)
    sock.setblocking(False)
    newcomers: list[Any] = []

    def close() -> None:
        number = sock.fileno()
        if how == "detach" and number >= 0:
            os.close(sock.detach())
        sock.close()
        if how == "reuse" and not newcomers:
            newcomers.extend(std.socketpair(std.AF_UNIX, std.SOCK_DGRAM))

    answer = outcome(lambda: CLOSING[name](sock, Acting(close)))
    # What comes before the system call may be refused for its own sake; the mode is only a number.
    assert answer[:3] == ("raises", OSError, 9) or answer[1] in (TypeError, ("int", 9)), answer
    assert sock.fileno() == -1
    for newcomer in newcomers:
        assert newcomer.getsockname() == ""
        assert newcomer.getblocking()
        newcomer.close()


@pytest.mark.parametrize("name", ["recv_into", "recvfrom_into"])
def test_an_argument_shrinks_the_buffer(name: str) -> None:
    """A buffer in use is exported: it cannot be taken away."""
    a, b = oxisock.socketpair()
    with a, b:
        b.sendall(b"0123456789")
        buffer = bytearray(1000)

        def shrink() -> None:
            try:
                del buffer[10:]
            except BufferError:
                pass

        getattr(a, name)(buffer, Acting(shrink, 10))
        assert bytes(buffer[:10]) == b"0123456789"


def test_an_argument_receives_on_the_same_socket() -> None:
    a, b = oxisock.socketpair()
    with a, b:
        b.sendall(b"onetwo")
        assert a.recv(Acting(lambda: a.recv(3), 3)) == b"two"  # type: ignore[arg-type]
        a.send(Acting.__doc__.encode(), Acting(lambda: a.send(b"first "), 0))  # type: ignore[union-attr,arg-type]
        assert b.recv(6) == b"first "


@pytest.mark.parametrize("kind", [tuple, list])
def test_a_sequence_gives_other_items_than_it_has(kind: type) -> None:
    class Other(kind):  # type: ignore[misc]
        def __iter__(self) -> Any:
            return iter([b"given"])

    def scene(module: Any) -> bytes:
        a, b = module.socketpair()
        with a, b:
            a.sendmsg(Other([b"stored"]))
            return bytes(b.recv(100))

    same(scene)


def test_an_address_that_changes_its_mind() -> None:
    """Lists are no addresses; what a tuple's items do cannot harm."""

    class Port(int):
        def __index__(self) -> int:
            raise AssertionError

    with oxisock.socket(std.AF_INET, std.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", Port(0)))
        for address in (["127.0.0.1", 0], {"127.0.0.1": 0}, range(2), "ab"):
            with pytest.raises(TypeError):
                sock.connect(address)  # type: ignore[arg-type]


def test_destructors_that_use_the_socket() -> None:
    """An exception on the way drops the arguments, whose destructors run Python code."""
    a, b = oxisock.socketpair()
    with a, b:

        class Last:
            def __del__(self) -> None:
                a.send(b"x")

            def __index__(self) -> int:
                raise ZeroDivisionError

        for call in (a.recv, a.listen, a.shutdown):
            with pytest.raises(ZeroDivisionError):
                call(Last())  # type: ignore[arg-type]
        assert b.recv(10) in (b"x", b"xx", b"xxx")


def test_subclass_methods_that_raise() -> None:
    class Broken(oxisock.socket):
        def fileno(self) -> int:
            raise ZeroDivisionError

        def gettimeout(self) -> float:
            raise ZeroDivisionError

    with Broken() as sock:
        sock.bind(("127.0.0.1", 0))
        assert outcome(lambda: sock.dup()) == ("raises", ZeroDivisionError, None)
        assert outcome(lambda: repr(sock)) == ("raises", ZeroDivisionError, None)


def test_no_thread_state_is_broken_by_a_failing_call() -> None:
    """After thousands of refused calls a new interpreter still ends cleanly."""
    done = run_python(
        "import oxisock\n"
        "a, b = oxisock.socketpair()\n"
        "for call in [a.recv, a.send, a.bind, a.connect, a.listen, a.setsockopt, oxisock.htons]:\n"
        "    for value in [None, 'x', -1, 2**70, (), [], object()] * 100:\n"
        "        if call is a.listen and value == -1: continue\n"
        "        try: call(value)\n"
        "        except (OSError, TypeError, ValueError, OverflowError, MemoryError): pass\n"
        "a.send(b'alive'); print(b.recv(10).decode())\n"
        "a.close(); b.close()\n"
    )
    assert done.stdout == "alive\n"
