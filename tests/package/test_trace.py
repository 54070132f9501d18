"""``oxisock trace``: each line is a call, and the packets are the data."""

import io
import os
import re
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from oxisock._trace import Tracer
from tests.helpers.process import needs, python
from tests.helpers.tls import authority, identity

TRACE = ("-m", "oxisock", "trace")
modules = pytest.mark.parametrize("option", [(), ("--standard",)], ids=["oxisock", "standard"])
LINE = re.compile(r"\d+\.\d{6} \[(?P<thread>.+?)\] (?P<site>\S+:\d+) (?P<call>.*) <\d+\.\d{6}>")

PROGRAM = """
    import socket
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        with client, listener.accept()[0] as server:
            client.sendall(b"GET / HTTP/1.1\\r\\nHost: example\\r\\n\\r\\n")
            assert server.recv(4096).startswith(b"GET")
            head = b"HTTP/1.1 200 OK\\r\\nContent-Length: 100000\\r\\n\\r\\n"
            server.sendall(head + b"x" * 100_000)
            server.shutdown(socket.SHUT_WR)
            got = bytearray(200_000)
            total = 0
            while count := client.recv_into(memoryview(got)[total:]):
                total += count
            client.settimeout(0.01)
            server.settimeout(0.01)
            try:
                server.recv(1)
            except TimeoutError:
                pass
    with socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        udp.sendto(b"datagram", udp.getsockname())
        udp.recvfrom(100)
    a, b = socket.socketpair()
    with a, b:
        a.send(b"unix")
        b.recv(100)
    try:
        socket.socket().connect(("127.0.0.1", 1))
    except OSError:
        pass
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(textwrap.dedent(PROGRAM))
    return path


def trace(*arguments: Any, **options: Any) -> tuple[list[Any], Any]:
    """Return the lines, each of which has to look like one, and the process."""
    done = python(*TRACE, *arguments, **options)
    assert done.returncode == 0, done.stderr
    found = [LINE.fullmatch(line) for line in done.stderr.splitlines()]
    return [match for match in found if match], done


@modules
def test_lines(path: Path, option: Any) -> None:
    lines, done = trace(*option, path)
    assert len(lines) == len(done.stderr.splitlines()) > 15
    calls = [line["call"] for line in lines]
    assert {line["thread"] for line in lines} == {"MainThread"}
    assert {line["site"].rpartition(":")[0] for line in lines} == {str(path)}
    end = r"\d+<127\.0\.0\.1:\d+->127\.0\.0\.1:\d+>"

    def one(pattern: str) -> None:
        assert [call for call in calls if re.fullmatch(pattern, call)], (pattern, calls)

    one(r"create_server\(\('127\.0\.0\.1', 0\)\) = \d+<127\.0\.0\.1:\d+>")
    one(rf"\d+<127\.0\.0\.1:\d+>\.accept\(\) = \({end}, \('127\.0\.0\.1', \d+\)\)")
    one(rf"{end}\.sendall\(b'GET / HTTP/1\.1.*'… \(33 bytes\)\) = None")
    one(rf"{end}\.recv\(4096\) = b'GET / HTTP/1\.1.*'… \(33 bytes\)")
    one(rf"{end}\.recv_into\(b'HTTP/1\.1 200 OK.*'… \(\d+ bytes\)\) = \d+")
    one(rf"{end}\.recv\(1\) = TimeoutError: timed out")
    one(rf"{end}\.shutdown\(.*\) = None")
    one(r"\d+<127\.0\.0\.1:\d+>\.sendto\(b'datagram', \('127\.0\.0\.1', \d+\)\) = 8")
    one(r"\d+<127\.0\.0\.1:\d+>\.recvfrom\(100\) = \(b'datagram', \('127\.0\.0\.1', \d+\)\)")
    one(r"\d+\.send\(b'unix'\) = 4")
    one(r"\d+(<.*>)?\.connect\(\('127\.0\.0\.1', 1\)\) = ConnectionRefusedError: ECONNREFUSED")
    one(rf"{end}\.close\(\) = None")


@modules
def test_a_socket_whose_first_call_closes_it_has_its_number(path: Path, option: Any) -> None:
    path.write_text("import socket\nsocket.socket().close()\nwith socket.socket(): pass\n")
    lines, _ = trace(*option, path)
    assert len(lines) == 2
    assert all(re.fullmatch(r"\d+<0\.0\.0\.0:0>\.close\(\) = None", line["call"]) for line in lines)


def test_bytes_and_peer_and_output(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "lines"
    _, done = trace("--bytes", "3", "--peer", "127.0.0.1:1", "--output", out, path)
    assert done.stderr == ""
    lines = out.read_text().splitlines()
    # Ports that begin with 1 are possible.
    assert 1 <= len(lines) < 10
    assert "ECONNREFUSED" in lines[-1]
    trace("--bytes", "3", "--output", out, path)
    assert ".sendall(b'GET'… (33 bytes))" in out.read_text()


def test_threads_and_forks_have_their_names() -> None:
    lines, _ = trace("-c", textwrap.dedent("""
        import os, socket, threading
        a, b = socket.socketpair()
        thread = threading.Thread(target=a.send, args=[b"x"], name="worker")
        thread.start()
        thread.join()
        if not os.fork():
            a.send(b"child")
            os._exit(0)
        os.wait()
    """))  # fmt: skip
    threads = [line["thread"] for line in lines]
    assert threads[:2] == ["MainThread", "worker"]
    assert re.fullmatch(r"\d+ MainThread", threads[2])


@pytest.mark.parametrize(
    "arguments",
    [(), ("--bytes", "x", "-c", ""), ("--bytes", "-1", "-c", ""),
     ("--pcapng", "/nowhere/x", "-c", "print(1)"), ("--output", "/nowhere/x", "-c", "print(1)")],
)  # fmt: skip
def test_a_wrong_command_line(arguments: Any) -> None:
    done = python(*TRACE, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


# -- packets -----------------------------------------------------------------------------------


def orders(*threads: list[Any]) -> Iterator[list[Any]]:
    """All the ways in which what threads do can follow each other."""
    if not any(threads):
        yield []
    for at, thread in enumerate(threads):
        if thread:
            rest = [*threads[:at], thread[1:], *threads[at + 1 :]]
            yield from ([thread[0], *order] for order in orders(*rest))


def test_data_that_both_ends_tell_of_is_written_once() -> None:
    """A thread is told of the other's data, and closes, before that one has told that it sent."""
    client = [("c", "sent", b"abc"), ("c", "received", b"DE"), ("c", "close", b"")]
    server = [("s", "received", b"ab"), ("s", "received", b"c"), ("s", "sent", b"DE"),
              ("s", "close", b"")]  # fmt: skip
    count = 0
    for order in orders(client, server):
        file = io.BytesIO()
        tracer = Tracer(True, io.StringIO(), [], 0, file)
        assert tracer._writer is not None
        ends = {
            "c": SimpleNamespace(local=("127.0.0.1", 1), peer=("127.0.0.1", 2), accepted=False),
            "s": SimpleNamespace(local=("127.0.0.1", 2), peer=("127.0.0.1", 1), accepted=True),
        }
        for name, verb, data in order:
            end = tracer._end(tracer._writer, ends[name], None)
            getattr(end, verb)(0, *([data] if data else []))
        packets = file.getvalue()
        assert [packets.count(data) for data in (b"abc", b"DE")] in ([1, 1], [0, 1])
        assert packets.count(b"ab") == packets.count(b"c\0") == 1, order
        count += 1
    assert count == 35


