"""oxisock, the standard library, the stubs, the docs and the native module name the same things."""

import ast
import enum
import importlib
import inspect
import io
import re
import socket
import sys
import types
from pathlib import Path
from typing import Any

import pytest

import oxisock
import oxisock.select
import oxisock.selectors
from oxisock import _socket as native
from tests.helpers.process import python

PACKAGE = Path(oxisock.__file__).parent
DOCS = Path(__file__).parents[2] / "docs"

CLASSES = [
    (socket.socket, oxisock.socket),
    (socket.SocketType, oxisock.SocketType),
    (socket.SocketIO, oxisock.SocketIO),
]
CLASS_IDS = ["socket", "SocketType", "SocketIO"]


def public(namespace: Any) -> Any:
    """The public names of a module or class, without what it merely imported."""
    return {
        name
        for name in dir(namespace)
        if not name.startswith("_")
        and not isinstance(value := getattr(namespace, name), types.ModuleType)
        and getattr(value, "__module__", None) not in {"enum", "functools", "typing"}
    }


def kind(value: Any) -> Any:
    """What sort of thing a name stands for, for someone who uses it."""
    if inspect.isclass(value):
        return "class"
    if inspect.isroutine(value):
        return "routine"
    if inspect.isdatadescriptor(value):
        return "attribute"
    return type(value).__name__


def parameters(routine: Any, method: Any) -> Any:
    """The parameters as a caller sees them; None if the routine does not tell."""
    try:
        found = list(inspect.signature(routine).parameters.values())
    except ValueError:
        return None
    if method:  # the socket itself comes from the dot
        found = found[1:]
    # Names of positional-only parameters and the identity of a marker for "not given" are
    # nothing that a call could use.
    return [
        (
            "" if parameter.kind is parameter.POSITIONAL_ONLY else parameter.name,
            parameter.kind.name,
            "marker" if type(parameter.default) is object else parameter.default,
        )
        for parameter in found
    ]


def signature_differences(theirs: Any, ours: Any, names: Any, *, method: Any) -> Any:
    differences = {}
    for name in names:
        standard, here = getattr(theirs, name), getattr(ours, name, None)
        # What both inherit, from io for example, is one object.
        if not inspect.isroutine(standard) or here is standard:
            continue
        # The flags of sendto stand between its two arguments, which no signature can say. What
        # io's own C code calls takes its argument by position, as io's own methods do.
        if name in {"sendto", "readinto"}:
            continue
        wanted, given = parameters(standard, method), here and parameters(here, method)
        if given is None or (wanted is not None and wanted != given):
            differences[name] = f"{wanted} there, {given} here"
    return differences


# The standard library's names


def test_every_public_name_exists() -> None:
    assert [name for name in sorted(public(socket)) if not hasattr(oxisock, name)] == []


def test_all_has_every_name_of_the_standard_library() -> None:
    assert sorted(set(socket.__all__) - set(oxisock.__all__)) == []


def test_every_name_is_the_same_kind_of_thing() -> None:
    differences = {
        name: f"{kind(getattr(socket, name))} there, {kind(getattr(oxisock, name, None))} here"
        for name in sorted(public(socket))
        if kind(getattr(socket, name)) != kind(getattr(oxisock, name, None))
    }
    assert differences == {}


def test_every_constant_has_the_same_value() -> None:
    differences = {}
    for name in sorted(public(socket)):
        theirs, ours = getattr(socket, name), getattr(oxisock, name, None)
        if not isinstance(theirs, int | str | bytes):
            continue
        if theirs != ours or repr(theirs) != repr(ours):
            differences[name] = f"{theirs!r} there, {ours!r} here"
    assert differences == {}


@pytest.mark.parametrize("name", ["error", "timeout", "gaierror", "herror"])
def test_exceptions_are_the_interpreters_own(name: Any) -> None:
    assert getattr(oxisock, name) is getattr(socket, name)


