"""Show at each function and method the example that `reference/_examples.md` has for it."""

import re
from pathlib import Path

from sphinx.application import Sphinx

PAGE = Path(__file__).parents[1] / "reference" / "_examples.md"
SECTION = re.compile(
    r"^## (?P<names>[^\n]*)\n\n```python\n(?P<program>.*?)^```\n"
    r"(?:\n```text\n(?P<output>.*?)^```$)?",
    re.DOTALL | re.MULTILINE,
)
VARIES = "# for example\n"


def block(language: str, text: str) -> list[str]:
    return [f".. code-block:: {language}", "", *(f"   {line}" for line in text.splitlines()), ""]


def sections() -> dict[str, list[str]]:
    """Return the lines of each example by the names that it is for."""
    found = {}
    for section in SECTION.finditer(PAGE.read_text("utf-8")):
        lines = [".. rubric:: Example", "", *block("python", section["program"])]
        output = section["output"] or ""
        if output:
            varies = output.startswith(VARIES)
            lines += ["It prints, for example:" if varies else "It prints:", ""]
            lines += block("text", output.removeprefix(VARIES))
        for name in section["names"].split(", "):
            found[f"oxisock.{name}"] = lines
    return found


def setup(app: Sphinx) -> dict[str, bool]:
    known = sections()

    def process(
        app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]
    ) -> None:
        lines += known.get(name, [])

    # After napoleon, which would take the heading for one of its own.
    app.connect("autodoc-process-docstring", process, priority=900)
    return {"parallel_read_safe": True}
