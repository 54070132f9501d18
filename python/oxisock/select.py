"""The interface of ``select``, whose waits go through oxisock's engine.

What is ready is reported without giving the interpreter lock up, and after a wait the lock is back
at once, although another thread computes. ``install`` puts ``select``, ``poll`` and ``epoll`` in
the place of the standard library's. All else is the standard library's own.
"""

import select as _standard
from select import *  # noqa: F403

from . import _rebind, _socket
from ._install import installed

# To type checkers they are the standard library's, in whose place they can be.
TYPE_CHECKING = False
if not TYPE_CHECKING:
    select = _socket.select
    poll = _socket.poll
    if hasattr(_standard, "epoll"):
        epoll = _socket.epoll

# What ``install`` exchanges: what is there, and what has the same name here.
replaced = {
    name: (getattr(_standard, name), globals()[name])
    for name in ("select", "poll", "epoll")
    if hasattr(_standard, name)
}


def exchange(ours: bool) -> None:
    """Put what is here into the standard module, or that module's own back.

    Only in the place of one another: what somebody else has put there stays.

    Args:
        ours: whether what is here is put there.
    """
    _rebind.swap(_standard, replaced, ours)


if installed():
    exchange(True)
