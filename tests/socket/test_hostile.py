"""Arguments that fight back, and arguments at random."""

import os
import random
import socket as std
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import oxisock
from tests.helpers.oracle import Float, Index, Integer, Scene, Text, outcome
from tests.helpers.process import descriptors, new_descriptors, run_python, wait_until

# -- code that runs in the middle of a call --------------------------------------------------------


class Doing:
    """An integer, number, truth or length whose evaluation does something first."""

    def __init__(self, action: Callable[[], Any], value: int = 1) -> None:
        self.action, self.value = action, value

    def __index__(self) -> int:
        self.action()
        return self.value

    def __float__(self) -> float:
        self.action()
        return float(self.value)

    def __bool__(self) -> bool:
        self.action()
        return bool(self.value)

    def __len__(self) -> int:
        self.action()
        return self.value


CLOSING: dict[str, Callable[[Any, Doing], Any]] = {
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

    answer = outcome(lambda: CLOSING[name](sock, Doing(close)))
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

        getattr(a, name)(buffer, Doing(shrink, 10))
        assert bytes(buffer[:10]) == b"0123456789"


def test_an_argument_receives_on_the_same_socket() -> None:
    a, b = oxisock.socketpair()
    with a, b:
        b.sendall(b"onetwo")
        assert a.recv(Doing(lambda: a.recv(3), 3)) == b"two"  # type: ignore[arg-type]
        a.send(Doing.__doc__.encode(), Doing(lambda: a.send(b"first "), 0))  # type: ignore[union-attr,arg-type]
        assert b.recv(6) == b"first "


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


# -- arguments at random ---------------------------------------------------------------------------

NUMBERS = [0, 1, 2, 3, 4, 7, 16, 100, -1, -2, 255, 65535, 65536, 2**31 - 1, 2**31, -2**31, 2**32,
           2**63 - 1, 2**63, -2**63, 2**64, 2**200]  # fmt: skip
FIXED: list[Any] = [
    None, True, False, 0.0, 1.5, -1.5, float("nan"), float("inf"), 1e300, 1j, "", "x", "127.0.0.1",
    "localhost", "::1", "\0", "a\0b", "\udcff", "\u00e9", "rb", "tcp", "http", b"", b"x", b"\0",
    b"1234",
    b"x" * 16, b"x" * 200, "x" * 200, (), (1,), ("127.0.0.1", 9), ("127.0.0.1", 0), ("::1", 9),
    ("::1", 9, 0, 0), ("", 0), ("127.0.0.1", -1), ("127.0.0.1", "x"), (None, None), (1, 2, 3, 4, 5),
    [], ["127.0.0.1", 9], {}, set(), object, Ellipsis, Index(1), Index(-1), Index(None),
    Index(ZeroDivisionError()), Float(0.5), Float(ZeroDivisionError()), Integer(3), Text("tcp"),
    memoryview(b"view"), memoryview(b"0123")[::2], range(3), NotImplemented,
]  # fmt: skip

METHODS = {
    "bind": 1, "listen": 1, "accept": 0, "connect": 1, "connect_ex": 1, "shutdown": 1, "recv": 2,
    "recv_into": 3, "recvfrom": 2, "recvfrom_into": 3, "send": 2, "sendall": 2, "sendto": 3,
    "getsockname": 0, "getpeername": 0, "getsockopt": 3, "setsockopt": 4, "settimeout": 1,
    "setblocking": 1, "gettimeout": 0, "getblocking": 0, "get_inheritable": 0, "set_inheritable": 1,
    "makefile": 2, "sendfile": 3, "__enter__": 0, "__exit__": 3, "__repr__": 0, "close": 0,
    "__init__": 4,
}  # fmt: skip
FUNCTIONS = {
    "socket": 3, "socketpair": 3, "fromfd": 4, "getaddrinfo": 6, "getnameinfo": 2,
    "gethostbyname": 1, "gethostbyname_ex": 1, "gethostbyaddr": 1, "getservbyname": 2,
    "getservbyport": 2, "getprotobyname": 1, "htons": 1, "htonl": 1, "ntohs": 1, "ntohl": 1,
    "inet_aton": 1, "inet_ntoa": 1, "inet_pton": 2, "inet_ntop": 2, "setdefaulttimeout": 1,
    "getdefaulttimeout": 0, "getfqdn": 1, "create_server": 1, "create_connection": 2,
    "has_dualstack_ipv6": 0, "if_nametoindex": 1, "if_indextoname": 1, "CMSG_LEN": 1,
    "CMSG_SPACE": 1,
}  # fmt: skip
SUBJECTS = ["tcp", "udp", "udp6", "unix", "a", "x", "closed", "blank", "server"]
# Where the two are not expected to agree: descriptor numbers that the standard library cuts to 32
# bits, sizes it allocates before it looks for data, and attributes its unborn sockets lack.
HUGE = [number for number in NUMBERS if abs(number) >= 2**31 - 1]


UNBORN = {"close", "makefile", "__enter__", "__exit__", "sendfile", "accept", "getsockname",
          "getpeername", "recvfrom", "recvfrom_into"}  # fmt: skip


def choose_arguments(choose: random.Random, limit: int) -> list[Any]:
    pool = [*NUMBERS, *FIXED]
    count = max(0, limit + choose.choice([0, 0, 0, 0, -1, -1, 1]))
    return [
        bytearray(choose.choice([0, 1, 8])) if choose.random() < 0.1 else choose.choice(pool)
        for _ in range(count)
    ]


def fresh(arguments: list[Any]) -> list[Any]:
    return [bytearray(item) if isinstance(item, bytearray) else item for item in arguments]


REFUSALS = (
    TypeError,
    OverflowError,
    ValueError,
    BufferError,
    ZeroDivisionError,
)  # what arguments are refused with


def kind(answer: tuple[Any, ...], arguments: list[Any]) -> tuple[Any, ...]:
    """What must agree: the class and errno of an exception, or the type of a result.

    Which of several wrong arguments is found first may differ, and with it the class.
    """
    if answer[0] == "returns":
        return ("returns", answer[1][0])
    if (
        len(arguments) > 1
        and issubclass(answer[1], REFUSALS)
        and not issubclass(answer[1], OSError)
    ):
        return ("raises", "refusal")
    return answer[:3]


def blocks(name: str, subject: str, arguments: list[Any]) -> bool:
    """Calls left out: they wait on purpose, or ask name servers for nonsense."""
    names = (
        "gethost",
        "getaddrinfo",
        "getnameinfo",
        "getfqdn",
        "create_",
        "connect",
        "bind",
        "sendto",
    )
    odd = {"x", "tcp", "http", "rb", "\u00e9", "x" * 200, "\udcff"}
    flat = [part for item in arguments for part in (item if isinstance(item, tuple) else [item])]
    return name.startswith(names) and any(
        (isinstance(part, str) and part in odd) or isinstance(part, bytes) for part in flat
    )


@pytest.mark.parametrize("name", METHODS)
def test_random_method_arguments(
    name: str, short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose = random.Random(name)
    for turn in range(150):
        subject = choose.choice(SUBJECTS)
        arguments = choose_arguments(choose, METHODS[name])
        if blocks(name, subject, arguments) or excused(name, subject, arguments):
            continue
        answers = []
        before = descriptors()
        for module, place in ((std, "s"), (oxisock, "o")):
            folder = short_path / f"{place}{turn}"
            folder.mkdir()
            monkeypatch.chdir(folder)  # any text is a path for a UNIX socket
            scene = Scene(module, folder)
            try:
                sock = scene[subject]
                if subject not in ("closed", "blank"):
                    sock.setblocking(False)
                given = fresh(arguments)
                answers.append(outcome(lambda s=sock, g=given: getattr(s, name)(*g)))  # type: ignore[misc]
            finally:
                scene.strike()
            if place == "o":
                assert not new_descriptors(before), (subject, name, arguments)
        expected, answer = (kind(answer, arguments) for answer in answers)
        assert answer == expected, (subject, name, arguments)


def excused(name: str, subject: str, arguments: list[Any]) -> bool:
    if name == "__init__" and (len(arguments) > 3 or subject != "blank"):
        return True  # a second life for an open socket: its descriptor is nobody's
    if subject == "blank" and name in UNBORN:
        return True
    if name == "setblocking" and sys.version_info < (3, 12):
        return True  # 3.11 takes integers only
    if name == "makefile" and any(not isinstance(item, str) for item in arguments[:1]):
        return True  # the standard library takes any collection of letters
    return name.startswith("recv") and any(
        isinstance(item, int) and item in HUGE for item in arguments[:1]
    )


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # create_server of the standard library
def test_random_function_arguments(name: str) -> None:
    choose = random.Random(name)
    for _ in range(200):
        arguments = choose_arguments(choose, FUNCTIONS[name])
        if blocks(name, "", arguments):
            continue
        if name == "if_indextoname" and any(item in HUGE for item in arguments[:1]):
            continue  # cut to 32 bits before 3.13
        if name == "fromfd" and any(isinstance(item, int | Index) for item in arguments[:1]):
            arguments[0] = choose.choice([-1, 999_999])
        answers = []
        for module in (std, oxisock):
            before, given = descriptors(), fresh(arguments)
            try:
                answers.append(outcome(lambda m=module, g=given: getattr(m, name)(*g)))  # type: ignore[misc]
            finally:
                module.setdefaulttimeout(None)
            if module is oxisock:
                # A look-up's thread may still be on its way out.
                wait_until(lambda before=before: not new_descriptors(before))  # type: ignore[misc]
        expected, answer = (kind(answer, arguments) for answer in answers)
        assert answer == expected, (name, arguments)


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
