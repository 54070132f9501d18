"""The modules of the package import each other in one direction."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import oxisock

PACKAGE = Path(oxisock.__file__).parent


def imported(path: Path) -> set[str]:
    """Name the modules of the package that a module imports, anywhere but for type checkers alone.

    The package itself does not count: functions look names up in it, which programs may replace.
    """
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                return
            case ast.ImportFrom(module=None, level=1, names=names):
                found.update(alias.name for alias in names)
            case ast.ImportFrom(module=str(module), level=1):
                found.add(module)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text("utf-8")))
    return found


def test_modules_are_not_imported_in_a_circle() -> None:
    graph = {path.stem: imported(path) for path in PACKAGE.glob("_*.py")}
    del graph["__init__"]
    assert "_socket" in graph["_class"]
    order = list(TopologicalSorter(graph).static_order())
    assert order.index("_socket") < order.index("_class") < order.index("_tls")


def test_a_circle_is_found() -> None:
    with pytest.raises(CycleError):
        TopologicalSorter({"_a": {"_b"}, "_b": {"_a"}}).prepare()
