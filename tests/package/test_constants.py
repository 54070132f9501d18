"""The constants and enumerations, side by side with the standard library and the headers."""

import copy
import os
import pickle
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import oxisock
from oxisock import _enums, _socket
from tests.helpers.process import output, python

ENUMERATIONS = ("AddressFamily", "SocketKind", "MsgFlag", "AddressInfo")
# Attributes of the standard module outside `__all__` that programs use all the same.
UNLISTED = ("EAGAIN", "EBADF", "EWOULDBLOCK")


def std_constants() -> Any:
    return {
        name: value
        for name in [*socket.__all__, *UNLISTED]
        if isinstance(value := getattr(socket, name), int | str)
    }


def look(value: Any) -> Any:
    """All that a program sees of a constant."""
    return (
        type(value).__name__,
        int(value) if isinstance(value, int) else value,
        repr(value),
        str(value),
        f"{value}",
        getattr(value, "name", None),
    )


class TestSideBySide:
    def test_every_constant_of_the_standard_module(self) -> None:
        std = std_constants()
        assert len(std) > 300
        assert {name: look(getattr(oxisock, name, None)) for name in std} == {
            name: look(value) for name, value in std.items()
        }

    def test_plain_constants_have_plain_types(self) -> None:
        for name, value in std_constants().items():
            if type(value) in (int, str, bool):
                assert type(getattr(oxisock, name)) is type(value), name

    def test_names_list_what_the_standard_module_lists(self) -> None:
        listed = _enums.names()
        assert len(listed) == len(set(listed))
        assert not set(UNLISTED) & set(listed)
        wanted = {*std_constants(), *ENUMERATIONS} - set(UNLISTED)
        assert wanted <= set(listed)

    @pytest.mark.parametrize("name", ENUMERATIONS)
    def test_members_and_aliases(self, name: Any) -> None:
        std, ours = getattr(socket, name), getattr(oxisock, name)
        names = set(std.__members__)
        assert {n: m.name for n, m in ours.__members__.items() if n in names} == {
            n: m.name for n, m in std.__members__.items()
        }
        canonical = {m.name for m in std}
        assert [(m.name, m.value) for m in ours if m.name in canonical] == [
            (m.name, m.value) for m in std
        ]

    @pytest.mark.parametrize("name", ENUMERATIONS)
    def test_class(self, name: Any) -> None:
        std, ours = getattr(socket, name), getattr(oxisock, name)
        assert ours.__module__ == "socket"
        assert (ours.__name__, ours.__qualname__) == (std.__name__, std.__qualname__)
        assert ours.__mro__[1:] == std.__mro__[1:]
        assert getattr(ours, "_boundary_", None) is getattr(std, "_boundary_", None)
        assert repr(ours) == repr(std)
        assert ours is getattr(oxisock, name) is _enums.enumeration(name)
        own = set(vars(std)) - set(std.__members__)
        assert own == set(vars(ours)) - set(ours.__members__)

    @pytest.mark.parametrize("name", ENUMERATIONS)
    def test_members_behave(self, name: Any) -> None:
        std, ours = getattr(socket, name), getattr(oxisock, name)
        for member in std:
            mine = ours[member.name]
            assert ours(member.value) is mine
            assert mine == member.value == member
            assert hash(mine) == hash(member)
            assert bool(mine) == bool(member)
            assert copy.deepcopy(mine) is mine
            assert look(mine + 1) == look(member + 1)

    @pytest.mark.parametrize("name", ["MsgFlag", "AddressInfo"])
    def test_flags_combine(self, name: Any) -> None:
        std, ours = getattr(socket, name), getattr(oxisock, name)
        pairs = [(std[a.name], std[b.name]) for a in std for b in std]
        assert pairs
        for a, b in pairs:
            x, y = ours[a.name], ours[b.name]
            assert look(x | y) == look(a | b)
            assert look(x & y) == look(a & b)
            assert look(x ^ y) == look(a ^ b)
            assert [m.name for m in x | y] == [m.name for m in a | b]
            assert (x in y) == (a in b)
            assert look(x | 3) == look(a | 3)
            assert int(~x) == int(~a)

    @pytest.mark.parametrize("name", ENUMERATIONS)
    @pytest.mark.parametrize("value", [98765, -(2**40), "AF_INET", None])
    def test_values_without_a_member(self, name: Any, value: Any) -> None:
        def outcome(module: Any) -> Any:
            try:
                return int(getattr(module, name)(value))
            except (ValueError, TypeError) as error:
                return type(error), str(error)

        assert outcome(oxisock) == outcome(socket)


