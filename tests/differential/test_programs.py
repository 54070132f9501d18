"""Random programs over several sockets and their files: the traces of both modules are equal.

`OXISOCK_EXAMPLES=1000 python -m pytest -n0 tests/differential/test_programs.py` tries so many, and
`python -m tests.differential --programs 100000` goes on over what fails.
"""

import errno
import os
import socket as std
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, seed as seeded, settings, strategies as st

import oxisock

# Shared with the calls: how hard to try, and the place of files.
from tests.differential.test_calls import place  # noqa: F401
from tests.differential.trial import EXAMPLES, UNRAISABLE, hard, tls_pair
from tests.differential.values import NAMES
from tests.helpers.oracle import Scene, outcome
from tests.helpers.process import CERTIFIED, descriptors, new_descriptors

SECURE = ["t", "u"]
ENDS = ["a", "b", "x", "y", "client", "peer", "udp", "box", "server", "copy"]
FILES = ["f", "g"]
DATA = [
    'b""',
    'b"x"',
    'b"hello\\n"',
    'b"one\\ntwo\\nthree"',
    'b"\\r\\n"',
    "bytes(300)",
    'b"z"*3000',
]
SIZES = ["0", "1", "3", "10", "100", "5000"]

# What a socket is asked for. `{s}` is a socket, `{o}` another one, `{t}` one of TLS, `{d}` data,
# `{n}` a size.
SOCKET_STEPS = """
    {s}.send({d})
    {s}.sendall({d})
    {s}.sendmsg([{d}, {d}])
    {s}.sendto({d}, address_of({o}))
    {s}.recv({n})
    {s}.recv({n}, m.MSG_PEEK)
    {s}.recv_into(bytearray({n}))
    {s}.recvfrom({n})[0]
    {s}.recvmsg({n})[0]
    {s}.recvmsg_into([bytearray(2), bytearray({n})])[0]
    {s}.shutdown(m.SHUT_WR)
    {s}.shutdown(m.SHUT_RD)
    {s}.close()
    os.close({s}.detach())
    {s}.fileno() >= 0
    {s}.settimeout(0)
    {s}.settimeout(0.002)
    {s}.gettimeout()
    {s}.getblocking()
    {s}.family, {s}.type, {s}.proto
    {s}.getpeername() and None
    {s}.getsockopt(m.SOL_SOCKET, m.SO_ERROR)
    {s}.getsockopt(m.SOL_SOCKET, m.SO_TYPE)
    {s}.setsockopt(m.SOL_SOCKET, m.SO_RCVLOWAT, 1)
    {s}.get_inheritable()
    {s}.set_inheritable(True)
    {s}.accept()[0].close()
    {s}.connect(address_of({o}))
    {s}.connect_ex(address_of({o}))
    {s}.listen(1)
    {s}.__exit__(None, None, None)
    bind("copy", keep({s}.dup()))
    bind("peer", keep(server.accept()[0]))
    bind("f", {s}.makefile("rb"))
    bind("f", {s}.makefile("rb", 0))
    bind("f", {s}.makefile("rwb"))
    bind("g", {s}.makefile("wb"))
    bind("f", {s}.makefile("r", encoding="latin-1"))
    bind("g", {s}.makefile("w", encoding="latin-1", newline=""))
    swap("{s}", "{o}")
    receive_many({s}, {n})
    send_many({s}, [{d}, {d}, b"last"])
    forked(lambda: {s}.recv({n}))
    forked(lambda: {s}.close())
""".strip().splitlines()
FILE_STEPS = """
    {f}.read({n})
    {f}.read1({n})
    {f}.readline()
    {f}.readline({n})
    {f}.readinto(bytearray({n}))
    {f}.peek({n})[:{n}]
    {f}.write({d})
    {f}.write({d}.decode("latin-1"))
    {f}.flush()
    {f}.close()
    {f}.closed
    {f}.readable(), {f}.writable(), {f}.seekable()
    {f}.detach() and None
    next({f})
    {f}.tell()
    {f}.fileno() >= 0
""".strip().splitlines()

