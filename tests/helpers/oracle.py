"""The side-by-side comparison with the standard library, and its scenery."""

import enum
import io
import os
import socket as std
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import oxisock
from tests.helpers.process import PATIENCE

SOCKETS = (std.socket, oxisock.socket)


# -- outcomes --------------------------------------------------------------------------------------


def freeze(value: Any) -> Any:
    """Reduce a result to what a program sees of it; sockets and files are closed on the way."""
    if isinstance(value, SOCKETS):
        kind = (int(value.family), int(value.type), value.proto, value.gettimeout())
        value.close()
        return ("socket", *kind)
    if isinstance(value, io.IOBase):
        value.close()
        return ("file", type(value).__name__)
    if isinstance(value, enum.Enum):
        return (type(value).__name__, value.name, value.value)
    if isinstance(value, tuple | list):
        return (type(value).__name__, [freeze(item) for item in value])
    return (type(value).__name__, value)


def outcome(call: Callable[[], Any], *, message: bool = False) -> tuple[Any, ...]:
    """Run `call` and say how it ended: its result, or an exception's class, errno and arguments.

    The arguments of an OSError are always part of the outcome, those of other exceptions (worded
    differently from one Python to the next) only with `message`.
    """
    try:
        result = call()
    except OSError as error:
        # A detour through a host's name server may answer differently from call to call.
        return ("raises", type(error), error.errno, error.args)
    except Exception as error:
        return ("raises", type(error), str(error) if message else None)
    return ("returns", freeze(result))


def same(call: Callable[[Any], Any], *, message: bool = False) -> tuple[Any, ...]:
    """Make the same call on both modules, demand the same outcome and return it."""
    expected = outcome(lambda: call(std), message=message)
    assert outcome(lambda: call(oxisock), message=message) == expected
    return expected


# -- tables of calls -------------------------------------------------------------------------------


class Integer(int):
    """An int subclass."""


class Text(str):
    """A str subclass."""


class Index:
    """Counts as an integer through `__index__`, and only so."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __index__(self) -> Any:
        if isinstance(self.value, BaseException):
            raise type(self.value)  # a new one: an old one would keep frames alive
        return self.value


class Float:
    """Counts as a number through `__float__`, and only so."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __float__(self) -> Any:
        if isinstance(self.value, BaseException):
            raise type(self.value)  # a new one: an old one would keep frames alive
        return self.value


class Truth:
    """Raises when it is asked whether it is true."""

    def __bool__(self) -> bool:
        raise ZeroDivisionError


class Acting:
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


