"""Selectors whose waits go through oxisock's engine: the interface of ``selectors``.

What is ready is reported without giving the interpreter lock up, and after a wait the lock is back
at once, although another thread computes. ``install`` puts these classes in the place of the
standard library's, so that ``asyncio``, ``socketserver`` and others use them.

On systems without epoll(7) and poll(2) the classes are the standard library's own.
"""

import select as _standard_select
import selectors as _standard
import sys
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector, SelectorKey

from . import select as _select

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

# What ``install`` exchanges for what has the same name here.
_REPLACED = [
    (theirs, name, getattr(theirs, name), getattr(ours, name))
    for theirs, ours, names in (
        (_standard_select, _select, ("select", "poll", "epoll")),
        (_standard, sys.modules[__name__], [name for name in __all__ if name.endswith("Selector")]),
    )
    for name in names
    if hasattr(theirs, name)
]


def exchange(ours: bool) -> None:
    """Put these classes and functions into ``selectors`` and ``select``, or the standard ones back.

    Only in the place of one another: what somebody else has put there stays.

    Args:
        ours: whether these are put there.
    """
    for module, name, standard, here in _REPLACED:
        before, after = (standard, here) if ours else (here, standard)
        if getattr(module, name, None) is before:
            setattr(module, name, after)