CHECKS = [
    option
    for protocol in ("tcp", "udp", "ip")
    for option in ("-o", f"{protocol}.check_checksum:TRUE")
]


def tshark(file: Path, *arguments: str) -> list[str]:
    done = subprocess.run(
        [needs("tshark"), "-r", file, *CHECKS, *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def fields(file: Path, condition: str, *names: str) -> list[list[str]]:
    wanted = [part for name in names for part in ("-e", name)]
    return [line.split("\t") for line in tshark(file, "-Y", condition, "-T", "fields", *wanted)]


def test_only_who_asks_for_packets_gets_them_and_is_warned(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "packets"
    _, done = trace(path)
    assert "passwords" not in done.stderr
    _, done = trace("--pcapng", file, path)
    assert "passwords" in done.stderr.splitlines()[0]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@modules
def test_wireshark_opens_it(path: Path, option: Any, tmp_path: Path) -> None:
    file = tmp_path / "packets.pcapng"
    trace(*option, "--pcapng", file, path)
    wrong = [f"{protocol}.checksum.status == 0" for protocol in ("tcp", "udp", "ip")]
    # Of the last, a retransmission or a segment that is missing.
    wrong += ["_ws.malformed", "tcp.analysis.flags"]
    assert tshark(file, "-Y", " || ".join(wrong)) == []
    http = fields(file, "http", "http.host", "http.response.code", "http.content_length")
    assert http == [["example", "", ""], ["", "200", "100000"]]
    frames = fields(file, "frame", "tcp.flags.syn", "tcp.len", "udp.length", "frame.interface_id")
    syn, sent, datagrams, interfaces = zip(*frames, strict=True)
    assert sum(int(size) for size in sent if size) == 33 + 43 + 100_000
    assert [size for size in datagrams if size] == ["16", "16"]
    assert sum(flag in ("1", "True") for flag in syn) == 2
    assert interfaces.count("1") == 2  # of UNIX sockets


@modules
def test_tls_is_in_plain_text(option: Any, tmp_path: Path) -> None:
    server = identity()
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent(f"""
        import socket, ssl, threading
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain({str(server.certfile)!r}, {str(server.keyfile)!r})
        client = ssl.create_default_context(cafile={str(authority().cafile)!r})
        client.check_hostname = False
        with socket.create_server(("127.0.0.1", 0)) as listener:
            def serve():
                with listener.accept()[0] as raw, server.wrap_socket(raw, server_side=True) as sock:
                    sock.sendall(sock.recv(100).upper())
            thread = threading.Thread(target=serve)
            thread.start()
            with socket.create_connection(listener.getsockname()) as raw:
                with client.wrap_socket(raw) as sock:
                    sock.sendall(b"the secret")
                    assert sock.recv(100) == b"THE SECRET"
            thread.join()
    """)
    )
    file = tmp_path / "packets.pcapng"
    trace(*option, "--pcapng", file, program)
    found = fields(file, "tcp.len > 0", "tcp.payload", "frame.comment")
    assert [bytes.fromhex(data) for data, _ in found] == [b"the secret", b"THE SECRET"]
    assert {comment for _, comment in found} == {"payload of a TLS session"}
    assert tshark(file, "-Y", "tcp.analysis.flags || _ws.malformed") == []


def test_a_reader_that_goes_away_does_not_stop_the_program() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "oxisock", "trace", "-c",
             "import socket; a, b = socket.socketpair(); a.send(b'x'); print(b.recv(1))\n"
             "a.close(); b.close()"],
            stdout=subprocess.PIPE, stderr=writing, text=True, check=False,
        )  # fmt: skip
    finally:
        os.close(writing)
    assert (done.returncode, done.stdout) == (0, "b'x'\n")
