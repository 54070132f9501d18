"""What type checkers say of programs that use oxisock, and what typeshed has that the stubs lack.

mypy and basedpyright (pyright, with its program inside the package) are not needed by the other
tests, so that these are skipped without them; `nox -s types` has both.
"""

import ast
import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import oxisock

if importlib.util.find_spec("mypy") is None or importlib.util.find_spec("basedpyright") is None:
    pytest.skip("mypy and basedpyright are not installed", allow_module_level=True)

HERE = Path(__file__).parent / "typed"
VERSION = "{}.{}".format(*sys.version_info)
PROGRAMS = ["drop_in.py", "beside.py"]

Findings = list[tuple[int, str]]
Checker = Callable[[Path, Path], Findings]


def mypy(path: Path, cache: Path) -> Findings:
    """Return the lines and texts of mypy's errors in a file."""
    command = [sys.executable, "-m", "mypy", "--strict", "--python-version", VERSION]
    command += ["--config-file=", f"--cache-dir={cache}", "--no-error-summary"]
    command += ["--show-absolute-path", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    found = re.findall(rf"{re.escape(str(path))}:(\d+): error: (.*)", done.stdout)
    assert bool(found) == bool(done.returncode), done.stdout + done.stderr
    return [(int(line), text) for line, text in found]


def pyright(path: Path, cache: Path) -> Findings:
    """Return the lines and texts of pyright's errors in a file, by its strict rules."""
    config = cache / "pyrightconfig.json"
    settings = {
        "include": [str(path)],
        "typeCheckingMode": "strict",
        "pythonVersion": VERSION,
        # Beside the point here: what the programs of this folder do not use, by design.
        "reportUnusedFunction": "none",
        "reportUnusedVariable": "none",
        "reportUnnecessaryIsInstance": "none",
        "reportDeprecated": "none",
        "reportUnknownVariableType": "none",
        "reportUnknownArgumentType": "none",
        "reportUnknownMemberType": "none",
        "reportUnknownLambdaType": "none",
        "reportUnknownParameterType": "none",
        "reportMissingModuleSource": "none",
    }
    config.write_text(json.dumps(settings), "utf-8")
    command = [sys.executable, "-m", "basedpyright", "--outputjson", "--project", str(config)]
    command += ["--pythonpath", sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["summary"]["filesAnalyzed"] >= 1, done.stdout
    return [
        (found["range"]["start"]["line"] + 1, found["message"])
        for found in report["generalDiagnostics"]
        if found["severity"] == "error"
    ]


CHECKERS = [mypy, pyright]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what the checkers keep between files."""
    return tmp_path_factory.mktemp("types")


@pytest.mark.parametrize("checker", CHECKERS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_typed_programs_have_no_errors(checker: Checker, name: str, cache: Path) -> None:
    assert checker(HERE / name, cache) == []


@pytest.mark.parametrize("checker", CHECKERS)
def test_the_program_is_one_of_the_standard_module(
    checker: Checker, cache: Path, tmp_path: Path
) -> None:
    """With the import that it had before: what oxisock's types have to allow, and no more."""
    source = (HERE / "drop_in.py").read_text("utf-8")
    program = tmp_path / "standard.py"
    program.write_text(source.replace("import oxisock as socket", "import socket"), "utf-8")
    assert checker(program, cache) == []


@pytest.mark.parametrize("checker", CHECKERS)
def test_mistakes_are_found(checker: Checker, cache: Path) -> None:
    lines = (HERE / "wrong.py").read_text("utf-8").splitlines()
    marked = {at for at, line in enumerate(lines, 1) if line.endswith("# wrong")}
    assert {line for line, _ in checker(HERE / "wrong.py", cache)} == marked


# Typeshed, which mypy brings along


def typeshed(module: str) -> ast.Module:
    """Parse the stub of a module of the standard library."""
    spec = importlib.util.find_spec("mypy")
    assert spec is not None
    assert spec.origin is not None
    stub = Path(spec.origin).with_name("typeshed") / "stdlib" / f"{module}.pyi"
    return ast.parse(stub.read_text("utf-8"))


def definitions(body: list[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    """Yield what a stub defines for this interpreter and system."""
    for node in body:
        match node:
            case ast.If(test=test):
                code = compile(ast.Expression(test), "stub", "eval")
                yield from definitions(node.body if eval(code, {"sys": sys}) else node.orelse)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, node
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name, node
            case ast.Assign(targets=[ast.Name(id=name)]):
                yield name, node
            case ast.ImportFrom(names=names):
                yield from ((alias.asname, node) for alias in names if alias.asname == alias.name)


STANDARD = dict(definitions(typeshed("socket").body))
FUNCTIONS = {
    name
    for module in ("_socket", "socket")
    for name, node in definitions(typeshed(module).body)
    if isinstance(node, ast.FunctionDef) and not name.startswith("_")
}
# Modules that the standard one happens to import are no names of oxisock (docs/differences.md).
ELSEWHERE = {"EBADF", "EAGAIN", "EWOULDBLOCK"}


def test_the_stubs_have_all_of_typeshed() -> None:
    """Every public name for this system, and every method of the classes."""
    stub = Path(oxisock.__file__).with_name("__init__.pyi")
    here = dict(definitions(ast.parse(stub.read_text("utf-8")).body))
    assert len(STANDARD) > 400
    missing = {name for name in STANDARD if not name.startswith("_")} - here.keys() - ELSEWHERE
    # Of another interpreter or kernel than this one, where the module has no such name either.
    assert {name for name in missing if hasattr(oxisock, name)} == set()
    assert {name for name in missing if hasattr(__import__("socket"), name)} == set()


def test_the_classes_have_all_methods_of_typeshed() -> None:
    missing = []
    for module in ("_socket", "socket"):
        for name, node in definitions(typeshed(module).body):
            if isinstance(node, ast.ClassDef) and hasattr(oxisock, name):
                methods = {method for method, _ in definitions(node.body)}
                missing += [
                    f"{name}.{m}" for m in methods if not hasattr(getattr(oxisock, name), m)
                ]
    assert missing == []


# Functions whose types differ from typeshed's on purpose.
DIFFERENT = {
    "getaddrinfo": "gives members of the enumerations of oxisock",
    "getnameinfo": "refuses `(int, bytes)`, as the standard one does at runtime",
    "send_fds": "uses its flags and address, which the standard one ignores",
}


@pytest.mark.parametrize("checker", CHECKERS)
def test_functions_take_what_typeshed_lets_them_take(
    checker: Checker, cache: Path, tmp_path: Path
) -> None:
    """Each function is accepted where the standard one is: it takes as much and gives no less.

    The methods of the class are compared by the checkers themselves, as it is derived from the
    standard one in the stubs.
    """
    assert len(FUNCTIONS) > 30
    lines = [
        "from collections.abc import Callable",
        "from typing import ParamSpec, TypeVar",
        "import socket, oxisock",
        "P = ParamSpec('P')",
        "R = TypeVar('R')",
        "def like(standard: Callable[P, R]) -> Callable[[Callable[P, R]], None]:",
        "    raise NotImplementedError",
    ]
    names = sorted(name for name in FUNCTIONS if hasattr(oxisock, name))
    first = len(lines) + 1
    lines += [f"like(socket.{name})(oxisock.{name})" for name in names]
    program = tmp_path / "functions.py"
    program.write_text("\n".join(lines) + "\n", "utf-8")
    found = {names[line - first]: text for line, text in checker(program, cache)}
    assert {name: text for name, text in found.items() if name not in DIFFERENT} == {}
    assert found.keys() == DIFFERENT.keys()
