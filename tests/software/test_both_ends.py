"""Libraries whose server and client are both in Python, and those that have no server."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.namespace import obstacle, unshare
from tests.helpers.process import ON_OXISOCK, missing, output
from tests.helpers.tls import authority
from tests.software import servers
from tests.software.running import PROGRAMS, software, tried
from tests.software.servers import certificate


def with_certificate(program: str, directory: Path) -> None:
    ours = certificate(directory)
    tried(program, ours.certfile, ours.keyfile, authority().cafile)


@software("tornado")
def test_tornado(tmp_path: Path) -> None:
    """HTTP, WebSocket and streams, plain and over TLS."""
    with_certificate("tornado_both.py", tmp_path)


@software("aiohttp")
def test_aiohttp(tmp_path: Path) -> None:
    """20 clients with 1 MiB each way, and WebSocket, plain and over TLS."""
    with_certificate("aiohttp_both.py", tmp_path)


@software("websockets")
def test_websockets(tmp_path: Path) -> None:
    """Its asyncio and its threaded servers and clients, plain and over TLS."""
    with_certificate("websockets_both.py", tmp_path)


@software("gevent")
def test_gevent(tmp_path: Path) -> None:
    """``patch_all`` after oxisock: servers, 50 clients, TLS, WSGI."""
    with_certificate("gevent_both.py", tmp_path)


@software("eventlet")
def test_eventlet() -> None:
    """``monkey_patch`` after oxisock: a server and 50 clients."""
    tried("eventlet_both.py")


@software("dnspython")
def test_dnspython() -> None:
    """300 queries over UDP, answers over TCP where they are cut off."""
    tried("dnspython_both.py")


@software("pyzmq", limits="libzmq makes its own sockets, which stay as they are")
def test_pyzmq() -> None:
    """Requests and pairs, and one poller for its sockets and ours."""
    tried("zmq_beside.py")


@software("uvloop", limits="libuv reads and writes itself; sockets of oxisock are passed to it")
def test_uvloop(tmp_path: Path) -> None:
    """Streams of 20 clients, plain and over TLS, and ``sock_recv`` on sockets of oxisock."""
    with_certificate("uvloop_beside.py", tmp_path)


@software("paho-mqtt", "mosquitto")
@pytest.mark.parametrize("transport", ["plain", "TLS"])
def test_paho(transport: str) -> None:
    """3,000 messages of three qualities of service."""
    with servers.mosquitto() as ports:
        port, ca = (ports.tls, authority().cafile) if transport == "TLS" else (ports.plain, "")
        tried("mqtt_client.py", port, ca)


@software("pyftpdlib")
def test_pyftpdlib() -> None:
    """ftplib against pyftpdlib: 20 MB each way, passive and active."""
    tried("ftp_both.py")


@software("aiosmtpd")
def test_aiosmtpd(tmp_path: Path) -> None:
    """smtplib against aiosmtpd: 200 messages and one of 5 MB, with STARTTLS."""
    with_certificate("smtp_both.py", tmp_path)


@software("celery", "redis-server")
def test_celery(tmp_path: Path) -> None:
    """A worker with two forked processes: groups, chords, errors, large arguments."""
    with servers.redis_server() as ports:
        url = f"redis://127.0.0.1:{ports.plain}/0"
        environment = {**os.environ, "BROKER": url, "PYTHONPATH": str(PROGRAMS)}
        if os.geteuid() == 0:
            environment["C_FORCE_ROOT"] = "1"
        arguments = ["-A", "celery_app", "worker", "--concurrency=2", "--loglevel=warning"]
        log = tmp_path / "log"
        with log.open("wb") as opened, subprocess.Popen(
            [sys.executable, *ON_OXISOCK, "-m", "celery", *arguments],
            env=environment, stdout=opened, stderr=opened, cwd=tmp_path,
        ) as worker:  # fmt: skip
            try:
                done = subprocess.run(
                    [sys.executable, *ON_OXISOCK, str(PROGRAMS / "celery_app.py")],
                    env=environment, capture_output=True, text=True, timeout=240, check=False,
                )  # fmt: skip
                assert output(done) == "done on oxisock\n", done.stderr + log.read_text()
                assert worker.wait(120) == 0, log.read_text()
            finally:
                worker.kill()


@software("distributed", "dask")
def test_dask() -> None:
    """Two workers with nannies: a sum of 10^8 numbers, and data between workers."""
    tried("dask_cluster.py")


@software("multiprocessing")
def test_managers() -> None:
    """``multiprocessing.managers`` between two network namespaces."""
    if reason := obstacle(("ip link add here type veth peer name there",)):
        missing(f"no such network namespace: {reason}")
    done = subprocess.run(
        [*unshare("--net"), sys.executable, *ON_OXISOCK, str(PROGRAMS / "managers.py")],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert output(done) == "done on oxisock\n", done.stderr
