"""A call with arguments at random, on both modules: how it is made, and what must agree."""

import os
import select
import socket as std
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import HealthCheck, Phase, given, seed as seeded, settings, strategies as st

import oxisock
import oxisock.select
from tests.differential.calls import (
    FILE_METHODS,
    FILES,
    FUNCTIONS,
    METHODS,
    OWN_FUNCTIONS,
    OWN_METHODS,
    SELECTING,
    SUBJECTS,
    TLS_METHODS,
)
from tests.differential.known import known
from tests.differential.values import NAMES, POOLS, arguments
from tests.helpers.net import shake_hands, tls_contexts
from tests.helpers.oracle import Scene, outcome
from tests.helpers.process import CERTIFIED, descriptors, new_descriptors, wait_until

EXAMPLES = int(os.environ.get("OXISOCK_EXAMPLES", "12"))
UNRAISABLE = ["ignore::pytest.PytestUnraisableExceptionWarning"]

# What arguments are refused with. Which of several wrong ones is found first is not compared.
REFUSALS = (
    TypeError, OverflowError, ValueError, BufferError, ZeroDivisionError, MemoryError,
    AttributeError, LookupError,
)  # fmt: skip
OTHERS = (*REFUSALS, OSError, EOFError, NotImplementedError)


def tries(count: int, *, repeatable: bool) -> settings:
    """The settings of hypothesis; the same examples each time if `repeatable`."""
    return settings(
        max_examples=count,
        derandomize=repeatable,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        # What fails on demand is short already, and there is more to try.
        phases=list(Phase) if repeatable else [Phase.generate],
    )


# The same calls each time, so that a run tells of the code and not of its luck; others on demand.
hard = tries(EXAMPLES, repeatable="OXISOCK_EXAMPLES" not in os.environ)


class Call(NamedTuple):
    """A call to make: what is called, on which socket, the expression, how many arguments."""

    name: str
    subject: str
    text: str
    arguments: int
    compared: bool = True


def method(name: str, pools: tuple[str, ...], compared: bool = True) -> st.SearchStrategy[Call]:
    """Calls of a method on sockets of every kind."""
    return st.tuples(st.sampled_from(SUBJECTS), arguments(*pools)).map(
        lambda both: Call(name, both[0], f"S.{name}({', '.join(both[1])})", len(both[1]), compared)
    )


def function(name: str, pools: tuple[str, ...], compared: bool = True) -> st.SearchStrategy[Call]:
    """Calls of a function of the module."""
    return arguments(*pools).map(
        lambda given: Call(name, "udp", f"m.{name}({', '.join(given)})", len(given), compared)
    )


def unbound(name: str, pools: tuple[str, ...], compared: bool = True) -> st.SearchStrategy[Call]:
    """Calls of a method, taken from the class, on what is no socket."""
    return st.tuples(st.sampled_from(POOLS["foreign"]), arguments(*pools)).map(
        lambda both: Call(
            name, "udp", f"m.socket.{name}({', '.join([both[0], *both[1]])})", 2, compared
        )
    )


def on_file(name: str, pools: tuple[str, ...]) -> st.SearchStrategy[Call]:
    """Calls of a method on a file whose socket has received something and its end."""
    return st.tuples(st.sampled_from(FILES), arguments(*pools)).map(
        lambda both: Call(name, "a", f"file({both[0]}).{name}({', '.join(both[1])})", 2)
    )


def selecting(text: str, pools: tuple[str, ...]) -> st.SearchStrategy[Call]:
    """Calls of `select`, on the standard library's or ours."""
    return arguments(*pools).map(
        lambda given: Call(text, "a", text.replace("…", ", ".join(given)), 2)
    )


def over_tls(name: str, pools: tuple[str, ...]) -> st.SearchStrategy[Call]:
    """Calls of a method on a connected TLS socket."""
    return arguments(*pools).map(
        lambda given: Call(name, "tls", f"S.{name}({', '.join(given)})", len(given))
    )


TRIALS: dict[str, st.SearchStrategy[Call]] = {
    **{f"method {name}": method(name, pools) for name, pools in METHODS.items()},
    **{f"unbound {name}": unbound(name, pools) for name, pools in METHODS.items()},
    **{f"function {name}": function(name, pools) for name, pools in FUNCTIONS.items()},
    **{f"file {name}": on_file(name, pools) for name, pools in FILE_METHODS.items()},
    **{f"select {text}": selecting(text, pools) for text, pools in SELECTING.items()},
    **{f"tls {name}": over_tls(name, pools) for name, pools in TLS_METHODS.items() if CERTIFIED},
    # What the standard library has not: refused or done, and nothing else.
    **{f"own method {name}": method(name, pools, False) for name, pools in OWN_METHODS.items()},
    **{f"own unbound {name}": unbound(name, pools, False) for name, pools in OWN_METHODS.items()},
    **{f"own {name}": function(name, pools, False) for name, pools in OWN_FUNCTIONS.items()},
}


def shape(frozen: Any) -> Any:
    """The types of a frozen result: values hold numbers of descriptors, ports and paths."""
    kind, value = frozen[0], frozen[1] if len(frozen) > 1 else None
    if kind in ("tuple", "list") and isinstance(value, list):
        return (kind, [shape(item) for item in value])
    return kind


