"""Where the way to OpenSSL's session cannot be proven, TLS goes on without it and says why."""

import os
import subprocess
import sys

import pytest

from tests.helpers.tls import HOST, authority, identity

# A session of both kinds of object, after something about the interpreter was changed.
PROGRAM = """
import _ssl, socket, ssl, sys, threading

{change}
import oxisock
print(oxisock.tls_status())
client = ssl.create_default_context(cafile=sys.argv[1])
server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server.load_cert_chain(sys.argv[2], sys.argv[3])
for context in (client, server):
    context.sslsocket_class, context.sslobject_class = oxisock.SSLSocket, oxisock.TLSObject
near, far = socket.socketpair()
made = []
def serve():
    made.append(server.wrap_socket(far, server_side=True))
thread = threading.Thread(target=serve)
thread.start()
with client.wrap_socket(near, server_hostname=sys.argv[4]) as one:
    thread.join()
    with made[0] as other:
        one.sendall(b"there")
        assert other.recv(10) == b"there"
        assert one.stats() == {{}}
        print(type(one._sslobj).__name__)
memory = client.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=sys.argv[4])
print(type(memory._sslobj).__name__)
"""

REASONS = {
    "sys.getobjects = None": "objects of this debug build have another layout",
    "_ssl.OPENSSL_VERSION = 'LibreSSL 3.9.2'": "LibreSSL 3.9.2 is not OpenSSL",
    "_ssl.OPENSSL_VERSION_NUMBER += 1": "is not the OpenSSL that was found, or too old",
    "_ssl.__file__ = '/nonexistent/_ssl.so'": "_ssl cannot be found among the loaded libraries",
    "_ssl.__file__ = 'libc.so.6'": "_ssl does not lead to OpenSSL's",
    "del _ssl.__file__": "_ssl is built into the interpreter",
    "_ssl._SSLSocket = type('_SSLSocket', (), {'__slots__': tuple('abcdefghijklmnop')})": (
        "the layout of _ssl in Python"
    ),
    "genuine = _ssl._SSLContext; del _ssl._SSLContext": "the proof failed: AttributeError",
}


@pytest.mark.parametrize(("change", "reason"), REASONS.items())
def test_what_cannot_be_proven_is_not_used(change: str, reason: str) -> None:
    who = identity()
    command = [sys.executable, "-W", "error", "-c", PROGRAM.format(change=change)]
    done = subprocess.run(
        [*command, authority().cafile, who.certfile, who.keyfile, HOST],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "OXISOCK_TLS": ""},
    )
    assert (done.returncode, done.stderr) == (0, "")
    status, *classes = done.stdout.splitlines()
    assert status.startswith("off: ")
    assert reason in status
    assert classes == ["_SSLSocket"] * 2