@pytest.mark.parametrize("name", ["AddressFamily", "SocketKind", "MsgFlag", "AddressInfo"])
def test_enumerations_have_the_same_members(name: Any) -> None:
    theirs, ours = getattr(socket, name), getattr(oxisock, name)
    assert ours.__bases__ == theirs.__bases__
    missing = {
        member: value
        for member, value in theirs.__members__.items()
        if member not in ours.__members__ or ours[member] != value
    }
    assert missing == {}
    for member, value in ours.__members__.items():
        assert getattr(oxisock, member) is value


def test_every_function_has_the_same_signature() -> None:
    assert signature_differences(socket, oxisock, sorted(socket.__all__), method=False) == {}


def test_private_names_that_other_modules_use() -> None:
    # http.client, ftplib, smtplib, telnet clients and CPython's own tests reach for these.
    names = {"_GLOBAL_DEFAULT_TIMEOUT", "_LOCALHOST", "_LOCALHOST_V6", "_GiveupOnSendfile"}
    if hasattr(socket, "_fallback_socketpair"):
        names.add("_fallback_socketpair")
    assert {name for name in names if not hasattr(oxisock, name)} == set()
    assert issubclass(oxisock._GiveupOnSendfile, Exception)  # type: ignore[attr-defined]


def test_names_that_only_old_editions_have() -> None:
    assert callable(oxisock.ssl)
    assert issubclass(oxisock.sslerror, OSError)
    assert inspect.isclass(oxisock.SSLObject)


@pytest.mark.skipif(sys.platform == "win32", reason="this is about their absence")
def test_names_of_windows_are_absent() -> None:
    names = {"SIO_RCVALL", "SIO_KEEPALIVE_VALS", "RCVALL_ON", "RCVALL_OFF", "fromshare"}
    assert {name for name in names if hasattr(oxisock, name)} == set()
    assert not hasattr(oxisock.socket, "ioctl")
    assert not hasattr(oxisock.socket, "share")


# The classes


@pytest.mark.parametrize(("theirs", "ours"), CLASSES, ids=CLASS_IDS)
def test_every_method_exists(theirs: Any, ours: Any) -> None:
    assert sorted(public(theirs) - public(ours)) == []


@pytest.mark.parametrize(("theirs", "ours"), CLASSES, ids=CLASS_IDS)
def test_methods_are_the_same_kind_of_thing(theirs: Any, ours: Any) -> None:
    differences = {
        name: f"{kind(getattr(theirs, name))} there, {kind(getattr(ours, name, None))} here"
        for name in sorted(public(theirs))
        if kind(getattr(theirs, name)) != kind(getattr(ours, name, None))
    }
    assert differences == {}


@pytest.mark.parametrize(("theirs", "ours"), CLASSES, ids=CLASS_IDS)
def test_methods_have_the_same_signature(theirs: Any, ours: Any) -> None:
    assert signature_differences(theirs, ours, sorted(public(theirs)), method=True) == {}


def test_classes_are_made_with_the_same_arguments() -> None:
    for theirs, ours in CLASSES[::2]:
        assert parameters(ours, method=False) == parameters(theirs, method=False)


def test_classes_have_the_same_special_methods() -> None:
    for theirs, ours in CLASSES:
        special = {
            name
            for one in theirs.__mro__[:-1]
            if one not in io.RawIOBase.__mro__
            for name, value in vars(one).items()
            if name.startswith("__") and callable(value)
        }
        # Named by the class of 3.11, and there what object has.
        special.discard("__getattribute__")
        if ours is oxisock.SocketType:
            # A native class frees its descriptor itself; the warning comes from `socket`.
            special.discard("__del__")
        missing = {n for n in special if getattr(ours, n, None) is getattr(object, n, None)}
        assert missing == set(), ours


def test_classes_are_related_in_the_same_way() -> None:
    assert issubclass(oxisock.socket, oxisock.SocketType)
    assert oxisock.socket is not oxisock.SocketType
    assert issubclass(oxisock.SocketIO, io.RawIOBase)
    assert not issubclass(oxisock.socket, socket.SocketType)


def test_instances_take_no_foreign_attributes() -> None:
    for module in (socket, oxisock):
        with module.socket() as one:
            assert not hasattr(one, "__dict__")
            with pytest.raises(AttributeError):
                one.colour = "red"

    class Subclass(oxisock.socket):
        pass

    with Subclass() as one:
        one.colour = "red"  # type: ignore[attr-defined]


