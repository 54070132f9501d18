"""Web servers with their processes, reloaders and restarts, under load."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.helpers.net import answers, free_port
from tests.helpers.process import ON_OXISOCK, needs, wait_until
from tests.software.running import PROGRAMS, software

LARGE = bytes(range(256)) * 4096
PATIENCE = 120.0  # seconds, for a machine that starts other servers at the same time


@contextmanager
def serving(port: int, log: Path, *command: str | Path) -> Iterator[int]:
    """Run a server under ``run`` until the block ends; its process."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(PROGRAMS)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *ON_OXISOCK, *map(str, command)],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment,
            start_new_session=True, cwd=log.parent,
        )  # fmt: skip
        try:
            wait_until(lambda: answers(port) or process.poll() is not None, PATIENCE)
            assert process.poll() is None, log.read_text()
            yield process.pid
        finally:
            # The workers and what was executed anew are of its session, and no others are.
            for number in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(process.pid, number)
                    process.wait(20)
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    continue


def get(port: int, path: str = "/", data: bytes | None = None) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}{path}", data, timeout=60) as answer:
        assert answer.status == 200
        return bytes(answer.read())


def worker(port: int, marker: bytes = b"") -> int:
    """The process that answers, which has to be on oxisock."""
    module, pid, *rest = get(port).split()
    assert module == b"oxisock"
    assert not marker or rest == [marker], rest
    return int(pid)


def check(port: int) -> None:
    """Data both ways, and load from 20 connections without a wrong answer."""
    assert get(port, "/large") == LARGE
    assert get(port, "/hash", LARGE).decode() == hashlib.sha256(LARGE).hexdigest()
    done = subprocess.run(
        [needs("wrk"), "-t1", "-c20", "-d2s", "--timeout", "30s", f"http://127.0.0.1:{port}/"],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    answered = re.search(r"(\d+) requests in", done.stdout)
    assert answered is not None, done.stdout
    assert int(answered[1]) > 0, done.stdout
    assert "Non-2xx" not in done.stdout, done.stdout
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+)", done.stdout)
    assert errors is None or set(errors.groups()) == {"0"}, done.stdout


@software("gunicorn", "wrk")
@pytest.mark.parametrize("kind", ["threads", "pre-fork"])
def test_gunicorn(kind: str, tmp_path: Path) -> None:
    """Threads, or two forked workers: 1 MiB each way, load by wrk."""
    port = free_port()
    workers = ["--threads=4"] if kind == "threads" else ["--workers=2"]
    options = [*workers, f"--bind=127.0.0.1:{port}", "--worker-tmp-dir", str(tmp_path)]
    with serving(port, tmp_path / "log", "-m", "gunicorn", *options, "wsgi:application") as pid:
        assert worker(port) != pid
        check(port)


@software("gunicorn")
def test_gunicorn_upgrade(tmp_path: Path) -> None:
    """USR2 starts a new master by exec, which inherits the listening socket; the old one goes."""
    port, pidfile = free_port(), tmp_path / "pid"
    options = [f"--bind=127.0.0.1:{port}", f"--pid={pidfile}", "--worker-tmp-dir", str(tmp_path)]
    with serving(port, tmp_path / "log", "-m", "gunicorn", *options, "wsgi:application") as pid:
        first = worker(port)
        os.kill(pid, signal.SIGUSR2)
        newer = Path(f"{pidfile}.2")
        wait_until(lambda: newer.exists() and newer.read_text().strip(), PATIENCE)
        os.kill(pid, signal.SIGTERM)
        # The new master takes the name of the old one once that has gone.
        wait_until(lambda: not newer.exists() and pidfile.exists(), PATIENCE)
        master = int(pidfile.read_text())
        try:
            assert master != pid
            assert worker(port) != first
            assert get(port, "/large") == LARGE
        finally:
            os.kill(master, signal.SIGTERM)
            wait_until(lambda: not answers(port), PATIENCE)


@software("uvicorn", "wrk")
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_uvicorn(loop: str, tmp_path: Path) -> None:
    """Two spawned workers on asyncio or uvloop: 1 MiB each way, load by wrk."""
    port = free_port()
    options = [f"--port={port}", "--workers=2", f"--loop={loop}", "--log-level=warning"]
    with serving(port, tmp_path / "log", "-m", "uvicorn", *options, "wsgi:asgi") as pid:
        wait_until(lambda: get(port), PATIENCE)
        assert worker(port) != pid
        check(port)


def reloaded(program: str, port: int, directory: Path, *command: str) -> None:
    """The program is changed while it runs, and answers by what it is then, on oxisock still."""
    script = directory / program
    shutil.copy(PROGRAMS / program, script)
    log = directory / "log"
    with serving(port, log, *command):
        first = worker(port, b"first")
        script.write_text(script.read_text().replace("first", "second"))
        end = time.monotonic() + PATIENCE
        while True:
            # A reloader does not see what has changed before it looked for the first time, nor
            # some of them what has changed within a second. Not so often that one starts twice.
            os.utime(script)
            if (answered := answer_of(port, b"second", 10)) is not None:
                break
            assert time.monotonic() < end, log.read_text()
        module, pid = answered
        assert module == b"oxisock"
        assert int(pid) != first


def answer_of(port: int, marker: bytes, seconds: float) -> tuple[bytes, bytes] | None:
    """Module and process of who answers with that marker, if somebody does in that time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            module, pid, last = get(port).split()
        except OSError:
            pass  # between the two
        else:
            if last == marker:
                return module, pid
        time.sleep(0.1)
    return None


@software("Flask")
def test_flask(tmp_path: Path) -> None:
    """The reloader starts a changed program anew, which is on oxisock again."""
    port = free_port()
    reloaded("flask_app.py", port, tmp_path, "flask_app.py", str(port))


@software("Django")
def test_django(tmp_path: Path) -> None:
    """The reloader of ``runserver`` starts a changed program anew, which is on oxisock again."""
    port = free_port()
    reloaded("django_app.py", port, tmp_path, "django_app.py", str(port))


@software("uvicorn")
def test_uvicorn_reload(tmp_path: Path) -> None:
    """``--reload`` starts a changed program anew, in a spawned process on oxisock."""
    port = free_port()
    options = ["--reload", f"--port={port}", "--log-level=warning"]
    reloaded("asgi_app.py", port, tmp_path, "-m", "uvicorn", *options, "asgi_app:app")
