"""Streams across a link that loses, doubles, delays and reorders packets, is cut or resets them.

Data arrive whole, or an error comes in time: the same one as in the standard library.
"""

import os
import re
import socket

import pytest

from tests.helpers.lossy_link import ENDS, Link, run_across
from tests.helpers.namespace import obstacle, run_alone
from tests.helpers.tls import HOST, authority, identity

# Both ends of a connection across the link, in one process: `client` and `server`.
CONNECTED = """
import hashlib, importlib, os, random, sys, tempfile, threading, time
s = importlib.import_module(sys.argv[1])
family, other = int(sys.argv[2]), sys.argv[3]
listener = s.socket(family)
listener.bind(("", 0)); listener.listen()
client = s.socket(family)
client.settimeout(20)
client.connect((other, listener.getsockname()[1]))
server, address = listener.accept()
assert address[0] == other
client.settimeout(None)
"""

WHOLE = """
data = random.Random(1).randbytes(int(sys.argv[4]))
wanted = hashlib.sha256(data).digest()

def by_recv(sock):
    found = b""
    while len(found) < len(data):
        part = sock.recv(65536)
        assert part
        found += part
    return found

def by_file(sock):
    with sock.makefile("rb") as file:
        return file.read(len(data))

def by_recv_into(sock):
    buffer = bytearray(len(data))
    view = memoryview(buffer)
    while view:
        view = view[sock.recv_into(view):]
    return buffer

def by_sendall(sock):
    sock.sendall(data)

def by_sendfile(sock):
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        assert sock.sendfile(file) == len(data)

def by_sendmsg(sock):
    rest = memoryview(data)
    while rest:
        rest = rest[sock.sendmsg([rest[:1000], rest[1000:50_000]]):]

ways = [(by_sendall, by_recv), (by_sendfile, by_file), (by_sendmsg, by_recv_into)]
for timeout in (None, 30):
    client.settimeout(timeout); server.settimeout(timeout)
    for send, receive in ways:
        # Both directions at once.
        threads = [threading.Thread(target=send, args=(end,)) for end in (client, server)]
        other_way = []
        threads.append(threading.Thread(target=lambda: other_way.append(receive(client))))
        for thread in threads:
            thread.start()
        assert hashlib.sha256(receive(server)).digest() == wanted
        for thread in threads:
            thread.join()
        assert hashlib.sha256(other_way[0]).digest() == wanted
client.close(); server.close(); listener.close()
"""

TLS = """
import ssl
if s.__name__ == "oxisock":
    ssl.SSLContext.sslsocket_class = s.SSLSocket
cafile, certfile, keyfile, host = sys.argv[-4:]
theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
theirs.load_cert_chain(certfile, keyfile)
ours = ssl.create_default_context(cafile=cafile)
def secure(client, server):
    found = []
    thread = threading.Thread(
        target=lambda: found.append(theirs.wrap_socket(server, server_side=True)))
    thread.start()
    client = ours.wrap_socket(client, server_hostname=host)
    thread.join()
    return client, found[0]
"""

SECURE = "client, server = secure(client, server)\n"

RESET = """
listener.settimeout(20)
client.close(); server.close()
data = random.Random(1).randbytes(300_000)
place = tempfile.TemporaryFile()
place.write(data)

def sendfile(sock):
    place.seek(0)
    sock.sendfile(place)

def sendmsg(sock):
    rest = memoryview(data)
    while rest:
        rest = rest[sock.sendmsg([rest[:1000], rest[1000:50_000]]):]

def write(sock):
    with sock.makefile("wb") as file:
        file.write(data)

def recv(sock):
    while part := sock.recv(3000):
        yield part

def recv_into(sock):
    buffer = bytearray(3000)
    while count := sock.recv_into(buffer):
        yield bytes(buffer[:count])

def recvmsg(sock):
    while part := sock.recvmsg(3000)[0]:
        yield part

def read(sock):
    with sock.makefile("rb") as file:
        while part := file.read(3000):
            yield part

def readline(sock):
    with sock.makefile("rb") as file:
        while part := file.readline():
            yield part

def raw(sock):
    with sock.makefile("rb", 0) as file:
        while part := file.read(3000):
            yield part

def told(call):
    try:
        return call()
    except OSError as error:
        return type(error).__name__, error.errno

def take(sock, receive):
    # What came before the reset is the beginning of what was sent.
    found = b""
    try:
        for part in receive(sock):
            found += part
    finally:
        assert data.startswith(found), (len(found), len(data))
    return "all" if found == data else "a part"

secured = len(sys.argv) > 5
ways = [(s.socket.sendall, recv), (s.socket.sendall, recv_into), (write, read), (write, readline),
        (write, raw)]
if not secured:
    ways += [(s.socket.sendall, recvmsg), (sendfile, recv), (sendmsg, recv_into)]
for timeout in (None, 20):
    for send, receive in ways if timeout is None else ways[:2]:
        client = s.create_connection((other, listener.getsockname()[1]), 20)
        server = listener.accept()[0]
        if secured:
            client, server = secure(client, server)
            send = type(client).sendall if send is s.socket.sendall else send
        client.settimeout(timeout); server.settimeout(timeout)
        outcomes = []
        thread = threading.Thread(
            target=lambda: outcomes.append(told(lambda: take(server, receive))))
        thread.start()
        sent = told(lambda: send(client, data) if send not in (sendfile, sendmsg, write)
                    else send(client))
        if sent is None:
            # All of it was in the system's buffers: what comes next is told.
            client.settimeout(20)
            sent = told(lambda: client.recv(1))
        thread.join()
        client.close()
        server.close()
        print(getattr(send, "__name__", ""), receive.__name__, timeout, sent, outcomes[0])
listener.close()
"""

