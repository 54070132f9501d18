"""Names and methods of the package that come when they are first asked for."""

import sys

from ._socket import give_slots, load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def without_annotations(thing: "Any") -> "Any":
    """Take the annotations off a function, or those of a class off its methods.

    The names in them are there for type checkers only, so that ``typing.get_type_hints`` could not
    resolve them; users have the stubs. The standard library's have none.
    """
    if isinstance(thing, type):
        for value in [*vars(thing).values()]:
            for part in (value, getattr(value, "__func__", None), getattr(value, "fget", None)):
                if type(part) is _Function:
                    without_annotations(part)
    elif type(thing) is _Function:
        thing.__annotations__ = {}
    return thing


_Function: type = type(without_annotations)


class LazyModule(type(sys)):  # type: ignore[misc]
    """The class of the public module until every name is there: ``vars`` fetches them."""

    @property
    def __dict__(self) -> "dict[str, object]":  # type: ignore[override]
        namespace: dict[str, object] = namespace_of(self)
        load("oxisock._lazy").fetch_all(namespace)
        return namespace


# A module's names, whatever its class does when it is asked for them.
namespace_of = vars(type(sys))["__dict__"].__get__


def make_lazy(namespace: "dict[str, Any]") -> None:
    """Have the public module fetch names when they are asked for."""
    if not give_slots(namespace, [*namespace], LazyModule):
        _change(namespace, LazyModule)


def complete(namespace: "dict[str, object]") -> None:
    """Let the public module be a module as any other: every name is there."""
    _change(namespace, type(sys))


def _change(namespace: "dict[str, object]", kind: type) -> None:
    module = sys.modules.get("oxisock")
    # A loader that was called by hand makes another one.
    if module is not None and namespace_of(module) is namespace:
        module.__class__ = kind


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
