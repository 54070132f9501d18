"""Interpreters inside the main one: they are refused, and go on with the standard library."""

import sys

import pytest

from tests.helpers.process import python, run_python

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 13), reason="the module `_interpreters` has another name before"
)

PRELUDE = """
import _interpreters, os, sys

def run(kind, code):
    inner = _interpreters.create(kind)
    failed = _interpreters.exec(inner, code)
    _interpreters.destroy(inner)
    assert failed is None, failed
"""

INSIDE = """
import sys
try:
    import oxisock
except ImportError as error:
    assert error.name == "oxisock", error.name
    assert "main interpreter only" in str(error), error
    assert "standard library" in str(error), error
else:
    raise AssertionError("it was imported")
# Nothing is left behind, and the standard library does what it always did.
assert not [name for name in sys.modules if name.startswith("oxisock")], sys.modules
import socket
one, other = socket.socketpair()
with one, other:
    one.send(b"x")
    assert other.recv(1) == b"x"
"""


@pytest.mark.parametrize("kind", ["isolated", "legacy"])
@pytest.mark.parametrize("before", ["", "import oxisock", "import oxisock; oxisock.install()"])
def test_an_interpreter_inside_is_told_so(kind: str, before: str) -> None:
    """An ImportError, as programs catch it that do without, whether the lock is shared or not."""
    run_python(
        f"{PRELUDE}\n{before}\nfor _ in range(3): run({kind!r}, {INSIDE!r})\n"
        "import oxisock\nfor sock in oxisock.socketpair(): sock.close()"
    )


@pytest.mark.skipif(sys.version_info < (3, 14), reason="new in 3.14")
def test_a_pool_of_interpreters(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A task's ImportError comes to whoever asks for its result; other tasks are not touched."""
    place = tmp_path_factory.mktemp("pool")
    (place / "tasks.py").write_text(
        "def fast():\n"
        "    import oxisock\n"
        "    return oxisock.gethostname()\n"
        "def either():\n"
        "    try:\n"
        "        import oxisock as socket\n"
        "    except ImportError:\n"
        "        import socket\n"
        "    return socket.__name__\n"
    )
    run_python(f"""
import sys
sys.path.insert(0, {str(place)!r})
import oxisock, tasks
from concurrent.futures import InterpreterPoolExecutor
with InterpreterPoolExecutor(2) as pool:
    failure = pool.submit(tasks.fast).exception(30)
    assert isinstance(failure, ImportError), repr(failure)
    assert "main interpreter only" in str(failure), failure
    assert pool.submit(tasks.either).result(30) == "socket"
""")


@pytest.mark.parametrize("kind", ["isolated", "legacy"])
def test_sockets_of_the_main_one_outlive_it(kind: str) -> None:
    """Also those that the main interpreter leaves open; nothing is printed."""
    program = f"""{PRELUDE}
import oxisock
one, other = oxisock.socketpair()
file = one.makefile("rb")
for _ in range(3):
    run({kind!r}, {INSIDE!r})
    other.sendall(b"line\\n")
    assert file.readline() == b"line\\n"
"""
    done = python("-c", program)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
