"""Every program in `examples`, run as a reader would run it."""

import json
import os
import re
import socket as std
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
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


# -- comparison --------------------------------------------------------------------------------


def test_compare(tmp_path: Path) -> None:
    """Each row is a gain or says that it is none."""
    out = tmp_path / "results.json"
    head, *lines = succeeds(ALONE, "compare.py", "--rounds", "1", "--json", str(out)).splitlines()
    assert head.split() == ["standard", "oxisock"]
    verdict = r"[0-9.e+]+ times faster|no gain|a loss: [0-9.]+ times slower"
    assert [line for line in lines if not re.search(rf"(ms|µs|ns)  ({verdict})$", line)] == []
    results = json.loads(out.read_text())
    assert len(results) == len(lines) == 5
    for row in results.values():
        assert 0 < row["standard"] < 1
        assert 0 < row["oxisock"] < 1


# -- metrics -----------------------------------------------------------------------------------


def test_metrics() -> None:
    lines = succeeds(ALONE, "metrics.py").splitlines()
    told = dict(line.rsplit(" ", 1) for line in lines)
    assert all(re.fullmatch(r'oxisock_\w+\{kind="\w*"\} [0-9.e-]+', line) for line in lines)
    assert told['oxisock_operations{kind="connect"}'] == "1"
    assert int(told['oxisock_bytes{kind="received"}']) > 50


# -- datagrams ---------------------------------------------------------------------------------


@contextmanager
def started(name: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A program that prints a line with its port and goes on; and that port."""
    with subprocess.Popen(
        [sys.executable, str(EXAMPLES / name), *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        guard = threading.Timer(3 * PATIENCE, process.kill)
        guard.start()
        try:
            assert process.stdout is not None
            port = re.search(r"(\d+)\)?$", line := process.stdout.readline())
            assert port, line
            yield process, int(port[1])
        finally:
            guard.cancel()
            process.kill()


def question(number: int, name: bytes, kind: int = 1) -> bytes:
    labels = b"".join(bytes([len(label)]) + label for label in name.split(b"."))
    return struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!B2H", 0, kind, 1)


@pytest.mark.parametrize("host", [(), ("127.0.0.1",)], ids=["every address", "one address"])
def test_name_server(host: tuple[str, ...]) -> None:
    asked = "127.0.0.1" if host else "127.7.7.7"
    with (
        started("name_server.py", "0", *host) as (_, port),
        std.socket(std.AF_INET, std.SOCK_DGRAM) as client,
    ):
        client.settimeout(PATIENCE)
        # Connected: an answer from another address than the asked one would not arrive.
        client.connect((asked, port))

        def ask(text: bytes) -> tuple[int, int, int, bytes]:
            client.send(text)
            reply = client.recv(512)
            number, flags, _, answers, _, _ = struct.unpack_from("!6H", reply)
            return number, flags & 15, answers, reply

        for number in range(20):
            client.send(question(number, b"One.Example"))
        replies = [client.recv(512) for _ in range(20)]
        assert [reply[-4:] for reply in replies] == [bytes([192, 0, 2, 1])] * 20
        assert [int.from_bytes(reply[:2]) for reply in replies] == list(range(20))
        assert ask(question(7, b"two.example"))[3].endswith(bytes([192, 0, 2, 2]))
        assert ask(question(8, b"three.example"))[:3] == (8, 3, 0)
        assert ask(question(9, b"one.example", 28))[:3] == (9, 0, 0)
        client.send(b"no question")
        assert ask(question(10, b"one.example")[:20])[:3] == (10, 1, 0)


def test_telemetry() -> None:
    lines = succeeds(ALONE, "telemetry.py", "500", "3").splitlines()
    assert lines[0] == f"1500 samples, 3 senders, sum {3 * sum(range(500)) / 2:.1f}"


@pytest.mark.parametrize("size", [0, 1, 1196, 1_000_000])
def test_udp_file(size: int, tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    here.write_bytes(os.urandom(size))
    with started("udp_file.py", "receive", str(there)) as (process, port):
        text = succeeds(ALONE, "udp_file.py", "send", str(here), "127.0.0.1", str(port))
        assert text == f"sent {size} bytes in {-(-size // 1196)} pieces\n"
        assert process.stdout is not None
        assert process.stdout.readline().startswith(f"received {size} bytes")
    assert there.read_bytes() == here.read_bytes()


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
