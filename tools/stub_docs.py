"""Write the docstrings of the built package into its stubs, where editors look for them.

The signatures in ``python/oxisock/*.pyi`` are written by hand; the docstrings beneath them are
those of the native module and of the classes, so that there is one source for each. Run this
after a change of a docstring, with the package built (``maturin develop``)::

    python tools/stub_docs.py

``tests/package/test_exports.py`` fails when a stub has fallen behind.
"""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import oxisock
from oxisock import _socket

PACKAGE = Path(oxisock.__file__).parent
STUBS = {"_socket.pyi": _socket, "_class.pyi": oxisock}


def documented(body: list[ast.stmt], owner: object) -> Iterator[tuple[ast.stmt, str]]:
    """Yield the definitions of a stub that have a docstring at runtime, each name once."""
    seen = set()
    for node in body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name in seen:
            continue
        seen.add(node.name)
        # What object has of its own, and what a class inherits, is documented there.
        value = vars(owner).get(node.name)
        if value is None or (isinstance(node, ast.FunctionDef) and node.name.startswith("__")):
            continue
        value = getattr(owner, node.name) if not isinstance(value, property) else value
        if text := inspect.getdoc(value):
            yield node, text
        if isinstance(node, ast.ClassDef):
            yield from documented(node.body, value)


def with_docstrings(source: str, owner: object) -> str:
    """Return the source of a stub with the docstrings of ``owner`` in it."""
    lines = source.splitlines()
    # From the end to the front, so that the line numbers of what is still to come stay right.
    found = list(documented(ast.parse(source).body, owner))
    for node, text in sorted(found, key=lambda pair: -pair[0].lineno):
        first = node.body[0]
        indent = " " * (node.col_offset + 4)
        quote = 'r"""' if "\\" in text else '"""'
        block = [line.rstrip() for line in f"{quote}{text}".splitlines()]
        if len(block) > 1:
            block.append('"""')
        else:
            block[0] += '"""'
        block = [indent + line if line and at else line for at, line in enumerate(block)]
        block[0] = indent + block[0]
        is_class = isinstance(node, ast.ClassDef)
        if ast.get_docstring(node) is not None:  # the old one
            lines[first.lineno - 1 : first.end_lineno] = block
        elif is_class:
            lines[first.lineno - 1 : first.lineno - 1] = [*block, ""]
        else:
            head = lines[first.lineno - 1][: first.col_offset].rstrip()
            lines[first.lineno - 1 : first.end_lineno] = [head, *block]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Bring the stubs up to date."""
    for name, owner in STUBS.items():
        path = PACKAGE / name
        path.write_text(with_docstrings(path.read_text("utf-8"), owner), "utf-8")


if __name__ == "__main__":
    main()