CUT = """
def told(call):
    began = time.monotonic()
    try:
        result = call()
    except OSError as error:
        result = type(error).__name__, error.errno
    assert time.monotonic() - began < 15
    print(result, flush=True)

# The link is cut while this goes.
client.setsockopt(s.IPPROTO_TCP, s.TCP_USER_TIMEOUT, 1000)
def fill():
    while True:
        client.sendall(bytes(100_000))
def take():
    while server.recv(100_000):
        pass
def forget():
    # What a thread of the test does when its socket is closed is not what this is about.
    try:
        take()
    except OSError:
        pass
threading.Thread(target=forget, daemon=True).start()
told(fill)          # the system gives the connection up
told(lambda: client.send(b"x"))
told(lambda: client.recv(1))
# The other end hears of nothing: it is half open.
server.settimeout(0.3)
told(lambda: server.sendall(bytes(50_000_000)))
server.settimeout(None)
server.shutdown(s.SHUT_RDWR)
client.close(); server.close(); listener.close()
"""


@pytest.mark.parametrize("family", ENDS, ids=["v4", "v6"])
def test_streams_arrive_whole(family: socket.AddressFamily) -> None:
    link = Link(loss=0.02, twice=0.02, delay=0.0005, jitter=0.0005)
    arguments = ("oxisock", str(int(family)), ENDS[family], "400000")
    _, passed = run_across(link, CONNECTED + WHOLE, *arguments, timeout=120)
    assert passed.lost > 10


@pytest.mark.parametrize(("family", "mtu"), [(socket.AF_INET, 296), (socket.AF_INET6, 1280)])
def test_streams_in_small_packets(family: socket.AddressFamily, mtu: int) -> None:
    arguments = ("oxisock", str(int(family)), ENDS[family], "50000")
    _, passed = run_across(Link(mtu=mtu, delay=0.0005), CONNECTED + WHOLE, *arguments)
    assert passed.packets > 12 * 50_000 / mtu


# What many kernels are built without: `tools/machine.sh` has it.
NETEM = (
    "ip link set lo up mtu 1500 gso_max_segs 1",
    "tc qdisc add dev lo root netem loss 2% duplicate 2% delay 1ms 1ms",
)


@pytest.mark.parametrize("secured", [False, True], ids=["plain", "tls"])
def test_streams_across_the_kernels_own_faults(secured: bool) -> None:
    """As above, with tc-netem(8) in place of a device of ours."""
    if reason := obstacle(NETEM):
        assert "OXISOCK_TEST_NETEM" not in os.environ, reason
        pytest.skip(f"no netem: {reason}")
    arguments = ["oxisock", str(int(socket.AF_INET)), "127.0.0.1", "300000"]
    code = CONNECTED + WHOLE
    if secured:
        code = CONNECTED + TLS + SECURE + WHOLE.replace(", (by_sendmsg, by_recv_into)", "")
        arguments += files()
    run_alone(code, *NETEM, arguments=arguments, timeout=120)


def files() -> list[str]:
    """The arguments that TLS takes."""
    return [authority().cafile, identity().certfile, identity().keyfile, HOST]


def test_sessions_arrive_whole() -> None:
    """TLS, in small packets of which some get lost."""
    link = Link(loss=0.01, twice=0.02, delay=0.0005, jitter=0.0005, mtu=600)
    family = socket.AF_INET
    arguments = ("oxisock", str(int(family)), ENDS[family], "60000", *files())
    program = CONNECTED + TLS + SECURE + WHOLE.replace(", (by_sendmsg, by_recv_into)", "")
    _, passed = run_across(link, program, *arguments, timeout=120)
    assert passed.lost > 2


@pytest.mark.parametrize(
    ("told", "secured"),
    [("receiver", False), ("sender", False), ("both", False), ("both", True)],
    ids=["receiver", "sender", "both", "tls"],
)
def test_a_reset_in_the_middle(told: str, secured: bool) -> None:
    """Both ends end in the standard library's errors, and nothing that came before is lost.

    Who does not hear of it at once, does when the system sends something to the other end.
    """
    printed = {}
    link = Link(reset=20, told=told)
    family = socket.AF_INET
    for module in ("socket", "oxisock"):
        arguments = [module, str(int(family)), ENDS[family], "0", *(files() if secured else [])]
        program = CONNECTED + (TLS if secured else "") + RESET
        printed[module], _ = run_across(link, program, *arguments)
    assert printed["oxisock"].splitlines() == printed["socket"].splitlines()
    # On CPython 3.11 `ssl` has it as the end of the connection.
    told_so = re.findall("ConnectionResetError|SSLEOFError", printed["oxisock"])
    assert len(told_so) >= 7


def test_a_link_that_is_cut_ends_in_the_same_error() -> None:
    printed = {}
    for module in ("socket", "oxisock"):
        arguments = (module, str(int(next(iter(ENDS)))), next(iter(ENDS.values())))
        printed[module], passed = run_across(Link(cut=300), CONNECTED + CUT, *arguments)
        assert passed.packets > passed.lost > 0
    assert printed["oxisock"] == printed["socket"]
    assert printed["oxisock"].count("TimeoutError") >= 2
