"""What a program needs later is in memory when the import is done.

Servers that give up the file system (chroot), or that have no descriptor left, go on with what they
have. The standard library does, but for the codec of host names.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import oxisock
from oxisock._socket import held

# Each for the first time in its process.
FIRST_USES = {
    "family": "sock.family",
    "type": "sock.type",
    "repr": "repr(sock)",
    "dir": "dir(m)",
    "all": "m.__all__",
    "constant": "m.AF_INET6, m.SO_KEEPALIVE, m.MSG_PEEK, m.AI_PASSIVE",
    "enumeration": "m.AddressFamily, m.SocketKind, m.MsgFlag, m.AddressInfo",
    "gaierror": "m.gaierror, m.herror",
    "makefile": "sock.makefile('rb').close()",
    "text file": "sock.makefile('rw').close()",
    "sendfile": "m.socket.sendfile",
    "functions": "m.create_server, m.fromfd, m.getfqdn, m.send_fds, m.recv_fds",
    "numeric lookup": "m.getaddrinfo('127.0.0.1', 80)",
    "failing lookup": "fails(m.gaierror, lambda: m.getaddrinfo('127.0.0.1', 'no service'))",
    "timeout": "sock.settimeout(0.01), fails(TimeoutError, lambda: sock.recv(1))",
    "addresses": "fails(OSError, lambda: sock.bind('/nowhere/to/be/found'))",
    "options": "sock.getsockopt(m.SOL_SOCKET, m.SO_TYPE)",
    "sendmsg": "sock.sendmsg([b'x']), peer.recvmsg(1)",
    "no attribute": "fails(AttributeError, lambda: m.nonsense)",
}
WITH_DESCRIPTORS = {
    "create_server": "m.create_server(('127.0.0.1', 0)).close()",
    "fromfd": "m.fromfd(sock.fileno(), m.AF_UNIX, m.SOCK_STREAM).close()",
    "dup": "sock.dup().close()",
    "create_connection": "fails(OSError, lambda: m.create_connection(('127.0.0.1', 1)))",
    "send_fds": "m.send_fds(sock, [b'x'], [0]), os.close(m.recv_fds(peer, 1, 1)[1][0])",
}
PROGRAM = """
import os, resource, sys
import {module} as m

def fails(error, call):
    try:
        call()
    except error:
        return
    raise AssertionError("no " + error.__name__)

sock, peer = m.socketpair()
{loss}
{use}
"""
LOSSES = {
    "chroot": "os.chroot(sys.argv[1]); os.chdir('/')",
    "descriptors": "resource.setrlimit(resource.RLIMIT_NOFILE, (peer.fileno() + 1,) * 2)",
}


# It reads the codec for hosts when it first has a name before it, and since 3.14 `array` when it
# first has descriptors.
NEEDS_FILES = ["numeric lookup", "failing lookup", "create_connection"]
if sys.version_info >= (3, 14):
    NEEDS_FILES.append("send_fds")


def run(module: str, loss: str, name: str, directory: Any) -> None:
    if module == "socket" and name in NEEDS_FILES:
        pytest.skip("the standard library needs its files for it")
    use = (FIRST_USES | WITH_DESCRIPTORS)[name]
    code = PROGRAM.format(module=module, loss=loss, use=use)
    done = subprocess.run(
        [sys.executable, "-c", code, str(directory)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the root directory")


@needs_root
@pytest.mark.parametrize("module", ["socket", "oxisock"])
@pytest.mark.parametrize("name", [*FIRST_USES, *WITH_DESCRIPTORS])
def test_after_chroot(module: str, name: str, tmp_path: Path) -> None:
    run(module, LOSSES["chroot"], name, tmp_path)


@pytest.mark.parametrize("module", ["socket", "oxisock"])
@pytest.mark.parametrize("name", FIRST_USES)
def test_with_no_descriptor_left(module: str, name: str, tmp_path: Path) -> None:
    run(module, LOSSES["descriptors"], name, tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "_descriptors", "_enums", "_errors", "_files", "_functions", "_install", "_lazy", "_peers",
        "_sendfile",
    ],
)  # fmt: skip
def test_what_is_held_is_what_stands_in_the_files(name: str) -> None:
    """In a checkout this may say that the native module is to be built again."""
    found = held(f"oxisock.{name}")
    assert isinstance(found, tuple)
    assert found[1] == Path(oxisock.__file__).with_name(f"{name}.py").read_bytes()


def test_only_what_can_be_needed_is_held() -> None:
    assert held("oxisock._class") is None
    assert held("nothing of the kind") is None


MODULES = """
import os, sys
import oxisock
os.chroot(sys.argv[1]); os.chdir("/")
oxisock.SocketIO, oxisock.AddressFamily, oxisock.getifaddrs
_files = sys.modules["oxisock._files"]
assert _files.__spec__.origin == _files.__file__ == oxisock.__path__[0] + "/_files.py", _files
import enum, collections
assert enum.__file__ == os.__file__.removesuffix("os.py") + "enum.py", enum
assert collections.__path__ == [os.path.dirname(collections.__file__)], collections
try:
    import json
except ImportError:
    pass
else:
    raise AssertionError("a module that nobody holds")
assert not any("_held" in repr(finder) for finder in sys.meta_path)
"""


@needs_root
def test_a_module_that_was_held_looks_as_any_other(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MODULES, str(tmp_path)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