class TestPickle:
    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_round_trip(self, protocol: Any) -> None:
        """What is not installed is read by anybody, as the standard library's member or a number.

        tests/package/test_public_code.py has what is installed.
        """
        for name in ENUMERATIONS:
            standard = getattr(socket, name)
            for member in getattr(oxisock, name):
                data = pickle.dumps(member, protocol)
                assert b"oxisock" not in data
                found = pickle.loads(data)
                assert found == member
                assert type(found) is standard or (
                    type(found) is int and member not in standard.__members__.values()
                )
        flags = oxisock.MSG_PEEK | oxisock.MSG_DONTWAIT
        found = pickle.loads(pickle.dumps(flags, protocol))
        assert found is socket.MSG_PEEK | socket.MSG_DONTWAIT

    def test_fresh_process(self) -> None:
        data = pickle.dumps((oxisock.AF_INET, oxisock.MSG_PEEK | oxisock.MSG_OOB))
        code = f"import pickle; print(*map(repr, pickle.loads({data!r})))"
        assert bare(code) == "<AddressFamily.AF_INET: 2> <MsgFlag.MSG_OOB|MSG_PEEK: 3>"


def bare(code: Any) -> Any:
    """Run code in a new interpreter that has imported nothing but what it needs to start."""
    where = str(Path(oxisock.__file__).parent.parent)
    code = f"import sys; sys.path.insert(0, {where!r})\n{code}"
    return output(python("-I", "-S", "-c", code)).strip()


