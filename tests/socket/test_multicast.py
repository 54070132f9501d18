"""Memberships in multicast groups, on the loopback interface and in namespaces."""

import errno
import socket as std
from collections.abc import Iterator
from typing import Any

import pytest

import oxisock
from tests.helpers.namespace import run_alone

PATIENCE = 10
LOOPBACK = oxisock.if_nametoindex("lo")
GROUP = "239.255.77.1"
# Two ends of a cable, as the loopback device has no route to groups of IPv6.
CABLE = (
    "ip link add one type veth peer name two",
    "ip link set one up",
    "ip link set two up",
    "ip addr add 10.9.0.1/24 dev one",
    "ip addr add 10.9.1.1/24 dev two",
    "ip addr add fd00::1/64 dev one nodad",
    # The kernel completes the address in the background.
    "until ip -6 route show table local | grep -q '^local fd00::1 '; do sleep 0.01; done",
    "ip route add 239.0.0.0/8 dev two",
)


@pytest.fixture
def pair() -> Iterator[tuple[Any, Any]]:
    """A receiver that is bound to the group, and a standard socket that sends by loopback."""
    with (
        oxisock.socket(oxisock.AF_INET, oxisock.SOCK_DGRAM) as receiver,
        std.socket(std.AF_INET, std.SOCK_DGRAM) as sender,
    ):
        receiver.bind((GROUP, 0))
        sender.bind(("127.0.0.1", 0))
        sender.setsockopt(std.IPPROTO_IP, std.IP_MULTICAST_IF, std.inet_aton("127.0.0.1"))
        yield receiver, sender


def arrives(receiver: Any, sender: Any) -> bool:
    """Whether the receiver gets what is sent to its own address, the group."""
    sender.sendto(b"to all", receiver.getsockname())
    receiver.setblocking(False)
    try:
        # Over loopback it is there when the call returns, or it never comes.
        return bool(receiver.recv(100) == b"to all")
    except BlockingIOError:
        return False


@pytest.mark.parametrize("interface", ["lo", LOOPBACK, "127.0.0.1"])
def test_what_is_sent_to_a_group_arrives_while_it_is_joined(
    pair: tuple[Any, Any], interface: Any
) -> None:
    receiver, sender = pair
    receiver.join_group(GROUP, interface)
    assert arrives(receiver, sender)
    with pytest.raises(OSError, match="in use") as caught:
        receiver.join_group(GROUP, interface)
    assert caught.value.errno == errno.EADDRINUSE
    receiver.leave_group(GROUP, interface)
    assert not arrives(receiver, sender)
    with pytest.raises(OSError, match="assign") as caught:
        receiver.leave_group(GROUP, interface)
    assert caught.value.errno == errno.EADDRNOTAVAIL


@pytest.mark.parametrize("interface", ["lo", LOOPBACK, "127.0.0.1"])
def test_of_one_sender_only(pair: tuple[Any, Any], interface: Any) -> None:
    receiver, sender = pair
    other = "127.9.9.9"
    receiver.join_group(GROUP, interface, other)
    assert not arrives(receiver, sender)
    receiver.join_group(GROUP, interface, source="127.0.0.1")
    assert arrives(receiver, sender)
    receiver.leave_group(GROUP, interface, "127.0.0.1")
    assert not arrives(receiver, sender)
    receiver.leave_group(GROUP, interface, other)
    with pytest.raises(OSError, match=r"\[Errno \d+\]"):
        receiver.leave_group(GROUP, interface, other)


def test_over_ipv6() -> None:
    run_alone(
        """
        import errno, oxisock as s
        group = "ff02::77:1"
        index = s.if_nametoindex("one")

        def refused(number, method, *arguments):
            try:
                method(*arguments)
            except OSError as error:
                assert error.errno == number, error
            else:
                raise AssertionError

        with s.socket(s.AF_INET6, s.SOCK_DGRAM) as a, s.socket(s.AF_INET6, s.SOCK_DGRAM) as b:
            a.bind(("::", 0))
            a.setrecvinfo(destination=True)
            port = a.getsockname()[1]

            def arrives(through="one"):
                message = b.ancillary(interface=through, source="fd00::1")
                b.sendmsg([b"x"], message, 0, (group, port))
                a.settimeout(10)
                a.sendto(b"end", ("fd00::1", port))
                found = a.recvmsg_many(9)
                while found[-1].data != b"end":
                    found += a.recvmsg_many(9)
                return [(d.data, d.destination, d.interface) for d in found[:-1]]

            for name in ("one", index, "fd00::1"):
                a.join_group(group, name)
                assert arrives() == [(b"x", group, index)], name
                refused(errno.EADDRINUSE, a.join_group, group, name)
                a.leave_group(group, name)
                refused(errno.EADDRNOTAVAIL, a.leave_group, group, name)
                # Of one sender, and of another.
                a.join_group(group, name, "fd00::9")
                assert arrives() == []
                a.join_group(group, name, "fd00::1")
                assert arrives() == [(b"x", group, index)], name
                a.leave_group(group, name, "fd00::9")
                a.leave_group(group, name, "fd00::1")
            # The scope of the address names the interface, too.
            a.join_group(f"{group}%one")
            assert arrives() == [(b"x", group, index)]
            a.leave_group(f"{group}%{index}")
            try:
                a.join_group(f"{group}%one", "one")
            except ValueError as error:
                assert "not both" in str(error)
            else:
                raise AssertionError
            # One socket in groups of both families.
            a.join_group(group, "one")
            a.join_group("239.9.9.9", "two")
            with s.socket(s.AF_INET, s.SOCK_DGRAM) as c:
                c.sendto(b"four", ("239.9.9.9", port))
            [four] = a.recvmsg_many(1)
            assert (four.data, four.destination) == (b"four", "::ffff:239.9.9.9")
            assert arrives() == [(b"x", group, index)]
        """,
        *CABLE,
    )


