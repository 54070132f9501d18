"""What public code does to the module, beside the standard library: one program for each kind."""

import sys
import textwrap
from pathlib import Path

import pytest

from tests.helpers.process import ON_OXISOCK, python

# Longer ones, a file for each kind.
PROGRAMS = Path(__file__).parent / "public_code"

KINDS = {
    "modules reached through it": """
        import socket
        names = "os sys io errno selectors array IntEnum IntFlag".split()
        print([name for name in names if hasattr(socket, name)])
        print(socket.errno.EADDRINUSE, socket.os.name, socket.selectors.EVENT_READ)
        from socket import *
        print(sorted({"os", "sys", "errno", "selectors", "IntEnum"} & set(globals())))
        """,
    "private helpers": """
        import socket
        convert = socket._intenum_converter
        print(repr(convert(2, socket.AddressFamily)), repr(convert(1, socket.SocketKind)))
        print(convert(9999, socket.AddressFamily), sorted(socket._blocking_errnos))
        """,
    "a name that is mistyped": """
        import socket
        try:
            socket.AF_INTE
        except AttributeError as exc:
            print(exc, exc.name, exc.obj is socket)
        """,
    "names of the classes": """
        import pickle, socket
        print(socket.socket, socket.SocketIO, socket.AddressFamily.__module__)
        with socket.socket() as sock:
            print(repr(sock).partition(" ")[0])
        """,
    "a ResourceWarning that is an error": """
        import gc, os, socket, sys, warnings
        seen = []
        sys.unraisablehook = lambda u: seen.append((type(u.object).__name__, u.exc_type.__name__))
        warnings.simplefilter("error", ResourceWarning)
        s = socket.socket(); fd = s.fileno(); del s; gc.collect()
        sys.unraisablehook = sys.__unraisablehook__
        try:
            os.fstat(fd); print("leaked", seen)
        except OSError:
            print("closed", seen)
        """,
    "pickles": """
        import pickle, socket, subprocess, sys
        flags = socket.MSG_PEEK | socket.MSG_OOB
        things = (socket.AF_INET, socket.SOCK_STREAM, flags, socket.socket)
        data = pickle.dumps(things)
        again = pickle.loads(data)
        print(b"oxisock" in data, [a is b for a, b in zip(things, again)])
        code = "import pickle, sys; print(pickle.loads(sys.stdin.buffer.read()))"
        bare = [sys.executable, "-I", "-S", "-c", code]
        done = subprocess.run(bare, input=data, capture_output=True)
        print(done.stdout, done.returncode)
        """,
    "SOCK_NONBLOCK in the type": """
        import os, socket
        N, C = socket.SOCK_NONBLOCK, socket.SOCK_CLOEXEC
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM | N | C)
        print(repr(s.type), s.gettimeout(), s.getblocking(), os.get_blocking(s.fileno()))
        a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM | N)
        x = socket.socket(fileno=a.detach())
        print(repr(x.type), repr(x.family), x.proto, x.gettimeout(), os.get_blocking(x.fileno()))
        y = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | N, fileno=x.detach())
        print(repr(y.type), y.gettimeout())
        class Sub(socket.socket):
            pass
        socket.socket = Sub
        p, q = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM | N)
        print(type(p).__name__, p.gettimeout(), p.getblocking())
        for each in s, b, y, p, q:
            each.close()
        """,
    "O_NONBLOCK that somebody else has cleared": """
        import os, socket
        a, b = socket.socketpair()
        a.settimeout(5); print(os.get_blocking(a.fileno()))
        for set_mode, value in (a.settimeout, 3), (a.settimeout, 0), (a.setblocking, False):
            os.set_blocking(a.fileno(), True); set_mode(value); print(os.get_blocking(a.fileno()))
        os.set_blocking(a.fileno(), False); a.setblocking(True); print(os.get_blocking(a.fileno()))
        a.close(); b.close()
        """,
    "methods of the class on a TLS listener": """
        import signal, socket, ssl
        signal.alarm(30)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server = context.wrap_socket(socket.create_server(("127.0.0.1", 0)), server_side=True)
        client = socket.create_connection(server.getsockname())
        raw, address = socket.socket.accept(server)
        print(type(raw) is socket.socket, address == client.getsockname(), raw.gettimeout())
        raw.settimeout(5); client.send(b"x"); print(raw.recv(1))
        for name in ("getsockname", "fileno", "gettimeout", "getsockopt", "setblocking", "listen"):
            extra = {"getsockopt": (socket.SOL_SOCKET, socket.SO_TYPE), "setblocking": (True,)}
            got = getattr(socket.socket, name)(server, *extra.get(name, ()))
            print(name, got == getattr(server, name)(*extra.get(name, ())))
        for wrong in (), (1,), ("x", 2):
            try:
                socket.socket.recv(*wrong)
            except TypeError:
                print("TypeError")
        original = socket.socket.recv
        print(original is socket.socket.recv, original.__name__, callable(original))
        socket.socket.recv = lambda self, *a: b"mine"
        print(raw.recv(1))
        socket.socket.recv = original
        client.send(b"y"); print(raw.recv(1), original(raw, 0))
        class Other:
            send = socket.socket.fileno
        try:
            Other().send()
        except TypeError:
            print("bound")
        for each in client, raw, server:
            each.close()
        """,
    "a default timeout as the guard of a TLS server": """
        import signal, socket, ssl
        signal.alarm(30)
        listener = socket.create_server(("127.0.0.1", 0))
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).wrap_socket(listener, server_side=True)
        client = socket.create_connection(server.getsockname())
        socket.setdefaulttimeout(0.3)
        try:
            server.accept(); print("accepted")
        except TimeoutError:
            print("TimeoutError")
        client.close(); server.close()
        """,
    "a class in the place of socket, for what a TLS listener accepts": """
        import signal, socket, ssl
        signal.alarm(30)
        made = []
        class Guarded(socket.socket):
            def __init__(self, *args, **options):
                made.append("guarded")
                super().__init__(*args, **options)
        listener = socket.create_server(("127.0.0.1", 0))
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).wrap_socket(listener, server_side=True,
                                                                     do_handshake_on_connect=False)
        client = socket.create_connection(server.getsockname())
        socket.socket = Guarded
        secure, address = server.accept()
        print(made, address == client.getsockname(), isinstance(secure, ssl.SSLSocket))
        for each in client, server, secure:
            each.close()
        """,
}


# What the standard library has no more of from 3.14 on, and oxisock has on every version.
BEFORE_3_14 = {
    "modules reached through it": "it imports selectors and array late, and has no such names",
    "a ResourceWarning that is an error": "unraisablehook is not told of the socket",
}


@pytest.mark.parametrize("kind", KINDS)
def test_prints_the_same(kind: str) -> None:
    if sys.version_info >= (3, 14) and kind in BEFORE_3_14:
        pytest.skip(BEFORE_3_14[kind])
    compare("-c", textwrap.dedent(KINDS[kind]))


@pytest.mark.parametrize("kind", sorted(path.stem for path in PROGRAMS.glob("*.py")))
def test_program_prints_the_same(kind: str) -> None:
    compare(PROGRAMS / f"{kind}.py")


def compare(*program: str | Path) -> None:
    expected = python(*program)
    got = python(*ON_OXISOCK, *program)
    assert (expected.stderr, expected.returncode) == ("", 0)
    assert (got.stdout, got.stderr, got.returncode) == (expected.stdout, "", 0)
