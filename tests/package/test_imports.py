"""The modules of the package import each other in one direction."""

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import oxisock

PACKAGE = Path(oxisock.__file__).parent
SOURCES = Path(__file__).parents[2] / "src"


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


def test_folders_of_rust_are_not_used_in_a_circle() -> None:
    places = [path for path in SOURCES.iterdir() if path.name not in ("sys", "lib.rs")]
    graph: dict[str, set[str]] = {}
    for place in places:
        files = place.rglob("*.rs") if place.is_dir() else [place]
        used = {name for file in files for name in re.findall(r"crate::(\w+)", file.read_text())}
        graph[place.stem] = used - {place.stem, "sys"}
    order = list(TopologicalSorter(graph).static_order())
    assert order.index("engine") < order.index("lookup") < order.index("address")
    assert order.index("address") < order.index("resolver") < order.index("socket")


def test_a_circle_is_found() -> None:
    with pytest.raises(CycleError):
        TopologicalSorter({"_a": {"_b"}, "_b": {"_a"}}).prepare()


def test_the_c_api_is_used_in_one_place() -> None:
    uses = {
        path.relative_to(SOURCES).parts[0]
        for path in SOURCES.rglob("*.rs")
        if re.search(r"pyo3::(\{\s*)?ffi|^\s+ffi::|[({ ]ffi::Py", path.read_text(), re.MULTILINE)
    }
    assert uses == {"python", "pyo3"}


def test_exceptions_are_made_in_one_place() -> None:
    """PyO3 makes its own when they are raised, and ends the process without memory for one."""
    pattern = r"Py(?!Memory)\w+Error::new_err|PyErr::from_type|PyErr::new::<(?!PyMemoryError)"
    uses = {
        str(path.relative_to(SOURCES))
        for path in SOURCES.rglob("*.rs")
        if re.search(pattern, path.read_text())
    }
    assert uses == {"python/error.rs"}