def test_the_destination_tells_the_group() -> None:
    with (
        oxisock.socket(oxisock.AF_INET, oxisock.SOCK_DGRAM) as receiver,
        std.socket(std.AF_INET, std.SOCK_DGRAM) as sender,
    ):
        receiver.bind(("", 0))
        receiver.settimeout(PATIENCE)
        receiver.setrecvinfo(destination=True)
        receiver.join_group(GROUP, "127.0.0.1")
        sender.setsockopt(std.IPPROTO_IP, std.IP_MULTICAST_IF, std.inet_aton("127.0.0.1"))
        sender.sendto(b"x", (GROUP, receiver.getsockname()[1]))
        [found] = receiver.recvmsg_many(3)
        assert (found.destination, found.interface) == (GROUP, LOOPBACK)


def test_the_same_as_the_options_do() -> None:
    """The option of ip(7) joins what `leave_group` leaves, and the other way round."""
    request = std.inet_aton(GROUP) + std.inet_aton("127.0.0.1")
    with oxisock.socket(oxisock.AF_INET, oxisock.SOCK_DGRAM) as sock:
        sock.setsockopt(oxisock.IPPROTO_IP, oxisock.IP_ADD_MEMBERSHIP, request)
        sock.leave_group(GROUP, "lo")
        sock.join_group(GROUP, "lo")
        sock.setsockopt(oxisock.IPPROTO_IP, oxisock.IP_DROP_MEMBERSHIP, request)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("127.0.0.1",), ValueError, "group must be a multicast address, not '127.0.0.1'"),
        (("somewhere",), ValueError, "group must be a numeric address"),
        (("ff02::1",), ValueError, "group must be an IPv4 address"),
        (("239.1.1.1%lo",), ValueError, "group must be a numeric address"),
        ((b"\xef\x01\x01\x01",), TypeError, "group must be str, not bytes"),
        ((None,), TypeError, "group must be str"),
        (("239.1.1.1", "eth99"), OSError, "interface 'eth99'"),
        (("239.1.1.1", "eth\0"), ValueError, "null"),
        (("239.1.1.1", "x" * 100), OSError, "interface"),
        (("239.1.1.1", 2**32), OverflowError, "interface"),
        (("239.1.1.1", 2**31 - 1), OSError, "device|assign"),
        (("239.1.1.1", 1.0), TypeError, "interface must be int or str"),
        (("239.1.1.1", "lo", "::1"), ValueError, "source must be of the group's family"),
        (("239.1.1.1", "lo", "here"), ValueError, "source must be a numeric address"),
    ],
)
@pytest.mark.parametrize("method", ["join_group", "leave_group"])
def test_bad_arguments(
    method: str, arguments: tuple[Any, ...], error: type[Exception], words: str
) -> None:
    with (
        oxisock.socket(oxisock.AF_INET, oxisock.SOCK_DGRAM) as sock,
        pytest.raises(error, match=words),
    ):
        getattr(sock, method)(*arguments)


def test_a_closed_socket() -> None:
    sock = oxisock.socket(oxisock.AF_INET, oxisock.SOCK_DGRAM)
    sock.close()
    for interface in (None, 1, "lo"):
        with pytest.raises(OSError, match="Bad file descriptor"):
            sock.join_group("239.1.1.1", interface)


def test_the_routing_table_chooses_and_names_are_those_of_the_namespace() -> None:
    """Between two devices: what comes in through the other one is for nobody."""
    run_alone(
        """
        import oxisock as s
        index = s.if_nametoindex("two")
        for interface in (None, "two", index, "10.9.1.1"):
            with (s.socket(s.AF_INET, s.SOCK_DGRAM) as a, s.socket(s.AF_INET, s.SOCK_DGRAM) as b):
                a.bind(("", 0))
                a.setrecvinfo(destination=True)
                a.join_group("239.9.9.9", interface)
                address = ("239.9.9.9", a.getsockname()[1])
                # A machine hears what it sends itself on the device that it leaves through.
                b.sendmsg([b"x"], b.ancillary(interface="one"), 0, address)
                b.sendmsg([b"y"], b.ancillary(interface="two"), 0, address)
                a.settimeout(10)
                found = [(d.data, d.interface) for d in a.recvmsg_many(9)]
                assert found == [(b"y", index)], (interface, found)
        """,
        *CABLE,
    )


def test_names_are_those_of_the_sockets_namespace() -> None:
    """A thread that has moved to another namespace still names the devices of its socket's."""
    run_alone(
        """
        import os, oxisock as s
        sock = s.socket(s.AF_INET, s.SOCK_DGRAM)
        if hasattr(os, "unshare"):
            os.unshare(os.CLONE_NEWNET)
            sock.join_group("239.9.9.9", "one")
            with s.socket(s.AF_INET, s.SOCK_DGRAM) as other:
                try:
                    other.join_group("239.9.9.9", "one")
                except OSError as error:
                    assert "interface 'one'" in str(error)
                else:
                    raise AssertionError
        """,
        "ip link add one type veth peer name two",
    )
