"""Answer every later ``import socket`` of this process with oxisock."""

import sys
from _thread import allocate_lock

import oxisock as _public

from . import _functions, _lazy
from ._socket import namespace_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

_lock = allocate_lock()
# What `uninstall` has to put back; None if there was no module `socket` yet.
_previous: "ModuleType | None" = None


class Installation:
    """What ``install`` returns: at the end of a ``with`` block it is undone.

    The block's target is the module. Where oxisock had been installed before, it stays.
    """

    __slots__ = ("_first",)

    def __init__(self, first: bool) -> None:
        self._first = first

    def __enter__(self) -> "ModuleType":
        return _public

    def __exit__(self, *_: object) -> None:
        if self._first:
            uninstall()


def install(*, rebind: bool = False) -> Installation:
    """Make ``import socket`` give oxisock, from now on, in this process.

    Call this before the program's other imports, or with ``rebind``: a module that imported the
    standard ``socket`` earlier keeps it otherwise, and so does what it took from it by
    ``from socket import …``. The two live side by side; sockets, addresses and exceptions can be
    passed from one to the other.

    The module ``ssl`` takes ``SSLSocket`` from the standard library's class, whose layout it needs.
    ``SSLContext.wrap_socket`` takes sockets of oxisock, adopts their descriptor and makes an
    ``oxisock.SSLSocket``, unless the context has a class of its own. The interpreter's ``_socket``
    is left alone.

    The classes of ``oxisock.selectors`` take the place of those of the module ``selectors``, and
    ``select``, ``poll`` and ``epoll`` of ``oxisock.select`` that of those of ``select``, so that
    ``asyncio`` and others that look them up from then on wait by them.

    Processes that are forked have it too, and ``multiprocessing`` can send sockets of oxisock. A
    new interpreter (``subprocess``, ``multiprocessing`` with ``spawn`` or ``forkserver``) starts
    on the standard library's module, but under ``python -m oxisock run``.
    A second call changes nothing but what ``rebind`` asks for. Several threads may call it.

    Args:
        rebind: whether modules that hold the standard ``socket`` get oxisock in its place, and
            oxisock's classes, functions and enumerations where they hold the standard ones. What
            their classes, objects and the defaults of their functions hold stays.

    Returns:
        An object for a ``with`` block, at whose end ``uninstall`` is called if this call was the
        first.

    Raises:
        RuntimeError: something else has been put in the place of the standard ``socket`` or of its
            class, by gevent or eventlet for example; they have to come later.
    """
    global _previous
    from . import _imports, _standard

    with _lock:
        _disarm()
        current = sys.modules.get("socket")
        first = current is not _public
        if first:
            _refuse_replacement(current)
            mark = getattr(current, "_GLOBAL_DEFAULT_TIMEOUT", None)
            if mark is not None:
                # Modules of either side hand this mark for "no timeout given" to each other.
                _public._GLOBAL_DEFAULT_TIMEOUT = _functions._GLOBAL_DEFAULT_TIMEOUT = mark
            _previous = current
            _standard.remember(current)
            sys.modules["socket"] = _public
            _call_it("socket")
    # Outside our lock, and by each caller, so that none returns before it is done: an import takes
    # locks of its own, and may run anything.
    for name in _IN_PLACE:
        _imports.when_imported(name, _put_in_place)
    _imports.when_imported("multiprocessing.reduction", _send_sockets)
    if rebind:
        from . import _rebind

        _rebind.everywhere()
    return Installation(first)


def installed() -> bool:
    """Tell whether ``import socket`` gives oxisock in this process.

    Returns:
        True after ``install`` and under ``python -m oxisock run``; False after ``uninstall``, and
        where another module has been put in the place of ``socket`` since.
    """
    current = sys.modules.get("socket")
    return current is _public or (current is None and any(map(_is_armed, sys.meta_path)))


def uninstall() -> None:
    """Undo ``install``: ``import socket`` gives again what it gave before.

    Names that ``install(rebind=True)`` replaced are put back, where nobody has changed them since.
    Modules that imported oxisock as ``socket`` in between keep it. Does nothing if oxisock is not
    installed, or if another module was put in its place since.
    """
    global _previous
    with _lock:
        _disarm()
        if sys.modules.get("socket") is not _public:
            return
        from . import _imports, _rebind, _standard

        # Also where there was none: TLS sockets are of its class, and modules hold its marks.
        sys.modules["socket"] = _previous or _standard.module()
        _previous = None
        _call_it(_public.__name__)
        _imports.forget(*_IN_PLACE, "multiprocessing.reduction")
        for name in _IN_PLACE.values():
            # In memory if it was put in place at all.
            if name in sys.modules:
                sys.modules[name].exchange(False)
        _rebind.undo()


def _call_it(module: str) -> None:
    """Have ``repr`` and pickle name the module by which programs get what is ours."""
    for cls in (_public.socket, _public.SocketIO):
        cls.__module__ = module
        _lazy.call_it(cls, module)
    for name, value in [*namespace_of(_public).items()]:
        if not name.startswith("_"):
            _lazy.call_it(value, module)


def _is_armed(finder: "Any") -> bool:
    """Tell the finder that waits for ``import socket`` in children of ``python -m oxisock run``."""
    return getattr(finder, "installs_oxisock", False)


def _disarm() -> None:
    for finder in filter(_is_armed, [*sys.meta_path]):
        finder.installs_oxisock = False  # type: ignore[attr-defined] # or it were not armed


def _refuse_replacement(current: "ModuleType | None") -> None:
    """Raise RuntimeError where the standard module is not what it was any more.

    What has replaced it would be passed by without a word: the hub of gevent would hang, and a
    proxy or a guard would not see the sockets that it is there for.
    """
    for library, module, test in (
        ("gevent", "gevent.monkey", "is_module_patched"),
        ("eventlet", "eventlet.patcher", "is_monkey_patched"),
    ):
        patched = getattr(sys.modules.get(module), test, None)
        if patched is not None and patched("socket"):
            raise RuntimeError(
                f"oxisock.install() has to come before {library} patches the module socket"
            )
    cls = getattr(current, "socket", None)
    if isinstance(cls, type) and (cls.__module__, cls.__qualname__) != ("socket", "socket"):
        raise RuntimeError(
            "oxisock.install() has to come before something else takes the place of socket.socket:"
            f" it is {cls.__module__}.{cls.__qualname__} already"
        )


# Modules of ours that have an ``exchange``, by the standard ones that it changes.
_IN_PLACE = {
    "ssl": "oxisock._tls",
    "select": "oxisock.select",
    "selectors": "oxisock.selectors",
}


def _put_in_place(name: str) -> None:
    """Give a standard module what we have for it."""
    from . import _imports, _rebind

    try:
        ours = _imports.ready(_IN_PLACE[name])
    except ImportError:
        return  # an interpreter built without OpenSSL
    # If it is what has imported the standard module, it does this itself at its end.
    if ours is not None:
        ours.exchange(True)
    _rebind.modules([sys.modules[name]])


def _send_sockets(name: str) -> None:
    """Tell ``multiprocessing``, which may know the standard class alone, how a socket is sent."""
    from . import _rebind

    reduction = sys.modules[name]
    reduction.register(_public.socket, reduction._reduce_socket)
    _rebind.modules([reduction])