class TestLazy:
    def test_import_builds_nothing(self) -> None:
        assert (
            bare(
                "import oxisock, oxisock._enums as lazy\n"
                "assert not lazy._built\n"
                "there = oxisock._socket.namespace_of(oxisock)\n"
                "print(*[n for n in lazy.names() if n in there])"
            )
            == ""
        )

    def test_plain_constants_need_no_enumeration(self) -> None:
        bare(
            "import oxisock, oxisock._enums as lazy\n"
            "oxisock.SO_REUSEADDR, oxisock.has_ipv6, oxisock.BDADDR_ANY, lazy.names()\n"
            "assert not lazy._built"
        )

    @pytest.mark.parametrize(
        ("name", "built"),
        [
            ("AF_INET", "AddressFamily"),
            ("SOCK_STREAM", "SocketKind"),
            ("MSG_PEEK", "MsgFlag"),
            ("AI_PASSIVE", "AddressInfo"),
            ("MsgFlag", "MsgFlag"),
        ],
    )
    def test_one_name_builds_one_class(self, name: Any, built: Any) -> None:
        code = f"import oxisock, oxisock._enums as lazy; oxisock.{name}; print(*lazy._built)"
        assert bare(code) == built

    def test_what_was_looked_up_stays(self) -> None:
        value = oxisock.SO_KEEPALIVE
        assert vars(oxisock)["SO_KEEPALIVE"] is value

    def test_threads_share_one_class(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # The race, made certain: while this thread builds, another one finishes first.
        built: dict[str, Any] = {}
        monkeypatch.setattr(_enums, "_built", built)
        build = _enums._build

        def slow(name: Any) -> Any:
            built.setdefault(name, build(name))
            return build(name)

        monkeypatch.setattr(_enums, "_build", slow)
        assert _enums.enumeration("MsgFlag") is built["MsgFlag"]
        assert _enums.resolve("MSG_OOB") is built["MsgFlag"]["MSG_OOB"]


class TestUnknown:
    @pytest.mark.parametrize(
        "name",
        ["", "AF_", "AF_NOT_THERE", "af_inet", "SO_REUSEADDR ", "AF_INET\0", "é", "\ud800", "_x"],
    )
    def test_attribute_error(self, name: Any) -> None:
        with pytest.raises(AttributeError) as caught:
            _enums.resolve(name)
        assert caught.value.name == name
        assert caught.value.obj is oxisock
        assert not hasattr(oxisock, name)
        assert not hasattr(_socket, name)
        assert _socket.constant(name) is None

    def test_names_of_other_systems(self) -> None:
        for name in ("SIO_RCVALL", "RCVALL_ON", "RCVALL_OFF", "SO_EXCLUSIVEADDRUSE"):
            assert not hasattr(oxisock, name)

    def test_wrong_types(self) -> None:
        with pytest.raises(TypeError):
            _socket.constant(3)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            _socket.constants(3)  # type: ignore[arg-type]
        with pytest.raises(KeyError):
            _enums.enumeration("Nothing")


class TestNumbersToMembers:
    def test_known(self) -> None:
        for member in oxisock.AddressFamily:
            assert _enums.family_member(int(member)) is member
        for kind in oxisock.SocketKind:
            assert _enums.kind_member(int(kind)) is kind

    @pytest.mark.parametrize("value", [-1, 4321, 2**31 - 1])
    @pytest.mark.parametrize("convert", [_enums.family_member, _enums.kind_member])
    def test_unknown_stays_an_int(self, convert: Any, value: Any) -> None:
        assert type(convert(value)) is int
        assert convert(value) == value

    def test_members(self) -> None:
        assert _enums.members("SocketKind")[1] is oxisock.SOCK_STREAM
        assert set(_enums.members("MsgFlag")) == {int(m) for m in oxisock.MsgFlag}


# One of each group that the standard module lacks or has only where it was built for it.
BEYOND = """
    AF_BLUETOOTH AF_CAN AF_QIPCRTR AF_TIPC AF_UNSPEC AF_VSOCK AF_XDP
    BDADDR_ANY BDADDR_LOCAL BTPROTO_HCI BTPROTO_L2CAP BTPROTO_RFCOMM BTPROTO_SCO
    BT_SECURITY HCI_FILTER HCI_TIME_STAMP HCI_DATA_DIR SOL_BLUETOOTH SOL_RFCOMM
    IP_FREEBIND IP_RECVERR IP_RECVORIGDSTADDR IP_RECVTTL IPV6_RECVERR IPV6_TRANSPARENT
    MSG_ZEROCOPY NETLINK_ADD_MEMBERSHIP NETLINK_GENERIC NETLINK_KOBJECT_UEVENT
    NLM_F_REQUEST PACKET_FANOUT PACKET_ADD_MEMBERSHIP ETH_P_IP ETHERTYPE_ARP
    SCM_TIMESTAMPING SOF_TIMESTAMPING_SOFTWARE SO_BUSY_POLL SO_EE_ORIGIN_ICMP
    SO_INCOMING_CPU SO_ORIGINAL_DST SO_TIMESTAMP SO_TIMESTAMPING SO_TIMESTAMPNS SO_TXTIME
    SO_VM_SOCKETS_BUFFER_SIZE SO_ZEROCOPY SOL_TIPC TCP_AO_INFO TCP_DELACK_MAX_US TCP_ULP
    TCP_INFO TCP_RTO_MAX_MS TCP_ZEROCOPY_RECEIVE TLS_TX UDP_GRO UDP_SEGMENT
    VMADDR_CID_LOCAL CAN_ISOTP_OPTS CAN_RAW_ERR_FILTER J1939_NLA_PGN RDS_RECVERR
    ALG_SET_DRBG_ENTROPY QRTR_PORT_CTRL SCTP_NODELAY MPTCP_INFO XDP_RX_RING
"""


@pytest.mark.skipif(sys.platform != "linux", reason="names of the Linux kernel")
class TestBeyond:
    def test_present(self) -> None:
        assert [name for name in BEYOND.split() if not hasattr(oxisock, name)] == []

    def test_additional_names_join_their_enumeration(self) -> None:
        assert type(oxisock.AF_BLUETOOTH) is oxisock.AddressFamily
        assert type(oxisock.MSG_ZEROCOPY) is oxisock.MsgFlag
        assert type(oxisock.SOCK_DCCP) is oxisock.SocketKind

    def test_sizes_and_signs(self) -> None:
        # As the standard library has them, which passes each through a C long.
        large = 2**32 if sys.maxsize > 2**32 else 0
        expected = {
            "VMADDR_CID_ANY": large - 1,
            "VMADDR_PORT_ANY": large - 1,
            "QRTR_NODE_BCAST": large - 1,
            "TIPC_WAIT_FOREVER": -1,
            "CAN_EFF_FLAG": 2**31 if large else -(2**31),
        }
        assert {name: getattr(oxisock, name) for name in expected} == expected
        assert oxisock.TCP_FLAG_SYN.to_bytes(4, sys.byteorder) == bytes([0, 2, 0, 0])


# Two sets because the headers of the C library and of the kernel define the same structs.
HEADERS = {
    "libc": """sys/types.h sys/socket.h netinet/in.h netinet/tcp.h netinet/udp.h
        netinet/icmp6.h net/ethernet.h netpacket/packet.h netdb.h errno.h""",
    "kernel": """linux/types.h linux/socket.h asm/socket.h linux/net.h linux/in.h linux/in6.h
        linux/tcp.h linux/udp.h linux/tls.h linux/icmp.h linux/icmpv6.h linux/if_packet.h
        linux/if_ether.h linux/if_alg.h linux/if_xdp.h linux/netlink.h linux/can.h
        linux/can/raw.h linux/can/bcm.h linux/can/isotp.h linux/can/j1939.h linux/tipc.h
        linux/vm_sockets.h linux/qrtr.h linux/rds.h linux/errqueue.h linux/net_tstamp.h
        sys/ioctl.h""",
    "protocols": """stdint.h netinet/in.h linux/sctp.h linux/mptcp.h linux/netfilter_ipv4.h
        linux/netfilter_ipv6/ip6_tables.h""",
    "bluetooth": """stdlib.h sys/socket.h bluetooth/bluetooth.h bluetooth/hci.h
        bluetooth/l2cap.h bluetooth/rfcomm.h bluetooth/sco.h""",
}
# Header names that the module has under a prefix of its own.
RENAMED = re.compile("^CAN_BCM_(?=[A-Z])")
# Kernel 6.15 took a bit from the reserved ones for the accurate ECN flag (RFC 9768).
CHANGED = {"TCP_RESERVED_BITS"}


# The compiler's "error" is read from its messages.
C_LOCALE = {**os.environ, "LC_ALL": "C"}


def compiled(*arguments: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["cc", "-w", *arguments],
        capture_output=True, text=True, timeout=60, check=False, env=C_LOCALE,
    )  # fmt: skip


def values_in_headers(headers: Any, names: Any, tmp_path: Any) -> Any:
    """Value of each name that the C compiler knows with these headers."""
    includes = "".join(
        f"#if __has_include(<{header}>)\n#include <{header}>\n#endif\n"
        for header in headers.split()
    )
    prelude = f"#define _GNU_SOURCE\n{includes}#include <stdio.h>\nint main(void) {{\n"
    first = prelude.count("\n") + 1
    source, program = tmp_path / "names.c", tmp_path / "names"
    source.write_text(f"{prelude}return 0; }}\n")
    # Macros and enumerators; for a name that is neither the compiler would look for a similar one.
    declared = compiled("-E", "-dD", source)
    assert declared.returncode == 0, declared.stderr
    words = set(re.findall(r"\w+", declared.stdout))
    names = [name for name in names if RENAMED.sub("", name) in words]
    while True:
        lines = [f'printf("{n} %lld\\n", (long long)({RENAMED.sub("", n)}));\n' for n in names]
        source.write_text(f"{prelude}{''.join(lines)}return 0; }}\n")
        done = compiled("-fmax-errors=0", "-o", program, source)
        if done.returncode == 0:
            break
        rejected = {
            int(line) - first
            for line in re.findall(r"^[^\s:]+/names\.c:(\d+):\d+: error", done.stderr, re.M)
        }
        kept = [name for i, name in enumerate(names) if i not in rejected]
        assert len(kept) < len(names), done.stderr
        names = kept
    printed = subprocess.run([program], capture_output=True, text=True, check=True, timeout=60)
    return {name: int(value) for name, value in map(str.split, printed.stdout.splitlines())}


@pytest.mark.skipif(
    sys.platform != "linux"
    or not shutil.which("cc")
    or not Path("/usr/include/linux/tcp.h").exists(),
    reason="needs a C compiler and the headers of the Linux kernel",
)
class TestHeaders:
    @pytest.mark.parametrize("which", HEADERS)
    def test_values(self, which: Any, tmp_path: Path) -> None:
        ours = {
            name: value
            for name, value in _socket.constants().items()
            if type(value) is int and name not in CHANGED
        }
        theirs = values_in_headers(HEADERS[which], ours, tmp_path)
        if which == "bluetooth" and "BTPROTO_HCI" not in theirs:
            pytest.skip("BlueZ's headers are not installed")
        assert len(theirs) > 100
        # Where C says -1 and Python has always said 4294967295, the 32 bits are the same.
        assert {n: v for n, v in theirs.items() if (v - ours[n]) % 2**32} == {}
