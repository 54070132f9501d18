"""Answer every later ``import socket`` of this process with oxisock."""

import sys
from _thread import allocate_lock

import oxisock as _public

from . import _functions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

_lock = allocate_lock()
# What `uninstall` has to put back; None if there was no module `socket` yet.
_previous: "ModuleType | None" = None


def install() -> None:
    """Make ``import socket`` give oxisock, from now on, in this process.

    Call this before the program's other imports: a module that imported the standard ``socket``
    earlier keeps it, and so does what it took from it by ``from socket import …``. The two
    live side by side; sockets, addresses and exceptions can be passed from one to the other.

    The ``ssl`` module is imported first, on the standard library's class, because
    ``ssl.SSLSocket`` needs the layout of that one. ``SSLContext.wrap_socket`` takes sockets of
    oxisock, adopts their descriptor and makes an ``oxisock.SSLSocket``, unless the context
    has a class of its own. The interpreter's ``_socket`` is left alone.

    The classes of ``oxisock.selectors`` take the place of those of the module ``selectors``, and
    ``select``, ``poll`` and ``epoll`` of ``oxisock.select`` that of those of ``select``, so that
    ``asyncio`` and others that look them up from then on wait by them.

    Processes that are forked have it too. A new interpreter (``subprocess``,
    ``multiprocessing`` with ``spawn`` or ``forkserver``) starts on the standard library's module.
    A second call changes nothing. Several threads may call it.
    """
    global _previous
    if sys.modules.get("socket") is _public:
        return
    # Outside our lock: an import takes locks of its own, and may run anything.
    try:
        from . import _tls as tls
    except ImportError:
        tls = None  # type: ignore[assignment] # an interpreter built without OpenSSL
    from . import selectors

    with _lock:
        current = sys.modules.get("socket")
        if current is _public:
            return
        mark = getattr(current, "_GLOBAL_DEFAULT_TIMEOUT", None)
        if mark is not None:
            # Modules of either side hand this mark for "no timeout given" to each other.
            _public._GLOBAL_DEFAULT_TIMEOUT = _functions._GLOBAL_DEFAULT_TIMEOUT = mark
        _previous = current
        sys.modules["socket"] = _public
        if tls is not None:
            tls.use_by_default(True)
        selectors.exchange(True)


def installed() -> bool:
    """Tell whether ``import socket`` gives oxisock in this process.

    Returns:
        True after ``install`` and under ``python -m oxisock run``; False after ``uninstall``, and
        where another module has been put in the place of ``socket`` since.
    """
    return sys.modules.get("socket") is _public


def uninstall() -> None:
    """Undo ``install``: ``import socket`` gives again what it gave before.

    Modules that imported oxisock as ``socket`` in between keep it. Does nothing if oxisock is not
    installed, or if another module was put in its place since.
    """
    global _previous
    with _lock:
        if sys.modules.get("socket") is not _public:
            return
        if _previous is None:
            del sys.modules["socket"]
        else:
            sys.modules["socket"] = _previous
        _previous = None
        # In memory since install(), if it can be had at all.
        tls = sys.modules.get("oxisock._tls")
        if tls is not None:
            tls.use_by_default(False)
        selectors = sys.modules.get("oxisock.selectors")
        if selectors is not None:
            selectors.exchange(False)