TLS_STEPS = """
    {t}.send({d})
    {t}.sendall({d})
    {t}.write({d})
    {t}.recv({n})
    {t}.read({n})
    {t}.recv_into(bytearray({n}))
    {t}.read({n}, bytearray(100))
    {t}.pending()
    {t}.version(), {t}.session_reused, {t}.server_side
    {t}.settimeout(0)
    {t}.settimeout(0.002)
    {t}.gettimeout()
    {t}.getpeername() and None
    {t}.sendmsg([{d}])
    {t}.recvfrom({n})
    {t}.recv({n}, m.MSG_PEEK)
    {t}.dup()
    {t}.fileno() >= 0
    {t}.close()
    {t}.__exit__(None, None, None)
    bind("f", {t}.makefile("rb"))
    bind("f", {t}.makefile("rwb"))
    bind("g", {t}.makefile("wb"))
    bind("f", {t}.makefile("r", encoding="latin-1"))
    forked(lambda: {t}.close())
""".strip().splitlines()


def steps() -> st.SearchStrategy[str]:
    """One step of a program."""
    fields = {
        "s": st.sampled_from(ENDS), "o": st.sampled_from(ENDS), "f": st.sampled_from(FILES),
        "d": st.sampled_from(DATA), "n": st.sampled_from(SIZES), "t": st.sampled_from(SECURE),
    }  # fmt: skip
    secure = TLS_STEPS if CERTIFIED else []
    templates = [line.strip() for line in SOCKET_STEPS + FILE_STEPS + secure]
    step = st.tuples(st.sampled_from(templates), st.fixed_dictionaries(fields)).map(
        lambda both: both[0].format(**both[1])
    )
    return st.one_of(step, step, step, step.map(lambda text: f"within(lambda: ({text}))"))


class World(Scene):
    """A scene in which a program can give names, and whose sockets wait for 10 ms at most."""

    def __init__(self, module: Any, directory: Path) -> None:
        super().__init__(module, directory)
        self.update(
            NAMES, bind=self.bind, swap=self.swap, address_of=address_of, forked=forked,
            receive_many=receive_many, send_many=send_many, within=self.within,
        )  # fmt: skip
        self.files: list[Any] = []
        for name in ("a", "b", "x", "y", "udp", "box", "client", "server"):
            self[name].settimeout(0.002)

    def make_box(self) -> Any:
        box = self.new("AF_INET", "SOCK_DGRAM")
        box.bind(("127.0.0.1", 0))
        return box

    def make_peer(self) -> Any:
        return self["a"]

    def make_copy(self) -> Any:
        return self["b"]

    def make_f(self) -> Any:
        return self.bind("f", self["a"].makefile("rb"))

    def make_g(self) -> Any:
        return self.bind("g", self["b"].makefile("wb"))

    def make_t(self) -> Any:
        self["u"], self["t"] = map(self.keep, tls_pair(self["m"]))
        for sock in (self["t"], self["u"]):
            sock.settimeout(0.002)
        return self["t"]

    def make_u(self) -> Any:
        return self["t"] and self["u"]

    def within(self, call: Callable[[], Any]) -> Any:
        """Make the call with a deadline, where the module has that, which is far away."""
        with oxisock.deadline(100) if self["m"] is oxisock else nullcontext():
            return call()

    def bind(self, name: str, value: Any) -> Any:
        self[name] = value
        if name in FILES:
            self.files.append(value)
        else:
            value.settimeout(0.002)

    def swap(self, one: str, other: str) -> None:
        """Have two names change places."""
        self[one], self[other] = self[other], self[one]

    def strike(self) -> None:
        for file in self.files:
            try:
                file.close()
            except (OSError, ValueError):  # what was not written yet
                pass
        self.files.clear()
        super().strike()


def address_of(sock: Any) -> Any:
    """Where a socket is reached."""
    return sock.getsockname()


