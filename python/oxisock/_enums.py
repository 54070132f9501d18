"""Constants and their enumerations, each made when it is first asked for.

Importing this module builds nothing. The values live in tables of
the native module; an enumeration is built from the names with its prefix, in the order and
with the behaviour that the running interpreter gives the same class of its own ``socket``.
"""

import sys
from errno import EAGAIN, EWOULDBLOCK

from ._socket import constant, constants, family_member, kind_member, load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from enum import IntEnum

__all__ = ["constant", "enumeration", "family_member", "kind_member", "members", "names", "resolve"]

# Class: prefix of its members, base class, docstring.
_ENUMERATIONS = {
    "AddressFamily": ("AF_", "IntEnum", "Address families, as in address_families(7)."),
    "SocketKind": ("SOCK_", "IntEnum", "Types of sockets, as in socket(2)."),
    "MsgFlag": ("MSG_", "IntFlag", "Flags of sending and receiving, as in send(2) and recv(2)."),
    "AddressInfo": ("AI_", "IntFlag", "Flags of getaddrinfo(3)."),
}
_CLASSES = {prefix: name for name, (prefix, _, _) in _ENUMERATIONS.items()}

# Private in the standard library too, but programs know them.
_blocking_errnos = {EAGAIN, EWOULDBLOCK}


def _intenum_converter(value: int, enum_klass: "type[IntEnum]") -> int:
    """Return the member of an enumeration with that value, or the value where there is none."""
    try:
        return enum_klass(value)
    except ValueError:
        return value


def _reduce(member: "IntEnum") -> "tuple[type, tuple[int]]":
    """Have pickle name what a process without oxisock can read, too."""
    import socket

    value = int(member)
    try:
        standard = getattr(socket, type(member).__name__)
        standard(value)
    except (AttributeError, ValueError):
        return int, (value,)  # a constant that the standard library does not know
    return standard, (value,)


_built: "dict[str, type[IntEnum]]" = {}


def _build(name: str) -> "type[IntEnum]":
    prefix, base, doc = _ENUMERATIONS[name]
    # Of several names for one value the first in alphabetical order is the member and the
    # others are its aliases, as in the standard library.
    pairs = sorted(
        (value, member) for member, value in constants(prefix).items() if member.isupper()
    )
    enum = load("enum")
    body: dict[str, object] = {member: value for value, member in pairs}
    body.update(__module__="socket", __doc__=doc)
    # The decorator that the standard library makes its own of: half the time of a class
    # statement, and the same class on every version.
    decorate = enum._simple_enum(getattr(enum, base), boundary=enum.KEEP)
    built: type[IntEnum] = decorate(type(name, (), body))
    try:
        # No method: the class is to have those of the standard library's.
        from copyreg import pickle

        pickle(built, _reduce)
    except (ImportError, OSError):
        pass  # out of reach by now, and pickle with it
    return built


def enumeration(name: str) -> "type[IntEnum]":
    """Return the class of that name: AddressFamily, SocketKind, MsgFlag or AddressInfo.

    Every call returns the same class, from any thread. Raises KeyError for another name.
    """
    found = _built.get(name)
    # Two threads may build one class each; setdefault keeps one for both.
    return _built.setdefault(name, _build(name)) if found is None else found


def members(name: str) -> "dict[int, IntEnum]":
    """Return a new dict from value to member of the enumeration of that name."""
    return {int(member): member for member in enumeration(name)}


def resolve(name: str) -> object:
    """Return the constant or the enumeration of that name.

    Returns:
        The member of the enumeration of the constant's prefix where there is one, else an int,
        str or bool.

    Raises:
        AttributeError: this platform has no such name.
    """
    if name in _ENUMERATIONS:
        return enumeration(name)
    value = constant(name)
    if value is None:
        raise AttributeError(
            f"module {_public_name()!r} has no attribute {name!r}",
            name=name,
            obj=sys.modules.get(__name__.partition(".")[0]),
        )
    owner = _CLASSES.get(name[: name.find("_") + 1])
    if owner is None or not name.isupper():
        return value
    return enumeration(owner)[name]


def _public_name() -> str:
    """Return the name by which the program knows the module."""
    public = __name__.partition(".")[0]
    return "socket" if sys.modules.get("socket") is sys.modules.get(public) else public


def names() -> list[str]:
    """Return the names of all public constants and of the enumerations, in no given order."""
    return [*_ENUMERATIONS, *constants()]
