"""``oxisock`` as a command: help, version, info, and how it ends."""

import json
import os
import platform
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

import oxisock
from tests.helpers.process import python, run_python, wait_until

COMMANDS = ["run", "report", "trace", "info", "bench"]


def oxisock_command(*arguments: str, **environment: Any) -> subprocess.CompletedProcess[str]:
    return python("-m", "oxisock", *arguments, **environment)


def test_the_command_is_the_module() -> None:
    script = Path(sysconfig.get_path("scripts"), "oxisock")
    if not script.exists():
        pytest.skip("the package is not installed in this environment")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"oxisock {oxisock.__version__}\n")
    assert oxisock_command("--version").stdout == done.stdout
    shown = subprocess.run([script, "info", "-h"], capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("usage: oxisock info")


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_the_terminal(command: str, columns: int) -> None:
    if command == "bench":
        pytest.importorskip("oxisock_bench", reason="pip install ./benches")
    arguments = [command] if command else []
    done = oxisock_command(*arguments, "--help", COLUMNS=str(columns), NO_COLOR="1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    # A usage line and the name of an option are in one piece.
    long = [line for line in done.stdout.splitlines() if len(line) > max(columns, 60)]
    assert long == []


def test_without_a_command_there_is_help() -> None:
    done = oxisock_command()
    assert done.returncode == 0
    assert all(command in done.stdout for command in COMMANDS)


@pytest.mark.parametrize("arguments", [("nope",), ("info", "--nope"), ("run",), ("run", "--nope")])
def test_a_wrong_command_line(arguments: tuple[str, ...]) -> None:
    done = oxisock_command(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: python -m oxisock")


def info(**environment: str) -> Any:
    done = oxisock_command("info", "--json", **environment)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_info_tells_what_is_there() -> None:
    told = info()
    assert told["versions"]["oxisock"] == oxisock.__version__
    assert platform.python_version() in told["versions"]["python"]
    assert told["platform"]["machine"] == platform.machine()
    assert told["engine"]["tls"] == oxisock.tls_status()
    assert told["engine"]["installed"].startswith("no")
    reason = oxisock._socket.yield_unavailable()
    wanted = "active" if reason is None else f"off: {reason}"
    assert told["engine"]["yield on wake"] == wanted
    if sys.version_info >= (3, 12):
        assert sysconfig.get_config_var("Py_GIL_DISABLED") or reason is None


def test_info_tells_what_is_set_and_why_something_is_off() -> None:
    told = info(OXISOCK_YIELD="0", OXISOCK_TLS="0", OXISOCK_BUSY_POLL_US="0")
    assert told["environment"].items() >= {"OXISOCK_YIELD": "0", "OXISOCK_TLS": "0"}.items()
    assert told["engine"]["tls"] == "off: switched off by OXISOCK_TLS=0"
    assert told["engine"]["busy-poll"].startswith("off")
    if not sysconfig.get_config_var("Py_GIL_DISABLED"):
        assert told["engine"]["yield on wake"] == "off: switched off by OXISOCK_YIELD=0"


@pytest.mark.parametrize("columns", [24, 40, 80, 200])
def test_info_fits_the_terminal(columns: int) -> None:
    done = oxisock_command("info", COLUMNS=str(columns), OXISOCK_KEEPALIVE="60,10,6")
    assert (done.returncode, done.stderr) == (0, "")
    words = [line for line in done.stdout.splitlines() if len(line.strip().split()) > 1]
    assert [line for line in words if len(line) > columns] == []
    assert "60,10,6" in done.stdout


def test_installed() -> None:
    run_python("""
        import oxisock
        assert oxisock.installed() is False
        oxisock.install()
        assert oxisock.installed() is True
        oxisock.uninstall()
        assert oxisock.installed() is False
    """)
    done = oxisock_command("run", "-c", "import oxisock; print(oxisock.installed())")
    assert done.stdout == "True\n"


def test_a_closed_pipe_is_no_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "oxisock", "info"],
            stdout=writing, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_ctrl_c_is_no_traceback(tmp_path: Path) -> None:
    """A command that hangs in a file of the package that it looks for, until Ctrl-C."""
    started = tmp_path / "started"
    (tmp_path / "oxisock_bench.py").write_text(
        f"import time\nopen({str(started)!r}, 'w').close()\ntime.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-m", "oxisock", "bench", "--list"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)}, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        wait_until(started.exists)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (130, "")
