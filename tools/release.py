"""Decide whether a tag may become a release, and print the release's notes.

The tag, the version in ``Cargo.toml`` and the topmost released section of ``CHANGELOG.md`` have to
name the same version, that section has to have a date, and the placeholders in the URLs of
``pyproject.toml`` have to be filled in. Exits with status 1 and says all that is wrong otherwise::

    python tools/release.py v1.2.3
"""

import re
import sys
import tomllib
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parent.parent
HEADING = re.compile(r"^## \[(?P<version>\d[^\]]*)\] - (?P<day>.+)$", re.MULTILINE)


def faults(root: Path, tag: str) -> list[str]:
    """Say what keeps a tag from being released."""
    found = []
    cargo = tomllib.loads((root / "Cargo.toml").read_text("utf-8"))
    version = cargo["workspace"]["package"]["version"]
    if tag != f"v{version}":
        found.append(f"the tag is {tag}, Cargo.toml has {version}")
    newest = HEADING.search((root / "CHANGELOG.md").read_text("utf-8"))
    if newest is None or newest["version"] != version:
        found.append(f"the topmost release in CHANGELOG.md is not {version}")
    else:
        try:
            date.fromisoformat(newest["day"])
        except ValueError:
            found.append(f"CHANGELOG.md has {newest['day']!r} for the date of {version}")
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    if unfilled := sorted(name for name, url in project["urls"].items() if "OWNER" in url):
        found.append(f"pyproject.toml still has OWNER in {', '.join(unfilled)}")
    return found


def notes(root: Path) -> str:
    """Return the topmost released section of the changelog, without its heading."""
    text = (root / "CHANGELOG.md").read_text("utf-8")
    newest = HEADING.search(text)
    if newest is None:
        raise ValueError("CHANGELOG.md has no release")
    return re.split(r"^## ", text[newest.end() :], flags=re.MULTILINE)[0].strip() + "\n"


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Print the notes of the release, or what keeps it from being one."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    if found := faults(root, arguments[0]):
        print("\n".join(found), file=sys.stderr)
        return 1
    print(notes(root), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
