"""The other processes of a program that runs under ``python -m oxisock run``."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.process import ON_OXISOCK, needs_strace, output, python


@pytest.fixture
def script(tmp_path: Path) -> Any:
    """Write a program of several lines and return its path."""

    def write(text: str, name: str = "program.py") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    return write


def run(*arguments: Any, **options: Any) -> str:
    """Standard output of a program under `run`, which has to end well and without a warning."""
    done = python("-W", "error", *ON_OXISOCK, *arguments, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


# What a child says about itself.
SHOW = "import socket, sys; print(socket.socket.__mro__[1].__module__, sys.argv[1:])"
OURS, THEIRS = "oxisock._socket", "_socket"


# -- every way to start a Python -------------------------------------------------------------------


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(script: Any, method: str) -> None:
    """Pools, executors and managers, each with a child of the child."""
    program = script(
        """
        import concurrent.futures, multiprocessing, socket, subprocess, sys

        def home(_=None):
            return socket.socket.__mro__[1].__module__

        def grandchild(_=None):
            code = "import socket; print(socket.socket.__mro__[1].__module__)"
            return subprocess.check_output([sys.executable, "-c", code], text=True).strip()

        if __name__ == "__main__":
            context = multiprocessing.get_context(sys.argv[1])
            with context.Pool(1) as pool:
                print(pool.apply(home), pool.apply(grandchild))
                pool.close()
                pool.join()
            with concurrent.futures.ProcessPoolExecutor(1, context) as executor:
                print(executor.submit(home).result(), executor.submit(grandchild).result())
            with context.Manager() as manager:
                # The server's own process answers: a socket of its own is behind the proxy.
                queue = manager.Queue()
                queue.put("sent")
                print(queue.get())
        """
    )
    assert run(program, method) == f"{OURS} {OURS}\n" * 2 + "sent\n"


CHILDREN = {
    "-c": 'subprocess.run([sys.executable, "-c", SHOW, "a"])',
    "script": 'subprocess.run([sys.executable, "child.py", "a"])',
    "-m": 'subprocess.run([sys.executable, "-m", "child", "a"])',
    "-": 'subprocess.run([sys.executable, "-", "a"], input=SHOW, text=True)',
    "shell": 'os.system(f"{sys.executable} child.py a")',
    "interpreter options": 'subprocess.run([sys.executable, "-B", "-X", "dev", "child.py", "a"])',
    "-s": 'subprocess.run([sys.executable, "-s", "child.py", "a"])',
    "a shebang": 'subprocess.run(["./child.py", "a"])',
    "spawn": 'os.waitpid(os.posix_spawn(sys.executable, [sys.executable, "child.py", "a"],'
    " os.environ), 0)",
    "itself anew": 'os.execv(sys.executable, [sys.executable, "child.py", "a"])',
    "itself by run": 'subprocess.run([sys.executable, *sys.orig_argv[1:-1], "child.py", "a"])',
    "asyncio": "asyncio.run(by_asyncio())",
    "an environment of its own": 'subprocess.run([sys.executable, "child.py", "a"],'
    ' env={**os.environ, "MINE": "1"})',
}


@pytest.mark.parametrize("how", CHILDREN)
def test_a_child_has_oxisock(script: Any, tmp_path: Path, how: str) -> None:
    child = script(f"#!{sys.executable}\n{SHOW}\n", "child.py")
    child.chmod(0o755)
    program = script(
        f"""
        import asyncio, os, subprocess, sys
        SHOW = {SHOW!r}
        async def by_asyncio():
            process = await asyncio.create_subprocess_exec(sys.executable, "child.py", "a")
            await process.wait()
        sys.stdout.flush()
        {CHILDREN[how]}
        """
    )
    # `run` itself is told the program as its last argument.
    assert run(program, cwd=tmp_path) == f"{OURS} ['a']\n"


ALONE = {
    "-S": 'subprocess.run([sys.executable, "-S", "-c", SHOW])',
    "-I": 'subprocess.run([sys.executable, "-I", "-c", SHOW])',
    "-E": 'subprocess.run([sys.executable, "-E", "-c", SHOW])',
    "no environment": 'subprocess.run([sys.executable, "-c", SHOW], env={})',
    "its own PYTHONPATH": 'subprocess.run([sys.executable, "-c", SHOW],'
    ' env={**os.environ, "PYTHONPATH": "/nowhere"})',
}


@pytest.mark.parametrize("how", ALONE)
def test_a_child_that_is_told_otherwise_is_left_alone(script: Any, how: str) -> None:
    program = script(f"import os, subprocess, sys\nSHOW = {SHOW!r}\n{ALONE[how]}\n")
    assert run(program) == f"{THEIRS} []\n"


def test_no_children(script: Any) -> None:
    """The option holds for what the program starts, and for what an outer `run` has told."""
    program = script(f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {SHOW!r}])\n")
    assert run(program) == f"{OURS} []\n"
    assert run("--no-children", program) == f"{THEIRS} []\n"
    outer = script(
        f"""
        import subprocess, sys
        run = [sys.executable, "-m", "oxisock", "run", "--no-children", {str(program)!r}]
        subprocess.run(run)
        """,
        "outer.py",
    )
    assert run(outer) == f"{THEIRS} []\n"


def test_options_hold_for_children(script: Any) -> None:
    program = script(
        """
        import subprocess, sys
        code = (
            "import socket as s;"
            "print(s.getdefaultkeepalive(), s.getresolvertimeout(), s.getconnecttimeout())"
        )
        subprocess.run([sys.executable, "-c", code])
        """
    )
    options = "--keepalive=60,10,6", "--resolver-timeout", "2.5", "--deadline-connect=7"
    assert run(*options, program) == "(60, 10, 6) 2.5 7.0\n"


def test_another_python_is_left_alone(script: Any, tmp_path: Path) -> None:
    """One that has no oxisock of its own: another environment of the same interpreter."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    other = tmp_path / "venv/bin/python"
    program = script(f"import subprocess\nsubprocess.run([{str(other)!r}, '-c', {SHOW!r}])\n")
    assert run(program, PYTHONPATH="") == f"{THEIRS} []\n"


