"""Every pair of methods at once on one socket, which a third thread then takes away.

`OXISOCK_EXAMPLES=100 python -m pytest tests/engine/test_pairs.py` makes that many rounds of each.
"""

import itertools
import os
import random
import socket as std
from collections.abc import Callable
from typing import Any

import pytest

import oxisock
from tests.engine.owners import take_away
from tests.helpers.process import Task

ROUNDS = int(os.environ.get("OXISOCK_EXAMPLES", "1"))
CALLS: dict[str, Callable[[Any], Any]] = {
    "recv": lambda s: s.recv(10),
    "recv_into": lambda s: s.recv_into(bytearray(10)),
    "recvfrom": lambda s: s.recvfrom(10),
    "recvmsg": lambda s: s.recvmsg(10, 100),
    "recv_exactly": lambda s: s.recv_exactly(100),
    "recvfrom_many": lambda s: s.recvfrom_many(4),
    "send": lambda s: s.send(b"0123456789"),
    "sendall": lambda s: s.sendall(bytes(300_000)),
    "sendmsg": lambda s: s.sendmsg([b"01234", b"56789"]),
    "sendmsg_all": lambda s: s.sendmsg_all([bytes(300_000)]),
    "send_many": lambda s: s.send_many([b"01234", b"56789"]),
    "accept": lambda s: s.accept(),
    "connect": lambda s: s.connect("\0nobody"),
    "makefile": lambda s: s.makefile("rb").readline(),
    "dup": lambda s: s.dup().close(),
    "settimeout": lambda s: s.settimeout(random.choice([0.02, 0, 0.01])),
    "getsockopt": lambda s: s.getsockopt(std.SOL_SOCKET, std.SO_RCVBUF),
    "setsockopt": lambda s: s.setsockopt(std.SOL_SOCKET, std.SO_RCVBUF, 5000),
    "getsockname": lambda s: (s.getsockname(), s.getpeername()),
    "shutdown": lambda s: s.shutdown(std.SHUT_RD),
    "repr": repr,
}
PAIRS = [f"{one}-{other}" for one, other in itertools.combinations_with_replacement(CALLS, 2)]


@pytest.mark.timeout(60 + ROUNDS)
@pytest.mark.differs("the standard library's calls go on with whoever has the number")
@pytest.mark.parametrize("pair", PAIRS)
def test_pairs(pair: str) -> None:
    """The calls end, each in one of the ways that it has, and nobody else's data is touched."""
    one, other = (CALLS[name] for name in pair.split("-"))
    for turn in range(ROUNDS):
        random.seed(f"{pair} {turn}")
        sock, peer = oxisock.socketpair()
        with sock, peer:
            sock.settimeout(0.02)
            peer.settimeout(0)
            peer.send(b"line\n" * 30)

            def use(call: Callable[[Any], Any], sock: Any = sock) -> None:
                for _ in range(5):
                    try:
                        call(sock)
                    except (OSError, EOFError, ValueError):  # closed, timed out, taken away
                        pass

            tasks = [Task(use, one), Task(use, other)]
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
