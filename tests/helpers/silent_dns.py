"""A name server that never answers: Python code in namespaces where every lookup asks it."""

import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from tests.helpers.namespace import unshare

FILES = {
    "/etc/resolv.conf": "nameserver 127.0.0.1\noptions timeout:30 attempts:5\n",
    "/etc/nsswitch.conf": "hosts: files dns\n",
    "/etc/hosts": "127.0.0.1 localhost known\n",
}


@cache
def obstacle() -> str | None:
    """Why there can be no such server here; None if there can."""
    probe = [*unshare("--net", "--mount"), sys.executable, "-m", __name__, "-c", "pass"]
    done = subprocess.run(probe, capture_output=True, text=True, timeout=60)
    return None if done.returncode == 0 else done.stderr.strip().rpartition("\n")[2]


def needs_silence() -> None:
    """Skip the test where the system allows no such namespace, but not in CI."""
    if (reason := obstacle()) and not os.environ.get("CI"):
        import pytest  # not in the namespace, where it would only cost time

        pytest.skip(f"no namespace: {reason}")


def run_without_answers(code: str, *arguments: str, timeout: float = 60) -> str:
    """Run Python code whose lookups never end; return what it prints.

    Skips the test where the system allows no namespace, but not in CI.
    """
    needs_silence()
    command = [*unshare("--net", "--mount"), sys.executable, "-m", __name__]
    done = subprocess.run(
        [*command, "-W", "error", "-c", code, *arguments],
        capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def silence(folder: Path) -> socket.socket:
    """Have every lookup ask the socket that is returned; `folder` keeps the files for that."""
    setflags, up = 0x8914, 1
    bind, recursive, private = 0x1000, 0x4000, 1 << 18
    libc = ctypes.CDLL(None, use_errno=True)

    def mount(source: str, target: str, flags: int) -> None:
        if libc.mount(source.encode(), target.encode(), None, ctypes.c_ulong(flags), None):
            raise OSError(ctypes.get_errno(), f"mount {target}")

    mount("none", "/", recursive | private)
    for target, text in FILES.items():
        source = folder / Path(target).name
        source.write_text(text)
        mount(str(source), target, bind)
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    fcntl.ioctl(server, setflags, struct.pack("16sH22x", b"lo", up))
    server.bind(("127.0.0.1", 53))
    return server


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, silence(Path(folder)):
        return subprocess.run([sys.executable, *sys.argv[1:]]).returncode


if __name__ == "__main__":
    sys.exit(main())
