"""Code in a network namespace of its own, whose devices it may make and configure as it likes."""

import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from functools import cache

from tests.helpers.process import missing


def unshare(*flags: str) -> list[str]:
    """The command that runs another one in namespaces of its own."""
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", *flags, *as_root, "--"]


@cache
def obstacle(commands: tuple[str, ...]) -> str | None:
    """Why `ip` and `tc` cannot do this in a new namespace; None if they can."""
    for program in ("unshare", "ip", "tc"):
        if shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") is None:
            return f"{program} is not installed"
    script = " && ".join(commands) or "true"
    done = subprocess.run(
        [*unshare("--net"), "sh", "-c", script], capture_output=True, text=True, timeout=60
    )
    return None if done.returncode == 0 else done.stderr.strip().rpartition("\n")[2]


def run_alone(code: str, *commands: str, arguments: Sequence[str] = (), timeout: float = 60) -> str:
    """Run Python code where these commands have set the devices up; return what it prints.

    The loopback device is up. Skips the test where the system allows no namespace or has no such
    device, but not in CI.
    """
    commands = ("ip link set lo up", *commands)
    if reason := obstacle(commands):
        missing(f"no such network namespace: {reason}")
    script = " && ".join([*commands, 'exec "$@"'])
    done = subprocess.run(
        [*unshare("--net"), "sh", "-c", script, "sh", sys.executable, "-W", "error", "-c",
         textwrap.dedent(code), *arguments],
        capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
