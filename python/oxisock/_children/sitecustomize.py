"""What a Python started by a program under ``oxisock run`` or ``oxisock report`` does first.

They put this file's folder at the head of PYTHONPATH, and the module ``site`` imports it by its
name. It hides itself, lets the environment's own ``sitecustomize`` have its turn, and sees to it
that ``import socket`` gives oxisock, or that what sockets do is watched. Under ``run`` nothing is
loaded before somebody imports ``socket``.

Any Python may come by here, also older ones and those of other environments, which it leaves alone.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class _Finder:
    """Installs oxisock when the first module that needs it is imported.

    It stays where it is: while another thread goes through ``sys.meta_path``, the removal of an
    item would have it skip the next one.
    """

    def __init__(self) -> None:
        # `oxisock._install` knows it by this, and switches it off.
        self.installs_oxisock = True
        self.before = None  # type: ModuleSpec | None

    def find_spec(
        self, name: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        if not self.installs_oxisock or name not in ("socket", "ssl"):
            return None
        try:
            import oxisock
        except ImportError as error:
            self.installs_oxisock = False
            _leave_alone(error)
            return None
        oxisock.install(rebind=True)
        if name == "socket":
            from importlib.machinery import ModuleSpec

            return ModuleSpec(name, self)  # type: ignore[arg-type] # all that the import asks for
        # The finder that waits for it came after this look-up had begun.
        for finder in [*sys.meta_path]:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                return spec
        return None

    def create_module(self, spec: "ModuleSpec") -> "ModuleType":
        # No empty module in between, which another thread could be given.
        module = sys.modules["oxisock"]
        self.before = module.__spec__
        return module

    def exec_module(self, module: "ModuleType") -> None:
        module.__spec__ = self.before


def _leave_alone(error: ImportError) -> None:
    """Say that this interpreter stays on the standard library, as one inside the main one does."""
    # What else keeps oxisock from being imported is a fault.
    if "main interpreter" not in str(error):
        raise error
    from warnings import warn

    warn(str(error), RuntimeWarning, stacklevel=3)


def _start(here: str) -> None:
    """Hide the folder ``here``; watch or wait for ``import socket``, if this Python has oxisock."""
    from importlib.machinery import EXTENSION_SUFFIXES
    from os import environ, path

    while here in sys.path:
        sys.path.remove(here)
    sys.path_importer_cache.pop(here, None)
    package = path.dirname(here)
    # The environment's own oxisock, made for this interpreter.
    if path.dirname(package) in sys.path and any(
        path.exists(path.join(package, "_socket" + suffix)) for suffix in EXTENSION_SUFFIXES
    ):
        watched = environ.get("OXISOCK_REPORT")
        if watched:
            try:
                from oxisock._report import start_child
            except ImportError as error:
                _leave_alone(error)
            else:
                start_child(watched)
        else:
            sys.meta_path.insert(0, _Finder())


_start(__file__.rpartition("/")[0])
del sys.modules["sitecustomize"]
# The real one. Without one this ends as the import of this file would have without `run`.
__import__("sitecustomize")
