"""Take the debugging symbols out of wheels, and keep them in files of their own.

    python tools/split_symbols.py --out FOLDER WHEEL...

The wheels are those of ``maturin build --profile dist --strip false``; they are written anew,
without symbols, in their place. For each library FOLDER gets ``.build-id/NN/REST.debug``, which is
where debuggers look below a folder that they are told of (docs/debugging.md). Each pair is checked:
the wheel's has no symbols, the other one has, and both have one build ID. Needs GNU binutils.
"""

import argparse
import base64
import csv
import hashlib
import io
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path


class SplitError(Exception):
    """What keeps a wheel from being split."""


def run(*command: object) -> str:
    """Run a program of binutils; return what it prints."""
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SplitError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def build_id(library: Path) -> str:
    """Return what a library and its symbols are known by to debuggers."""
    found = re.search(r"Build ID: ([0-9a-f]{16,})", run("readelf", "--notes", "--wide", library))
    if found is None:
        raise SplitError(f"{library.name} has no build ID: link with --build-id")
    return found[1]


def has_symbols(library: Path) -> bool:
    """Tell whether there is what a debugger needs to name functions and lines."""
    return ".debug_line" in run("readelf", "--section-headers", "--wide", library)


def split(library: Path, folder: Path) -> Path:
    """Strip a library in its place; return the file with its symbols."""
    identity = build_id(library)
    if not has_symbols(library):
        raise SplitError(
            f"{library.name} has no symbols: build it with --profile dist --strip false"
        )
    symbols = folder / ".build-id" / identity[:2] / f"{identity[2:]}.debug"
    symbols.parent.mkdir(parents=True, exist_ok=True)
    run("objcopy", "--only-keep-debug", "--compress-debug-sections", library, symbols)
    symbols.chmod(0o644)
    run("objcopy", "--strip-unneeded", library)
    if has_symbols(library) or not has_symbols(symbols) or build_id(symbols) != identity:
        raise SplitError(f"{library.name} was not split")
    return symbols


def record(data: bytes) -> tuple[str, int]:
    """Return what RECORD has of a file: its hash and its size."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"sha256={digest}", len(data)


def split_wheel(wheel: Path, folder: Path) -> list[Path]:
    """Split each library of a wheel; everything else stays as it is, times and order included."""
    made, changed = [], {}
    with zipfile.ZipFile(wheel) as old, tempfile.TemporaryDirectory() as scratch:
        contents = [(item, old.read(item)) for item in old.infolist()]
        for item, data in contents:
            if item.filename.endswith(".so"):
                library = Path(scratch, Path(item.filename).name)
                library.write_bytes(data)
                made.append(split(library, folder))
                changed[item.filename] = library.read_bytes()
    if not changed:
        raise SplitError(f"{wheel.name} has no library")
    new = wheel.with_suffix(".new")
    with zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED) as out:
        for item, data in contents:
            if item.filename.endswith(".dist-info/RECORD"):
                rows = csv.reader(io.StringIO(data.decode()))
                text = io.StringIO()
                writer = csv.writer(text, lineterminator="\n")
                for name, *rest in rows:
                    writer.writerow([name, *(record(changed[name]) if name in changed else rest)])
                data = text.getvalue().encode()
            out.writestr(item, changed.get(item.filename, data))
    new.replace(wheel)
    return made


def main(arguments: list[str] | None = None) -> int:
    """Split the wheels that are named; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("wheels", type=Path, nargs="+", metavar="WHEEL")
    options = parser.parse_args(arguments)
    for wheel in options.wheels:
        try:
            made = split_wheel(wheel, options.out)
        except (SplitError, OSError, zipfile.BadZipFile) as error:
            print(f"{wheel.name}: {error}", file=sys.stderr)
            return 1
        for symbols in made:
            name, size = symbols.relative_to(options.out), symbols.stat().st_size
            print(f"{wheel.name}: {name}, {size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
