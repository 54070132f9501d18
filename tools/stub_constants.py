"""Write the constants of ``src/constants`` into the stub ``python/oxisock/__init__.pyi``.

All that follows the line with the mark in that stub is made here: the enumerations, and every
constant of Linux in the group of the Rust file that has it. Needs no built package. Run this after
a change in ``src/constants``; with ``--check`` nothing is written, and the exit status is 1 where
the stub has fallen behind::

    python tools/stub_constants.py [--check]
"""

import ast
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "src" / "constants"
PACKAGE = ROOT / "python" / "oxisock"
STUB = PACKAGE / "__init__.pyi"
MARK = "# Made by tools/stub_constants.py; edit src/constants instead.\n"
HEADER = """\
# The enumerations of constants, and then the constants: those of Linux, whose values belong to the
# platform and are not given. The reference documentation takes its groups from the comments with a
# name in brackets.
"""
PYTHON_TYPES = {"Bool": "bool", "Text": "str"}


def groups() -> list[str]:
    """List the Rust files with tables of Linux, in the order of the module's own list."""
    source = (SOURCES / "mod.rs").read_text("utf-8")
    listed = re.search(r"static PUBLIC: [^=]+= &\[(.*?)\];", source, re.DOTALL)
    assert listed is not None, "mod.rs has no list PUBLIC"
    entries = re.findall(r"(#\[cfg\(bsd\)\]\s*)?(\w+)::TABLES", listed[1])
    return [*(name for bsd, name in entries if not bsd), "errors"]


def description(group: str) -> str:
    """Return what the Rust file of a group says about itself."""
    source = (SOURCES / f"{group}.rs").read_text("utf-8")
    return " ".join(re.findall(r"^//! ?(.*)$", source, re.MULTILINE)).strip()


def integers(group: str) -> set[str]:
    """Name the integers in the tables of a group."""
    source = re.sub(r"//.*", "", (SOURCES / f"{group}.rs").read_text("utf-8"))
    names: set[str] = set()
    for table in re.findall(r"table! \{(.*?)\}", source, re.DOTALL):
        names.update(re.findall(r"(?:^|,)\s*([A-Za-z_]\w*)", table))
    return names


def others() -> Iterator[tuple[str, str, str]]:
    """Yield group, name and Python type of each constant that is no integer."""
    source = (SOURCES / "mod.rs").read_text("utf-8")
    pattern = r'\("(\w+)", Constant::(Bool|Text)\((?:(\w+)::)?'
    for name, kind, group in re.findall(pattern, source):
        yield group or "support", name, PYTHON_TYPES[kind]


def enumerations() -> dict[str, tuple[str, str, str]]:
    """Return prefix, base class and docstring of each enumeration, from where they are declared."""
    tree = ast.parse((PACKAGE / "_enums.py").read_text("utf-8"))
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id="_ENUMERATIONS")], value=value):
                found: dict[str, tuple[str, str, str]] = ast.literal_eval(value)
                return found
    raise ValueError("_enums.py has no _ENUMERATIONS")


def generated() -> str:
    """Return the part of the stub below the mark."""
    classes = enumerations()
    types = {group: dict.fromkeys(integers(group), "int") for group in groups()}
    types["support"] = {}
    for group, name, kind in others():
        types[group][name] = kind
    # The error numbers, which are not part of `__all__`, come last.
    types["errors"] = types.pop("errors")
    texts = {group: description(group) for group in types if group != "support"}
    texts["support"] = "What this build of the package supports."

    lines = [HEADER]
    members = {name for group in types.values() for name in group if name.isupper()}
    for name, (prefix, base, text) in classes.items():
        lines += [f"class {name}({base}):", f'    """{text}"""', ""]
        lines += [f"    {each} = ..." for each in sorted(members) if each.startswith(prefix)]
        lines.append("")
    owners = {prefix: name for name, (prefix, _, _) in classes.items()}
    for group, names in types.items():
        comment = f"[{group}] {texts[group]}"
        lines += [*textwrap.wrap(comment, 98, initial_indent="# ", subsequent_indent="# "), ""]
        for name, kind in sorted(names.items()):
            owner = owners.get(name[: name.find("_") + 1]) if name.isupper() else None
            lines.append(f"{name} = {owner}.{name}" if owner else f"{name}: {kind}")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def main(arguments: list[str]) -> int:
    """Bring the stub up to date, or say whether it is."""
    before = STUB.read_text("utf-8")
    written, mark, _ = before.partition(MARK)
    assert mark, f"{STUB} has lost its mark"
    after = f"{written}{mark}\n{generated()}"
    if "--check" not in arguments:
        STUB.write_text(after, "utf-8")
    elif before != after:
        print("the stub has fallen behind: python tools/stub_constants.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
