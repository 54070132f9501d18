"""Every example of the documentation runs, and prints what the page says it prints.

A ``python`` block is a program, and the ``text`` block after it is its output; a program without
one prints nothing. Where the output starts with ``# for example`` only its number of lines is
compared. What an example needs that is no whole program stands in a comment in front of it,
``<!-- before``, and helpers for those in ``tests/helpers/snippets.py``.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

DOCS = Path(__file__).parents[2] / "docs"
ROOT = DOCS.parent
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), *sorted((DOCS / "how-to").glob("*.md"))]
BLOCK = re.compile(
    r"(?:^<!-- before\n(?P<before>[^`]*?)^-->\n\n)?"
    r"^```python\n(?P<program>.*?)^```\n(?:\n```text\n(?P<output>.*?)^```$)?",
    re.DOTALL | re.MULTILINE,
)
VARIES = "# for example\n"


class Example(NamedTuple):
    place: str
    program: str
    output: str
    before: str


def examples(page: Path) -> list[Example]:
    """Return the programs of a page with their outputs."""
    text = page.read_text("utf-8")
    return [
        Example(
            f"{page.name}:{text.count(chr(10), 0, found.start()) + 1}",
            found["program"],
            found["output"] or "",
            found["before"] or "",
        )
        for found in BLOCK.finditer(text)
    ]


EXAMPLES = [example for page in PAGES for example in examples(page)]


def test_there_are_examples_and_none_is_overlooked() -> None:
    """Each block of Python is among them, and each page in the table of contents."""
    written = sum(page.read_text("utf-8").count("```python") for page in PAGES)
    assert len(EXAMPLES) == written > 10
    index = (DOCS / "how-to" / "index.md").read_text("utf-8")
    assert {page.stem for page in PAGES if page.parent.name == "how-to"} - {"index"} == {
        line for line in index.splitlines() if re.fullmatch(r"[a-z-]+", line)
    }


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.place)
def test_example(example: Example, tmp_path: Path) -> None:
    agrees(example, tmp_path)


def agrees(example: Example, tmp_path: Path) -> None:
    """Run a program and compare what it prints."""
    for needed in ("trustme", "cryptography", "prometheus_client", "opentelemetry"):
        if re.search(rf"^(import|from) {needed}", example.program, re.MULTILINE):
            pytest.importorskip(needed)
    if "snippets." in example.before:
        pytest.importorskip("trustme")
    program = tmp_path / "example.py"
    program.write_text(example.before + example.program, "utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", program],
        cwd=tmp_path,
        env=os.environ | {"PYTHONUTF8": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    if example.output.startswith(VARIES):
        wanted = example.output.removeprefix(VARIES)
        assert len(done.stdout.splitlines()) == len(wanted.splitlines()), done.stdout
    else:
        assert done.stdout == example.output
