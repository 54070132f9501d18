"""Pairs of methods at once on one socket, which a third thread then takes away.

`OXISOCK_EXAMPLES=1 python -m pytest tests/engine/test_pairs.py` tries every pair, so many times.
"""

import inspect
import os
import random
import re
import socket as std
import sys
from collections.abc import Callable
from typing import Any

import pytest

import oxisock
from tests.engine import owners
from tests.engine.owners import (
    ACCEPTING,
    BATCHES,
    CONNECTING,
    READING,
    RECEIVING,
    SENDING,
    SENDING_BATCHES,
    take_away,
)
from tests.helpers.process import Task

ROUNDS = int(os.environ.get("OXISOCK_EXAMPLES", "0"))
Call = Callable[[Any], Any]
WAITING: dict[str, Call] = {}
for calls in (RECEIVING, READING, BATCHES, SENDING, SENDING_BATCHES, ACCEPTING, CONNECTING):
    WAITING |= calls
OTHERS: dict[str, Call] = {
    "bind": lambda s: s.bind(""),
    "listen": lambda s: s.listen(),
    "sendto": lambda s: s.sendto(b"0123456789", "\0nobody"),
    "sendto_many": lambda s: s.sendto_many([(b"01234", "\0nobody")]),
    "send_segments": lambda s: s.send_segments(b"0123456789", 5),
    "sendmsg_afalg": lambda s: s.sendmsg_afalg([b"0123456789"], op=1),
    "dup": lambda s: s.dup().close(),
    "makefile": lambda s: s.makefile("rwb").close(),
    "settimeout": lambda s: s.settimeout(random.choice([0.02, 0, 0.01])),
    "setblocking": lambda s: s.setblocking(False),
    "modes": lambda s: (s.timeout, s.gettimeout(), s.getblocking()),
    "set_inheritable": lambda s: s.set_inheritable(not s.get_inheritable()),
    "getsockopt": lambda s: s.getsockopt(std.SOL_SOCKET, std.SO_RCVBUF),
    "setsockopt": lambda s: s.setsockopt(std.SOL_SOCKET, std.SO_RCVBUF, 5000),
    "setkeepalive": lambda s: s.setkeepalive(10, 2, 3),
    "setrecvinfo": lambda s: s.setrecvinfo(ecn=True),
    "setgro": lambda s: s.setgro(True),
    "ancillary": lambda s: s.ancillary(ttl=9),
    "join_group": lambda s: s.join_group("239.1.2.3"),
    "leave_group": lambda s: s.leave_group("239.1.2.3"),
    "names": lambda s: (s.fileno(), s.getsockname(), s.getpeername()),
    "kind": lambda s: (s.family, s.type, s.proto, repr(s)),
    "peer_credentials": lambda s: s.peer_credentials(),
    "tcp_info": lambda s: s.tcp_info(),
    "stats": lambda s: s.stats(),
    "shutdown": lambda s: s.shutdown(std.SHUT_RD),
}
CALLS = WAITING | OTHERS
# Closed, timed out, taken away; or not for a UNIX stream.
REFUSED = (OSError, EOFError, ValueError, NotImplementedError)


def partners(name: str) -> list[str]:
    """Which methods are called beside this one: all of them, or the same few in every run."""
    if ROUNDS:
        return list(CALLS) * ROUNDS
    return random.Random(name).sample(list(CALLS), 5)


def test_no_method_is_forgotten() -> None:
    text = "\n".join(map(inspect.getsource, (owners, sys.modules[__name__])))
    methods = {name for name in dir(oxisock.socket) if not name.startswith("_")}
    named = set(re.findall(r"\bs\.(\w+)", text))
    assert methods - named == {"close", "detach"}  # see below


@pytest.mark.timeout(60 + 60 * ROUNDS)
@pytest.mark.differs("the standard library's calls go on with whoever has the number")
@pytest.mark.parametrize("name", CALLS)
def test_pairs(name: str) -> None:
    """The calls end, each in one of the ways that it has, and nobody else's data is touched."""
    for turn, partner in enumerate(partners(name)):
        random.seed(f"{name} {partner} {turn}")
        sock, peer = oxisock.socketpair()
        with sock, peer:
            sock.settimeout(0.02)
            peer.settimeout(0)
            peer.send(b"line\n" * 30)

            def use(call: Callable[[Any], Any], sock: Any = sock) -> None:
                for _ in range(5):
                    try:
                        call(sock)
                    except REFUSED:
                        pass

            tasks = [Task(use, CALLS[one]) for one in (name, partner)]
            for _ in range(random.randrange(4)):
                try:
                    peer.recv(100_000)
                    peer.send(b"more\n")
                except OSError:
                    pass
            take_away(sock, random.choice(["close", "detach", "init"]), std.SOCK_STREAM)
            # The number is somebody else's now, as sockets get the lowest.
            mine, yours = std.socketpair()
            with mine, yours:
                mine.send(b"mine")
                yours.send(b"yours")
                for task in tasks:
                    task.result()
                mine.setblocking(False)
                yours.setblocking(False)
                assert (yours.recv(100), mine.recv(100)) == (b"mine", b"yours")
                assert mine.getsockopt(std.SOL_SOCKET, std.SO_RCVBUF) > 10_000
                with pytest.raises(BlockingIOError):
                    mine.recv(1)
