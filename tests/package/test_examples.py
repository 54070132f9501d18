"""Every program in `examples`, run as a reader would run it."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.process import ON_OXISOCK, output, python
from tests.helpers.tls import HOST, PATIENCE, OpenSSLServer, authority, identity, nginx

EXAMPLES = Path(__file__).parents[2] / "examples"
ALONE: tuple[str, ...] = ()

either = pytest.mark.parametrize("flags", [ALONE, ON_OXISOCK], ids=["alone", "on oxisock"])


def run(flags: tuple[str, ...], name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return python(*flags, EXAMPLES / name, *arguments)


def succeeds(flags: tuple[str, ...], name: str, *arguments: str) -> str:
    return output(run(flags, name, *arguments))


def test_every_example_is_here() -> None:
    tested = set(re.findall(r"\w+\.py", Path(__file__).read_text()))
    assert {path.name for path in EXAMPLES.glob("*.py")} <= tested


# -- echo --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("server", "client", "host"),
    [
        ("echo_server.py", "echo_client.py", "127.0.0.1"),
        ("dualstack_echo_server.py", "dualstack_echo_client.py", "127.0.0.1"),
        ("dualstack_echo_server.py", "dualstack_echo_client.py", "::1"),
        ("dualstack_echo_server.py", "dualstack_echo_client.py", "localhost"),
    ],
)
@pytest.mark.parametrize(
    ("there", "here"),
    [(ON_OXISOCK, ON_OXISOCK), (ON_OXISOCK, ALONE), (ALONE, ON_OXISOCK), (ALONE, ALONE)],
    ids=["oxisock both", "oxisock serves", "oxisock asks", "oxisock neither"],
)
def test_echo(there: Any, here: Any, server: str, client: str, host: str) -> None:
    """Also across: the one end on oxisock and the other on the standard library."""
    with subprocess.Popen(
        [sys.executable, *there, str(EXAMPLES / server), "0", host],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        guard = threading.Timer(3 * PATIENCE, process.kill)
        guard.start()
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            port = re.search(r", (\d+)", line)
            assert port, line
            assert succeeds(here, client, port[1], host) == "Received b'Hello, world'\n"
            assert process.wait(PATIENCE) == 0
            assert process.stdout.read().startswith("Connected by (")
        finally:
            guard.cancel()
            process.kill()


@either
def test_transfer(flags: tuple[str, ...]) -> None:
    output = succeeds(flags, "transfer.py", "0.05")
    assert "WRONG" not in output
    assert len(re.findall(r" ok$", output, re.MULTILINE)) == 6


# -- options and packets -----------------------------------------------------------------------


@either
def test_reuse_address(flags: tuple[str, ...]) -> None:
    assert succeeds(flags, "reuse_address.py").splitlines() == [
        "without SO_REUSEADDR: [Errno 98] Address already in use",
        "with SO_REUSEADDR: listening again",
    ]


def may_sniff() -> bool:
    status = Path("/proc/self/status").read_text()
    effective = re.search(r"^CapEff:\s*(\w+)$", status, re.MULTILINE)
    return effective is not None and bool(int(effective[1], 16) & 1 << 13)  # CAP_NET_RAW


@either
def test_sniffer(flags: tuple[str, ...]) -> None:
    if not may_sniff():
        pytest.skip("packet sockets need CAP_NET_RAW")
    lines = succeeds(flags, "sniffer.py", "3").splitlines()
    assert len(lines) == 3
    for line in lines:
        # Other tests may be talking on the loopback interface as well.
        assert re.match(r"lo: 127\.[\d.]+ > 127\.[\d.]+ protocol \d+, \d+ bytes: 45", line), line


@either
def test_sniffer_without_the_privilege(flags: tuple[str, ...]) -> None:
    command = [sys.executable, *flags, str(EXAMPLES / "sniffer.py"), "1"]
    if os.geteuid() == 0 and may_sniff():
        command = ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw", *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr == "packet sockets need root or the capability CAP_NET_RAW\n"


@either
def test_sniffer_of_an_unknown_interface(flags: tuple[str, ...]) -> None:
    if not may_sniff():
        pytest.skip("packet sockets need CAP_NET_RAW")
    done = run(flags, "sniffer.py", "1", "nonexistent0")
    assert done.returncode == 1
    assert done.stderr.startswith("nonexistent0: [Errno 19]")


# -- metrics -----------------------------------------------------------------------------------


def test_metrics() -> None:
    lines = succeeds(ALONE, "metrics.py").splitlines()
    told = dict(line.rsplit(" ", 1) for line in lines)
    assert all(re.fullmatch(r'oxisock_\w+\{kind="\w*"\} [0-9.e-]+', line) for line in lines)
    assert told['oxisock_operations{kind="connect"}'] == "1"
    assert int(told['oxisock_bytes{kind="received"}']) > 50


# -- TLS ---------------------------------------------------------------------------------------


@pytest.fixture(params=["s_server", "nginx"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, int]]:
    if request.param == "s_server":
        with OpenSSLServer(identity(), "-www") as peer:
            yield peer.address
    else:
        (tmp_path / "index.html").write_text("the front page")
        with nginx(tmp_path, identity()) as peer:
            yield peer.tls


def names(output: str) -> None:
    lines = output.splitlines()
    assert lines[0] == f"'/C=US/CN={HOST}'"
    assert lines[1] == "'/C=US/ST=California/O=Test, Inc./CN=Test EC Intermediate'"
    assert re.match(r"HTTP/1\.[01] 200", lines[2])


def test_ssl_client(server: tuple[str, int]) -> None:
    host, port = server
    names(succeeds(ALONE, "ssl_client.py", host, str(port), "--cafile", authority().cafile))


def test_ssl_client_unverified(server: tuple[str, int]) -> None:
    host, port = server
    done = run(ALONE, "ssl_client.py", host, str(port), "--unverified")
    assert done.returncode == 0
    names(done.stdout)
    assert "UnverifiedTLSWarning" in done.stderr


def test_ssl_client_with_a_server_it_does_not_trust(server: tuple[str, int]) -> None:
    host, port = server
    done = run(ALONE, "ssl_client.py", host, str(port))
    assert done.returncode == 1
    assert done.stdout == ""
    assert "CERTIFICATE_VERIFY_FAILED" in done.stderr
