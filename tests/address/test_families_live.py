"""Sockets of the families that this machine's kernel has, with data that really cross."""

import errno
import os
import socket as std
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import oxisock

ETH_P_IP = 0x0800


@contextmanager
def opened(module: Any, *arguments: int) -> Iterator[Any]:
    """A socket of a family that may be missing, or forbidden to this user."""
    try:
        sock = module.socket(*arguments)
    except OSError as error:
        missing = (
            errno.EAFNOSUPPORT,
            errno.EPROTONOSUPPORT,
            errno.EPERM,
            errno.EACCES,
            errno.ESOCKTNOSUPPORT,
        )
        if error.errno in missing:
            pytest.skip(f"{arguments}: {error.strerror}")
        raise
    with sock:
        sock.settimeout(10)
        yield sock


# -- AF_NETLINK ------------------------------------------------------------------------------------


def test_netlink_lists_the_interfaces() -> None:
    get_link, dump, done, new_link = 18, 0x301, 3, 16
    with opened(oxisock, std.AF_NETLINK, std.SOCK_RAW, 0) as sock:
        sock.bind((0, 0))
        port, groups = sock.getsockname()
        assert (port != 0, groups) == (True, 0)
        request = struct.pack("=IHHII", 32, get_link, dump, 1, 0) + bytes(16)
        assert sock.sendto(request, (0, 0)) == 32
        names = {}
        finished = False
        while not finished:
            data, address = sock.recvfrom(1 << 16)
            assert address == (0, 0)
            while data:
                length, kind = struct.unpack_from("=IH", data)
                if kind == done:
                    finished = True
                if kind == new_link:
                    [index] = struct.unpack_from("=i", data, 20)
                    size, name = struct.unpack_from("=HH", data, 32)
                    assert name == 3  # IFLA_IFNAME
                    names[index] = data[36 : 32 + size].rstrip(b"\0").decode()
                data = data[(length + 3) & ~3 :]
    assert names == dict(std.if_nameindex())


def test_netlink_addresses_agree() -> None:
    with opened(std, std.AF_NETLINK, std.SOCK_RAW, 0) as theirs:
        theirs.bind((0, 0))
        copy = os.dup(theirs.fileno())
        with oxisock.socket(std.AF_NETLINK, std.SOCK_RAW, 0, fileno=copy) as ours:
            assert ours.getsockname() == theirs.getsockname()
            ours.connect((0, 0))
            assert ours.getpeername() == theirs.getpeername() == (0, 0)


def test_netlink_to_another_socket() -> None:
    usersock = 2
    with opened(oxisock, std.AF_NETLINK, std.SOCK_DGRAM, usersock) as sender:
        with oxisock.socket(std.AF_NETLINK, std.SOCK_DGRAM, usersock) as receiver:
            receiver.settimeout(10)
            sender.bind((0, 0))
            receiver.bind((0, 0))
            assert sender.sendmsg([b"a", b"b"], [], 0, receiver.getsockname()) == 2
            data, _, flags, address = receiver.recvmsg(10)
            assert (data, flags, address) == (b"ab", 0, sender.getsockname())


# -- AF_PACKET -------------------------------------------------------------------------------------


def test_packets_on_the_loopback() -> None:
    with opened(oxisock, std.AF_PACKET, std.SOCK_DGRAM, 0) as sniffer:
        sniffer.bind(("lo", ETH_P_IP))
        assert sniffer.getsockname() == ("lo", ETH_P_IP, 0, 772, bytes(6))
        copy = os.dup(sniffer.fileno())
        with std.socket(std.AF_PACKET, std.SOCK_DGRAM, 0, fileno=copy) as theirs:
            assert theirs.getsockname() == sniffer.getsockname()
        payload = b"seen by the sniffer" + os.urandom(16)
        with oxisock.socket(std.AF_INET, std.SOCK_DGRAM) as receiver:
            receiver.bind(("127.0.0.1", 0))
            with oxisock.socket(std.AF_INET, std.SOCK_DGRAM) as sender:
                sender.sendto(payload, receiver.getsockname())
            while True:
                packet, address = sniffer.recvfrom(1 << 16)
                if packet.endswith(payload):
                    break
        name, protocol, kind, hardware, peer = address
        assert (name, protocol, hardware, peer) == ("lo", ETH_P_IP, 772, bytes(6))
        assert kind in (std.PACKET_HOST, std.PACKET_OUTGOING)


def test_packets_sent_with_an_address() -> None:
    own_protocol = 0x88B5  # for experiments, IEEE 802
    payload = os.urandom(50)
    # socket(2) takes the protocol in network order, the address in the machine's.
    with opened(oxisock, std.AF_PACKET, std.SOCK_DGRAM, std.htons(own_protocol)) as receiver:
        receiver.bind(("lo", own_protocol))
        with oxisock.socket(std.AF_PACKET, std.SOCK_DGRAM) as sender:
            sender.sendto(payload, ("lo", own_protocol, 0, 0, bytes(6)))
        data, address = receiver.recvfrom(100)
        assert (data, address[:2]) == (payload, ("lo", own_protocol))


NAMESPACES = """
import ctypes, fcntl, os, struct, sys
module = __import__(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)

def other_namespace():
    if libc.unshare(0x40000000):  # CLONE_NEWNET
        sys.exit(77)

other_namespace()
try:
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH22x", b"oxitest0", 0x1002))  # TUNSETIFF
except OSError:
    sys.exit(77)
with module.socket(module.AF_PACKET, module.SOCK_RAW) as sock:
    other_namespace()  # where there is no such interface
    sock.bind(("oxitest0", 0))
    print(sock.getsockname()[0])
    with module.socket(module.AF_PACKET, module.SOCK_RAW) as here:
        try:
            here.bind(("oxitest0", 0))
        except OSError as error:
            print(error.errno)
"""


