"""Run the tests of CPython and of libraries plain and under ``python -m oxisock run``, and compare.

    python -m tests.suites                         # all that suites.toml has: hours
    python -m tests.suites cpython urllib3         # some of it
    python -m tests.suites test.test_ftplib        # one module of CPython's tests

Test by test: what comes out otherwise on oxisock is run again, on both sides, since a test that
does not always come out the same says nothing. What still differs is a defect, or it stands in
suites.toml with its reason. Exits with 1 where there is a difference without one.

The tests of a library are those of its source distribution on PyPI, or of the release that this was
made of where it lacks them, in an environment of their own below build/suites. That needs the
network, and so is no part of the test suite.
"""

import argparse
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.software import servers
from tests.suites.comparison import Run, compared
from tests.suites.programs import UNITTEST, Place, by_pytest, by_unittest, environment_of

ROOT = Path(__file__).parents[2]


def main() -> int:
    """Compare the suites that the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.suites",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("suites", nargs="*", help="all of suites.toml without one")
    parser.add_argument("--list", action="store_true", help="show what suites.toml has")
    parser.add_argument("--cache", type=Path, default=ROOT / "build" / "suites")
    parser.add_argument("--wheel", type=Path, help="of oxisock; the checkout is built without it")
    parser.add_argument("--timeout", type=float, default=1800, help="seconds for one process")
    parser.add_argument("--attempts", type=int, default=3, help="runs of what comes out otherwise")
    options = parser.parse_args()
    known = tomllib.loads(Path(__file__).with_name("suites.toml").read_text())
    if options.list:
        print(*known, sep="\n")
        return 0
    if unknown := [n for n in options.suites if n not in known and not n.startswith("test.")]:
        parser.error(f"suites.toml has no {', '.join(unknown)}")
    wrong = 0
    for name in options.suites or known:
        suite = known.get(name, {"modules": [name]})
        with prepared(name, suite, options) as (version, parts):
            for part, run in parts:
                label = " ".join(filter(None, [name, version, part]))
                wrong += shown(label, run, suite.get("expected", {}), options.attempts)
    return 1 if wrong else 0


def shown(label: str, run: Run, expected: dict[str, str], attempts: int) -> int:
    """Compare one part of a suite, print what differs, and return how much without a reason."""
    counts, differences = compared(run, attempts)
    told = ", ".join(f"{number} {outcome}" for outcome, number in counts.items())
    print(f"{label}: {told or 'no test ran'}", flush=True)
    wrong = 0 if counts else 1
    for each in differences:
        reason = next((text for part, text in expected.items() if part in each.test), "")
        wrong += each.steady and not reason
        note = reason or ("" if each.steady else "not always")
        print(f"  {each}{f' ({note})' if note else ''}", flush=True)
    return wrong


@contextmanager
def prepared(
    name: str, suite: dict[str, Any], options: argparse.Namespace
) -> Iterator[tuple[str, list[tuple[str, Run]]]]:
    """Give the version of a suite, and its parts with what runs them.

    CPython's modules are a part each; a library is one.
    """
    if "version" not in suite:
        here = Place(Path(sys.executable), ROOT, {}, options.timeout)
        yield "", [(module, by_unittest(here, [module])) for module in suite["modules"]]
        return
    with served(suite.get("server")) as port:

        def filled(text: str) -> str:
            return text.replace("{port}", port)

        python, source = installed(name, suite, options)
        for path, text in suite.get("files", {}).items():
            (source / path).write_text(filled(text))
        changes = {key: filled(value) for key, value in suite.get("environment", {}).items()}
        place = Place(python, source, changes, options.timeout)
        if "before" in suite:
            command = [str(python), "-c", filled(suite["before"])]
            subprocess.run(command, check=True, cwd=source, env=environment_of(place))
        if "modules" in suite:
            run = by_unittest(place, suite["modules"], suite.get("program", UNITTEST))
        else:
            run = by_pytest(place, [*map(filled, suite["pytest"])], options.cache / name)
        yield suite["version"], [("", run)]


@contextmanager
def served(name: str | None) -> Iterator[str]:
    """Run the server that a suite asks for; its port."""
    if name is None:
        yield ""
        return
    with getattr(servers, name)() as port:
        yield str(getattr(port, "plain", port))


def installed(name: str, suite: dict[str, Any], options: argparse.Namespace) -> tuple[Path, Path]:
    """Return an interpreter with the library and oxisock, and the library's unpacked source."""
    place = options.cache / name
    place.mkdir(parents=True, exist_ok=True)
    python = place / "venv" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", place / "venv"], check=True)
    pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wanted, source = f"{name}=={suite['version']}", place / suite["version"]
    if not source.exists():
        archive = place / "source.tar.gz"
        if "source" in suite:
            with urllib.request.urlopen(suite["source"], timeout=60) as answer:
                archive.write_bytes(answer.read())
        else:
            fetch = ["download", "--no-deps", "--no-binary", name, "--dest", place / "sdist"]
            subprocess.run([*pip, *fetch, wanted], check=True)
            (found,) = Path(place, "sdist").glob(f"*-{suite['version']}.tar.gz")
            found.rename(archive)
        source.mkdir()
        subprocess.run(["tar", "-xzf", archive, "-C", source, "--strip-components=1"], check=True)
    needs = ["pytest", "pytest-timeout", *suite.get("needs", ())]
    subprocess.run([*pip, "install", wanted, *needs], check=True)
    ours = options.wheel or ROOT
    subprocess.run([*pip, "install", "--force-reinstall", "--no-deps", ours], check=True)
    return python, source


if __name__ == "__main__":
    sys.exit(main())
