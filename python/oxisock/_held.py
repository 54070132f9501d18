"""Modules that are imported when they are first needed, and need no file then.

A program may have left the file system by then (chroot(2)), its rights to read it, or its last
free descriptor. So the source of these modules is read when oxisock is imported, which takes a
fraction of the time that running them would take. It is used only where the usual import fails.
"""

import sys
from os import O_CLOEXEC, O_RDONLY, close, fstat, open, read

from ._socket import give_slots, keep_library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

_OURS = (
    "_descriptors", "_enums", "_errors", "_files", "_functions", "_install", "_lazy", "_peers",
    "_sendfile",
)  # fmt: skip
# What ours import that is neither built in nor in memory in every interpreter: `enum` and
# `collections`, and what these import in turn.
_THEIRS = ("collections", "enum", "functools", "keyword", "operator", "reprlib", "types")

# By the module's name: where its source stands and what it is, or how to load its library.
_sources: "dict[str, tuple[str, bytes] | ModuleSpec]" = {}


class _Held:
    """A finder of the modules whose source is held, and their loader."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> "ModuleSpec | None":
        held = _sources.get(name)
        if not isinstance(held, tuple):
            return held
        origin, _ = held
        package = origin.endswith("__init__.py")
        spec = type(__spec__)(name, _Held, origin=origin, is_package=package)  # type: ignore[arg-type]
        spec.has_location = True
        return spec

    @staticmethod
    def create_module(spec: "ModuleSpec") -> None:
        """Leave making the module to the import system."""

    @staticmethod
    def exec_module(module: "ModuleType") -> None:
        origin, source = _sources[module.__name__]  # type: ignore[misc]
        exec(compile(source, origin, "exec", dont_inherit=True), module.__dict__)


def load(name: str) -> "ModuleType":
    """Return a module, which is imported unless it was before.

    Args:
        name: its full name.

    Raises:
        ImportError: there is no such module, or it cannot be read and is not held either.
        OSError: likewise, where no descriptor is left.
    """
    try:
        __import__(name)
    except (ImportError, OSError):
        # Before the finders that may still know the file, and cannot open it.
        sys.meta_path.insert(0, _Held)
        try:
            __import__(name)
        finally:
            sys.meta_path.remove(_Held)
    for held in [*_sources]:
        if held in sys.modules:
            _sources.pop(held, None)
    return sys.modules[name]


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


def _find(name: str) -> "ModuleSpec | None":
    for finder in sys.meta_path:
        spec = finder.find_spec(name, None)
        if spec is not None:
            return spec
    return None


def _hold(name: str, origin: str) -> None:
    try:
        fd = open(origin, O_RDONLY | O_CLOEXEC)
        try:
            _sources[name] = origin, read(fd, fstat(fd).st_size)
        finally:
            close(fd)
    except OSError:
        # In an archive, or without its source.
        __import__(name)


def hold_all() -> None:
    """Hold whatever the package may import later."""
    directory = __file__.removesuffix("_held.py")
    for name in _OURS:
        _hold(f"{__package__}.{name}", f"{directory}{name}.py")
    for name in _THEIRS:
        if name not in sys.modules:
            spec = _find(name)
            if spec is not None and spec.has_location:
                _hold(name, spec.origin or "")
    if "_socket" not in sys.modules:
        # For the classes of its exceptions.
        spec = _find("_socket")
        if spec is not None and spec.has_location:
            if keep_library(spec.origin or ""):
                _sources["_socket"] = spec
            else:
                __import__("_socket")
