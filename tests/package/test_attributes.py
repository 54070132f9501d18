"""Look-ups in the module: specialised by the interpreter, whatever comes on demand."""

import inspect
import pickle
import pydoc
import sys
import types
from unittest import mock

import pytest

import oxisock
from tests.helpers.process import run_python

NAMES = ("htons", "timeout", "socket", "AF_INET", "SO_REUSEADDR", "create_connection", "gaierror")
LOOKED_UP = """
import dis, sys
import oxisock
assert "ssl" not in sys.modules

def opcodes(name):
    scope = {"module": oxisock}
    exec(f"def look_up():\\n for _ in range(100): module.{name}", scope)
    for _ in range(20):
        scope["look_up"]()
    return [i.opname for i in dis.get_instructions(scope["look_up"], adaptive=True)]

"""


@pytest.mark.skipif(sys.version_info < (3, 12), reason="3.11 specialises no look-up here")
@pytest.mark.skipif(
    not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="specialises none without the lock"
)
def test_lookups_are_specialised() -> None:
    program = LOOKED_UP + f"print([n for n in {NAMES} if 'LOAD_ATTR' in opcodes(n)])"
    assert run_python(program).stdout == "[]\n"
    found = run_python(LOOKED_UP + "print(opcodes('htons'))").stdout
    assert "LOAD_ATTR_SLOT" in found or "LOAD_ATTR_MODULE" in found


def test_names_that_need_openssl_still_come() -> None:
    program = LOOKED_UP + (
        "opcodes('htons')\n"
        "try: raise KeyError\n"
        "except oxisock.sslerror: pass\n"
        "except KeyError: print('passed on')\n"
        "import ssl\n"
        "print(oxisock.sslerror is ssl.SSLError, issubclass(oxisock.SSLSocket, ssl.SSLSocket))\n"
    )
    assert run_python(program).stdout == "passed on\nTrue True\n"


def test_an_unknown_name_is_an_error() -> None:
    program = (
        "import oxisock\n"
        "for name in ('AF_INET', 'nonsense', 'AF_NONSENSE'):\n"
        "    try: print(getattr(oxisock, name).name)\n"
        "    except AttributeError as e: print(e, e.name, e.obj is oxisock)\n"
    )
    assert run_python(program).stdout == (
        "AF_INET\n"
        "module 'oxisock' has no attribute 'nonsense' nonsense True\n"
        "module 'oxisock' has no attribute 'AF_NONSENSE' AF_NONSENSE True\n"
    )


def test_dictionary_and_attributes_are_one() -> None:
    program = """
import oxisock
space = vars(oxisock)
before = oxisock.htons
oxisock.AF_INET
oxisock.htons = 1
print(oxisock.htons, space["htons"])
space["htons"] = 2
print(oxisock.htons, space["htons"])
del oxisock.htons
print(hasattr(oxisock, "htons"), "htons" in space)
space["htons"] = before
del space["AF_INET"]
print(oxisock.htons is before, oxisock.AF_INET is space["AF_INET"])
oxisock.new = 3
print(oxisock.new, space["new"], space.pop("new"), hasattr(oxisock, "new"))
try: del oxisock.new
except AttributeError: print("no such attribute")
kept = dict(space)
space.clear()
print("htons" in space, set(space))
space.update(kept)
print(oxisock.htons is before, oxisock.ntohs is kept["ntohs"])
"""
    assert run_python(program).stdout.splitlines() == [
        "1 1", "2 2", "False False", "True True", "3 3 3 False", "no such attribute",
        "False set()", "True True",
    ]  # fmt: skip


def test_patches_come_and_go() -> None:
    for name in NAMES:
        before = getattr(oxisock, name)
        with mock.patch.object(oxisock, name, "patched"), mock.patch(f"oxisock.{name}", "twice"):
            assert getattr(oxisock, name) == vars(oxisock)[name] == "twice"
        assert getattr(oxisock, name) is before
        with mock.patch.dict(vars(oxisock), {name: "by the dictionary"}):
            assert getattr(oxisock, name) == "by the dictionary"
        assert getattr(oxisock, name) is before


def test_it_is_a_module() -> None:
    assert isinstance(oxisock, types.ModuleType)
    assert inspect.ismodule(oxisock)
    assert repr(oxisock).startswith("<module 'oxisock' from ")
    assert sys.modules["oxisock"] is oxisock
    assert set(oxisock.__all__) <= {name for name, _ in inspect.getmembers(oxisock)}
    assert "SocketType" in pydoc.render_doc(oxisock)
    if type(oxisock) is not types.ModuleType:
        # Picklers that know modules know them by that class alone.
        assert pickle.loads(pickle.dumps(oxisock)) is oxisock
        with pytest.raises(TypeError):
            type(oxisock)("another")


def test_it_can_be_reloaded_and_loaded_by_hand() -> None:
    program = """
import importlib, importlib.util, sys
import oxisock
first = oxisock
oxisock.htons = None
oxisock.AF_INET
again = importlib.reload(oxisock)
print(again is first is sys.modules["oxisock"], oxisock.htons(0x0102), oxisock.AF_INET.name)
spec = importlib.util.find_spec("oxisock")
other = importlib.util.module_from_spec(spec)
spec.loader.exec_module(other)
print(other is not oxisock, other.htons(0x0102), other.AF_UNIX.name, other.create_server.__name__)
print(sys.modules["oxisock"] is first, oxisock.AF_UNIX is other.AF_UNIX)
"""
    assert run_python(program).stdout.splitlines() == [
        "True 513 AF_INET", "True 513 AF_UNIX create_server", "True True",
    ]  # fmt: skip


def test_it_ends_quietly() -> None:
    program = """
import sys
import oxisock

class Late:
    def __del__(self):
        print("let go of", oxisock is None or oxisock.htons is None or oxisock.htons(1))

oxisock.late = Late()
oxisock.htons = oxisock.htons
"""
    assert run_python(program).stdout.startswith("let go of")