# -- nothing is to be seen of it -------------------------------------------------------------------

WORLD = """
import sys
print(sys.argv, sys.path, sys.flags, sys.warnoptions, sys._xoptions)
print(sorted(globals()), __name__, __file__, type(__loader__).__name__)
print("sitecustomize" in sys.modules, [name for name in sys.modules if "oxisock" in name])
print([name for name in sys.path_importer_cache if "_children" in name])
import site
print(site.ENABLE_USER_SITE, [path for path in site.PREFIXES])
"""


@pytest.mark.parametrize("flags", [(), ("-P",), ("-s", "-O")], ids=" ".join)
def test_a_child_sees_no_trace(script: Any, flags: Any) -> None:
    child = script(WORLD, "child.py")
    program = script(
        f"""
        import subprocess, sys
        subprocess.run([sys.executable, *{flags!r}, {str(child)!r}, "a"])
        """
    )
    assert run(program) == output(python("-W", "error", program))


@pytest.mark.parametrize("content", ["print('mine', __name__, __file__)", "1 / 0", "import gone"])
def test_the_environments_own_sitecustomize_has_its_turn(
    script: Any, tmp_path: Path, content: str
) -> None:
    script(content + "\n", "site/sitecustomize.py")
    child = script(SHOW + "\nprint('sitecustomize' in sys.modules)", "child.py")
    program = script(f"import subprocess, sys\nsubprocess.run([sys.executable, {str(child)!r}])\n")
    path = os.pathsep.join(filter(None, [str(tmp_path / "site"), os.environ.get("PYTHONPATH")]))
    expected = python(program, PYTHONPATH=path)
    got = python(*ON_OXISOCK, program, PYTHONPATH=path)
    assert got.stdout == expected.stdout.replace(THEIRS, OURS)
    assert got.stderr == expected.stderr


def test_a_child_without_sockets_loads_nothing(script: Any) -> None:
    program = script(
        """
        import subprocess, sys
        code = (
            "import json, sys; print([name for name in sys.modules if 'oxisock' in name]);"
            "import oxisock; print(oxisock.installed(), 'socket' in sys.modules);"
            "oxisock.uninstall(); print(oxisock.installed());"
            "import socket; print(socket is oxisock);"
        )
        subprocess.run([sys.executable, "-c", code])
        """
    )
    assert run(program) == "[]\nTrue False\nFalse\nFalse\n"


def test_a_python_that_is_not_told_touches_no_file_of_ours(tmp_path: Path) -> None:
    """What it costs to have oxisock installed: nothing."""
    import oxisock

    log = tmp_path / "log"
    subprocess.run([needs_strace(), "-f", "-o", log, sys.executable, "-c", "pass"], check=True)
    calls = log.read_text()
    assert "site-packages" in calls
    package = re.escape(str(Path(oxisock.__file__).parent))
    assert re.findall(f".*{package}.*", calls) == []


# -- sockets that travel ---------------------------------------------------------------------------

TRAVEL = """
    {first}
    import multiprocessing, socket, sys

    def work(pipe, given):
        assert socket.socket.__mro__[1].__module__ == "oxisock._socket"
        assert type(given) is socket.socket, type(given)
        given.sendall(b"from the child")
        back, other = socket.socketpair()
        other.sendall(b"made there")
        pipe.send(back)
        pipe.recv()
        for sock in (given, back, other):
            sock.close()

    if __name__ == "__main__":
        context = multiprocessing.get_context(sys.argv[1])
        here, there = context.Pipe()
        a, b = socket.socketpair()
        child = context.Process(target=work, args=(there, b))
        child.start()
        b.close()
        print(a.recv(100))
        back = here.recv()
        print(type(back) is socket.socket, back.recv(100), back.family.name)
        here.send("done")
        child.join()
        for sock in (a, back):
            sock.close()
        print(child.exitcode)
"""


@pytest.mark.parametrize("first", ["", "import oxisock; oxisock.install()"], ids=["run", "install"])
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_sockets_travel(script: Any, method: str, first: str) -> None:
    """Under `run`, and between processes that each call ``install()`` themselves."""
    program = script(TRAVEL.format(first=first))
    done = python("-W", "error", *(() if first else ON_OXISOCK), program, method)
    assert (done.stdout, done.stderr) == (
        "b'from the child'\nTrue b'made there' AF_UNIX\n0\n",
        "",
    )
