"""The docstrings of the package have one markup; mood and sections are ruff's business (D)."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import oxisock

PACKAGE = Path(oxisock.__file__).parent
# Where the package is installed, there are stubs beside the sources as well.
FILES = sorted(path for path in PACKAGE.rglob("*.py*") if path.suffix in {".py", ".pyi"})

SINGLE_BACKTICKS = re.compile(r"(?<![`:])`(?!`)[^`\n]+`(?!`)")
EMPHASISED = re.compile(r"(?<![*\w])\*(?![*\s])[^*\n]+(?<!\s)\*(?![*\w])")
ERRORS_IN_PROSE = re.compile(r"^\s*Raises [A-Z]", re.MULTILINE)
SECTION = re.compile(r"^ *(\w+):\n +\S", re.MULTILINE)


def docstrings(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the place and text of every docstring in a file."""
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, kinds) and (text := ast.get_docstring(node, clean=False)):
            yield f"{path.name}:{getattr(node, 'name', '')}", text


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
@pytest.mark.parametrize(
    "wrong", [SINGLE_BACKTICKS, EMPHASISED, ERRORS_IN_PROSE], ids=["`", "*", "Raises"]
)
def test_docstrings_have_one_markup(path: Path, wrong: re.Pattern[str]) -> None:
    found = {place: hit[0] for place, text in docstrings(path) if (hit := wrong.search(text))}
    assert found == {}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_sections_are_those_of_google(path: Path) -> None:
    known = {"Args", "Attributes", "Example", "Examples", "Note", "Raises", "Returns", "Yields"}
    found = {place: set(SECTION.findall(text)) - known for place, text in docstrings(path)}
    assert {place: names for place, names in found.items() if names} == {}


def test_the_patterns_find_what_they_are_for() -> None:
    assert SINGLE_BACKTICKS.search("see `this`")
    assert not SINGLE_BACKTICKS.search("see ``this`` and :func:`that`")
    assert EMPHASISED.search("the *size* of it")
    assert not EMPHASISED.search("``MSG_*`` and ``SO_*`` or 2 * 3 * 4")
    assert ERRORS_IN_PROSE.search("Text.\n\n    Raises ValueError if so.")
    assert not ERRORS_IN_PROSE.search("Text.\n\n    Raises:\n        ValueError: so.")
    assert SECTION.findall("Text.\n\n    Args:\n        a: one.\n    Hints:\n        b\n") == [
        "Args",
        "Hints",
    ]