@pytest.mark.parametrize("module", ["socket", "oxisock"])
def test_interfaces_are_those_of_the_socket(module: str) -> None:
    """A socket stays in its network namespace, whatever the thread moves to."""
    done = subprocess.run(
        [sys.executable, "-c", NAMESPACES, module], capture_output=True, text=True, check=False
    )
    if done.returncode == 77:
        pytest.skip("no right to make network namespaces")
    assert (done.stdout.split(), done.stderr) == (["oxitest0", str(errno.ENODEV)], "")


# -- AF_VSOCK --------------------------------------------------------------------------------------

ANY, LOCAL = 2**32 - 1, 1


def test_vsock_names() -> None:
    with opened(oxisock, std.AF_VSOCK, std.SOCK_STREAM) as sock:
        sock.bind((ANY, ANY))
        cid, port = sock.getsockname()
        assert cid == ANY
        assert port not in (0, ANY)
        copy = os.dup(sock.fileno())
        with std.socket(std.AF_VSOCK, std.SOCK_STREAM, 0, fileno=copy) as theirs:
            assert theirs.getsockname() == (cid, port)
    with opened(oxisock, std.AF_VSOCK, std.SOCK_STREAM) as sock:
        sock.bind((-1, port))
        assert sock.getsockname() == (ANY, port)


def test_vsock_data() -> None:
    with opened(oxisock, std.AF_VSOCK, std.SOCK_STREAM) as server:
        server.bind((ANY, ANY))
        server.listen()
        with opened(oxisock, std.AF_VSOCK, std.SOCK_STREAM) as client:
            client.settimeout(1)
            try:
                client.connect((LOCAL, server.getsockname()[1]))
            except OSError as error:  # vsock_loopback is a module of its own
                pytest.skip(f"no loopback transport: {error}")
            peer, address = server.accept()
            with peer:
                assert address == client.getsockname()
                client.sendall(b"across")
                peer.settimeout(10)
                assert peer.recv(10) == b"across"


# -- families that are often missing ---------------------------------------------------------------


def test_can_frames_between_two_sockets() -> None:
    if "vcan0" not in dict(std.if_nameindex()).values():
        pytest.skip("no interface vcan0")
    frame = struct.pack("=IB3x8s", 0x123, 3, b"abc")
    with opened(oxisock, std.AF_CAN, std.SOCK_RAW, std.CAN_RAW) as receiver:
        receiver.bind(("vcan0",))
        assert receiver.getsockname() == ("vcan0",)
        with opened(oxisock, std.AF_CAN, std.SOCK_RAW, std.CAN_RAW) as sender:
            sender.bind(("vcan0",))
            assert sender.send(frame) == len(frame)
        assert receiver.recvfrom(16) == (frame, ("vcan0",))


def test_hashes_of_the_kernel() -> None:
    import hashlib

    with opened(oxisock, std.AF_ALG, std.SOCK_SEQPACKET, 0) as algorithm:
        algorithm.bind(("hash", "sha256"))
        operation, _ = algorithm.accept()
        with operation:
            operation.sendall(b"abc")
            assert operation.recv(64) == hashlib.sha256(b"abc").digest()


def test_ciphers_of_the_kernel() -> None:
    # FIPS 197 and NIST SP 800-38A, F.2.1: AES-128 in CBC mode.
    key = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
    vector = bytes(range(16))
    plain = bytes.fromhex("6bc1bee22e409f96e93d7e117393172a")
    cipher = bytes.fromhex("7649abac8119b246cee98e9b12e9197d")
    with opened(oxisock, std.AF_ALG, std.SOCK_SEQPACKET, 0) as algorithm:
        algorithm.bind(("skcipher", "cbc(aes)"))
        algorithm.setsockopt(std.SOL_ALG, std.ALG_SET_KEY, key)
        operation, _ = algorithm.accept()
        with operation:
            for op, given, wanted in (
                (std.ALG_OP_ENCRYPT, plain, cipher),
                (std.ALG_OP_DECRYPT, cipher, plain),
            ):
                operation.sendmsg_afalg([given], op=op, iv=vector)
                assert operation.recv(16) == wanted


def test_sendmsg_afalg_is_for_its_family() -> None:
    answers = []
    for module in (std, oxisock):
        with module.socket() as sock:
            with pytest.raises(OSError) as caught:
                sock.sendmsg_afalg([b"x"], op=1)
            answers.append(caught.value.args)
    assert answers[0] == answers[1]


def test_tipc_between_two_sockets() -> None:
    name = (std.TIPC_ADDR_NAME, 66666, 7, 0)
    with opened(oxisock, std.AF_TIPC, std.SOCK_RDM) as server:
        server.bind((std.TIPC_ADDR_NAMESEQ, 66666, 7, 7, std.TIPC_NODE_SCOPE))
        with opened(oxisock, std.AF_TIPC, std.SOCK_RDM) as client:
            client.sendto(b"hello", name)
            data, address = server.recvfrom(10)
            assert (data, address) == (b"hello", client.getsockname())


def test_descriptors_between_threads() -> None:
    """send_fds and recv_fds over threads: a file opened on one side is read on the other."""
    left, right = oxisock.socketpair(std.AF_UNIX, std.SOCK_DGRAM)
    read, write = os.pipe()
    with left, right:
        right.settimeout(10)
        thread = threading.Thread(target=oxisock.send_fds, args=(left, [b"take"], [read]))
        thread.start()
        data, [number], _flags, _address = oxisock.recv_fds(right, 10, 4)
        thread.join()
        assert data == b"take"
        os.write(write, b"through")
        assert os.read(number, 10) == b"through"
    for descriptor in (read, write, number):
        os.close(descriptor)
