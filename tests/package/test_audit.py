"""Audit events: the same names, arguments and order as in the standard library."""

import json
from pathlib import Path

import pytest

from tests.helpers.process import run_python

CODE = r"""
import importlib, json, os, sys
sys.stderr.flush()
m = importlib.import_module(sys.argv[1])
folder = sys.argv[2]
for name in ("idna", "utf-8", "ascii"):
    "x".encode(name)
events, on = [], False

def hook(event, args):
    if on and event.startswith("socket."):
        events.append([event, [describe(arg) for arg in args]])

def describe(arg):
    if isinstance(arg, m.socket):
        return ["socket", isinstance(arg, m.socket), int(arg.family)]
    if isinstance(arg, tuple):
        return ["tuple", *[describe(item) for item in arg]]
    if isinstance(arg, bytes):
        return ["bytes", arg.decode("latin-1")]
    return [type(arg).__name__, str(arg).replace(str(port), "PORT")]

sys.addaudithook(hook)

def attempt(call):
    try:
        result = call()
        if isinstance(result, m.socket):
            result.close()
    except (OSError, TypeError, ValueError, OverflowError):
        pass

server = m.socket()
server.bind(("127.0.0.1", 0))
server.listen()
port = server.getsockname()[1]
where = ("127.0.0.1", port)
on = True
with m.socket() as s:
    attempt(lambda: s.bind(("127.0.0.1", 0)))
    attempt(lambda: s.bind(("localhost", 0)))
    attempt(lambda: s.bind(("127.0.0.1", -1)))
    attempt(lambda: s.bind(None))
    attempt(lambda: s.connect(where))
with m.socket(m.AF_INET6, m.SOCK_DGRAM) as s:
    attempt(lambda: s.bind(("::1", 0)))
    attempt(lambda: s.connect(("::1", 9, 0, 0)))
    attempt(lambda: s.sendto(b"x", ("::1", 9)))
    attempt(lambda: s.sendto(b"x", 0, ("::1", 9)))
    attempt(lambda: s.sendto(b"x", None))
with m.socket(m.AF_UNIX) as s:
    attempt(lambda: s.bind(folder + "/name"))
    attempt(lambda: s.bind(os.fsencode(folder) + b"/name"))
    attempt(lambda: s.connect(folder + "/missing"))
    attempt(lambda: s.connect_ex(folder + "/missing"))
attempt(lambda: m.socket(99))
attempt(lambda: m.socket(-1, -1, -1))
attempt(lambda: m.socket("x"))
attempt(lambda: m.socket(m.AF_INET, m.SOCK_DGRAM, 17))
attempt(lambda: m.socket(fileno=os.dup(server.fileno())))
attempt(lambda: m.fromfd(server.fileno(), 2, 1))
for s in m.socketpair():
    s.close()
attempt(lambda: m.create_connection(where))
attempt(lambda: m.create_connection(where, source_address=("127.0.0.1", 0)))
attempt(lambda: m.create_server(("127.0.0.1", 0)))
with m.socket() as c:
    c.connect_ex(where)
    accepted, _ = server.accept()
    accepted.close()
for name, arguments in [
    ("getaddrinfo", ("localhost", 80)),
    ("getaddrinfo", (None, "http", 0, 1, 6, 0)),
    ("getaddrinfo", (b"127.0.0.1", b"80", 2)),
    ("getaddrinfo", ("127.0.0.1", None, 2, 1)),
    ("getaddrinfo", ("127.0.0.1", [], 2, 1)),
    ("getaddrinfo", (1, 2)),
    ("getaddrinfo", ("b\u00fccher.invalid", 80, 0, 0, 0, 4)),
    ("getnameinfo", (("127.0.0.1", 80), 3)),
    ("getnameinfo", (("::1", 80, 0, 0), 3)),
    ("getnameinfo", (("no-such-host.invalid", 80), 3)),
    ("getnameinfo", (None, 3)),
    ("gethostbyname", ("localhost",)),
    ("gethostbyname", (b"127.0.0.1",)),
    ("gethostbyname", ("a\0b",)),
    ("gethostbyname_ex", ("localhost",)),
    ("gethostbyaddr", ("127.0.0.1",)),
    ("gethostbyaddr", (None,)),
    ("gethostname", ()),
    ("getfqdn", ("localhost",)),
    ("getfqdn", ()),
    ("getservbyname", ("http",)),
    ("getservbyname", ("http", "tcp")),
    ("getservbyname", ("no-such-service", "tcp")),
    ("getservbyname", (1,)),
    ("getservbyport", (80,)),
    ("getservbyport", (80, "tcp")),
    ("getservbyport", (-1,)),
    ("getprotobyname", ("tcp",)),
    ("inet_aton", ("1.2.3.4",)),
    ("htons", (1,)),
    ("setdefaulttimeout", (None,)),
]:
    attempt(lambda: getattr(m, name)(*arguments))
on = False
server.close()
print(json.dumps(events))
"""


