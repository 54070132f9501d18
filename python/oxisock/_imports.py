"""What is to be done once a module has been imported, whenever that is."""

import sys
from _thread import allocate_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

_lock = allocate_lock()
_pending: "dict[str, Callable[[str], object]]" = {}


def when_imported(name: str, action: "Callable[[str], object]") -> None:
    """Call ``action(name)`` when that module is there: now, or at the end of its import.

    Not at all if it is the module that is importing us at this moment: it gets what it asks for.
    """
    # First of all: another thread may import it in between.
    with _lock:
        _pending[name] = action
        if _Finder not in sys.meta_path:
            sys.meta_path.insert(0, _Finder)
    if sys.modules.get(name) is not None:
        if ready(name) is None:
            forget(name)
        else:
            _carry_out(name)


def ready(name: str) -> "Any":
    """Import a module; return None where that is what imports us at this moment.

    Raises:
        ImportError: there is no such module.
    """
    # Waits for another thread that is importing it.
    __import__(name)
    module = sys.modules[name]
    spec = getattr(module, "__spec__", None)
    return None if getattr(spec, "_initializing", False) else module


def forget(*names: str) -> None:
    """Give up what is still to be done when modules of these names are imported."""
    for name in names:
        _pending.pop(name, None)


def _carry_out(name: str) -> None:
    action = _pending.pop(name, None)
    if action is not None:
        action(name)


class _Finder:
    """Finds nothing itself, but puts ``_Loader`` before the loaders that others have found.

    It stays where it is: while another thread goes through ``sys.meta_path``, the removal of an
    item would have it skip the next one.
    """

    @classmethod
    def find_spec(
        cls, name: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        if name not in _pending:
            return None
        for finder in [*sys.meta_path]:
            if finder is not cls:
                spec = finder.find_spec(name, path, target)
                if spec is not None:
                    if spec.loader is not None:
                        spec.loader = _Loader(spec.loader)  # type: ignore[assignment]
                    return spec
        return None


class _Loader:
    def __init__(self, loader: "Any") -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> "Any":
        return getattr(self._loader, name)

    def exec_module(self, module: "ModuleType") -> None:
        assert module.__spec__ is not None
        # The module is not to show that we were here.
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        _carry_out(module.__name__)
