"""What the system tells of the other end, of a connection, and of this machine's addresses."""

import errno
import os
import struct
import subprocess
import time
from typing import Any

import pytest

import oxisock
from tests.helpers.process import needs


def test_who_is_at_the_other_end(unix: tuple[Any, Any]) -> None:
    one, _ = unix
    found = one.peer_credentials()
    assert found == (os.getpid(), os.getuid(), os.getgid())
    assert (found.pid, found.uid, found.gid) == found
    raw = one.getsockopt(oxisock.SOL_SOCKET, oxisock.SO_PEERCRED, 12)
    assert struct.pack("iII", *found) == raw


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_of_the_process_that_connected(short_path: Any) -> None:
    name = str(short_path / "s")
    with oxisock.socket(oxisock.AF_UNIX) as listener:
        listener.bind(name)
        listener.listen()
        child = os.fork()
        if child == 0:
            try:
                with oxisock.socket(oxisock.AF_UNIX) as sock:
                    sock.connect(name)
                    sock.recv(1)
                os._exit(0)
            finally:
                os._exit(1)
        with listener.accept()[0] as connection:
            assert connection.peer_credentials().pid == child
            connection.send(b"x")
        os.waitpid(child, 0)


@pytest.mark.parametrize("family", [oxisock.AF_UNIX, oxisock.AF_INET])
def test_nobody_is_there(family: int) -> None:
    with oxisock.socket(family) as sock:
        with pytest.raises(OSError, match="not connected") as caught:
            sock.peer_credentials()
        assert caught.value.errno == errno.ENOTCONN
    with pytest.raises(OSError, match="Bad file descriptor"):
        sock.peer_credentials()


def test_the_state_of_a_connection(tcp: tuple[Any, Any]) -> None:
    one, other = tcp
    one.send(b"x" * 1000)
    other.recv(1000)
    deadline = time.monotonic() + 10
    # The acknowledgement may take a moment.
    while (info := one.tcp_info()).unacked and time.monotonic() < deadline:
        time.sleep(0.001)
    assert info.state == 1  # TCP_ESTABLISHED
    assert 0 < info.rtt < 5
    assert 0.1 < info.rto < 5
    assert info.bytes_sent == 1000
    assert other.tcp_info().bytes_received == 1000
    assert info.snd_mss > 500
    raw = one.getsockopt(oxisock.IPPROTO_TCP, oxisock.TCP_INFO, 104)
    # rto is the first field behind the eight small ones, total_retrans the last of the oldest form.
    assert info.snd_mss == struct.unpack_from("I", raw, 16)[0]
    assert info.total_retrans == struct.unpack_from("I", raw, 100)[0]
    assert info._fields[0] == "state"


def test_a_shorter_structure_of_an_older_kernel(tcp: tuple[Any, Any]) -> None:
    class Old(oxisock.socket):
        def getsockopt(self, level: int, option: int, size: int = 0) -> Any:
            return super().getsockopt(level, option, size)[:104]

    with Old(fileno=os.dup(tcp[0].fileno())) as sock:
        info = sock.tcp_info()
    assert info.total_retrans == 0
    assert info.pacing_rate is None
    assert info.snd_wnd is None


def test_no_connection_of_tcp(unix: tuple[Any, Any]) -> None:
    with pytest.raises(OSError, match="not supported"):
        unix[0].tcp_info()


def test_the_addresses_of_this_machine() -> None:
    found = oxisock.getifaddrs()
    names = {name for _, name in oxisock.if_nameindex()}
    assert {item.name for item in found} <= names
    (loopback,) = [
        item for item in found if item.family == oxisock.AF_INET and item.address == "127.0.0.1"
    ]
    assert loopback.netmask == "255.0.0.0"
    assert loopback.flags & 8  # IFF_LOOPBACK
    assert isinstance(loopback.family, oxisock.AddressFamily)


def test_addresses_as_ip_tells_them() -> None:
    told = subprocess.run([needs("ip"), "-o", "addr"], capture_output=True, text=True, check=True)
    expected = set()
    for line in told.stdout.splitlines():
        _, name, family, address, *_ = line.split()
        expected.add((name, family, address.partition("/")[0]))
    families: dict[int, str] = {oxisock.AF_INET: "inet", oxisock.AF_INET6: "inet6"}
    found = {
        (item.name, families[item.family], item.address)
        for item in oxisock.getifaddrs()
        if item.family in families
    }
    assert found == expected
