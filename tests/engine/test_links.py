"""Streams across a link that loses, doubles, delays and reorders packets, or is cut.

Data arrive whole, or an error comes in time: the same one as in the standard library.
"""

import socket

import pytest

from tests.helpers.lossy_link import ENDS, Link, run_across

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
data = random.Random(1).randbytes(400_000)
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
    arguments = ("oxisock", str(int(family)), ENDS[family])
    _, passed = run_across(link, CONNECTED + WHOLE, *arguments, timeout=120)
    assert passed.lost > 10


def test_a_link_that_is_cut_ends_in_the_same_error() -> None:
    printed = {}
    for module in ("socket", "oxisock"):
        arguments = (module, str(int(next(iter(ENDS)))), next(iter(ENDS.values())))
        printed[module], passed = run_across(Link(cut=300), CONNECTED + CUT, *arguments)
        assert passed.packets > passed.lost > 0
    assert printed["oxisock"] == printed["socket"]
    assert printed["oxisock"].count("TimeoutError") >= 2