# The module itself


def test_all_names_exist_once() -> None:
    assert len(oxisock.__all__) == len(set(oxisock.__all__))
    assert [name for name in oxisock.__all__ if not hasattr(oxisock, name)] == []
    assert sorted(set(oxisock.__all__) - set(dir(oxisock))) == []
    assert [name for name in oxisock.__all__ if name.startswith("_")] == []


def test_star_import_gives_all_names() -> None:
    program = (
        "import sys\n"
        "from oxisock import *\n"
        "names = set(globals())\n"
        "import oxisock\n"
        "sys.exit(', '.join(sorted(set(oxisock.__all__) - names)) or 0)"
    )
    done = python("-c", program)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="SO_NO_SUCH_OPTION"):
        _ = oxisock.SO_NO_SUCH_OPTION  # type: ignore[attr-defined]
    with pytest.raises(ImportError):
        exec("from oxisock import SO_NO_SUCH_OPTION")


def test_constants_are_those_of_the_native_module() -> None:
    table = native.constants()
    assert sorted(table.keys() - set(oxisock.__all__)) == []
    differences = {
        name: f"{value!r} native, {getattr(oxisock, name)!r} public"
        for name, value in table.items()
        if getattr(oxisock, name) != value or getattr(native, name) != value
    }
    assert differences == {}
    # The other way round: nothing but errno's three names has a second source.
    numbers = {name for name in public(oxisock) if isinstance(getattr(oxisock, name), int)}
    assert numbers - table.keys() <= {"EBADF", "EAGAIN", "EWOULDBLOCK"}


def test_everything_has_a_docstring_of_its_own() -> None:
    bad = []
    for where, theirs, ours in [
        ("", socket, oxisock),
        *[(f"{name}.", *pair) for name, pair in zip(CLASS_IDS, CLASSES, strict=True)],
    ]:
        for name in sorted(public(ours)):
            value = getattr(ours, name)
            # Constants and the interpreter's own classes have the docstring of their type.
            if not (inspect.isroutine(value) or inspect.isclass(value)) or value is getattr(
                theirs, name, None
            ):
                continue
            # What comes from io is documented there.
            if theirs is socket.SocketIO and name not in vars(ours):
                continue
            text = inspect.cleandoc(getattr(value, "__doc__", None) or "")
            copied = inspect.cleandoc(getattr(getattr(theirs, name, None), "__doc__", None) or "")
            if not text or text == copied:
                bad.append(where + name)
    assert bad == []


# The stubs


def stub_names(path: Any) -> Any:
    """The public names of a stub, as a type checker on this interpreter sees them."""
    names: dict[str, Any] = {}

    def visit(body: Any) -> None:
        for node in body:
            match node:
                case ast.If(test=test):
                    known = {"sys": sys, "TYPE_CHECKING": True}
                    holds = eval(compile(ast.Expression(test), str(path), "eval"), known)
                    visit(node.body if holds else node.orelse)
                case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                    names[node.name] = node
                case ast.AnnAssign(target=ast.Name(id=name)):
                    names[name] = node
                case ast.Assign(targets=targets):
                    names.update({t.id: node for t in targets if isinstance(t, ast.Name)})
                case ast.ImportFrom(names=[ast.alias(name="*")], module=module):
                    names.update(stub_names(path.with_name(f"{module}.pyi")))
                case ast.ImportFrom(names=aliases):
                    # Only `import x as x` makes a name public in a stub.
                    names.update({a.asname: node for a in aliases if a.asname == a.name})

    visit(ast.parse(path.read_text(encoding="utf-8")).body)
    return {name: node for name, node in names.items() if not name.startswith("_")}


@pytest.mark.parametrize(
    ("module", "stub"),
    [(oxisock, "__init__.pyi"), (native, "_socket.pyi")],
    ids=["oxisock", "_socket"],
)
def test_stub_and_module_have_the_same_names(module: Any, stub: Any) -> None:
    declared = set(stub_names(PACKAGE / stub))
    assert sorted(public(module) - declared) == []
    # Not all constants that a module has when it is asked are in its dir().
    assert sorted(name for name in declared if not hasattr(module, name)) == []


