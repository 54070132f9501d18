"""The interpreter's own module ``socket``, while ``import socket`` gives oxisock.

The module ``ssl`` needs its class: a TLS socket has to have the layout that ``_ssl`` knows.
"""

import sys
from _thread import RLock

import oxisock as _public

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

_lock = RLock()
_found: "ModuleType | None" = None


def remember(module: "ModuleType | None") -> None:
    """Take over the module that was ``socket`` before oxisock."""
    global _found
    if module is not None:
        _found = module


def known() -> "ModuleType | None":
    """Return the module, or None if nobody has needed it yet."""
    return _found


def module() -> "ModuleType":
    """Return the module, which is loaded if nobody has needed it yet.

    Raises:
        ImportError: this interpreter comes without it.
    """
    global _found
    with _lock:
        if _found is None:
            current = sys.modules.get("socket")
            _found = _load() if current in (None, _public) else current
        assert _found is not None
        return _found


# While its code runs: its enumerations look their module up by this name.
_NAME = "oxisock._standard_socket"


def _load() -> "ModuleType":
    """Run the code of the module ``socket`` without making it the ``socket`` of the process."""
    from importlib.util import module_from_spec

    specs = (finder.find_spec("socket", None) for finder in sys.meta_path)
    # Not of whom rewrites modules on their way, as pytest does: no code is to be had there.
    spec = next(
        (spec for spec in specs if hasattr(getattr(spec, "loader", None), "get_code")), None
    )
    if spec is None or spec.loader is None:
        raise ImportError("the interpreter's own module socket is missing", name="socket")
    module = module_from_spec(spec)
    loader: Any = spec.loader
    code = loader.get_code("socket")
    module.__name__ = _NAME
    sys.modules[_NAME] = module
    try:
        exec(code, module.__dict__)
    finally:
        del sys.modules[_NAME]
    for value in [*vars(module).values()]:
        _rename(value)
        if isinstance(value, type) and value.__module__ == "socket":
            for member in [*vars(value).values()]:
                _rename(member)
    module.__name__ = "socket"
    # Modules of either side hand this mark for "no timeout given" to each other.
    mark = _public._GLOBAL_DEFAULT_TIMEOUT
    module.create_connection.__defaults__ = tuple(
        mark if default is module._GLOBAL_DEFAULT_TIMEOUT else default
        for default in module.create_connection.__defaults__
    )
    module._GLOBAL_DEFAULT_TIMEOUT = mark  # type: ignore[attr-defined]
    return module


def _rename(value: object) -> None:
    if getattr(value, "__module__", None) == _NAME:
        value.__module__ = "socket"
