"""Real programs: a Redis client and server, HTTP clients against nginx, plain and over TLS."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import oxisock
from tests.helpers.net import daemon, free_port
from tests.helpers.process import (
    ON_OXISOCK,
    needs,
    needs_module,
    output,
    python,
    run_on_oxisock,
)
from tests.helpers.tls import Nginx, authority, nginx

EXAMPLES = Path(__file__).parents[2] / "examples"


# -- Redis -----------------------------------------------------------------------------------------


@pytest.fixture
def redis_server(short_path: Path) -> Iterator[tuple[int, str]]:
    """Port and UNIX path of a Redis server of our own."""
    port, path = free_port(), str(short_path / "redis")
    with daemon(
        needs("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--unixsocket", path,
        "--save", "", "--appendonly", "no", "--dir", str(short_path),
        port=port, log=short_path / "log",
    ):  # fmt: skip
        yield port, path


REDIS = """
import socket, sys, threading
import redis

assert socket.__name__ == "oxisock", socket
count = int(sys.argv[3]) // 4
where, options = sys.argv[1], {"socket_timeout": 20} if sys.argv[2] == "timeout" else {}
if where.startswith("/"):
    client = redis.Redis(unix_socket_path=where, **options)
else:
    client = redis.Redis("127.0.0.1", int(where), **options)
