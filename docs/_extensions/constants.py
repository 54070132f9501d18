"""The directive ``constants``: a table of one group of constants, with the values of this machine.

The groups are those of the stub ``__init__.pyi``, where each one begins with a comment that has
its name in brackets. A group that no page shows, and a public constant that is in no group, are
warnings, and so errors of a build with ``-W``.
"""

import enum
import re
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

import oxisock

STUB = Path(oxisock.__file__).with_name("__init__.pyi")
logger = logging.getLogger(__name__)


def groups() -> dict[str, list[str]]:
    """The names of each group of the stub."""
    _, *parts = re.split(r"^# \[(\w+)\]", STUB.read_text("utf-8"), flags=re.MULTILINE)
    return {
        name: re.findall(r"^(\w+)(?::| =)", text, re.MULTILINE)
        for name, text in zip(parts[::2], parts[1::2], strict=True)
    }


def shown(value: object) -> str:
    """A value as text, flags in hexadecimal digits."""
    if isinstance(value, enum.IntFlag):
        return hex(value)
    if isinstance(value, enum.Enum):
        return str(value.value)
    return repr(value)


class Constants(SphinxDirective):
    """``constants:: GROUP``; of its names those that begin with a word of ``:prefix:``."""

    required_arguments = 1
    option_spec = {"prefix": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        group = self.arguments[0]
        names = groups().get(group)
        if names is None:
            raise self.error(f"there is no group of constants named {group!r}")
        if prefixes := self.options.get("prefix"):
            names = [name for name in names if name.startswith(tuple(prefixes.split()))]
        self.env.metadata[self.env.docname].setdefault("constants", []).extend(names)
        python = self.env.get_domain("py")
        rows = []
        for name in names:
            value = getattr(oxisock, name)
            literal = nodes.literal(text=name, ids=[f"oxisock.{name}"])
            python.note_object(f"oxisock.{name}", "data", f"oxisock.{name}", location=literal)
            kind = type(value).__name__
            rows.append([literal, nodes.literal(text=shown(value)), nodes.literal(text=kind)])
        index = addnodes.index(
            entries=[
                ("single", f"{name} (constant)", f"oxisock.{name}", "", None) for name in names
            ]
        )
        return [index, table(["Name", "Value", "Type"], rows)]


def table(head: list[str], rows: list[list[nodes.Node]]) -> nodes.table:
    """A table of inline elements."""
    group = nodes.tgroup("", *[nodes.colspec(colwidth=1) for _ in head], cols=len(head))
    cells = [[nodes.Text(text) for text in head], *rows]
    lines = [
        nodes.row("", *[nodes.entry("", nodes.paragraph("", "", cell)) for cell in line])
        for line in cells
    ]
    group += nodes.thead("", lines[0])
    group += nodes.tbody("", *lines[1:])
    return nodes.table("", group)


def check(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of constants that the documentation lacks."""
    documented = {name for data in env.metadata.values() for name in data.get("constants", [])}
    public = {
        name
        for name in oxisock.__all__
        if isinstance(getattr(oxisock, name), int | str) and not name.startswith("_")
    }
    for name in sorted({name for names in groups().values() for name in names} - documented):
        logger.warning("constant %s is in a group that no page shows", name)
    for name in sorted(public - documented):
        logger.warning("constant %s is in no group of the stub", name)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("constants", Constants)
    app.connect("env-check-consistency", check)
    return {"parallel_read_safe": False}
