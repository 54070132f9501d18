"""Every method on sockets that are closed, were never opened, or stand on something else."""

from pathlib import Path

import pytest

import oxisock
from tests.helpers.oracle import agree

METHODS = [
    "",
    "    accept()",
    '    bind(("127.0.0.1", 0))',
    '    bind("/nowhere")',
    "    bind(1)",
    '    connect(("127.0.0.1", 1))',
    "    connect(1)",
    '    connect_ex(("127.0.0.1", 1))',
    "    connect_ex(1)",
    "    detach()",
    "    dup()",
    "    fileno()",
    "    getblocking()",
    "    get_inheritable()",
    "    getpeername()",
    "    getsockname()",
    "    getsockopt(1, 3)",
    "    getsockopt(1, 3, 4)",
    "    getsockopt(1, 3, 5000)",
    "    gettimeout()",
    "    listen()",
    "    listen(1)",
    '    listen("1")',
    "    makefile().close()",
    '    makefile("rb").read(1)',
    "    recv(1)",
    "    recv(0)",
    "    recv(-1)",
    '    recv("1")',
    "    recv_into(bytearray(1))",
    '    recv_into(b"1")',
    "    recvfrom(1)",
    "    recvfrom_into(bytearray(1))",
    '    send(b"1")',
    '    send(b"")',
    '    send("1")',
    '    sendall(b"1")',
    '    sendall(b"")',
    '    sendto(b"1", ("127.0.0.1", 1))',
    '    sendto(b"1", 0, ("127.0.0.1", 1))',
    '    sendto(b"1", 1)',
    "    sendfile(None)",
    "    setblocking(True)",
    "    setblocking(False)",
    "    set_inheritable(True)",
    "    set_inheritable(False)",
    "    setsockopt(1, 3, 1)",
    '    setsockopt(1, 3, b"1")',
    "    setsockopt(1, 3, None, 4)",
    "    settimeout(1)",
    "    settimeout(None)",
    "    settimeout(-1)",
    "    shutdown(2)",
    '    shutdown("2")',
    "    family",
    "    type",
    "    proto",
    "    timeout",
    "",
]


@pytest.mark.parametrize("method", [line.strip() for line in METHODS if line.strip()])
@pytest.mark.parametrize("state", ["closed", "detached", "blank", "pipe_socket", "gone"])
def test_methods_without_a_socket(state: str, method: str, short_path: Path) -> None:
    if state == "blank" and method.startswith(("makefile", "sendfile")):
        pytest.skip("the standard library has no answer: attributes of its class are missing")
    if state == "pipe_socket" and method == "dup()":
        pytest.skip(
            "the standard library leaks the duplicate: see test_dup_closes_what_it_cannot_use"
        )
    if state == "blank" and method.startswith(("accept", "recvfrom", "getpeer", "getsockname")):
        pytest.skip("the two differ: see test_addresses_without_a_socket")
    if state == "pipe_socket" and method == "detach()":
        agree("m.close(pipe_socket.detach())", short_path)  # close() takes any descriptor
        return
    agree(f"{state}.{method}", short_path)


@pytest.mark.differs("the standard library speaks of a bad family, with no error number")
@pytest.mark.parametrize(
    "method",
    ["accept()", "getpeername()", "getsockname()", "recvfrom(1)", "recvfrom_into(bytearray(1))"],
)
def test_addresses_without_a_socket(method: str) -> None:
    blank = oxisock.socket.__new__(oxisock.socket)
    with pytest.raises(OSError) as caught:
        eval(f"blank.{method}", {"blank": blank})
    assert caught.value.errno == 9
