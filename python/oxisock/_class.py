"""The metaclass of ``oxisock.socket``, and what else that class is made with."""

import sys
from abc import ABCMeta

from ._socket import load, register_class, without_annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# The class, once it is made.
socket: "Any" = None


class _SocketType(ABCMeta):
    """Makes ``isinstance`` take the sockets of the standard class for sockets, too.

    A TLS socket needs that class's layout. An abstract base class of the program's own can stand
    beside ours among the bases of a class.
    """

    def __new__(
        mcls, name: str, bases: "tuple[type, ...]", namespace: "dict[str, Any]", **options: "Any"
    ) -> "Any":
        if name == "SSLSocket" and namespace.get("__module__") == "ssl":
            # The module ssl, imported while `import socket` gives oxisock.
            from . import _standard

            return type(name, (_standard.module().socket,), namespace)
        return super().__new__(mcls, name, bases, namespace, **options)

    def __instancecheck__(cls, instance: object) -> bool:
        kind = type(instance)
        if cls.__subclasscheck__(kind):
            return True
        # What an object says of itself: mocks with a specification do.
        claimed = getattr(instance, "__class__", kind)
        return claimed is not kind and isinstance(claimed, type) and cls.__subclasscheck__(claimed)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return super().__subclasscheck__(subclass) or (
            # Only the class itself: a subclass of ours is nothing that a standard socket is.
            cls is socket and _is_standard(subclass)
        )


def _is_standard(cls: type) -> bool:
    """Tell whether a class is the standard library's ``socket.socket`` or derived from it."""
    native = getattr(sys.modules.get("_socket"), "socket", None)
    bases = cls.__mro__
    return native in bases and bases.index(native) > 0


class Method:
    """A method that stands in a module of its own, which is imported when it is first asked for.

    The class has the method itself in this one's place from then on.
    """

    __slots__ = ("_class", "_module", "_name")

    def __init__(self, module: str) -> None:
        self._module = module

    def __set_name__(self, owner: type, name: str) -> None:
        self._class = owner
        self._name = name

    def __get__(self, instance: object, owner: "type | None" = None) -> "Callable[..., Any]":
        method = without_annotations(getattr(load(self._module), self._name))
        method.__module__ = self._class.__module__
        method.__qualname__ = f"{self._class.__qualname__}.{self._name}"
        setattr(self._class, self._name, method)
        return method.__get__(instance, owner)  # type: ignore[no-any-return]


def public(cls: "Any") -> "Any":
    """Have the class of the package be that of all sockets that are made.

    The first one stays it when the package is loaded anew.
    """
    global socket
    if socket is None:
        socket = register_class(without_annotations(cls))
    return socket
