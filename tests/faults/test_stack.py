"""Where the stack is small, and where it comes to its end."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import oxisock
import oxisock.select
from tests.helpers.process import run_python

# The standard library's own calls do with 40 KiB on CPython 3.13.
SMALL = 1 << 18 if hasattr(sys, "gettotalrefcount") else 1 << 16


def test_operations_do_with_a_small_stack() -> None:
    """What programs with thousands of threads give each of them."""
    done = run_python(
        """
        import sys, threading
        from tests.faults.scenarios import SCENARIOS, Scenario

        def operate():
            try:
                scenario.operation(scenario.state, kept.append)
            except OSError:
                pass
            finally:
                names.append(name)

        threading.stack_size(int(sys.argv[1]))
        names = []
        for name in SCENARIOS:
            kept = []
            with Scenario(name) as scenario:
                thread = threading.Thread(target=operate)
                thread.start()
                thread.join()
            for thing in kept:
                thing.close()
        assert names == list(SCENARIOS)
        print(len(names))
        """,
        str(SMALL),
    )
    assert int(done.stdout) > 20


class Again:
    """Makes the call again, for as long as there is a stack."""

    def __init__(self, call: Callable[[Any], Any]) -> None:
        self.call = call

    def __index__(self) -> Any:
        return self.call(self)

    __float__ = __fspath__ = __index__

    def __iter__(self) -> Any:
        self.call(self)
        return iter(())

    def fileno(self) -> Any:
        return self.call(self)


DEEP: dict[str, Callable[[Any], Callable[[Any], Any]]] = {
    "recv": lambda sock: sock.recv,
    "recv_into": lambda sock: lambda again: sock.recv_into(bytearray(9), again),
    "recvmsg": lambda sock: lambda again: sock.recvmsg(9, again),
    "recvmsg_into": lambda sock: sock.recvmsg_into,
    "sendmsg": lambda sock: sock.sendmsg,
    "sendmsg_all": lambda sock: sock.sendmsg_all,
    "setsockopt": lambda sock: lambda again: sock.setsockopt(1, 1, again),
    "settimeout": lambda sock: sock.settimeout,
    "bind": lambda sock: lambda again: oxisock.socket().bind(("127.0.0.1", again)),
    "file": lambda sock: lambda again: sock.makefile("rb").read(again),
    "raw file": lambda sock: lambda again: sock.makefile("rb", 0).readline(again),
    "fileno": lambda sock: lambda again: oxisock.socket(fileno=again),
    "select": lambda sock: lambda again: oxisock.select.select([again], [], [], 0),
    "deadline": lambda sock: oxisock.deadline,
    "getaddrinfo": lambda sock: lambda again: oxisock.getaddrinfo("127.0.0.1", 1, again),
}


@pytest.fixture
def shallow() -> Iterator[None]:
    """Not as deep as usual: a frame of what is compiled for debugging takes eight times as much."""
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(400)
    yield
    sys.setrecursionlimit(usual)


@pytest.mark.parametrize("name", DEEP)
@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_a_call_inside_of_its_own_arguments(name: str, shallow: None) -> None:
    one, other = oxisock.socketpair()
    with one, other:
        call = DEEP[name](one)
        with pytest.raises(RecursionError):
            call(Again(call))
        other.send(b"after")
        assert one.recv(9) == b"after"