def test_same_events(short_path: Path) -> None:
    found = []
    for module in ("socket", "oxisock"):
        folder = short_path / module[0]
        folder.mkdir()
        text = run_python(CODE, module, str(folder)).stdout.replace(str(folder), "FOLDER")
        found.append(json.loads(text))
    expected, events = found
    assert len(expected) > 40
    names = {event for event, _ in expected}
    assert {"socket.__new__", "socket.bind", "socket.connect", "socket.sendto"} <= names
    for index, (ours, theirs) in enumerate(zip(events, expected, strict=False)):
        assert ours == theirs, f"event {index}"
    assert len(events) == len(expected)


HOOK = r"""
import sys, os
import oxisock
before = os.listdir("/proc/self/fd")
a, b = oxisock.socketpair()
udp = oxisock.socket(oxisock.AF_INET, oxisock.SOCK_DGRAM)
udp.settimeout(0.05)

class Refused(Exception):
    pass

active = True
def hook(event, args):
    if active and event == sys.argv[1]:
        raise Refused(event)

sys.addaudithook(hook)
try:
    eval(sys.argv[2])
except Refused:
    print("refused", end="")
active = False
for sock in (a, b, udp):
    sock.close()
assert os.listdir("/proc/self/fd") == before
"""


@pytest.mark.parametrize(
    ("event", "call"),
    [
        ("socket.__new__", "oxisock.socket()"),
        ("socket.__new__", "oxisock.fromfd(a.fileno(), a.family, a.type)"),
        ("socket.__new__", "a.dup()"),
        ("socket.bind", "udp.bind(('127.0.0.1', 0))"),
        ("socket.connect", "udp.connect(('127.0.0.1', 9))"),
        ("socket.connect", "udp.connect_ex(('127.0.0.1', 9))"),
        ("socket.sendto", "udp.sendto(b'x', ('127.0.0.1', 9))"),
        ("socket.getaddrinfo", "oxisock.getaddrinfo('127.0.0.1', 1)"),
        ("socket.getnameinfo", "oxisock.getnameinfo(('127.0.0.1', 1), 3)"),
        ("socket.gethostbyname", "oxisock.gethostbyname('127.0.0.1')"),
        ("socket.gethostbyname", "oxisock.gethostbyname_ex('127.0.0.1')"),
        ("socket.gethostbyaddr", "oxisock.gethostbyaddr('127.0.0.1')"),
        ("socket.gethostname", "oxisock.gethostname()"),
        ("socket.getservbyname", "oxisock.getservbyname('http')"),
        ("socket.getservbyport", "oxisock.getservbyport(80)"),
    ],
)
def test_a_hook_can_refuse(event: str, call: str) -> None:
    """An exception of a hook keeps the operation from happening, and nothing leaks."""
    assert run_python(HOOK, event, call).stdout == "refused"