def test_stub_class_has_every_method() -> None:
    classes = {
        name: node
        for stub in ("_socket.pyi", "_class.pyi")
        for name, node in stub_names(PACKAGE / stub).items()
        if isinstance(node, ast.ClassDef)
    }

    def declared(name: Any) -> Any:
        node = classes.get(name)
        if node is None:
            return set()
        found = {part.name for part in node.body if isinstance(part, ast.FunctionDef)}
        found |= {
            part.target.id
            for part in node.body
            if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name)
        }
        for base in map(ast.unparse, node.bases):
            # For type checkers alone: at runtime nothing comes from there.
            if not base.startswith("_standard."):
                found |= declared(base.rpartition(".")[2])
        return found

    missing = public(oxisock.socket) - declared("socket")
    assert sorted(missing) == []


@pytest.mark.parametrize(
    ("owner", "stub"), [(native, "_socket.pyi"), (oxisock, "_class.pyi")], ids=["_socket", "_class"]
)
def test_docstrings_of_the_stubs_are_those_of_the_package(owner: Any, stub: Any) -> None:
    """`python tools/stub_docs.py` brings them up to date."""
    wrong = []

    def compare(body: Any, owner: Any) -> None:
        first: dict[Any, Any] = {}
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                first.setdefault(node.name, node)  # of several overloads it has the docstring
        for name, node in first.items():
            if name.startswith("__") or name not in vars(owner):
                continue
            if inspect.getdoc(getattr(owner, name)) != ast.get_docstring(node):
                wrong.append(name)
            if isinstance(node, ast.ClassDef):
                compare(node.body, getattr(owner, name))

    compare(ast.parse((PACKAGE / stub).read_text(encoding="utf-8")).body, owner)
    assert wrong == []


def test_package_says_that_it_is_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()


# The docs


@pytest.fixture(scope="module")
def documentation() -> Any:
    text = "\n".join(
        path.read_text(encoding="utf-8")
        for path in sorted(DOCS.rglob("*"))
        if path.suffix in {".md", ".rst"}
    )
    assert text, f"there is no documentation in {DOCS}"
    return text


def documented_constants(documentation: Any) -> Any:
    """The constants in the groups of the stub that a page shows as a table."""
    text = (PACKAGE / "__init__.pyi").read_text(encoding="utf-8")
    _, *parts = re.split(r"^# \[(\w+)\]", text, flags=re.MULTILINE)
    shown = set(re.findall(r"\{constants\} (\w+)", documentation))
    return {
        name
        for group, body in zip(parts[::2], parts[1::2], strict=True)
        if group in shown
        for name in re.findall(r"^(\w+)(?::| =)", body, flags=re.MULTILINE)
    }


def test_every_public_name_is_documented(documentation: Any) -> None:
    words = set(re.findall(r"\w+", documentation)) | documented_constants(documentation)
    assert sorted(public(oxisock) - words) == []


@pytest.mark.parametrize("name", ["socket", "SocketIO"])
def test_every_method_is_documented(documentation: Any, name: Any) -> None:
    words = set(re.findall(r"\w+", documentation))
    inherited = set(dir(io.RawIOBase)) if name == "SocketIO" else set()
    assert sorted(public(getattr(oxisock, name)) - words - inherited) == []


def test_everything_that_is_documented_exists(documentation: Any) -> None:
    kinds = "function|class|method|data|attribute|exception|property"
    named = re.findall(rf"(?:py:)?(?:{kinds})(?:\}}|::)\s+(?:oxisock\.)?([\w.]+)", documentation)
    gone: list[Any] = []
    importlib.import_module("oxisock.selectors")  # and with it oxisock.select
    for name in named:
        value: Any = oxisock
        for part in name.split("."):
            value = getattr(value, part, gone)
        if value is gone:
            gone.append(name)
    assert gone == []


def test_the_enumerations_are_real_enumerations() -> None:
    for name in ("AddressFamily", "SocketKind"):
        assert issubclass(getattr(oxisock, name), enum.IntEnum)
    for name in ("MsgFlag", "AddressInfo"):
        assert issubclass(getattr(oxisock, name), enum.IntFlag)
