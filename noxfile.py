"""The checks of this project. `nox` runs all of them, `nox -l` lists them, `nox -s lint` runs one.

Options after `--` go to pytest: `nox -s tests-3.13 -- -k accept`.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import nox

OLDEST = (3, 11)
# The same findings everywhere, until somebody moves to newer tools on purpose.
RUFF = "ruff==0.17.5"
MYPY = "mypy==2.4.1"


def interpreters():
    """Find every CPython that the package supports: those of pyenv, then those on PATH."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    places = [*root.glob("versions/*/bin"), *map(Path, os.get_exec_path())]
    found = {}
    for place in places:
        for path in place.glob("python3.*"):
            name = re.fullmatch(r"python3\.(\d+)t?", path.name)
            if not name or (3, int(name[1])) < OLDEST:
                continue
            # A shim of pyenv is no interpreter, unless its version is chosen.
            program = "import sys; print(sys.implementation.name, *sys.version_info[:3])"
            done = subprocess.run([path, "-c", program], capture_output=True, text=True)
            implementation, *version = done.stdout.split() or [""]
            if implementation != "cpython":
                continue
            patch = tuple(map(int, version))
            before = found.get(path.name)
            # The newest of pyenv, else the first on PATH, as a shell would take it.
            if before is None or (place.parent.parent.name == "versions" and patch > before[0]):
                found[path.name] = patch, place
    chosen = sorted(found.items(), key=lambda item: item[1][0])
    # nox looks a version up on PATH.
    bins = [str(place) for _, (_, place) in chosen]
    os.environ["PATH"] = os.pathsep.join([*bins, os.environ["PATH"]])
    return [name.removeprefix("python") for name, _ in chosen]


PYTHONS = interpreters()
if not PYTHONS:
    raise SystemExit("there is no CPython of version 3.11 or later on this machine")
NEWEST = PYTHONS[-1]

nox.options.sessions = ["lint", "types", "docs", "tests"]
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = True

_wheels = {}


def install_wheel(session, extra=None):
    """Install the package as a user gets it; one build for each Python and run of nox."""
    python = session.python
    if python not in _wheels:
        folder = Path(session.cache_dir, "wheels", python).resolve()
        shutil.rmtree(folder, ignore_errors=True)
        session.run(
            "python", "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, "."
        )
        (_wheels[python],) = folder.glob("*.whl")
    extras = f"[{extra}]" if extra else ""
    session.install("--force-reinstall", "--no-deps", str(_wheels[python]))
    session.install(f"oxisock{extras} @ {_wheels[python].as_uri()}")


@nox.session(python=NEWEST)
def lint(session):
    """Style and lints of the Python and Rust sources."""
    session.install(RUFF)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("cargo", "fmt", "--all", "--check", external=True)
    # PyO3 asks this interpreter what to compile for.
    interpreter = {"PYO3_PYTHON": str(Path(session.bin, "python"))}
    clippy = ["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]
    session.run("cargo", *clippy, env=interpreter, external=True)


@nox.session(python=PYTHONS)
def types(session):
    """The Python sources against their types, and the stubs against the built package."""
    install_wheel(session, "bench")
    session.install(MYPY)
    session.run("mypy", "--python-version", session.python.rstrip("t"))
    allowed = "tests/package/stubtest-allowlist.txt"
    options = ["--allowlist", allowed] if Path(allowed).exists() else []
    session.run("python", "-m", "mypy.stubtest", "oxisock", *options)


@nox.session(python=NEWEST)
def docs(session):
    """The documentation, where a warning is an error."""
    install_wheel(session, "docs")
    output = Path(session.cache_dir, "docs")
    session.run("sphinx-build", "-W", "--keep-going", "-b", "html", "docs", output / "html")


@nox.session(python=PYTHONS)
def tests(session):
    """All tests, on the installed wheel."""
    # With what the tests of the benchmarks' tables and plots need.
    install_wheel(session, "test,bench")
    session.run("python", "-m", "pytest", *session.posargs)
