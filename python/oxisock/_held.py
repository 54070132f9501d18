"""The import of modules whose files cannot be read any more.

What the native module holds of them takes the place of the files, see ``src/python/late.rs``. That
holds this module, too, which is imported only then.
"""

import sys

from oxisock._socket import held

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class _Finder:
    """A finder of the modules that are held, and the loader of those that have a source."""

    @staticmethod
    def find_spec(
        name: str, path: "Sequence[str] | None" = None, target: object = None
    ) -> "ModuleSpec | None":
        found = held(name)
        if not isinstance(found, tuple):
            return found
        origin = found[0] or f"{(path or ('',))[0]}/{name.rpartition('.')[2]}.py"
        spec = type(sys.__spec__)(name, _Finder, origin=origin)  # type: ignore[arg-type]
        if origin.endswith("/__init__.py"):
            spec.submodule_search_locations = [origin.removesuffix("/__init__.py")]
        spec.has_location = True
        return spec

    @staticmethod
    def create_module(spec: "ModuleSpec") -> None:
        """Leave making the module to the import system."""

    @staticmethod
    def exec_module(module: "ModuleType") -> None:
        _, source = held(module.__name__)  # type: ignore[misc]
        origin = module.__spec__.origin  # type: ignore[union-attr]
        exec(compile(source, origin or "", "exec", dont_inherit=True), module.__dict__)


def import_held(name: str) -> "ModuleType":
    """Return a module that is imported from memory, and what that imports likewise."""
    # Before the finders that may still know the file, and cannot open it.
    sys.meta_path.insert(0, _Finder)
    try:
        __import__(name)
    finally:
        sys.meta_path.remove(_Finder)
    return sys.modules[name]
