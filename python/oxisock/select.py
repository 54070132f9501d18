"""The interface of ``select``, whose waits go through oxisock's engine.

What is ready is reported without giving the interpreter lock up, and after a wait the lock is back
at once, although another thread computes. ``install`` puts ``select``, ``poll`` and ``epoll`` in
the place of the standard library's. All else is the standard library's own.
"""

import select as _standard
from functools import partial
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
replaced = _rebind.pairs(_standard, globals(), ("select", "poll", "epoll"))
exchange = partial(_rebind.swap, _standard, replaced)

if installed():
    exchange(True)