with client:
    assert client.ping()
    seen = client.connection_pool.get_connection()
    assert isinstance(seen._sock, socket.socket)
    client.connection_pool.release(seen)

    def keys(first):
        for number in range(first, first + count):
            assert client.set(f"key:{number}", f"value {number} " + "x" * (number % 300))
        for number in range(first, first + count):
            got = client.get(f"key:{number}")
            assert got == f"value {number} {'x' * (number % 300)}".encode(), got
            good.append(number)

    good = []
    threads = [threading.Thread(target=keys, args=(first,)) for first in range(0, 4 * count, count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(good) == list(range(4 * count))
    assert client.dbsize() == 4 * count
    with client.pipeline() as pipe:
        for number in range(1000):
            pipe.get(f"key:{number}")
        assert [len(value) for value in pipe.execute()][:2] == [8, 9]
    big = bytes(range(256)) * 40000
    client.set("big", big)
    assert client.get("big") == big
    with client.pubsub() as channel:
        channel.subscribe("news")
        assert channel.get_message(timeout=10)["type"] == "subscribe"
        assert client.publish("news", "hello") == 1
        assert channel.get_message(timeout=10)["data"] == b"hello"
        assert channel.get_message(timeout=0.05) is None
    print(len(good), client.dbsize())
"""


@pytest.mark.parametrize(
    ("transport", "timeout", "count"),
    [("tcp", "timeout", 10000), ("tcp", "blocking", 1000), ("unix", "timeout", 1000),
     ("unix", "blocking", 1000)],
)  # fmt: skip
def test_redis(
    redis_server: tuple[int, str], tmp_path: Path, transport: str, timeout: str, count: int
) -> None:
    """The unmodified client sets and reads back as many keys, from four threads."""
    needs_module("redis")
    port, path = redis_server
    where = str(port) if transport == "tcp" else path
    script = tmp_path / "keys.py"
    script.write_text(REDIS)
    printed = run_on_oxisock(script, where, timeout, str(count), timeout=100)
    assert printed == f"{count} {count + 1}\n"


# -- nginx -----------------------------------------------------------------------------------------

DIRECTIVES = """
location /put/ { dav_methods PUT; client_max_body_size 100m; }
location /teapot { return 418 "short and stout"; }
location /moved { return 302 /hello; }
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """A web server of our own with a certificate of our own, and files to fetch."""
    root = tmp_path_factory.mktemp("www")
    (root / "put").mkdir()
    (root / "hello").write_text("Hello, world")
    (root / "large").write_bytes(bytes(range(256)) * (1 << 15))
    with nginx(root, authority().issue(host="localhost"), DIRECTIVES) as addresses:
        yield addresses


HTTP = """
import hashlib, http.client, socket, ssl, sys, threading, urllib.error, urllib.request

assert socket.__name__ == "oxisock", socket
port, tls_port, ca = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
large = hashlib.sha256(bytes(range(256)) * (1 << 15)).hexdigest()
context = ssl.create_default_context(cafile=ca)
plain = lambda: http.client.HTTPConnection("127.0.0.1", port, timeout=20)
secure = lambda: http.client.HTTPSConnection("localhost", tls_port, timeout=20, context=context)

for make in (plain, secure):
    connection = make()
    for turn in range(50):
        connection.request("GET", "/hello", headers={"X-Turn": str(turn)})
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, b"Hello, world")
    connection.request("GET", "/large")
    response = connection.getresponse()
    assert hashlib.sha256(response.read()).hexdigest() == large
    connection.request("GET", "/large", headers={"Range": "bytes=256-511"})
    response = connection.getresponse()
    assert (response.status, response.read()) == (206, bytes(range(256)))
    connection.request("HEAD", "/large")
    response = connection.getresponse()
    assert (response.getheader("Content-Length"), response.read()) == (str(1 << 23), b"")
    connection.request("GET", "/teapot")
    response = connection.getresponse()
    assert (response.status, response.read()) == (418, b"short and stout")
    connection.request("PUT", "/put/file", b"up" * 1_000_000)
    assert connection.getresponse().read() is not None
    connection.request("GET", "/put/file")
    assert connection.getresponse().read() == b"up" * 1_000_000
    connection.close()
    with_lines = make()
    with_lines.request("GET", "/large")
    response = with_lines.getresponse()
    assert len(response.readline(100)) == 11  # bytes 0 to 10, the line's end
    response.close()
    with_lines.close()

for base in (f"http://127.0.0.1:{port}", f"https://localhost:{tls_port}"):
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    with opener.open(base + "/moved", timeout=20) as response:
        assert response.url == base + "/hello" and response.read() == b"Hello, world"
    try:
        opener.open(base + "/missing", timeout=20)
    except urllib.error.HTTPError as error:
        assert error.code == 404
        error.close()
    else:
        raise AssertionError
    done = []
    def fetch():
        for _ in range(2):
            with opener.open(base + "/large", timeout=20) as response:
                done.append(hashlib.sha256(response.read()).hexdigest() == large)
    threads = [threading.Thread(target=fetch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [True] * 8

try:
    http.client.HTTPSConnection("localhost", tls_port, timeout=20).request("GET", "/hello")
except ssl.SSLCertVerificationError:
    print("certificate checked")
print("done", type(secure().sock).__name__)
"""


def test_http_clients_under_run(server: Nginx, tmp_path: Path) -> None:
    """http.client and urllib, unmodified, plain and over TLS."""
    script = tmp_path / "web.py"
    script.write_text(HTTP)
    ports = str(server.plain[1]), str(server.tls[1])
    output = run_on_oxisock(script, *ports, authority().cafile, timeout=100)
    assert output == "certificate checked\ndone NoneType\n"


def test_http_by_hand(server: Nginx) -> None:
    """Our socket speaks to the server without any library in between."""
    with oxisock.create_connection(server.plain, timeout=10) as sock:
        sock.sendall(b"GET /hello HTTP/1.0\r\nHost: localhost\r\n\r\n")
        with sock.makefile("rb") as file:
            assert file.readline() == b"HTTP/1.1 200 OK\r\n"
            while file.readline().strip():
                pass
            assert file.read() == b"Hello, world"


def test_tls_by_duck_typing(server: Nginx) -> None:
    """SSLContext.wrap_socket takes our socket and becomes the owner of its descriptor."""
    context = authority().client_context()
    sock = oxisock.create_connection(server.tls, timeout=10)
    with context.wrap_socket(sock, server_hostname="localhost") as secure:
        assert sock.fileno() == -1
        assert secure.gettimeout() == 10
        secure.sendall(b"GET /hello HTTP/1.0\r\n\r\n")
        got = b"".join(iter(lambda: secure.recv(4096), b""))
    assert got.endswith(b"\r\n\r\nHello, world")


# -- the examples ----------------------------------------------------------------------------------


either = pytest.mark.parametrize("flags", [(), ON_OXISOCK], ids=["alone", "under run"])


@either
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
@pytest.mark.parametrize("pair", ["echo", "dualstack_echo"])
def test_echo_pair(pair: str, host: str, flags: tuple[str, ...]) -> None:
    if pair == "echo" and host == "::1":
        pytest.skip("the first pair is for IPv4")
    port = str(free_port())
    with subprocess.Popen(
        [sys.executable, *flags, str(EXAMPLES / f"{pair}_server.py"), port, host],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as server:  # fmt: skip
        try:
            assert server.stdout is not None
            assert "Listening" in server.stdout.readline()
            client = python(*flags, EXAMPLES / f"{pair}_client.py", port, host)
            assert output(client) == "Received b'Hello, world'\n"
            assert server.wait(20) == 0
            assert "Connected by" in server.stdout.read()
        finally:
            server.kill()


@pytest.mark.parametrize("pair", ["echo", "dualstack_echo"])
def test_echo_client_without_a_server(pair: str) -> None:
    done = python(EXAMPLES / f"{pair}_client.py", str(free_port()))
    assert done.returncode != 0
    assert "Received" not in done.stdout


@either
def test_transfer_program(flags: tuple[str, ...]) -> None:
    """The program of the README's first command moves its data and says on what."""
    shown = output(python(*flags, EXAMPLES / "transfer.py", timeout=100))
    assert f"socket module: {'oxisock' if flags else 'socket'} " in shown
    rows = [line for line in shown.splitlines() if line.rstrip().endswith("ok")]
    assert len(rows) == 6, shown