class Scene(dict[str, Any]):
    """Names for the expressions of a table, each built when it is first mentioned.

    `m` is the module; `tcp`, `tcp6`, `udp`, `udp6`, `unix`, `udgram` are new sockets; `a` and `b`
    are a stream pair, `x` and `y` a datagram pair; `server` listens at `address`, `client` is
    connected to it; `closed`, `detached` and `blank` (never opened) hold no descriptor, that of
    `gone` was closed behind its back, that of `pipe_socket` is no socket; `pipe` and `folder` are
    descriptors of something else, `nofd` one of nothing; `keep(sock)` has a socket closed at the
    end.
    """

    def __init__(self, module: Any, directory: Path) -> None:
        super().__init__(
            m=module, tmp=str(directory), os=os, keep=self.keep, Decimal=Decimal, Fraction=Fraction,
            Integer=Integer, Text=Text, Index=Index, Float=Float, Truth=Truth,
        )  # fmt: skip
        self.directory = directory
        self.descriptors: list[int] = []
        self.sockets: list[Any] = []
        self.gone: list[Any] = []

    def __missing__(self, name: str) -> Any:
        build = getattr(self, "make_" + name, None)
        if build is None:
            raise KeyError(name)
        self[name] = build()
        return self[name]

    def keep(self, sock: Any) -> Any:
        self.sockets.append(sock)
        return sock

    def new(self, family: str, kind: str = "SOCK_STREAM") -> Any:
        module = self["m"]
        return self.keep(module.socket(getattr(module, family), getattr(module, kind)))

    def make_tcp(self) -> Any:
        return self.new("AF_INET")

    def make_tcp6(self) -> Any:
        return self.new("AF_INET6")

    def make_udp(self) -> Any:
        return self.new("AF_INET", "SOCK_DGRAM")

    def make_udp6(self) -> Any:
        return self.new("AF_INET6", "SOCK_DGRAM")

    def make_unix(self) -> Any:
        return self.new("AF_UNIX")

    def make_udgram(self) -> Any:
        return self.new("AF_UNIX", "SOCK_DGRAM")

    def pair(self, first: str, second: str, kind: str) -> None:
        module = self["m"]
        for name, sock in zip(
            (first, second),
            module.socketpair(module.AF_UNIX, getattr(module, kind)),
            strict=True,
        ):
            sock.settimeout(PATIENCE)
            self[name] = self.keep(sock)

    def make_a(self) -> Any:
        self.pair("a", "b", "SOCK_STREAM")
        return self["a"]

    def make_b(self) -> Any:
        return self["a"] and self["b"]

    def make_x(self) -> Any:
        self.pair("x", "y", "SOCK_DGRAM")
        return self["x"]

    def make_y(self) -> Any:
        return self["x"] and self["y"]

    def make_server(self) -> Any:
        server = self.new("AF_INET")
        server.bind(("127.0.0.1", 0))
        server.listen()
        return server

    def make_address(self) -> Any:
        return self["server"].getsockname()

    def make_port(self) -> int:
        return self["address"][1]  # type: ignore[no-any-return]

    def make_client(self) -> Any:
        client = self.new("AF_INET")
        client.connect(self["address"])
        return client

    def make_closed(self) -> Any:
        sock = self.new("AF_INET")
        sock.close()
        return sock

    def make_detached(self) -> Any:
        sock = self.new("AF_INET")
        os.close(sock.detach())
        return sock

    def make_blank(self) -> Any:
        return self["m"].socket.__new__(self["m"].socket)

    def make_pipe_socket(self) -> Any:
        sock = self.new("AF_INET")
        os.dup2(self["pipe"], sock.fileno(), inheritable=False)
        return sock

    def make_gone(self) -> Any:
        sock = self["m"].socket()
        os.close(sock.fileno())
        self.gone.append(sock)
        return sock

    def make_pipe(self) -> int:
        read, write = os.pipe()
        self.descriptors += [read, write]
        return read

    def make_folder(self) -> int:
        self.descriptors.append(os.open(self.directory, os.O_RDONLY))
        return self.descriptors[-1]

    def make_nofd(self) -> int:
        return 999_999

    def strike(self) -> None:
        """Take the scenery down."""
        for sock in self.gone:
            sock.detach()
        for sock in self.sockets:
            sock.close()
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.clear()


def play(module: Any, code: Any, directory: Path, *, message: bool = False) -> tuple[Any, ...]:
    """Evaluate an expression (code of a table) in a new scene of `module`; the outcome."""
    scene = Scene(module, directory)
    try:
        # As both globals and locals: names inside lambdas and comprehensions are found too.
        return outcome(lambda: eval(code, scene, scene), message=message)
    finally:
        scene.strike()


def agree(expression: str, directory: Path, *, message: bool = False) -> tuple[Any, ...]:
    """Evaluate an expression with both modules and demand the same outcome."""
    code = compile(expression, "<table>", "eval")
    answers = []
    for name, module in (("std", std), ("oxisock", oxisock)):
        place = directory / name[:1]  # one letter each: the paths have the same length
        place.mkdir(exist_ok=True)
        answers.append(play(module, code, place, message=message))
    expected, answer = answers
    assert answer == expected
    return expected


def cases(table: str) -> pytest.MarkDecorator:
    """Parametrise a test over the lines of a table, each an expression for `agree`."""
    lines = [line.strip() for line in table.splitlines()]
    rows = [line for line in lines if line and not line.startswith("#")]
    return pytest.mark.parametrize("expression", rows)
