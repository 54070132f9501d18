"""Print the README as a package index shows it: with absolute links.

A package index shows the README without the repository around it, so that a link to a file leads
nowhere there. Links begin with ``Source`` in ``[project.urls]`` of ``pyproject.toml`` and the
version's tag. ``--write`` changes the file in place: for builds of a release, not for commits::

    python tools/readme.py [--write]
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
# A link or picture whose target is neither a URL nor a heading of the page; code is left alone.
RELATIVE = re.compile(
    r"(?P<code>`[^`]*`)|(?P<picture>!?)\[(?P<text>[^\]]*)\]\((?![a-z]+:|#)(?P<target>[^)]+)\)"
)


def absolute(text: str, source: str, tag: str) -> str:
    """Return the text with every link to a file of the repository made absolute."""

    def replaced(link: re.Match[str]) -> str:
        if link["code"]:
            return link["code"]
        kind = "raw" if link["picture"] else "blob"
        return f"{link['picture']}[{link['text']}]({source}/{kind}/{tag}/{link['target']})"

    return RELATIVE.sub(replaced, text)


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Print or write the README with absolute links."""
    cargo = tomllib.loads((root / "Cargo.toml").read_text("utf-8"))
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    tag = f"v{cargo['workspace']['package']['version']}"
    path = root / "README.md"
    text = absolute(path.read_text("utf-8"), project["urls"]["Source"], tag)
    if "--write" in arguments:
        path.write_text(text, "utf-8")
    else:
        sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
