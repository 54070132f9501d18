"""Tell which reports of ThreadSanitizer are about this package, for `nox -s sanitized`.

    python tools/races.py FOLDER

Reads the reports in a folder. Those where one of the two accesses was made by the native module, or
by what that called of the interpreter without running Python code there, are printed, each kind
once, and make the exit status 1. The others are the interpreter's own: of those a table says how
many there were.
"""

import argparse
import re
import sys
from collections import Counter
from pathlib import Path

START = "WARNING: ThreadSanitizer: "
# The interpreter has a module of the same name, made of this file.
OURS = re.compile(r"^(?!.*/socketmodule\.c).*\(_socket\.")
FRAME = re.compile(r"^\s+#\d+ (\S+)")
# From here on it is the business of the program that called us, or that we called.
PYTHON_CODE = "_PyEval_EvalFrameDefault"


def accesses(report: str) -> list[list[str]]:
    """Return the stacks of the accesses, innermost frame first: the paragraphs with frames."""
    paragraphs = re.split(r"\n\s*\n", report)
    stacks = [[line for line in part.splitlines() if FRAME.match(line)] for part in paragraphs]
    # Others follow, of where memory and threads come from.
    return [stack for stack in stacks if stack][:2]


def by_us(stack: list[str]) -> bool:
    """Tell whether code of ours is nearer to the access than any Python code."""
    for line in stack:
        if OURS.search(line):
            return True
        if f" {PYTHON_CODE} " in line:
            return False
    return False


def name(stack: list[str]) -> str:
    """Return the innermost function of a stack."""
    match = FRAME.match(stack[0]) if stack else None
    return match[1] if match else "?"


def main() -> int:
    """Read and sort the reports, print what is to be said of them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    ours: dict[tuple[str, ...], str] = {}
    others: Counter[tuple[str, ...]] = Counter()
    for path in sorted(parser.parse_args().folder.iterdir()):
        for part in path.read_text("utf-8", "replace").split(START)[1:]:
            report = part.partition("\n====")[0]
            kind, stacks = report.partition(" (pid")[0], accesses(report)
            key = kind, *sorted(map(name, stacks))
            if any(map(by_us, stacks)):
                ours.setdefault(key, report)
            else:
                others[key] += 1
    for report in ours.values():
        print(f"{START}{report}\n{'=' * 18}")
    for (kind, *names), count in others.most_common():
        print(f"{count:6} of the interpreter: {kind}, {' and '.join(names)}")
    print(f"{len(ours)} kinds of reports are ours, {len(others)} of the interpreter")
    return 1 if ours else 0


if __name__ == "__main__":
    sys.exit(main())
