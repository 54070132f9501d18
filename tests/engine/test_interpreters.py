"""Interpreters inside the main one: they are refused, and go on with the standard library."""

import sys
from pathlib import Path

import pytest

from tests.helpers.process import python, run_python

PRELUDE = """
import os, sys
try:
    import _interpreters
except ImportError:
    # The same before 3.13. Before 3.12 all of them share the lock.
    import _xxsubinterpreters as _interpreters

def start(kind, code):
    if sys.version_info >= (3, 13):
        inner = _interpreters.create(kind)
        failed = _interpreters.exec(inner, code)
        assert failed is None, failed
    else:
        inner = _interpreters.create(isolated=kind == "isolated")
        _interpreters.run_string(inner, code)
    return inner

def run(kind, code):
    _interpreters.destroy(start(kind, code))
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


CHILD = """
import subprocess, sys
sys.exit(subprocess.run([sys.executable, "-c", sys.argv[1]]).returncode)
"""

# Twice, and by what imports it in turn: the message comes once. `ssl` itself crashes 3.12.1 there.
STANDARD = f"""
import socket, {"ssl, http.client" if sys.version_info >= (3, 13) else "selectors, socketserver"}
assert socket.__name__ == "socket", socket
assert socket.socket.__mro__[1].__module__ == "_socket"
one, other = socket.socketpair()
with one, other:
    one.send(b"x")
    assert other.recv(1) == b"x"
"""


@pytest.mark.parametrize("kind", ["isolated", "legacy"])
@pytest.mark.parametrize("how", ["run", "report"])
def test_installing_leaves_it_on_the_standard_library(tmp_path: Path, kind: str, how: str) -> None:
    """In a child of a program under `run`, where every interpreter is to have oxisock."""
    (tmp_path / "program.py").write_text(CHILD)
    child = (
        f"{PRELUDE}\nimport socket\nassert socket.__name__ == 'oxisock' or {how!r} == 'report'\n"
        f"run({kind!r}, {STANDARD!r})\nprint('done')"
    )
    done = python("-m", "oxisock", how, tmp_path / "program.py", child)
    assert done.returncode == 0, done.stderr
    assert "done" in done.stdout
    assert done.stderr.count("RuntimeWarning: oxisock works in the main interpreter only") == 1


@pytest.mark.parametrize("before", ["import oxisock", "import oxisock; oxisock.install()"])
def test_one_that_shares_the_lock_ends_with_open_sockets(before: str) -> None:
    """Those of the interpreter inside and those of the main one: nobody says a word, or crashes."""
    inside = (
        "import socket, selectors\n"
        "held = [socket.socketpair() for _ in range(5)]\n"
        "file = held[0][0].makefile('rb')\n"
        "selector = selectors.DefaultSelector()\n"
        "selector.register(held[1][0], selectors.EVENT_READ)\n"
    )
    program = (
        f"{PRELUDE}\n%s\nimport socket\n"
        "ours = [socket.socketpair() for _ in range(5)]\n"
        f"for _ in range(3): run('legacy', {inside!r})\n"
        "for one, other in ours:\n"
        "    one.send(b'x')\n"
        "    assert other.recv(1) == b'x'\n"
        # And one that is there when the main one ends.
        f"last = start('legacy', {inside!r})\n"
    )
    # From 3.14 on the interpreter itself says that one is left.
    done, standard = (python("-c", program.replace("%s", first)) for first in (before, ""))
    assert standard.returncode == 0
    assert (done.returncode, done.stdout, done.stderr) == (0, "", standard.stderr)


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
