"""Methods of ``oxisock.socket`` that are called on a socket of the standard class.

``socket.socket.accept(listener)`` has to work for a TLS listener, which has that class's layout.
The interpreter refuses the call of a native method on it, so that the metaclass hands out what
chooses between the two. It does so from when ``ssl`` is in use, as nothing else needs it.
"""

import _socket
import sys
from types import MethodDescriptorType

import oxisock as _public

from ._class import socket
from ._socket import Socket, construct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_standard = _socket.socket
_made: "dict[object, Unbound]" = {}


class Unbound:
    """A method of ours for a socket of either class, as ``socket.socket.recv`` gives it."""

    __name__: str
    __objclass__ = socket

    def __init__(self, method: "Any") -> None:
        self.__wrapped__ = method
        for name in ("__doc__", "__name__", "__qualname__", "__text_signature__"):
            setattr(self, name, getattr(method, name, None))

    def __call__(self, *args: "Any", **options: "Any") -> "Any":
        method = self.__wrapped__
        if args and isinstance(args[0], _standard) and not isinstance(args[0], Socket):
            method = accept if self.__name__ == "accept" else self._of_the_standard_class()
        return method(*args, **options)

    def _of_the_standard_class(self) -> "Any":
        # The interpreter's class behind the one in Python, of which ``ssl`` derives its own.
        owner = sys.modules["ssl"].SSLSocket.__mro__[1]
        return getattr(owner, self.__name__, self.__wrapped__)

    def __get__(self, instance: object, owner: "type | None" = None) -> "Any":
        return self if instance is None else _bind(self, instance)

    def __repr__(self) -> str:
        return repr(self.__wrapped__)


def _bind(method: "Any", instance: object) -> "Any":
    from types import MethodType

    return MethodType(method, instance)


def accept(listener: "Any") -> "tuple[Any, Any]":
    """Accept a connection by a listener of the standard class.

    Returns:
        A socket of what the program has as ``socket.socket``, and the peer's address.
    """
    number, address = listener._accept()
    sock = construct(
        number, _public.socket, listener.family, listener.type, listener.proto, by_name=True
    )
    # As in the standard library: the mode that a system may have inherited is not the timeout's.
    if _public.getdefaulttimeout() is None and listener.gettimeout():
        sock.setblocking(True)
    return sock, address


def _get(cls: type, name: str) -> object:
    value = type.__getattribute__(cls, name)
    # What `inspect` asks for says how the class is called.
    if not name.startswith("__") and type(value) is MethodDescriptorType:
        found = _made.get(value)
        return _made.setdefault(value, Unbound(value)) if found is None else found
    return value


def _set(cls: type, name: str, value: object) -> None:
    # Put back by somebody who had taken it away: methods of a socket are to stay the fast ones.
    type.__setattr__(cls, name, value.__wrapped__ if type(value) is Unbound else value)


def enable() -> None:
    """Have the metaclass do so."""
    metaclass: Any = type(socket)
    metaclass.__getattribute__ = _get
    metaclass.__setattr__ = _set