def kind(answer: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    """What of an outcome must agree."""
    if answer[0] == "returns":
        return ("returns", shape(answer[1]))
    refusal = issubclass(answer[1], REFUSALS) and not issubclass(answer[1], OSError)
    return ("raises", "refusal") if refusal and count > 1 else answer[:3]


def owned(result: Any, call: str) -> Any:
    """The result; a descriptor that is now the caller's is closed."""
    if call.startswith(("S.detach(", "S._accept(", "m.dup(")):
        os.close(result[0] if isinstance(result, tuple) else result)
    return result


def forked() -> None:
    """Fork; the child ends at once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the thread of a lookup
        child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)


class Odd(Scene):
    """A scene with what only hostile calls want."""

    def __init__(self, module: Any, folder: Path) -> None:
        super().__init__(module, folder)
        selecting = select if module is std else oxisock.select
        self.update(NAMES, fork=forked, lose=self.lose, file=self.file, select=selecting)

    def lose(self) -> None:
        """Take the descriptor of the socket away."""
        os.close(self["S"].detach())

    def make_shared(self) -> bytearray:
        return bytearray(8)

    def make_half(self) -> Any:
        """A socket whose class does not call the constructor that it overrides."""
        socket = self["m"].socket
        return type("Half", (socket,), {"__init__": lambda _: None})()

    def make_failed(self) -> Any:
        """A socket whose constructor has raised."""
        socket = self["m"].socket
        made = socket.__new__(socket)
        try:
            made.__init__(fileno=999_999)
        except OSError:
            pass
        return made

    def make_recast(self) -> Any:
        """A socket whose class was assigned."""
        sock = self.new("AF_INET", "SOCK_DGRAM")
        sock.__class__ = type("Other", (type(sock),), {"__slots__": ()})
        return sock

    def make_tls(self) -> Any:
        """The client of a connection that has received something."""
        server, client = map(self.keep, tls_pair(self["m"]))
        server.send(b"one\ntwo\n")
        return client

    def file(self, *arguments: Any) -> Any:
        """A file whose socket has received something and its end."""
        self["b"].sendall(b"one\ntwo\r\nthree\n" + bytes(20) + b"\xff\xfe end")
        self["b"].close()
        file = self["a"].makefile(*arguments)
        self.files.append(file)
        return file

    @property
    def files(self) -> list[Any]:
        return self.setdefault("files of this scene", [])  # type: ignore[no-any-return]

    def strike(self) -> None:
        for file in self.files:
            try:
                file.close()
            # What was not written, was detached, or was made anew over what is no socket.
            except (OSError, ValueError, AttributeError):
                pass
        super().strike()


def tls_pair(module: Any) -> list[Any]:
    """Server and client of a TLS connection, both in non-blocking mode."""
    client, server = tls_contexts(module)
    pair = [
        context.wrap_socket(sock, server_side=context is server, do_handshake_on_connect=False)
        for context, sock in zip((server, client), module.socketpair(), strict=True)
    ]
    for sock in pair:
        sock.setblocking(False)
    shake_hands(*pair)
    return pair


@contextmanager
def untouched() -> Iterator[None]:
    """Put what is set for the whole module back."""
    keepalive = oxisock.getdefaultkeepalive()
    ours = [
        (getattr(oxisock, f"set{name}"), getattr(oxisock, f"get{name}")())
        for name in ("busypoll", "connecttimeout", "connectionattemptdelay", "resolvertimeout")
    ]
    try:
        yield
    finally:
        std.setdefaulttimeout(None)
        oxisock.setdefaulttimeout(None)
        for put, value in ours:
            put(value)
        oxisock.setdefaultkeepalive(*(keepalive or (None,)))


def play(module: Any, folder: Path, subject: str, call: str) -> tuple[Any, ...]:
    """Make the call in a new scene of `module`; how it ended."""
    os.chdir(folder)  # any text is a path for a UNIX socket
    with untouched():
        scene = Odd(module, folder)
        try:
            sock = scene["S"] = scene[subject]
            if subject not in ("closed", "detached", "blank", "half", "failed"):
                sock.setblocking(False)
            return outcome(lambda: owned(eval(call, scene, scene), call))
        finally:
            scene.strike()


def compare(place: Path, call: Call) -> None:
    """Make a call on both modules; fail when they differ or when ours leaves a descriptor."""
    before = descriptors()
    expected: tuple[Any, ...] = ()
    if call.compared:
        expected = play(std, place / "s", call.subject, call.text)
        for number in new_descriptors(before):
            os.close(number)  # the standard library forgets some
        before = descriptors()
    answer = play(oxisock, place / "o", call.subject, call.text)
    # The thread of a lookup may still be on its way out.
    wait_until(lambda: not new_descriptors(before))
    if not call.compared:
        assert answer[0] == "returns" or issubclass(answer[1], OTHERS), (call, answer)
    elif not known(call.name, call.subject, call.text, call.arguments, expected, answer):
        assert kind(answer, call.arguments) == kind(expected, call.arguments), (
            call,
            answer,
            expected,
        )


def search(calls: st.SearchStrategy[Call], place: Path, how: settings, seed: int | None) -> int:
    """Try calls; how many there were. The shortest that fails is in the note of the exception."""
    made = 0

    @how
    @given(calls)
    def run(call: Call) -> None:
        nonlocal made
        made += 1
        compare(place, call)

    (run if seed is None else seeded(seed)(run))()
    return made


def make_place(path: Path) -> Path:
    """Make a directory with one of each module in it."""
    for name in ("s", "o"):
        (path / name).mkdir()
    return path
