"""Check the links between the files of this repository, without a network.

Every relative link and picture in a Markdown file, and every link to a heading, has to lead
somewhere. The pages below ``docs/`` are checked by Sphinx as it builds them, and links to other
sites by ``nox -s links``. Prints each dead link as ``file:line: target`` and exits with status 1
if there is one::

    python tools/check_links.py
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parent.parent


def pages(root: Path) -> list[Path]:
    """List the Markdown files that belong to the repository, but for those of Sphinx."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    return [root / name for name in done.stdout.splitlines() if not name.startswith("docs/")]


def inline(tokens: list[Token]) -> Iterator[tuple[int, Token]]:
    """Yield every inline token with the line on which its paragraph begins."""
    for token in tokens:
        for child in token.children or ():
            yield (token.map or [0])[0] + 1, child


def anchors(page: Path) -> set[str]:
    """Name the headings of a page as code hosts do in links to them."""
    tokens = MarkdownIt("commonmark").parse(page.read_text("utf-8"))
    found: dict[str, int] = {}
    names = set()
    for token, text in pairwise(tokens):
        if token.type == "heading_open":
            plain = "".join(part.content for part in text.children or ())
            slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
            count = found.get(slug, 0)
            found[slug] = count + 1
            names.add(f"{slug}-{count}" if count else slug)
    return names


def dead_links(page: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the target of every link of a page that leads nowhere."""
    parser = MarkdownIt("commonmark").enable("table")
    for line, token in inline(parser.parse(page.read_text("utf-8"))):
        target = token.attrGet("href") or token.attrGet("src")
        if not isinstance(target, str):
            continue
        parts = urlsplit(target)
        if parts.scheme or parts.netloc:
            continue
        other = page.parent / unquote(parts.path) if parts.path else page
        heading = parts.fragment if other.suffix == ".md" else ""
        if not other.exists() or (heading and heading not in anchors(other)):
            yield line, target


def main(root: Path = ROOT) -> int:
    """Print every dead link, and return the exit status."""
    found = [
        f"{page.relative_to(root)}:{line}: {target}"
        for page in pages(root)
        for line, target in dead_links(page)
    ]
    print("\n".join(found) or "every link leads somewhere")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
