"""``python -m oxisock run`` against the interpreter itself, and install() / uninstall()."""

import os
import signal
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import process
from tests.helpers.process import ON_OXISOCK
from tests.helpers.tls import authority, identity


def python(*arguments: Any, flags: Any = (), **options: Any) -> Any:
    """Run the interpreter, with every warning that points at a leak turned on."""
    return process.python(*flags, *arguments, **{"PYTHONWARNINGS": "error", **options})


def run(*arguments: Any, **options: Any) -> Any:
    return python(*ON_OXISOCK, *arguments, **options)


def ok(result: Any) -> Any:
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(name: Any, text: Any) -> Any:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    return write


WORLD = """
    import sys
    print(sys.argv, sys.path[:2])
    print(sorted(globals()), __name__, __package__, __spec__ and __spec__.name)
    print(globals().get("__file__"), type(__loader__).__name__)
    print(sys.modules["__main__"].__dict__ is globals())
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ("world.py",),
        ("world.py", "a", "-m", "--help", "--"),
        ("./world.py",),
        ("--", "world.py"),
        ("sub/link.py", "a"),
        ("-m", "world", "-h"),
        ("-mworld",),
        ("-m", "pack", "a"),
        ("-m", "pack.inner"),
        ("directory", "a"),
        ("archive.zip", "a"),
        ("world.pyc",),
        ("-c", textwrap.dedent(WORLD), "-c", "a"),
        ("-", "a"),
        ("missing.py",),
        ("empty",),
        ("-m", "missing"),
        ("-m", "empty"),
        ("-m", "pack.missing"),
        ("world.py/below",),
        ("status.py", "7"),
        ("status.py", "words"),
        ("status.py", ""),
        ("fails.py",),
        ("syntax.py",),
        ("-c", "import fails"),
        ("-c", "x = ="),
        ("chained.py",),
        ("hook.py",),
        ("ends.py",),
        ("pickles.py",),
        ("-m", "pickles"),
        ("latin.py",),
    ],
    ids=lambda arguments: " ".join(arguments)[:30],
)
@pytest.mark.parametrize("flags", [(), ("-P",)], ids=["plain", "safe_path"])
def test_behaves_as_the_interpreter_does(
    tmp_path: Path, write: Any, arguments: Any, flags: Any
) -> None:
    for name in ("world.py", "pack/__main__.py", "pack/inner.py", "directory/__main__.py"):
        write(name, WORLD)
    write("pack/__init__.py", "")
    write("sub/other.py", "")
    (tmp_path / "sub/link.py").symlink_to(tmp_path / "world.py")
    (tmp_path / "empty").mkdir()
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.write(tmp_path / "world.py", "__main__.py")
    write("status.py", "import sys\nsys.exit(int(sys.argv[1]) if sys.argv[1:] == ['7'] else 'x')")
    write("fails.py", "def f():\n    1 / 0\nf()\n")
    write("syntax.py", "x = = 1\n")
    write(
        "chained.py",
        "try:\n    1 / 0\nexcept ZeroDivisionError:\n"
        "    raise ExceptionGroup('g', [ValueError(1)]) from KeyError(2)\n",
    )
    write(
        "hook.py",
        "import sys\ndef hook(*a):\n    print(a[0], a[2].tb_frame.f_code.co_name, a[2].tb_next)\n"
        "sys.excepthook = hook\nraise KeyError(1)\n",
    )
    write(
        "ends.py",
        "import atexit, threading, time\natexit.register(print, 'atexit')\n"
        "threading.Thread(target=lambda: (time.sleep(1), print('thread'))).start()\n"
        "print('main')\n",
    )
    write(
        "pickles.py",
        "import pickle, __main__\nclass A: pass\nassert __main__.A is A\n"
        "assert type(pickle.loads(pickle.dumps(A()))) is A\n",
    )
    (tmp_path / "latin.py").write_bytes(b"# -*- coding: latin-1 -*-\nprint(ascii('\xe9'))\n")
    if arguments[0] == "world.pyc":
        ok(python("-c", "import py_compile as p; p.compile('world.py', 'world.pyc')", cwd=tmp_path))

    options = {"cwd": tmp_path, "stdin": textwrap.dedent(WORLD), "flags": flags}
    if flags:  # then the current directory is not on the path by itself
        options["PYTHONPATH"] = os.pathsep.join(
            [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
        )
    expected = python(*arguments, **options)
    got = run(*arguments, **options)

    assert got.stdout == expected.stdout
    assert got.stderr == expected.stderr
    assert got.returncode == expected.returncode


def test_a_module_that_fails_shows_its_own_frames_alone(tmp_path: Path, write: Any) -> None:
    write("fails.py", "def f():\n    1 / 0\nf()\n")
    result = run("-m", "fails", cwd=tmp_path)
    assert result.returncode == 1
    files = [line for line in result.stderr.splitlines() if line.startswith("  File ")]
    assert len(files) == 2
    assert all(str(tmp_path / "fails.py") in line for line in files)


@pytest.mark.parametrize("how", ["script", "module"])
def test_ctrl_c_ends_the_program_by_its_signal(tmp_path: Path, write: Any, how: Any) -> None:
    script = write(
        "waits.py",
        "import socket\nprint('ready', flush=True)\na, b = socket.socketpair()\na.recv(1)\n",
    )
    target = [script] if how == "script" else ["-m", "waits"]
    with subprocess.Popen(
        [sys.executable, *ON_OXISOCK, *map(str, target)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert "oxisock/_run.py" not in errors


def test_socket_is_oxisock_and_ssl_is_not(write: Any) -> None:
    script = write(
        "program.py",
        """
        import socket, ssl, _socket
        import oxisock
        assert socket is oxisock
        from socket import socket as cls, create_connection
        assert cls is oxisock.socket and create_connection is oxisock.create_connection
        assert socket.socket not in ssl.SSLSocket.__mro__
        assert _socket.__name__ == "_socket" and issubclass(ssl.SSLSocket, _socket.socket)
        import asyncio, http.client, selectors, socketserver, urllib.request
        assert http.client.socket is oxisock and socketserver.socket is oxisock
        print("done")
        """,
    )
    assert ok(run(script)) == "done\n"


def test_asyncio_streams(write: Any) -> None:
    script = write(
        "program.py",
        """
        import asyncio, oxisock

        async def serve(reader, writer):
            writer.write((await reader.readline()).upper())
            await writer.drain()
            writer.close()
            await writer.wait_closed()

        async def main():
            server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 20)
            async with server:
                address = server.sockets[0].getsockname()
                reader, writer = await asyncio.open_connection(*address)
                assert type(writer.get_extra_info("socket")._sock) is oxisock.socket
                writer.write(b"hello" * 100_000 + b"\\n")
                assert await reader.read() == b"HELLO" * 100_000 + b"\\n"
                writer.close()
                await writer.wait_closed()
            print("done")

        asyncio.run(main())
        """,
    )
    assert ok(run(script)) == "done\n"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_http_client_and_server(write: Any, scheme: Any) -> None:
    script = write(
        "program.py",
        """
        import http.client, http.server, socket, ssl, sys, threading
        import oxisock
        assert socket is oxisock
        scheme, certificate, key, authority = sys.argv[1:]

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[::-1])
            def log_message(self, *args):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        assert type(server.socket) is oxisock.socket
        if scheme == "https":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            server.socket = context.wrap_socket(server.socket, server_side=True)
            trust = ssl.create_default_context(cafile=authority)
            client = http.client.HTTPSConnection(
                "127.0.0.1", server.server_port, timeout=30, context=trust)
        else:
            client = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        body = bytes(range(256)) * 1000
        for _ in range(3):
            client.request("POST", "/", body)
            assert client.getresponse().read() == body[::-1]
        expected = oxisock.SSLSocket if scheme == "https" else oxisock.socket
        assert type(client.sock) is expected, client.sock
        client.close()
        server.shutdown()
        server.server_close()
        print("done")
        """,
    )
    server = identity()
    files = server.certfile, server.keyfile, authority().cafile
    assert ok(run(script, scheme, *files)) == "done\n"


def test_children_of_multiprocessing(write: Any) -> None:
    script = write(
        "program.py",
        """
        import multiprocessing, socket

        def name(_):
            return socket.__name__

        if __name__ == "__main__":
            for method in ("fork", "spawn", "forkserver"):
                with multiprocessing.get_context(method).Pool(1) as pool:
                    print(method, *pool.map(name, [0]))
                    pool.close()
                    pool.join()
        """,
    )
    # test_children.py has what `run` does beyond that.
    everywhere = ok(run(script))
    assert everywhere == "fork oxisock\nspawn oxisock\nforkserver oxisock\n"
    assert ok(run("--no-children", script)) == "fork oxisock\nspawn socket\nforkserver socket\n"


def test_a_spawned_child_may_install_for_itself(write: Any) -> None:
    script = write(
        "program.py",
        """
        import oxisock
        oxisock.install()
        import multiprocessing, socket

        def name(_):
            return socket.__name__

        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(*pool.map(name, [0]))
                pool.close()
                pool.join()
        """,
    )
    assert ok(python(script)) == "oxisock\n"


def test_install_and_uninstall() -> None:
    program = """
        import sys, threading
        import oxisock
        assert "socket" not in sys.modules and not oxisock.installed()

        threads = [threading.Thread(target=oxisock.install) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        import socket
        assert socket is oxisock and oxisock.installed()
        oxisock.install()

        oxisock.uninstall()
        assert not oxisock.installed()
        import socket as standard, ssl
        assert standard is not oxisock and standard.socket in ssl.SSLSocket.__mro__
        assert standard._GLOBAL_DEFAULT_TIMEOUT is oxisock._GLOBAL_DEFAULT_TIMEOUT
        oxisock.uninstall()
        assert sys.modules["socket"] is standard

        oxisock.install()
        sys.modules["socket"] = another = object()
        assert not oxisock.installed()
        oxisock.uninstall()
        assert sys.modules["socket"] is another

        del sys.modules["socket"]
        sys.modules["ssl"] = None
        oxisock.install()
        assert sys.modules["socket"] is oxisock
        oxisock.uninstall()
        assert sys.modules["socket"] is standard
        """
    ok(python("-c", textwrap.dedent(program)))


def test_modules_of_both_sides_share_the_mark_for_no_timeout() -> None:
    program = """
        import http.client, http.server, threading
        import oxisock
        oxisock.install()
        import urllib.request, urllib.response, smtplib

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(204)
                self.end_headers()
            def log_message(self, *args):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        # urllib has the mark from here, and hands it to the http.client of the standard side.
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url) as answer:
            assert answer.status == 204
        mark = http.client.socket._GLOBAL_DEFAULT_TIMEOUT
        oxisock.create_connection(server.server_address, mark).close()
        server.shutdown()
        server.server_close()
        """
    ok(python("-c", textwrap.dedent(program)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "is required"),
        (("-x", "script.py"), "unknown option -x"),
        (("--module", "x"), "unknown option --module"),
        (("-m",), "argument expected for the -m option"),
        (("-c",), "argument expected for the -c option"),
    ],
)
def test_a_wrong_command_line(arguments: Any, message: Any) -> None:
    result = run(*arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("usage: python -m oxisock run")
    assert message in result.stderr.splitlines()[-1]


def test_help_and_version() -> None:
    import oxisock

    assert ok(python("-m", "oxisock", "--version")) == f"oxisock {oxisock.__version__}\n"
    assert ok(python("-m", "oxisock")) == ok(python("-m", "oxisock", "--help"))
    assert "run" in ok(python("-m", "oxisock", "-h"))
    assert ok(run("--help")).startswith("usage: python -m oxisock run")
    assert python("-m", "oxisock", "walk").returncode == 2