def receive_many(sock: Any, count: int) -> list[bytes]:
    """Receive datagrams by the batch; one by one where there are no batches."""
    if hasattr(sock, "recvfrom_many"):
        return [data for data, _ in sock.recvfrom_many(count)]
    if count < 1:
        raise ValueError
    refuse_stream(sock)
    got = [sock.recvfrom(65535)[0]]
    try:
        while len(got) < count:
            got.append(sock.recvfrom(65535, std.MSG_DONTWAIT)[0])
    except (BlockingIOError, TimeoutError):
        pass
    return got


def send_many(sock: Any, datagrams: list[bytes]) -> int:
    """Send them by the batch; one by one where there are no batches."""
    if hasattr(sock, "send_many"):
        return sock.send_many(datagrams)  # type: ignore[no-any-return]
    refuse_stream(sock)
    sent = 0
    for data in datagrams:
        try:
            sock.send(data)
        except OSError:
            if not sent:
                raise
            break
        sent += 1
    return sent


def refuse_stream(sock: Any) -> None:
    """Refuse sockets as batches do."""
    if sock.type != std.SOCK_DGRAM:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))


def forked(call: Any) -> Any:
    """Make the call in a child; whether it raised, and what."""
    child = os.fork()
    if not child:
        status = 1
        try:
            call()
            status = 0
        except OSError as error:
            status = 10 + (error.errno or 0)
        except BaseException:
            status = 2
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1]


def trace(module: Any, folder: Path, program: list[str]) -> list[Any]:
    """Run the program; how each step ended."""
    os.chdir(folder)
    world = World(module, folder)
    try:
        return [outcome(lambda: eval(step, world, world)) for step in program]  # noqa: B023
    finally:
        world.strike()


def compare(place: Path, program: list[str]) -> None:  # noqa: F811
    """Run a program on both modules; fail when they differ or when ours leaves a descriptor."""
    before = descriptors()
    expected = trace(std, place / "s", program)
    for number in new_descriptors(before):
        os.close(number)
    before = descriptors()
    found = trace(oxisock, place / "o", program)
    assert not new_descriptors(before)
    for step, one, other in zip(program, expected, found, strict=True):
        assert one[:3] == other[:3] or known(one, other), (step, program, one, other)


def search(place: Path, how: settings, seed: int | None) -> int:  # noqa: F811
    """Try programs; how many there were."""
    made = 0

    @how
    @given(st.lists(steps(), min_size=1, max_size=20))
    def run(program: list[str]) -> None:
        nonlocal made
        made += 1
        compare(place, program)

    (run if seed is None else seeded(seed)(run))()
    return made


@pytest.mark.timeout(60 + EXAMPLES)
@pytest.mark.filterwarnings("ignore::ResourceWarning", *UNRAISABLE)  # the standard library's
def test_programs(place: Path) -> None:  # noqa: F811
    search(place, hard, None)


def known(expected: Any, answer: Any) -> bool:
    """Whether the two differ on purpose: the operation is tried before the wait, and refused.

    Or it is a file that has timed out once: the standard library reads from it no more. Or a read
    of nothing, which reads and decodes nothing. Or a line of a file for both directions where not
    all of it is there yet, which the standard library loses.
    """
    if expected[:3] == ("raises", OSError, None):
        text = expected[3][0]
        return "timed out object" in text or "not 'NoneType'" in text
    if answer == ("returns", ("str", "")) and expected[:3] == ("raises", OSError, errno.EBADF):
        return True
    timed_out = expected[:2] == ("raises", TimeoutError)
    if expected == ended_with(0) and answer in map(ended_with, NEVER):
        return True  # in a child
    if timed_out and answer == ("returns", ("str", "")):
        return True
    return timed_out and answer[0] == "raises" and answer[2] in NEVER


def ended_with(number: int) -> tuple[Any, ...]:
    """How `forked` tells of that errno; a timeout has none."""
    return ("returns", ("int", (10 + number) << 8))


NEVER = {errno.EPIPE, errno.ENOTCONN, errno.EOPNOTSUPP, errno.EINVAL, errno.EDESTADDRREQ}
