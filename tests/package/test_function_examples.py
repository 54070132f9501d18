"""Every function and method has an example, which the reference shows, and which is true."""

import ast
import re
from collections import Counter
from enum import Enum
from pathlib import Path

import pytest

import oxisock
from tests.package.test_how_to import Example, agrees, examples

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "_examples.md"
ENTRY = re.compile(
    r"^ *\.\. (?:auto|py:)?(?:function|class|method|attribute|data|exception)::"
    r" (?:oxisock\.)?([\w.]+)",
    re.MULTILINE,
)
HEADING = re.compile(r"^## (.*)$", re.MULTILINE)


def by_heading() -> list[tuple[list[str], Example]]:
    """Return the names in each heading with the one program below it."""
    text = PAGE.read_text("utf-8")
    headings = [found[1].split(", ") for found in HEADING.finditer(text)]
    programs = examples(PAGE)
    assert len(headings) == len(programs) == text.count("```python")
    return list(zip(headings, programs, strict=True))


SECTIONS = by_heading()
NAMES = [name for names, _ in SECTIONS for name in names]


def public() -> set[str]:
    """Name every function of the module and every method and attribute of its sockets."""
    functions = {
        name
        for name in [*oxisock.__all__, "tls_status", "deadline"]
        if callable(value := getattr(oxisock, name)) and not isinstance(value, type)
    }
    members = {f"socket.{name}" for name in dir(oxisock.socket) if not name.startswith("_")}
    return functions | members | {"deadline"}


def test_every_function_and_method_has_an_example() -> None:
    assert len(public()) > 100
    assert public() - set(NAMES) == set()
    assert set(NAMES) - public() == set(), "no such function"
    assert len(NAMES) == len(set(NAMES)), "twice"


def test_every_function_class_and_method_is_in_the_reference_once() -> None:
    pages = [page for page in PAGE.parents[1].rglob("*") if page.suffix in (".md", ".rst")]
    listed = [name for page in pages for name in ENTRY.findall(page.read_text("utf-8"))]
    classes = {name for name in oxisock.__all__ if isinstance(getattr(oxisock, name), type)}
    # Aliases of the interpreter's exceptions, and enumerations, have tables instead.
    classes -= {name for name in classes if issubclass(getattr(oxisock, name), Exception | Enum)}
    wanted = public() | classes | {"ssl", "SSLSocket", "TLSObject"}
    assert wanted - set(listed) == set()
    assert {name: count for name, count in Counter(listed).items() if count > 1} == {}


@pytest.mark.parametrize(("names", "example"), SECTIONS, ids=lambda value: str(value)[:40])
def test_example(names: list[str], example: Example, tmp_path: Path) -> None:
    used = {
        node.attr
        for node in ast.walk(ast.parse(example.program))
        if isinstance(node, ast.Attribute)
    }
    assert {name.rpartition(".")[2] for name in names} - used == set(), "not in its own example"
    agrees(example, tmp_path)
