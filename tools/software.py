"""Write docs/software.md, the page of what was tried, out of the results of `nox -s software`.

`--check` compares all of the page but the versions, which are those of the machine that wrote it.
"""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "software.md"
VERSION = re.compile(r"\d+(\.\d+)+[-\w.]*")

HEAD = """\
# What was tried

Programs and libraries, unmodified, under `python -m oxisock run`. Each row is a test that starts
what it needs, a real server where there is one, checks the data, and takes everything down again;
none is expected to fail. `nox -s software` runs them all in two to three minutes, with the servers
of `.ci/packages` and `tests/software/packages`, and the packages of the group `software` in
`pyproject.toml`. It refuses a page that says something else: it is written by `tools/software.py`
from their results. It is part of the checks of every change.
"""

LIMITS = """
## What stays as it is

Sockets that a C library makes for itself never get to Python's `socket`. Such libraries work beside
oxisock, and neither gain nor lose by it:
"""

TAIL = """
gevent and eventlet have to patch *after* oxisock is installed, which `run` sees to; then their
sockets are their own, and the program waits in their hub. Where they have patched before,
`install()` [refuses](moving.md). A child with `-S`, `-I` or another environment is left on the
standard library.
"""


def main() -> int:
    """Write the page, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="what pytest --results has written")
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    options = parser.parse_args()
    results = json.loads(options.results.read_text())
    if any("skipped" in entry["outcomes"] for entry in results["tried"].values()):
        sys.stderr.write(f"not everything was tried: {PAGE.name} stays as it is\n")
        return 0
    page = written(results)
    if not options.check:
        PAGE.write_text(page)
        return 0
    if without_versions(page) == without_versions(PAGE.read_text()):
        return 0
    sys.stderr.write(
        f"{PAGE.name} is not what the tests say: nox -s software, and then "
        f"python tools/software.py {options.results}\n"
    )
    return 1


def place(entry: dict[str, Any]) -> tuple[list[str], str]:
    """Where a row stands: by the names of the software, then by what was done."""
    return [name.lower() for name in entry["software"]], entry["how"]


def written(results: dict[str, Any]) -> str:
    """Return the page."""
    rows, limits = [], []
    # The tests end in any order.
    for entry in sorted(results["tried"].values(), key=place):
        names = entry["software"]
        how = " ".join(entry["how"].split()).replace("``", "`")
        works = "works" if {*entry["outcomes"]} == {"passed"} else "FAILS"
        if entry["limits"]:
            limits.append(f"- {names[0]}: {entry['limits']}")
            works = works.replace("works", "works beside it")
        versions = ", ".join(short(name, results["versions"][name]) for name in names)
        rows.append(f"| {', '.join(names)} | {how} | {works} | {versions} |")
    table = ["| What | How | Result | Versions |", "|---|---|---|---|", *rows]
    return "\n".join([HEAD, *table, LIMITS, *limits, TAIL.rstrip("\n")]) + "\n"


def short(name: str, told: str) -> str:
    """Return a name with the number in what a program says of its version."""
    found = VERSION.search(told)
    label = "Python" if name in sys.stdlib_module_names else name
    return f"{label} {found[0] if found else told}"


def without_versions(page: str) -> list[str]:
    """Return the page's lines without the last column of the table."""
    rows = page.splitlines()
    return [row.rpartition(" | ")[0] if row.startswith("| ") else row for row in rows]


if __name__ == "__main__":
    sys.exit(main())
