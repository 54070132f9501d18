"""Modules that hold the standard ``socket``, or names taken from it, are given oxisock's."""

import sys
from enum import Enum
from types import BuiltinFunctionType, FunctionType, ModuleType

import oxisock as _public

from . import _standard
from ._socket import namespace_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    # By their name in a module: the standard object, and ours.
    Replaced = dict[str, tuple[object, object]]

# What can be nothing but the standard module's own: numbers and strings could be anybody's.
_KINDS = (type, FunctionType, BuiltinFunctionType, Enum)

# The namespaces that were changed: name, what stands there now, what stood there before.
_changes: "list[tuple[dict[str, object], str, object, object]]" = []


def everywhere() -> None:
    """Rebind the names of every module there is, those of the standard ``socket`` itself too."""
    modules(value for value in [*sys.modules.values()] if isinstance(value, ModuleType))
    standard = _standard.known()
    if standard is not None:
        modules([standard])


def modules(given: "Iterable[ModuleType]") -> None:
    """Rebind the names of these modules.

    What a class, a function's defaults or a data structure holds stays as it is.
    """
    exchange = _exchange()
    if not exchange:
        return
    for module in given:
        # Not by `vars`: a module that is loaded when it is first used is left in peace.
        namespace = namespace_of(module)
        name = namespace.get("__name__")
        if (
            name in ("_socket", "select", "selectors")
            or str(name).partition(".")[0] == _public.__name__
        ):
            continue
        for attribute, value in [*namespace.items()]:
            pair = exchange.get(id(value))
            if pair is not None and pair[0] is value:
                namespace[attribute] = pair[1]
                _changes.append((namespace, attribute, pair[1], value))


def undo() -> None:
    """Put back what ``everywhere`` and ``modules`` have replaced and nobody has changed since."""
    while _changes:
        namespace, name, ours, theirs = _changes.pop()
        if namespace.get(name) is ours:
            namespace[name] = theirs


def pairs(standard: ModuleType, ours: "dict[str, object]", names: "Iterable[str]") -> "Replaced":
    """Return what of a standard module is replaced, and by what of the same name of ours.

    A system may lack some of the names, and gevent takes some away.
    """
    return {
        name: (getattr(standard, name), ours[name]) for name in names if hasattr(standard, name)
    }


def swap(module: ModuleType, replaced: "Replaced", ours: bool) -> None:
    """Put our objects into a module, or the standard ones back.

    Only in the place of one another: what somebody else has put there stays.

    Args:
        module: the standard module.
        replaced: see ``pairs``.
        ours: whether ours are put there.
    """
    for name, (theirs, here) in replaced.items():
        before, after = (theirs, here) if ours else (here, theirs)
        if getattr(module, name, None) is before:
            setattr(module, name, after)


def _exchange() -> "dict[int, tuple[object, object]]":
    """Return what is replaced by what, by the identity of the former."""
    pairs: list[tuple[object, object]] = []
    standard = _standard.known()
    if standard is not None:
        pairs.append((standard, _public))
        for name, theirs in [*vars(standard).items()]:
            if isinstance(theirs, _KINDS):
                pairs.append((theirs, getattr(_public, name, theirs)))
    for name in ("select", "selectors"):
        # In memory and complete, if `install` has put it in place.
        ours = sys.modules.get(f"{_public.__name__}.{name}")
        pairs += getattr(ours, "replaced", {}).values()
    return {id(theirs): (theirs, ours) for theirs, ours in pairs if ours is not theirs}
