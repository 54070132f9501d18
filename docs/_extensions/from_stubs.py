"""Show the signatures of the stubs, which have the types, above the docstrings of autodoc."""

import ast
import re
from pathlib import Path

from sphinx.application import Sphinx

import oxisock

PACKAGE = Path(oxisock.__file__).parent
# Names that are private to the stubs, as a reader may know them.
READABLE = {
    "_GLOBAL_DEFAULT_TIMEOUT": "...",
    "_RetAddress": "Address",
    "_CMSGArg": "AncillaryItem",
    "_CMSG": "AncillaryItem",
    "_HostName": "str | bytes | bytearray",
    "_SystemText": "str | bytes",
    "_public_socket": "socket",
    "_public.socket": "socket",
    "_standard.socket": "socket",
    "_SendableFile": "IO[bytes]",
    "tls.": "ssl.",
}
# So many signatures of one function tell more than its most general one.
MOST_OVERLOADS = 3


Definition = ast.FunctionDef | ast.AsyncFunctionDef


def definitions() -> dict[str, list[Definition]]:
    """Functions and methods of the package by name, each with its overloads."""
    found: dict[str, list[Definition]] = {}

    def visit(body: list[ast.stmt], prefix: str, into: dict[str, list[Definition]]) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                into.setdefault(prefix + node.name, []).append(node)
            elif isinstance(node, ast.ClassDef):
                # What the native class has, the public one inherits.
                name = "socket" if node.name == "Socket" else node.name
                visit(node.body, f"{prefix}{name}.", into)

    modules = ["_class.pyi", "_socket.pyi", "_functions.py", "_descriptors.py", "_files.py"]
    modules += ["_install.py", "_ssl.py", "_datagrams.py"]
    for module in modules:
        here: dict[str, list[Definition]] = {}
        visit(ast.parse((PACKAGE / module).read_text("utf-8")).body, "oxisock.", here)
        found = here | found
    return found


def unquoted(annotation: ast.expr | None) -> ast.expr | None:
    """An annotation without its quotes, which keep it from being evaluated at import."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return ast.parse(annotation.value, mode="eval").body
    return annotation


def signature(node: Definition, *, method: bool) -> str:
    """A definition's parameters and result as text."""
    arguments = node.args
    if method and not any(ast.unparse(d) == "staticmethod" for d in node.decorator_list):
        (arguments.posonlyargs or arguments.args).pop(0)
    for each in ast.walk(arguments):
        if isinstance(each, ast.arg):
            each.annotation = unquoted(each.annotation)
    result = unquoted(node.returns)
    text = f"({ast.unparse(arguments)})"
    # A lone slash is left where everything in front of it was the object itself.
    text = re.sub(r"\((?:, )?/(?:, )?", "(", text)
    if result is not None:
        text += f" -> {ast.unparse(result)}"
    for private, readable in READABLE.items():
        text = text.replace(private, readable)
    return re.sub(r"\b_([A-Z]\w+)", r"\1", text)


def setup(app: Sphinx) -> dict[str, bool]:
    known = {
        name: [signature(node, method=name.count(".") > 1) for node in nodes]
        for name, nodes in definitions().items()
    }

    def process(
        app: Sphinx,
        what: str,
        name: str,
        value: object,
        options: object,
        shown: str | None,
        result: str | None,
    ) -> tuple[str, str | None] | None:
        if what == "class":
            name += ".__init__"
        lines = known.get(name)
        if not lines or what in {"attribute", "property"}:
            return None
        if len(lines) > MOST_OVERLOADS:
            lines = lines[-1:]
        if what == "class":
            lines = [line.partition(" -> ")[0] for line in lines]
        return f"\n{name.removeprefix('oxisock.')}".join(lines), None

    app.connect("autodoc-process-signature", process)
    return {"parallel_read_safe": True}
