"""Selectors whose waits go through oxisock's engine: the interface of ``selectors``.

What is ready is reported without giving the interpreter lock up, and after a wait the lock is back
at once, although another thread computes. ``install`` puts these classes in the place of the
standard library's, so that ``asyncio``, ``socketserver`` and others use them.

On systems without epoll(7) and poll(2) the classes are the standard library's own.
"""

import select as _select
import selectors as _standard
from selectors import (
    EVENT_READ,
    EVENT_WRITE,
    BaseSelector,
    SelectorKey,
    SelectSelector,
)

from ._socket import poll_descriptors as _poll_descriptors

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


class _Poll:
    """What ``select.poll()`` is to a selector."""

    __slots__ = ("_checked", "_wanted")

    def __init__(self) -> None:
        self._checked = _select.poll()
        self._wanted: dict[int, int] = {}

    def register(self, fd: int, events: int) -> None:
        self._checked.register(fd, events)
        self._wanted[fd] = events

    def modify(self, fd: int, events: int) -> None:
        self._checked.modify(fd, events)
        self._wanted[fd] = events

    def unregister(self, fd: int) -> None:
        self._checked.unregister(fd)
        del self._wanted[fd]

    def poll(self, timeout: "float | None" = None) -> "list[tuple[int, int]]":
        """Wait for some milliseconds."""
        seconds = None if timeout is None else timeout / 1000
        return _poll_descriptors([*self._wanted.items()], seconds)


class PollSelector(_standard.PollSelector):
    """A selector by poll(2)."""

    _selector_cls = _Poll


_default: "type[BaseSelector]" = _standard.DefaultSelector
DefaultSelector: "type[BaseSelector]" = _default

if hasattr(_select, "epoll"):
    from ._socket import epoll_wait as _epoll_wait

    class _Epoll:
        """What ``select.epoll()`` is to a selector."""

        __slots__ = ("_epoll", "close", "fileno", "modify", "register", "unregister")

        def __init__(self) -> None:
            self._epoll = epoll = _select.epoll()
            self.close = epoll.close
            self.fileno = epoll.fileno
            self.modify = epoll.modify
            self.register = epoll.register
            self.unregister = epoll.unregister

        def poll(
            self, timeout: "float | None" = None, maxevents: int = -1
        ) -> "list[tuple[int, int]]":
            """Wait for some seconds."""
            return _epoll_wait(self.fileno(), timeout, maxevents)

    class EpollSelector(_standard.EpollSelector):
        """A selector by epoll(7)."""

        _selector_cls = _Epoll

    # By the standard library's own choice: a kernel may refuse epoll.
    if _default is _standard.EpollSelector:
        DefaultSelector = EpollSelector
    elif _default is _standard.PollSelector:
        DefaultSelector = PollSelector


# The standard library's classes, which ``install`` exchanges for those of the same names here.
_REPLACED = {
    name: getattr(_standard, name)
    for name in ("EpollSelector", "PollSelector", "DefaultSelector")
    if name in globals()
}


def exchange(ours: bool) -> None:
    """Put these classes into the module ``selectors``, or the standard ones back.

    Only in the place of one another: what somebody else has put there stays.

    Args:
        ours: whether these are put there.
    """
    for name, standard in _REPLACED.items():
        before, after = standard, globals()[name]
        if not ours:
            before, after = after, before
        if getattr(_standard, name, None) is before:
            setattr(_standard, name, after)
