"""Selectors whose waits go through oxisock's engine: the interface of ``selectors``.

What is ready is reported without giving the interpreter lock up, and after a wait the lock is back
at once, although another thread computes. ``install`` puts these classes in the place of the
standard library's, so that ``asyncio``, ``socketserver`` and others use them.

On systems without epoll(7) and poll(2) the classes are the standard library's own.
"""

import selectors as _standard
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector, SelectorKey

from . import _rebind, select as _select
from ._install import installed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "EVENT_READ",
    "EVENT_WRITE",
    "BaseSelector",
    "DefaultSelector",
    "EpollSelector",
    "PollSelector",
    "SelectSelector",
    "SelectorKey",
]


class SelectSelector(_standard.SelectSelector):
    """A selector by select(2)."""

    _select: "Any" = staticmethod(_select.select)


class PollSelector(_standard.PollSelector):
    """A selector by poll(2)."""

    _selector_cls: "Any" = _select.poll


_default: "type[BaseSelector]" = _standard.DefaultSelector
DefaultSelector: "type[BaseSelector]" = _default

if hasattr(_standard, "EpollSelector"):

    class EpollSelector(_standard.EpollSelector):
        """A selector by epoll(7)."""

        _selector_cls: "Any" = _select.epoll

    # By the standard library's own choice: a kernel may refuse epoll.
    if _default is _standard.EpollSelector:
        DefaultSelector = EpollSelector

if _default is _standard.PollSelector:
    DefaultSelector = PollSelector
elif _default is _standard.SelectSelector:
    DefaultSelector = SelectSelector

# What ``install`` exchanges: what is there, and what has the same name here.
replaced = _rebind.pairs(
    _standard, globals(), ("SelectSelector", "PollSelector", "EpollSelector", "DefaultSelector")
)
exchange = partial(_rebind.swap, _standard, replaced)

if installed():
    exchange(True)
