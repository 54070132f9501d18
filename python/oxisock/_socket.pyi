"""The native half of oxisock. Private: import ``oxisock`` instead."""

import socket as _standard
from collections.abc import Callable, Iterable
from importlib.machinery import ModuleSpec
from types import ModuleType, TracebackType
from typing import Any, Self, SupportsIndex, TypeAlias, TypedDict, TypeVar, final, overload
from weakref import ReferenceType

from _typeshed import FileDescriptorLike, ReadableBuffer, WriteableBuffer
from typing_extensions import disjoint_base

from . import AddressFamily, SocketKind, socket as _public_socket

# An address as programs give it: a tuple, for AF_UNIX a path or an abstract name, for HCI a number.
_Address: TypeAlias = tuple[Any, ...] | str | ReadableBuffer | int
# An address as it comes back: its form depends on the family of the socket.
_RetAddress: TypeAlias = Any
# Ancillary data: level, type, data.
_CMSG: TypeAlias = tuple[int, int, bytes]
_CMSGArg: TypeAlias = tuple[int, int, ReadableBuffer]
_HostName: TypeAlias = str | bytes | bytearray
_SystemText: TypeAlias = str | bytes
_T = TypeVar("_T")
_Class = TypeVar("_Class", bound=type[Socket])

__version__: str

class _SocketStatistics(TypedDict):
    operations: dict[str, int]
    bytes: dict[str, int]
    waits: dict[str, int]
    wait_seconds: dict[str, float]
    timeouts: int
    would_block: int
    errors: dict[str, int]

class _Statistics(_SocketStatistics):
    sockets: dict[str, int]

@final
class Datagram:
    """A datagram, its sender, and what the system has told of it; recvmsg(2), ip(7), ipv6(7).

    What it has not told is None. ``setrecvinfo`` has it told.

    Attributes:
        data: the datagram, bytes.
        address: the sender's address, or None.
        ecn: explicit congestion notification, 0 to 3; RFC 3168.
        ttl: the time to live, or hop limit, that it arrived with.
        destination: the address that it was sent to, as text.
        interface: the index of the interface that it came through; see ``if_indextoname``.
        timestamp: when the system has received it, in seconds since the epoch.
        timestamp_ns: the same as an int of nanoseconds.
        hardware_timestamp: when the network device has received it, in seconds of its own clock.
        hardware_timestamp_ns: the same as an int of nanoseconds.
        dscp: the differentiated services code point, 0 to 63; RFC 2474.
        segment_size: the length of each of the datagrams that the kernel has joined into this one
            (see ``setgro``), of which the last may be shorter.
        drops: how many datagrams the socket has lost so far, for want of room; None before it has
            lost one.
        flags: the flags of the message, ``MSG_*``.
        truncated: whether the datagram was longer than what is here.
        ancdata: the control messages of other kinds, a tuple of ``(level, type, data)``.
    """

    __match_args__ = ("data", "address")
    @property
    def data(self) -> bytes:
        """The datagram."""
    @property
    def address(self) -> _RetAddress:
        """The sender's address, or None."""
    @property
    def ecn(self) -> int | None:
        """Explicit congestion notification, 0 to 3, or None; RFC 3168."""
    @property
    def ttl(self) -> int | None:
        """The time to live, or hop limit, that the datagram arrived with, or None; ip(7)."""
    @property
    def destination(self) -> str | None:
        """The address that the datagram was sent to, as text, or None; ip(7), ``IP_PKTINFO``."""
    @property
    def interface(self) -> int | None:
        """The index of the interface that the datagram came through, or None; ip(7)."""
    @property
    def timestamp(self) -> float | None:
        """When the system received the datagram, in seconds since the epoch, or None; socket(7)."""
    @property
    def timestamp_ns(self) -> int | None:
        """When the system received the datagram, in nanoseconds since the epoch, or None; socket(7)."""
    @property
    def hardware_timestamp(self) -> float | None:
        """When the device received the datagram, in seconds of its own clock, or None."""
    @property
    def hardware_timestamp_ns(self) -> int | None:
        """When the device received the datagram, in nanoseconds of its own clock, or None."""
    @property
    def dscp(self) -> int | None:
        """The differentiated services code point, 0 to 63, or None; RFC 2474."""
    @property
    def segment_size(self) -> int | None:
        """The length of each of the datagrams that the kernel has joined, or None; udp(7)."""
    @property
    def drops(self) -> int | None:
        """How many datagrams the socket has lost so far, for want of room, or None; socket(7)."""
    @property
    def flags(self) -> int:
        """The flags of the message, ``MSG_*``; recvmsg(2)."""
    @property
    def truncated(self) -> bool:
        """Whether the datagram was longer than what is here; ``MSG_TRUNC`` of recvmsg(2)."""
    @property
    def ancdata(self) -> tuple[_CMSG, ...]:
        """The control messages of other kinds, a tuple of ``(level, type, data)``; cmsg(3)."""

# A subclass of the standard class for type checkers, which it is not at runtime: functions that are
# annotated with that class take this one (docs/typing.md).
@disjoint_base
class Socket(_standard.socket):
    """The native half of ``oxisock.socket``."""

    def __init__(
        self, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None
    ) -> None: ...
    @property
    def family(self) -> AddressFamily:  # type: ignore[override]
        """The address family, as a member of ``AddressFamily`` where it has a name; socket(2)."""
    @property
    def type(self) -> SocketKind:  # type: ignore[override]
        """The socket type, as a member of ``SocketKind`` where it has a name; socket(2)."""
    @property
    def proto(self) -> int:
        """The protocol number; socket(2)."""
    @property
    def timeout(self) -> float | None:
        """Return the timeout in seconds as a float, 0.0 in non-blocking mode, None in blocking mode."""

    # Names and connections.
    def bind(self, address: _Address, /) -> None:
        """Give the socket a local address; bind(2).

        Args:
            address: the address, in the form of the socket's family.

        Raises:
            OSError: the address is in use, is not this machine's, or the socket is closed.
        """
    def listen(self, backlog: int = 128, /) -> None:
        """Make the socket accept connections; listen(2).

        Args:
            backlog: how many connections may wait to be accepted; a negative number counts
                as 0. Without it, a reasonable number.

        Raises:
            OSError: the socket cannot listen, or is closed.
        """
    def stats(self) -> _SocketStatistics:
        """Tell what this socket has done so far.

        Returns:
            A dict as that of ``oxisock.stats``, for this socket alone: ``operations``, ``bytes``, ``waits``,
            ``wait_seconds``, ``timeouts``, ``would_block`` and ``errors``. A closed socket has it, too.
        """

    def accept(self) -> tuple[_public_socket, _RetAddress]:
        """Accept a connection; accept(2).

        Returns:
            A pair of a new socket, in the mode of the default timeout, and the peer's address.

        Raises:
            TimeoutError: nobody connected within the timeout.
            BlockingIOError: nobody has connected, in non-blocking mode.
            OSError: the socket does not listen, or is closed.
        """
    def connect(self, address: _Address, /) -> None:
        """Connect to an address; connect(2).

        Args:
            address: the peer's address, in the form of the socket's family.

        Raises:
            TimeoutError: the peer did not answer within the timeout.
            BlockingIOError: the connection is being made, in non-blocking mode.
            OSError: the connection failed, or the socket is closed.
        """
    def connect_ex(self, address: _Address, /) -> int:
        """Connect to an address and return the error number instead of raising it; connect(2).

        Args:
            address: the peer's address, in the form of the socket's family.

        Returns:
            0, or the ``errno`` that ``connect`` would have raised; EAGAIN for a timeout.

        Raises:
            OSError: the host name has no address. Only connect(2)'s errors are returned.
        """
    def shutdown(self, how: int, /) -> None:
        """Shut down one or both directions of the connection; shutdown(2).

        Args:
            how: ``SHUT_RD``, ``SHUT_WR`` or ``SHUT_RDWR``.

        Raises:
            OSError: the socket is not connected, or closed.
        """
    def getsockname(self) -> _RetAddress:
        """Return the socket's own address; getsockname(2).

        Raises:
            OSError: the socket is closed.
        """
    def getpeername(self) -> _RetAddress:
        """Return the address of the peer; getpeername(2).

        Raises:
            OSError: the socket is not connected, or closed.
        """

    # Receiving.
    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Receive up to ``bufsize`` bytes; recv(2).

        Args:
            bufsize: the largest number of bytes to return.
            flags: ``MSG_*`` flags.

        Returns:
            The received data; empty when the peer has shut its side down.

        Raises:
            ValueError: ``bufsize`` is negative.
            TimeoutError: nothing arrived within the timeout.
            BlockingIOError: nothing is there, in non-blocking mode.
            OSError: the connection failed, or the socket is closed.
        """
    def recvfrom(self, bufsize: int, flags: int = 0, /) -> tuple[bytes, _RetAddress]:
        """Receive up to ``bufsize`` bytes and the sender's address; recvfrom(2).

        Args:
            bufsize: the largest number of bytes to return; a longer datagram is cut.
            flags: ``MSG_*`` flags.

        Returns:
            A pair of the bytes and the address, which is None where the protocol has none.

        Raises:
            ValueError: ``bufsize`` is negative.
            TimeoutError: nothing arrived within the timeout.
            BlockingIOError: nothing is there, in non-blocking mode.
            OSError: the system reports an error, or the socket is closed.
        """
    def recv_into(self, buffer: WriteableBuffer, nbytes: int = 0, flags: int = 0) -> int:
        """Receive into a writable buffer; recv(2).

        Args:
            buffer: any writable bytes-like object.
            nbytes: the largest number of bytes to receive, 0 for the buffer's length.
            flags: ``MSG_*`` flags.

        Returns:
            The number of bytes received.

        Raises:
            ValueError: ``nbytes`` is negative or larger than the buffer.
            TimeoutError: nothing arrived within the timeout.
            BlockingIOError: nothing is there, in non-blocking mode.
            OSError: the connection failed, or the socket is closed.
        """
    def recvfrom_into(
        self, buffer: WriteableBuffer, nbytes: int = 0, flags: int = 0
    ) -> tuple[int, _RetAddress]:
        """Receive into a writable buffer and return the sender's address; recvfrom(2).

        Args:
            buffer: any writable bytes-like object.
            nbytes: the largest number of bytes to receive, 0 for the buffer's length.
            flags: ``MSG_*`` flags.

        Returns:
            A pair of the number of bytes received and the address.

        Raises:
            ValueError: ``nbytes`` is negative or larger than the buffer.
            TimeoutError: nothing arrived within the timeout.
            BlockingIOError: nothing is there, in non-blocking mode.
            OSError: the system reports an error, or the socket is closed.
        """
    def recvmsg(
        self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[bytes, list[_CMSG], int, _RetAddress]:
        """Receive a message of up to ``bufsize`` bytes and its ancillary data; recvmsg(2).

        Args:
            bufsize: the largest number of bytes of data to return.
            ancbufsize: room for the ancillary data, a sum of ``CMSG_SPACE`` or ``CMSG_LEN``.
            flags: ``MSG_*`` flags.

        Returns:
            A tuple of the data, a list of ``(level, type, data)``, the flags of the message
            (``MSG_TRUNC``, ``MSG_CTRUNC``, …) and the sender's address.

        Raises:
            ValueError: a size is negative or too large.
            TimeoutError: nothing arrived within the timeout.
            BlockingIOError: nothing is there, in non-blocking mode.
            OSError: the system reports an error, or the socket is closed.
        """
    def recvfrom_many(
        self, n: SupportsIndex, bufsize: SupportsIndex = 65535, flags: SupportsIndex = 0
    ) -> list[tuple[bytes, _RetAddress]]:
        """Receive up to ``n`` datagrams that are there, at least one; recvmmsg(2).

        Args:
            n: the largest number of datagrams to return.
            bufsize: the largest number of bytes of each; what is longer is cut.
            flags: ``MSG_*`` flags. With ``MSG_PEEK`` it is one datagram.

        Returns:
            A list of ``(data, address)``, in the order of arrival.

        Raises:
            ValueError: ``n`` is not positive, or ``bufsize`` is negative.
            TimeoutError: nothing arrived within the timeout.
            BlockingIOError: nothing is there, in non-blocking mode.
            OSError: the system reports an error, the socket is a stream (EOPNOTSUPP), or it is
                closed.
        """
    def recvmsg_many(
        self,
        n: SupportsIndex,
        bufsize: SupportsIndex = 65535,
        ancbufsize: SupportsIndex = 512,
        flags: SupportsIndex = 0,
    ) -> list[Datagram]:
        """Receive up to ``n`` datagrams with what the system tells of each; recvmmsg(2), cmsg(3).

        Args:
            n: the largest number of datagrams to return.
            bufsize: the largest number of bytes of each; what is longer is cut.
            ancbufsize: room for the ancillary data of each, in bytes.
            flags: ``MSG_*`` flags. With ``MSG_PEEK`` it is one datagram.

        Returns:
            A list of ``Datagram``, in the order of arrival, at least one.

        Raises:
            ValueError: ``n`` is not positive, or a size is negative or too large.
            TimeoutError: nothing arrived within the timeout.
            BlockingIOError: nothing is there, in non-blocking mode.
            OSError: the system reports an error, the socket is a stream (EOPNOTSUPP), or it is
                closed.
        """
    def setrecvinfo(
        self,
        *,
        ecn: bool | None = None,
        ttl: bool | None = None,
        destination: bool | None = None,
        timestamp: bool | None = None,
        hardware_timestamp: bool | None = None,
        drops: bool | None = None,
    ) -> None:
        """Have the system tell of each datagram what ``recvmsg_many`` decodes; ip(7), ipv6(7).

        A socket of AF_INET6 is told the same of what comes over IPv4. What is left out stays as it
        is.

        Args:
            ecn: whether it tells ``ecn`` and ``dscp``; ``IP_RECVTOS``, ``IPV6_RECVTCLASS``.
            ttl: whether it tells ``ttl``; ``IP_RECVTTL``, ``IPV6_RECVHOPLIMIT``.
            destination: whether it tells ``destination`` and ``interface``; ``IP_PKTINFO``,
                ``IPV6_RECVPKTINFO``.
            timestamp: whether it tells ``timestamp``; ``SO_TIMESTAMPNS``.
            hardware_timestamp: whether it tells ``hardware_timestamp``, where the device has been
                set up to take it (``hwstamp_ctl``); ``SO_TIMESTAMPING``.
            drops: whether it tells ``drops``; ``SO_RXQ_OVFL``.

        Raises:
            OSError: the system has no such option, the socket is no internet socket
                (EOPNOTSUPP), or it is closed.
        """
    def ancillary(
        self,
        *,
        ecn: SupportsIndex | None = None,
        dscp: SupportsIndex | None = None,
        ttl: SupportsIndex | None = None,
        source: str | None = None,
        interface: SupportsIndex | str | None = None,
        segment_size: SupportsIndex | None = None,
        txtime: SupportsIndex | None = None,
    ) -> list[_CMSG]:
        """Make the ancillary data with which ``sendmsg`` sends a datagram in this way; ip(7), cmsg(3).

        It can be used again. What is left out is as the socket's options say.

        Args:
            ecn: explicit congestion notification, 0 to 3; RFC 3168.
            dscp: the differentiated services code point, 0 to 63; RFC 2474.
            ttl: the time to live, or hop limit, 1 to 255.
            source: the address of this machine to send from, as text: the ``destination`` of a
                datagram, to answer from where it was sent to.
            interface: the interface to send through, by its index, its name or one of its
                addresses.
            segment_size: the length of the datagrams that the kernel is to cut the data into, 1 to
                65,507; see ``UDP_SEGMENT`` in udp(7), and ``send_segments``.
            txtime: when it is to leave, in nanoseconds of the clock that the option ``SO_TXTIME``
                names, which has to be set before.

        Returns:
            A list of ``(level, type, data)``.

        Raises:
            ValueError: an argument is out of its range, or ``source`` is no address of the socket's
                family.
            OSError: there is no such interface, the socket is no internet socket (EOPNOTSUPP), or it
                is closed.
        """
    def join_group(
        self,
        group: str,
        interface: SupportsIndex | str | None = None,
        source: str | None = None,
    ) -> None:
        """Receive what is sent to a multicast group; RFC 3678, ip(7), ipv6(7).

        A socket can be in many groups. One of AF_INET6 that serves IPv4 as well can be in groups of
        both.

        Args:
            group: the group's numeric address as text.
            interface: the interface to receive through, by its index, its name or one of its
                addresses. None leaves it to the routing table.
            source: the numeric address of the one sender to receive from, or None for all; can be
                repeated with others.

        Raises:
            ValueError: ``group`` is no multicast address, or an address is of another family.
            OSError: the socket has joined already (EADDRINUSE), there is no such interface (ENODEV),
                or the socket is closed.
        """
    def leave_group(
        self,
        group: str,
        interface: SupportsIndex | str | None = None,
        source: str | None = None,
    ) -> None:
        """Stop receiving what is sent to a multicast group; RFC 3678, ip(7), ipv6(7).

        Args:
            group: as for ``join_group``.
            interface: as for ``join_group``.
            source: as for ``join_group``.

        Raises:
            ValueError: ``group`` is no multicast address, or an address is of another family.
            OSError: the socket has not joined in this way (EADDRNOTAVAIL, EINVAL), there is no such
                interface (ENODEV), or the socket is closed.
        """
    def recv_many_into(
        self, buffer: WriteableBuffer, stride: SupportsIndex, flags: SupportsIndex = 0
    ) -> memoryview:
        """Receive datagrams into one buffer, each into a slot of ``stride`` bytes; recvmmsg(2).

        As many as are there, at least one, and no more than the buffer has whole slots.

        Args:
            buffer: a writable bytes-like object.
            stride: the length of a slot in bytes.
            flags: ``MSG_*`` flags.

        Returns:
            The lengths, a memoryview of unsigned ints. A length above ``stride`` is that of a
            datagram that was cut.

        Raises:
            ValueError: ``stride`` is not positive, or larger than the buffer.
            TimeoutError: nothing arrived within the timeout.
            BlockingIOError: nothing is there, in non-blocking mode.
            OSError: the system reports an error, the socket is a stream (EOPNOTSUPP), or it is
                closed.
        """
    def recvfrom_many_into(
        self, buffer: WriteableBuffer, stride: SupportsIndex, flags: SupportsIndex = 0
    ) -> tuple[memoryview, list[_RetAddress]]:
        """Receive datagrams into one buffer, and their senders' addresses; recvmmsg(2).

        Args:
            buffer: a writable bytes-like object.
            stride: the length of a slot in bytes.
            flags: ``MSG_*`` flags.

        Returns:
            A tuple of the lengths, as of ``recv_many_into``, and a list of the addresses.

        Raises:
            ValueError: ``stride`` is not positive, or larger than the buffer.
            TimeoutError: nothing arrived within the timeout.
            BlockingIOError: nothing is there, in non-blocking mode.
            OSError: the system reports an error, the socket is a stream (EOPNOTSUPP), or it is
                closed.
        """
    def send_many(self, datagrams: Iterable[ReadableBuffer], flags: SupportsIndex = 0) -> int:
        """Send datagrams to the connected peer, several by one system call; sendmmsg(2).

        Args:
            datagrams: an iterable of bytes-like objects, a snapshot of which is sent.
            flags: ``MSG_*`` flags.

        Returns:
            How many have gone. Fewer than there are where there was no more room, in
            non-blocking mode or within the timeout, or where one was refused: the next operation
            raises the error then.

        Raises:
            TimeoutError: none has gone within the timeout.
            BlockingIOError: there is no room for the first, in non-blocking mode.
            OSError: the first was refused, the socket is a stream (EOPNOTSUPP), or it is closed.
        """
    def sendto_many(self, items: Iterable[Iterable[Any]], flags: SupportsIndex = 0) -> int:
        """Send datagrams to addresses, several by one system call; sendmmsg(2).

        Args:
            items: an iterable of ``(data, address)``, a snapshot of which is sent.
            flags: ``MSG_*`` flags.

        Returns:
            How many have gone, as for ``send_many``.

        Raises:
            TimeoutError: none has gone within the timeout.
            BlockingIOError: there is no room for the first, in non-blocking mode.
            OSError: the first was refused, the socket is a stream (EOPNOTSUPP), or it is closed.
        """
    def send_segments(
        self,
        data: ReadableBuffer,
        size: SupportsIndex,
        address: _Address | None = None,
        flags: SupportsIndex = 0,
    ) -> int:
        """Send a buffer as datagrams of ``size`` bytes each, the last of what is left.

        For UDP the kernel or the network device cuts the buffer, up to 64 datagrams or 65,507
        bytes at a time; see ``UDP_SEGMENT`` in udp(7). Where they refuse, and for other sockets,
        the datagrams are sent in batches by sendmmsg(2). An empty buffer is none.

        Args:
            data: a bytes-like object.
            size: the length of each datagram in bytes, 1 to 65,507.
            address: where to send, or ``None`` for the connected peer.
            flags: ``MSG_*`` flags.

        Returns:
            The number of bytes that have gone, in whole datagrams. Fewer than there are where
            there was no more room, in non-blocking mode or within the timeout, or where one was
            refused: the next operation raises the error then.

        Raises:
            ValueError: ``size`` is out of its range.
            TimeoutError: nothing has gone within the timeout.
            BlockingIOError: there is no room, in non-blocking mode.
            OSError: the first was refused, the socket is a stream (EOPNOTSUPP), or it is closed.
        """
    def recv_segments(
        self, bufsize: SupportsIndex = 65535, flags: SupportsIndex = 0
    ) -> tuple[bytes, int, _RetAddress]:
        """Receive datagrams of one sender that the kernel has joined, or one; udp(7).

        It joins after ``setgro(True)``.

        Args:
            bufsize: the largest number of bytes to return; what is longer is cut.
            flags: ``MSG_*`` flags.

        Returns:
            A tuple of the data, the length of each datagram in it, of which the last may be
            shorter, and the sender's address.

        Raises:
            ValueError: ``bufsize`` is negative.
            TimeoutError: nothing arrived within the timeout.
            BlockingIOError: nothing is there, in non-blocking mode.
            OSError: the system reports an error, the socket is a stream (EOPNOTSUPP), or it is
                closed.
        """
    def setgro(self, enabled: bool, /) -> None:
        """Choose whether the kernel joins datagrams of one sender; ``UDP_GRO`` of udp(7).

        Only ``recv_segments`` can tell them apart again. Where the kernel does not join, nothing
        changes.

        Args:
            enabled: true to have them joined.

        Raises:
            OSError: the socket is closed.
        """
    def recvmsg_into(
        self, buffers: Iterable[WriteableBuffer], ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[int, list[_CMSG], int, _RetAddress]:
        """Receive a message into several buffers, one after the other; recvmsg(2).

        Args:
            buffers: an iterable of writable bytes-like objects.
            ancbufsize: room for the ancillary data, a sum of ``CMSG_SPACE`` or ``CMSG_LEN``.
            flags: ``MSG_*`` flags.

        Returns:
            A tuple of the number of bytes of data, a list of ``(level, type, data)``, the flags
            of the message (``MSG_TRUNC``, ``MSG_CTRUNC``, …) and the sender's address.

        Raises:
            ValueError: a size is negative or too large.
            TimeoutError: nothing arrived within the timeout.
            BlockingIOError: nothing is there, in non-blocking mode.
            OSError: the system reports an error, there are too many buffers, or the socket is
                closed.
        """

    # Sending.
    def send(self, data: ReadableBuffer, flags: int = 0, /) -> int:
        """Send bytes; send(2).

        Args:
            data: any bytes-like object.
            flags: ``MSG_*`` flags.

        Returns:
            The number of bytes that the system took, which may be less than there are.

        Raises:
            TimeoutError: the system took nothing within the timeout.
            BlockingIOError: there is no room, in non-blocking mode.
            OSError: the connection failed, or the socket is closed.
        """
    def sendall(self, data: ReadableBuffer, flags: int = 0, /) -> None:
        """Send all of the bytes; send(2) as often as it takes.

        Args:
            data: any bytes-like object.
            flags: ``MSG_*`` flags.

        Raises:
            TimeoutError: the timeout, which counts for the whole call, passed. Part of the
                data may have gone.
            BlockingIOError: there is no room, in non-blocking mode.
            OSError: the connection failed, or the socket is closed.
        """
    @overload
    def sendto(self, data: ReadableBuffer, address: _Address, /) -> int:
        """Send bytes to an address; sendto(2).

        It is called as ``sendto(data, address)`` or ``sendto(data, flags, address)``.

        Args:
            data: any bytes-like object.
            flags: ``MSG_*`` flags.
            address: where to send, in the form of the socket's family.

        Returns:
            The number of bytes sent.

        Raises:
            TimeoutError: there was no room within the timeout.
            BlockingIOError: there is no room, in non-blocking mode.
            OSError: the system reports an error, or the socket is closed.
        """
    @overload
    def sendto(self, data: ReadableBuffer, flags: int, address: _Address, /) -> int: ...
    def sendmsg(
        self,
        buffers: Iterable[ReadableBuffer],
        ancdata: Iterable[_CMSGArg] = (),
        flags: int = 0,
        address: _Address | None = None,
        /,
    ) -> int:
        """Send one message, gathered from several buffers, with ancillary data; sendmsg(2).

        Args:
            buffers: an iterable of bytes-like objects, the data.
            ancdata: an iterable of ``(level, type, data)``, see cmsg(3).
            flags: ``MSG_*`` flags.
            address: where to send, or None for the connected peer.

        Returns:
            The number of bytes of data sent.

        Raises:
            TimeoutError: there was no room within the timeout.
            BlockingIOError: there is no room, in non-blocking mode.
            OSError: the system reports an error, there are too many buffers or too much
                ancillary data, or the socket is closed.
        """
    def sendmsg_afalg(
        self,
        msg: Iterable[ReadableBuffer] | None = None,
        *,
        op: int | None = None,
        iv: ReadableBuffer | None = None,
        assoclen: int | None = None,
        flags: int = 0,
    ) -> int:
        """Send data to a socket of AF_ALG, the kernel's cryptography, with its parameters.

        Args:
            msg: an iterable of bytes-like objects, the data.
            op: ALG_OP_ENCRYPT, ALG_OP_DECRYPT, ALG_OP_SIGN or ALG_OP_VERIFY.
            iv: the initialisation vector.
            assoclen: how many bytes in front are authenticated but not encrypted.
            flags: ``MSG_*`` flags.

        Returns:
            The number of bytes of data sent.

        Raises:
            OSError: the socket is of another family, closed, or refuses the message.
        """

    # Modes.
    def settimeout(self, timeout: float | None, /) -> None:
        """Set how long operations may wait; poll(2).

        Args:
            timeout: seconds, 0 for non-blocking mode, None for blocking mode.

        Raises:
            ValueError: the timeout is negative or not a number.
            OverflowError: the timeout is too large.
            OSError: the socket is closed.
        """
    def gettimeout(self) -> float | None:
        """Return the timeout in seconds as a float, 0.0 in non-blocking mode, None in blocking mode."""
    def setblocking(self, flag: bool, /) -> None:
        """Choose between blocking and non-blocking mode; ``O_NONBLOCK`` of fcntl(2).

        Args:
            flag: true for ``settimeout(None)``, false for ``settimeout(0)``.

        Raises:
            OSError: the socket is closed.
            OverflowError: on CPython 3.11, the flag does not fit a C long.
            TypeError: on CPython 3.11, the flag is no integer.
        """
    def getblocking(self) -> bool:
        """Tell whether operations may wait, which they may in all but non-blocking mode; fcntl(2)."""

    # Options.
    @overload
    def getsockopt(self, level: int, optname: int, /) -> int:
        """Read a socket option; getsockopt(2).

        Args:
            level: the protocol level, ``SOL_*`` or ``IPPROTO_*``.
            optname: the option's number.
            buflen: the size in bytes of an option that is no integer, at most 1024.

        Returns:
            An int, or with ``buflen`` the bytes that the system wrote.

        Raises:
            OSError: there is no such option, ``buflen`` is out of range, or the socket is closed.
        """
    @overload
    def getsockopt(self, level: int, optname: int, buflen: int, /) -> bytes: ...
    @overload
    def setsockopt(
        self, level: int, optname: int, value: int | ReadableBuffer, optlen: None = None, /
    ) -> None:
        """Set a socket option; setsockopt(2).

        Args:
            level: the protocol level, ``SOL_*`` or ``IPPROTO_*``.
            optname: the option's number.
            value: an int, a bytes-like object with the option's C structure, or None.
            optlen: with None, the length that goes with the null pointer.

        Raises:
            OSError: there is no such option, the value is refused, or the socket is closed.
            TypeError: the value has another type, or None comes without a length.
        """
    @overload
    def setsockopt(self, level: int, optname: int, value: None, optlen: int, /) -> None: ...

    # The descriptor.
    def fileno(self) -> int:
        """Return the descriptor's number, or -1 when the socket is closed."""
    def get_inheritable(self) -> bool:
        """Tell whether the descriptor stays open in programs that are executed; fcntl(2).

        Raises:
            OSError: the socket is closed.
        """
    def set_inheritable(self, inheritable: bool) -> None:
        """Choose whether the descriptor stays open in programs that are executed; ioctl(2).

        Args:
            inheritable: an int, 0 to have it closed (FIOCLEX, FIONCLEX).

        Raises:
            OSError: the socket is closed.
            TypeError: the argument is no integer.
        """
    def recv_exactly(self, n: int, flags: int = 0, /) -> bytes:
        """Receive exactly ``n`` bytes of a stream; recv(2) as often as it takes.

        It is what ``readexactly`` is to asyncio's streams. A timeout counts for the whole call, and
        loses nothing: after it, as after an exception of a signal handler, the next read of this
        object begins with what had arrived.

        Args:
            n: the number of bytes.
            flags: ``MSG_*`` flags, without MSG_PEEK, MSG_OOB and MSG_TRUNC.

        Returns:
            The bytes.

        Raises:
            IncompleteReadError: the stream ended before; an EOFError that has what arrived in
                ``partial``.
            ValueError: ``n`` is negative, a flag is not possible, or the socket is no stream.
            TimeoutError: not all of it arrived within the timeout.
            BlockingIOError: not all of it is there, in non-blocking mode.
            OSError: the connection failed, or the socket is closed.
        """
    def recv_exactly_into(self, buffer: WriteableBuffer, flags: int = 0, /) -> None:
        """Fill a writable buffer with bytes of a stream; recv(2) as often as it takes.

        Everything else is as for ``recv_exactly``.

        Args:
            buffer: any writable bytes-like object.
            flags: ``MSG_*`` flags, without MSG_PEEK, MSG_OOB and MSG_TRUNC.

        Raises:
            IncompleteReadError: the stream ended before; an EOFError that has what arrived in
                ``partial``.
            ValueError: a flag is not possible, or the socket is no stream.
            TimeoutError: not all of it arrived within the timeout.
            BlockingIOError: not all of it is there, in non-blocking mode.
            OSError: the connection failed, or the socket is closed.
        """
    def sendmsg_all(
        self,
        buffers: Iterable[ReadableBuffer],
        ancdata: Iterable[tuple[int, int, ReadableBuffer]] = ...,
        flags: int = 0,
        /,
    ) -> None:
        """Send all of several buffers, with ancillary data; sendmsg(2) as often as it takes.

        The ancillary data goes with the first bytes. A timeout counts for the whole call.

        Args:
            buffers: an iterable of bytes-like objects, the data.
            ancdata: an iterable of ``(level, type, data)``, see cmsg(3).
            flags: ``MSG_*`` flags.

        Raises:
            TimeoutError: the system did not take everything within the timeout. Part of the data
                may have gone.
            BlockingIOError: there is no room, in non-blocking mode.
            OSError: the connection failed, or the socket is closed.
        """
    def setkeepalive(
        self, idle: int | None = None, interval: int | None = None, count: int | None = None
    ) -> None:
        """Have the system find out whether the peer of a connection is still there; tcp(7).

        A peer from which nothing has come for ``idle`` seconds is asked every ``interval`` seconds.
        After ``count`` questions without an answer the connection fails: operations raise
        TimeoutError with the errno ETIMEDOUT. TCP_USER_TIMEOUT is set to the sum of that time, so that
        data which is not acknowledged ends the connection as soon. Without arguments keepalive is
        switched off, and TCP_USER_TIMEOUT is the system's again.

        Args:
            idle: seconds, 1 to 32767.
            interval: seconds, 1 to 32767.
            count: questions, 1 to 127.

        Raises:
            ValueError: an argument is out of range, or one of them is missing.
            OverflowError: an argument is negative or very large.
            OSError: the socket is no TCP socket, or closed.
        """
    def detach(self) -> int:
        """Give the descriptor to the caller and close the object without it.

        Returns:
            The number, which the caller has to close, or -1 when the socket was closed.
        """
    def close(self) -> None:
        """Close the socket; its descriptor lives on while files made of it are open.

        Another thread's operation that is on its way with the descriptor ends first; one
        that waits ends at once, with EBADF. See close(2).

        Raises:
            OSError: the system reports an error that a write before left behind. The
                descriptor is closed all the same.
        """

    # Private, under the names that the standard library has for them.
    _closed: bool
    _io_refs: int
    def _accept(self) -> tuple[int, _RetAddress]:
        """Accept a connection and return its bare descriptor and the peer's address."""
    def _send_from(self, file: SupportsIndex, offset: int, count: int, /) -> int:
        """Send from a file, in the kernel; sendfile(2).

        Args:
            file: the file's descriptor.
            offset: where in the file to begin.
            count: the largest number of bytes to send.

        Returns:
            The number of bytes sent; 0 at the end of the file.

        Raises:
            TimeoutError: there was no room within the timeout.
            OSError: the file is of a kind that cannot be sent so, the connection failed, or the
                socket is closed.
        """
    def _real_close(self, _ss: object = None) -> None:
        """Close the descriptor, whatever files are open. Subclasses may extend it."""
    def _decref_socketios(self) -> None:
        """Note that a file of the socket was closed; the last one closes a closed socket."""

# Descriptors.
def close(fd: SupportsIndex, /) -> None:
    """Close a descriptor, as ``os.close`` does, but for sockets on every platform; close(2).

    Args:
        fd: the descriptor's number.

    Raises:
        OSError: the number is no open descriptor, or the system reports an error.
    """

def dup(fd: SupportsIndex, /) -> int:
    """Duplicate a descriptor; the new one is closed on exec; fcntl(2), F_DUPFD_CLOEXEC.

    Args:
        fd: the descriptor's number.

    Returns:
        The number of the new descriptor.

    Raises:
        OSError: the number is no open descriptor, or there are too many.
    """

def socketpair(
    family: int | None = None, type: int = 1, proto: int = 0
) -> tuple[_public_socket, _public_socket]:
    """Make two sockets that are connected with each other; socketpair(2).

    Args:
        family: the address family, AF_UNIX where it exists.
        type: the socket type.
        proto: the protocol number, 0 for the family's own.

    Returns:
        A tuple of two sockets.

    Raises:
        OSError: the family does not offer pairs, or there are too many descriptors.
    """

# The default timeout and the engine.
def getdefaulttimeout() -> float | None:
    """Return the timeout that new sockets get, in seconds as a float; None for blocking mode."""

def setdefaulttimeout(timeout: float | None, /) -> None:
    """Set the timeout that new sockets get, those of the standard library's class too.

    Args:
        timeout: seconds, 0 for non-blocking mode, None for blocking mode.

    Raises:
        ValueError: the timeout is negative or not a number.
        OverflowError: the timeout is too large.
    """

def getbusypoll() -> float:
    """Return how long a receive that has to wait may busy-poll before it sleeps, in seconds."""

def setbusypoll(seconds: float, /) -> None:
    """Set how long a receive that has to wait may busy-poll before it sleeps.

    Busy-polling catches answers that come within some tens of microseconds without the cost
    of sleeping and waking. Each socket learns whether it helps; a socket where it does not
    goes to sleep at once: it helps where it takes less than two thirds of the time of the last
    sleep, or less than nine tenths of it and than half of this time. The initial value is 150
    microseconds, 0 where the process has one processor only at the first wait, or what the
    environment variable ``OXISOCK_BUSY_POLL_US`` says, in microseconds.

    Args:
        seconds: the longest time to busy-poll, 0 to 0.005. 0 switches it off.

    Raises:
        ValueError: the time is negative, no number, or above 0.005.
        TypeError: the time is no number.
    """

@final
class deadline:
    """Bound everything that the block does with sockets by one deadline; contextvars, PEP 567.

    Lookups, connects, accepts, receives, sends and the files of ``makefile`` that have to wait
    when the time is up raise TimeoutError. What is ready goes on, and no received data is lost.
    The deadline holds in the calling thread, in asyncio in the calling task and the tasks that it
    starts, and beside the timeouts of sockets: the earlier one counts. Of nested blocks, too.
    Sockets in non-blocking mode are not concerned.

    Args:
        seconds: how long the block may take, counted from its beginning; None for no limit.

    Raises:
        ValueError: the time is negative or not a number.
        OverflowError: the time is too large.
        TypeError: the time has a wrong type.
    """

    def __new__(cls, seconds: float | None, /) -> Self: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, _class: object = None, _exception: object = None, _traceback: object = None, /
    ) -> None: ...
    def remaining(self) -> float | None:
        """Return the seconds until the deadline as a float, at least 0.0; None where there is none.

        Before the block begins, that is the time which was asked for. A deadline around the block
        that is earlier counts. The clock is CLOCK_MONOTONIC of clock_gettime(2).
        """

def getconnecttimeout() -> float | None:
    """Return the longest time of a connect without a timeout, in seconds, or None; connect(2)."""

def setconnecttimeout(timeout: float | None, /) -> None:
    """Set the longest time that a connect may take on sockets without a timeout; connect(2).

    It holds for ``connect``, ``connect_ex`` and ``create_connection``, and for nothing else: the
    connection itself has no timeout then. The initial value is what the environment variable
    ``OXISOCK_CONNECT_TIMEOUT`` says, in seconds, else None.

    Args:
        timeout: seconds above 0, None for no limit but the system's own.

    Raises:
        ValueError: the timeout is zero, negative or not a number.
        OverflowError: the timeout is too large.
        TypeError: the timeout has a wrong type.
    """

def getdefaultkeepalive() -> tuple[int, int, int] | None:
    """Return the keepalive of new TCP connections as ``(idle, interval, count)``, or None; tcp(7)."""

def setdefaultkeepalive(
    idle: int | None = None, interval: int | None = None, count: int | None = None
) -> None:
    """Set keepalive for every TCP connection that is made or accepted afterwards; tcp(7).

    It works like ``setkeepalive`` of each of these sockets. A socket for which the program has set
    SO_KEEPALIVE itself keeps what it has. The initial value is what the environment variable
    ``OXISOCK_KEEPALIVE`` says, such as ``60,10,6``, else none. Without arguments new connections are
    left alone again.

    Args:
        idle: seconds, 1 to 32767.
        interval: seconds, 1 to 32767.
        count: questions, 1 to 127.

    Raises:
        ValueError: an argument is out of range, or one of them is missing.
        OverflowError: an argument is negative or very large.
    """

def getconnectionattemptdelay() -> float:
    """Return the Connection Attempt Delay of ``create_connection`` in seconds; RFC 8305, section 5."""

def setconnectionattemptdelay(seconds: float, /) -> None:
    """Set the Connection Attempt Delay of ``create_connection``; RFC 8305, section 5.

    After that time an attempt with the next address of a host begins, while the ones before have
    not answered. Attempts that have begun go on; the first that connects wins. The initial value is 0.25
    seconds, or what the environment variable ``OXISOCK_CONNECTION_ATTEMPT_DELAY_MS`` says, in
    milliseconds.

    Args:
        seconds: the delay, 0.01 to 2.

    Raises:
        ValueError: the delay is no number, below 0.01 or above 2.
        TypeError: the delay has a wrong type.
    """

def connect_host(
    public: Any,
    host: Any,
    port: Any,
    source_address: Any,
    all_errors: object,
    timeout: Any = ...,
    /,
) -> _public_socket:
    """Connect to a host as ``create_connection`` does; RFC 8305.

    Args:
        public: the module ``oxisock``, whose ``socket`` and ``getaddrinfo`` programs may replace.
        host: as for ``getaddrinfo``.
        port: as for ``getaddrinfo``.
        source_address: what each socket is bound to, or None.
        all_errors: whether to raise the errors of all attempts.
        timeout: the timeout of the socket; left out for the default one.

    Returns:
        The connected socket.

    Raises:
        OSError: no address could be connected to.
    """

# Hosts, services, protocols and interfaces.
def getaddrinfo(
    host: _SystemText | None,
    port: _SystemText | int | None,
    family: int = 0,
    type: int = 0,
    proto: int = 0,
    flags: int = 0,
    *,
    timeout: float | None = None,
) -> list[
    tuple[
        AddressFamily,
        SocketKind,
        int,
        str,
        tuple[str, int] | tuple[str, int, int, int],
    ]
]:
    """Look up the addresses of a host and a service; getaddrinfo(3), RFC 3493.

    Numeric hosts and ports are answered without a system call. A lookup that may need the
    network answers signals when it runs in the main thread: Ctrl-C ends it.

    Args:
        host: a name or number as str or bytes; a str goes through IDNA (RFC 3490). None for
            this machine: its loopback addresses, or the wildcard addresses with AI_PASSIVE.
        port: a number, or a service name or number as str or bytes; None for port 0.
        family: an address family, 0 for any.
        type: a socket type, 0 for any.
        proto: a protocol number, 0 for any.
        flags: AI_* flags, combined with ``|``.
        timeout: the longest time to wait in seconds, None for no limit. By keyword only, an
            addition of oxisock, which ``inspect.signature`` does not show.

    Returns:
        A list of tuples ``(family, type, proto, canonname, sockaddr)``, in the order in
        which they should be tried. ``canonname`` is '' unless AI_CANONNAME was asked for.

    Raises:
        gaierror: there is no such host or service, or the combination is not supported.
        HostNameError: IDNA cannot express the host name; a gaierror and a UnicodeError.
        TimeoutError: the timeout has passed.
        OSError: the port has a wrong type.
        TypeError: the host has a wrong type.
        ValueError: the timeout is negative or not a number.
        OverflowError: the timeout is too large.
    """

def getresolvertimeout() -> float | None:
    """Return the longest time that a lookup may take, in seconds as a float; None for no limit."""

def setresolvertimeout(timeout: float | None, /) -> None:
    """Set the longest time that any lookup of this process may take; getaddrinfo(3).

    It holds for every function that may ask the network, and for host names in the addresses of
    methods such as ``connect``. A lookup that takes longer fails as one does whose name servers do
    not answer. The initial value is what the environment variable ``OXISOCK_RESOLVER_TIMEOUT``
    says, in seconds, else None.

    Args:
        timeout: seconds above 0, None for no limit but the C library's own.

    Raises:
        ValueError: the timeout is zero, negative or not a number.
        OverflowError: the timeout is too large.
        TypeError: the timeout has a wrong type.
    """

def getnameinfo(
    sockaddr: tuple[str, int] | tuple[str, int, int] | tuple[str, int, int, int], flags: int, /
) -> tuple[str, str]:
    """Look up the names of an address's host and service; getnameinfo(3), RFC 3493.

    A lookup that may need the network answers signals when it runs in the main thread.

    Args:
        sockaddr: ``(host, port)``, or ``(host, port, flowinfo, scope_id)`` for IPv6. The
            host is a str with a numeric address.
        flags: NI_* flags, combined with ``|``.

    Returns:
        A pair of str, ``(host, service)``. Without a name, or when the flags say so, they
        are the numbers.

    Raises:
        gaierror: the host is no numeric address, or the lookup failed.
        OSError: an IPv4 address with more than two items.
        OverflowError: ``flowinfo`` is not in 0 to 1048575.
        TypeError: ``sockaddr`` is no tuple of this form.
    """

def gethostbyname(hostname: _HostName, /) -> str:
    """Look up the IPv4 address of a host; getaddrinfo(3).

    Args:
        hostname: a name or number as str, bytes or bytearray; '' is the wildcard address.

    Returns:
        The first address as a str, such as '127.0.0.1'.

    Raises:
        gaierror: there is no such host, or it has no IPv4 address.
        HostNameError: IDNA cannot express the name; a gaierror and a UnicodeError.
        TypeError: the name has a wrong type or a null character in it.
    """

def gethostbyname_ex(hostname: _HostName, /) -> tuple[str, list[str], list[str]]:
    """Look up the canonical name, aliases and IPv4 addresses of a host; gethostbyname_r(3).

    Args:
        hostname: a name or number as str, bytes or bytearray.

    Returns:
        ``(name, aliases, addresses)``: a str and two lists of str.

    Raises:
        gaierror: there is no such host, or it has no IPv4 address.
        herror: the host database has no entry for it.
        HostNameError: IDNA cannot express the name; a gaierror and a UnicodeError.
        TypeError: the name has a wrong type or a null character in it.
    """

def gethostbyaddr(ip_address: _HostName, /) -> tuple[str, list[str], list[str]]:
    """Look up the names and addresses of the host with an address; gethostbyaddr_r(3).

    Args:
        ip_address: an IPv4 or IPv6 address, or a name, as str, bytes or bytearray.

    Returns:
        ``(name, aliases, addresses)``: a str and two lists of str.

    Raises:
        gaierror: a name was given that does not exist.
        herror: the host database has no entry for the address.
        HostNameError: IDNA cannot express the name; a gaierror and a UnicodeError.
        OSError: the name is '' and stands for several addresses.
        TypeError: the name has a wrong type or a null character in it.
    """

def gethostname() -> str:
    """Return this machine's name; gethostname(2).

    Returns:
        The name as a str; it need not be qualified with a domain.

    Raises:
        OSError: the system gives no name.
    """

def sethostname(name: str | bytes, /) -> None:
    """Change this machine's name; sethostname(2).

    Args:
        name: the new name as str, bytes or path-like object, up to 64 bytes on Linux.

    Raises:
        PermissionError: the process may not do that (CAP_SYS_ADMIN).
        OSError: the name is too long.
        TypeError: the name has a wrong type.
        ValueError: a str with a null character in it.
    """

def getservbyname(servicename: str, protocolname: str = ..., /) -> int:
    """Look up the port of a service; getservbyname_r(3).

    Args:
        servicename: the name, such as 'http'.
        protocolname: 'tcp' or 'udp'; any protocol where it is left out.

    Returns:
        The port number.

    Raises:
        OSError: there is no such service.
        TypeError: a name is no str.
        ValueError: a name has a null character in it.
    """

def getservbyport(port: int, protocolname: str = ..., /) -> str:
    """Look up the name of the service at a port; getservbyport_r(3).

    Args:
        port: the port number, 0 to 65535.
        protocolname: 'tcp' or 'udp'; any protocol where it is left out.

    Returns:
        The name as a str.

    Raises:
        OSError: there is no such service.
        OverflowError: the port is not in its range.
        TypeError: the port is no integer or the name no str.
        ValueError: the name has a null character in it.
    """

def getprotobyname(protocolname: str, /) -> int:
    """Look up the number of a protocol, for the third argument of ``socket``; getprotobyname_r(3).

    Args:
        protocolname: the name, such as 'icmp'.

    Returns:
        The protocol number.

    Raises:
        OSError: there is no such protocol.
        TypeError: the name is no str.
        ValueError: the name has a null character in it.
    """

def if_nameindex() -> list[tuple[int, str]]:
    """List the network interfaces of this machine; if_nameindex(3), RFC 3493.

    Returns:
        A list of pairs ``(index, name)``, an int and a str.

    Raises:
        OSError: the system gives no list.
    """

def getifaddrs() -> list[tuple[str, int, int, str | None, str | None, str | None]]:
    """List the addresses of the network interfaces; getifaddrs(3).

    Returns:
        A list of tuples ``(name, flags, family, address, netmask, broadcast)``.

    Raises:
        OSError: the system gives no list.
    """

def if_nametoindex(oname: str | bytes, /) -> int:
    """Return the index of a network interface; if_nametoindex(3), RFC 3493.

    Args:
        oname: the interface's name as str, bytes or path-like object.

    Raises:
        OSError: there is no such interface.
        TypeError: the name has a wrong type.
        ValueError: the name has a null byte in it.
    """

def if_indextoname(object: int, /) -> str:
    """Return the name of a network interface; if_indextoname(3), RFC 3493.

    Args:
        object: the interface's index, 1 to 2**32 - 1.

    Returns:
        The name as a str.

    Raises:
        OSError: there is no such interface.
        OverflowError: the index is too large, or before Python 3.14 negative.
        TypeError: the index is no int.
        ValueError: the index is negative.
    """

# Byte order and numeric addresses.
def htons(x: int, /) -> int:
    """Convert a 16-bit number from the machine's byte order to the network's; byteorder(3).

    Args:
        x: the number, 0 to 65535.

    Raises:
        OverflowError: the number is too large, or before Python 3.14 negative.
        TypeError: it is no integer.
        ValueError: the number is negative.
    """

def ntohs(x: int, /) -> int:
    """Convert a 16-bit number from the network's byte order to the machine's; byteorder(3).

    Args:
        x: the number, 0 to 65535.

    Raises:
        OverflowError: the number is too large, or before Python 3.14 negative.
        TypeError: it is no integer.
        ValueError: the number is negative.
    """

def htonl(object: int, /) -> int:
    """Convert a 32-bit number from the machine's byte order to the network's; byteorder(3).

    Args:
        object: the number, an int from 0 to 2**32 - 1.

    Raises:
        OverflowError: the number is too large, or before Python 3.14 negative.
        TypeError: it is no int.
        ValueError: the number is negative.
    """

def ntohl(object: int, /) -> int:
    """Convert a 32-bit number from the network's byte order to the machine's; byteorder(3).

    Args:
        object: the number, an int from 0 to 2**32 - 1.

    Raises:
        OverflowError: the number is too large, or before Python 3.14 negative.
        TypeError: it is no int.
        ValueError: the number is negative.
    """

def inet_aton(ip_addr: str, /) -> bytes:
    """Convert an IPv4 address from text to 4 bytes in network order; inet_aton(3).

    Args:
        ip_addr: a str in dotted form, also the short and the octal and hexadecimal forms
            that the C library knows, such as '127.1'.

    Raises:
        OSError: the text is no address.
        TypeError: it is no str.
        ValueError: it has a null character in it.
    """

def inet_ntoa(packed_ip: ReadableBuffer, /) -> str:
    """Convert an IPv4 address from 4 bytes in network order to dotted text; inet_ntoa(3).

    Args:
        packed_ip: a bytes-like object of 4 bytes.

    Raises:
        OSError: the object has another length.
        TypeError: it is not bytes-like.
    """

def inet_pton(address_family: int, ip_string: str, /) -> bytes:
    """Convert an IPv4 or IPv6 address from text to bytes in network order; inet_pton(3), RFC 4291.

    Args:
        address_family: AF_INET or AF_INET6.
        ip_string: a str with the address; IPv4 in all four decimal numbers.

    Returns:
        4 or 16 bytes.

    Raises:
        OSError: the text is no address of this family, or there is no text for the family.
        TypeError: wrong types.
        ValueError: the text has a null character in it.
    """

def inet_ntop(address_family: int, packed_ip: ReadableBuffer, /) -> str:
    """Convert an IPv4 or IPv6 address from bytes in network order to text; inet_ntop(3), RFC 5952.

    Args:
        address_family: AF_INET or AF_INET6.
        packed_ip: a bytes-like object of 4 or 16 bytes.

    Returns:
        The address as a str.

    Raises:
        ValueError: the object has the wrong length for the family, or there is no text for
            the family.
        TypeError: wrong types.
    """

# Ancillary data.
def CMSG_LEN(length: int, /) -> int:
    """Return the length of a control message without the padding behind it; CMSG_LEN(3).

    That is the room that a single or the last message needs in a receive buffer.

    Args:
        length: the number of bytes of data in the message.

    Raises:
        OverflowError: the length is negative, or makes the result too large.
    """

def CMSG_SPACE(length: int, /) -> int:
    """Return the length of a control message with the padding behind it; CMSG_SPACE(3).

    That is the room that a message takes in a buffer; add it up for several.

    Args:
        length: the number of bytes of data in the message.

    Raises:
        OverflowError: the length is negative, or makes the result too large.
    """

# What follows is for the package itself, its tests and its benchmarks.

@final
class FileState:
    """The state of a ``SocketIO``, and of the buffer on top of it."""

    def __new__(cls, sock: Any, mode: str, /) -> FileState: ...
    @property
    def sock(self) -> Any:
        """The socket, until the file is closed."""
    @property
    def reads(self) -> bool: ...
    @property
    def writes(self) -> bool: ...
    def detach(self) -> None:
        """Note that the buffer lets go of the raw stream, which gets what an interrupted read has left."""

@final
class TextReader:
    """The state of a ``TextIOWrapper``."""

    def __new__(cls, state: FileState, newline: str | None, /) -> TextReader: ...
    @property
    def decoder(self) -> Any:
        """The decoder, None until the first read."""
    def set_newline(self, newline: str | None, /) -> None:
        """Change what ends a line."""
    def detach(self) -> None:
        """Note that the buffer was detached."""

class RawMethods:
    """What ``SocketIO`` inherits."""

    def readinto(self, buffer: WriteableBuffer, /) -> int | None:
        """Receive into a buffer.

        Args:
            buffer: any writable bytes-like object.

        Returns:
            The number of bytes, 0 at the end of the stream; None if the socket is non-blocking
            and has nothing.

        Raises:
            TimeoutError: the socket's timeout has expired; reading can go on.
            OSError: as for recv().
        """
    def readall(self) -> bytes | None:
        """Receive until the end of the stream; None if a non-blocking socket has nothing."""
    def readline(self, size: int | None = -1, /) -> bytes:
        """Receive up to and with the next line feed, and not a byte more; at most ``size`` bytes."""
    def readlines(self, hint: int = -1, /) -> list[bytes]:
        """Receive all lines until the end of the stream, or until they make up ``hint`` bytes."""
    def readable(self) -> bool:
        """Tell whether the mode is one for reading."""
    def writable(self) -> bool:
        """Tell whether the mode is one for writing."""
    def seekable(self) -> bool:
        """Return False: what a socket received does not come again."""
    def flush(self) -> None:
        """Do nothing: this stream holds nothing back."""
    def tell(self) -> int:
        """Raise UnsupportedOperation: a stream has no position."""
    def close(self) -> None:
        """Give up the hold on the socket."""

class BufferMethods:
    """What ``BufferedReader`` and ``BufferedRWPair`` inherit."""

    def readline(self, size: int | None = -1, /) -> bytes:
        """Read up to and with the next line feed, at most ``size`` bytes."""
    def __next__(self) -> bytes: ...
    def readlines(self, hint: int = -1, /) -> list[bytes]:
        """Read all lines until the end of the stream, or until they make up ``hint`` bytes."""
    def read(self, size: int | None = -1, /) -> bytes:
        """Read ``size`` bytes, or all until the end of the stream."""
    def read1(self, size: int = -1, /) -> bytes:
        """Read up to ``size`` bytes with at most one receive."""
    def peek(self, size: int = 0, /) -> bytes:
        """Return what can be read next, and leave it there."""
    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read into ``buffer``; return the number of bytes."""
    def readinto1(self, buffer: WriteableBuffer, /) -> int:
        """Read into ``buffer`` with at most one receive."""

class TextMethods:
    """What ``TextIOWrapper`` inherits."""

    @property
    def closed(self) -> bool:
        """Whether the file is closed."""
    def readline(self, size: int = -1, /) -> str:
        """Read up to and with the next line end, at most ``size`` characters."""
    def __next__(self) -> str: ...
    def readlines(self, hint: int = -1, /) -> list[str]:
        """Read all lines until the end of the stream, or until they make up ``hint`` characters."""
    def read(self, size: int | None = -1, /) -> str:
        """Read ``size`` characters, or all until the end of the stream."""

def open_raw(sock: Any, raw: type[_T], mode: str, size: int, /) -> _T:
    """Make the raw stream of a file with its state, and count it among the socket's files.

    It has no ``closed`` yet: an attribute of that kind is set fastest by Python. It has its state, so that
    it is closed and counted out again where a signal handler raises before Python has it.

    Args:
        sock: the socket, or what counts its files in ``_io_refs`` as one.
        raw: SocketIO.
        mode: one of rb, wb, rwb.
        size: that of the buffer which is made on top, 0 for none.
    """

def register_files(raw: type, reader: type, pair: type, text: type, /) -> None:
    """Give the classes of ``_files.py`` their own copies of the native methods.

    Args:
        raw: SocketIO.
        reader: BufferedReader.
        pair: BufferedRWPair.
        text: TextIOWrapper.
    """

def construct(
    fd: int, cls: Callable[..., _T], family: int, type: int, proto: int, /, by_name: bool
) -> _T:
    """Call a class with a descriptor among the arguments, for one of its objects to adopt.

    Where that fails, and no socket has taken the descriptor over, it is closed.

    Args:
        fd: the descriptor's number, the last argument.
        cls: the class.
        family: the first argument.
        type: the second argument.
        proto: the third argument.
        by_name: whether the number is given as ``fileno=``.

    Returns:
        What the class returned.
    """

def write_unraisable(error: BaseException, object: object, /) -> None:
    """Hand an exception that cannot be raised to ``sys.unraisablehook``.

    Args:
        error: the exception.
        object: what it happened in.
    """

def register_class(class_: _Class, /) -> _Class:
    """Tell the native module which class to make sockets of.

    Args:
        class_: a class that is derived from ``Socket``.

    Returns:
        The class that was registered first, which stays: a module that is imported again
        goes on with it.
    """

def give_slots(namespace: dict[str, Any], names: Iterable[str], /) -> bool:
    """Give more names of the package slots, so that the interpreter specialises look-ups of them.

    Args:
        namespace: the dictionary of the package.
        names: an iterable of str.

    Returns:
        Whether the names have slots.
    """

def make_lazy(namespace: dict[str, Any], /) -> None:
    """Have the public module fetch names when they are asked for, and all of them for ``vars``.

    On 3.12 to 3.14 with the interpreter lock the names that are there get slots, see ``give_slots``.

    Args:
        namespace: the dictionary of the package.
    """

def complete(namespace: dict[str, Any], /) -> None:
    """Let the public module be a module as any other: every name is there.

    Args:
        namespace: the dictionary of the package.
    """

def namespace_of(module: ModuleType, /) -> dict[str, Any]:
    """Return a module's names, whatever its class does when it is asked for them.

    Args:
        module: the module.
    """

def without_annotations(thing: _T, /) -> _T:
    """Take the annotations off a function, or those of a class off its methods.

    The names in them are there for type checkers only, so that ``typing.get_type_hints`` could not
    resolve them; users have the stubs. The standard library's have none.

    Args:
        thing: a function or a class; anything else is left as it is.

    Returns:
        The same.
    """

def held(name: str, /) -> tuple[str, bytes] | ModuleSpec | None:
    """Return what is held of a module.

    Args:
        name: its full name.

    Returns:
        Where its file is and what is in it, or the spec of a module whose library is in memory, or
        None. The place is empty for a module of the package.
    """

def load(name: str, /) -> ModuleType:
    """Return a module, which is imported unless it was before.

    Args:
        name: its full name.

    Raises:
        ImportError: there is no such module, or it cannot be read and is not held either.
        OSError: likewise, where no descriptor is left.
    """

def constant(name: str) -> int | str | bool | None:
    """Return the value of one constant, or None if this platform has none of that name."""

def constants(prefix: str = "") -> dict[str, int | str | bool]:
    """Return the public constants whose name starts with ``prefix``, in a new dict by name."""

def family_member(value: int) -> AddressFamily | int:
    """Return the ``AddressFamily`` member of that value, or the plain int if there is none."""

def kind_member(value: int) -> SocketKind | int:
    """Return the ``SocketKind`` member of that value, or the plain int if there is none."""

def distinguished_names(der: bytes) -> tuple[str, str]:
    r"""Return ``(subject, issuer)`` of a certificate as lines like ``/C=US/O=Example/CN=host``.

    Each attribute is introduced by ``/`` and the short name that OpenSSL uses for its type, or
    the dotted object identifier of any other type; further attributes of a multi-valued name
    follow a ``+``. Text comes out as text, whichever of the ASN.1 string types holds it. Within
    a value a backslash is doubled, control and text-direction characters become ``\xNN`` or
    ``\uNNNN``, and bytes that are no text ``\xNN``; ``/``, ``=`` and ``+`` stand as they are. A
    value of another type is ``#`` and its DER in hexadecimal digits (RFC 4514, section 2.4). An
    empty name is an empty line.

    Args:
        der: the certificate in DER (X.509, RFC 5280).

    Raises:
        ValueError: the bytes are no certificate.
    """

@final
class LockSampler:
    """Tell apart what threads wait for inside calls of the standard library.

    Raises:
        OSError: the system does not tell what threads wait for, ``/proc/self/task`` of proc(5).
    """
    def __init__(self) -> None: ...
    def cost(self) -> tuple[int, int]:
        """Return how many looks were taken, and how many nanoseconds they took together."""
    def stop(self) -> None:
        """Take no further look."""

@final
class Watch:
    """Wrap what a program calls, and add up or tell what comes of it.

    Args:
        watcher: the Python half, asked for what is new: its methods ``kind``, ``thread``, ``label``, ``failed``
            and ``size``, and its class ``Site``.
        standard: whether the standard library is watched, whose waits a sampler tells.
        sink: a function that is told of each call, or ``None`` to add them up.
    """

    def __new__(
        cls, watcher: Any, standard: bool, sink: Callable[..., None] | None = None
    ) -> Self: ...
    def wrap(self, name: str, call: Any, traits: int) -> Any:
        """Make a callable that makes the call and tells of it.

        Args:
            name: what it is called in what is told.
            call: the function or method.
            traits: the sum of what the constants of ``_watch`` say of it.

        Returns:
            A callable that is bound to objects as a function is.
        """
    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Note where a socket is made: an audit hook, ``sys.addaudithook``."""
    def keep(
        self, subject: object, label: str, by_address: bool, weak: ReferenceType[Any] | None = None
    ) -> bool:
        """Have all further calls on an object counted under a label.

        Args:
            subject: a socket or a file.
            label: the label.
            by_address: whether calls that take or give an address have a label of their own.
            weak: a weak reference that calls ``forget``, for what the audit hook has not seen.

        Returns:
            False where a weak reference is needed and was not given.
        """
    def forget(self, subject: int) -> None:
        """Forget an object that was kept with a weak reference."""
    def sockets(self) -> list[tuple[ReferenceType[Any], Any]]:
        """Return the sockets that were made since it began: weak references, and the sites."""
    def made_at(self, sock: object) -> Any:
        """Return where a socket was made, or None where that was not seen."""
    def here(self) -> Any:
        """Return the place in the program that is the one of a call from here."""
    def entries(self) -> list[tuple[int, str, Any, str, list[int]]]:
        """Return what the calls come to.

        Returns:
            A list of tuples of the thread's number, the method, the site or None, the label, and a list of counters.
        """
    def threads(self) -> list[str]:
        """Return the names of the threads that were seen, by number."""
    def cost(self) -> tuple[int, int]:
        """Return what it cost: how many calls were counted without asking, and the nanoseconds of all else."""
    def begin(self) -> None:
        """Begin anew, as in a forked process."""
    def sample(self, sampler: LockSampler) -> None:
        """Have the waits of the standard library told by a sampler."""

@final
class TLSSession:
    """A TLS session in the place of the object that ``_ssl`` made for it."""

    def read(self, *args: Any) -> Any:
        """Read payload; SSL_read_ex(3).

        Args:
            args: the most bytes to return and, optionally, a buffer to read into instead.

        Returns:
            Bytes, or how many of them went into the buffer.
        """
    def write(self, *args: Any) -> int:
        """Write payload, all of it; SSL_write_ex(3).

        Args:
            args: one bytes-like object.

        Returns:
            How many bytes that were.
        """
    def do_handshake(self) -> None:
        """Perform the handshake; SSL_do_handshake(3)."""
    def stats(self) -> _SocketStatistics:
        """Tell what the engine has done for this session so far, as ``socket.stats`` does.

        Returns:
            A dict.
        """

    def pending(self) -> int:
        """Return how many bytes of payload have been received and can be read at once."""
    def close_descriptor(self) -> None:
        """Close the descriptor, which the caller has given up; who waits for it ends with ``EBADF``.

        Raises:
            OSError: the system reports an error; the descriptor is closed all the same.
        """
    def forget_descriptor(self) -> None:
        """Forget the descriptor, which the caller takes over: who waits for it ends with ``EBADF``."""
    def __getattr__(self, name: str, /) -> Any: ...

def tls_session(session: Any, owner: Any, fd: int, /) -> Any:
    """Replace the session object of ``_ssl`` by one whose reads and writes go through the engine.

    Args:
        session: the ``_ssl._SSLSocket``, just made.
        owner: a weak reference to the ``ssl.SSLSocket``, or ``None`` for a session on memory.
        fd: the descriptor of the owner, -1 on memory.

    Returns:
        A TLSSession, or ``session`` itself where the engine cannot carry it.
    """

def tls_unavailable() -> str | None:
    """Tell why TLS is left to the interpreter's own reading and writing.

    Returns:
        A str with the reason, or ``None`` where the engine carries TLS.
    """

def stats() -> _Statistics:
    """Tell what the sockets of this process have done so far.

    Counting is always on: it takes some nanoseconds of an operation. All numbers only grow, but for ``open`` of
    ``sockets``. A forked process begins with those of its parent.

    Returns:
        A dict with ``operations``, a dict with the number of calls by kind, ``receive``, ``send``, ``accept``,
        ``connect``, ``select`` and ``lookup``, those that failed among them; ``bytes``, a dict of
        ``received`` and ``sent``, of the calls that succeeded, for TLS those of the payload; ``waits`` and ``wait_seconds``, dicts of how often and how
        long calls waited for the ``network`` and, back from there, for the interpreter's ``lock``;
        ``timeouts``; ``would_block``, calls in non-blocking mode that found nothing to do; ``errors``, a dict with the
        number of calls that failed by the name of their ``errno``; ``sockets``, a dict of descriptors that
        were ``opened``, accepted or adopted, and of those that are ``open``.
    """

def thread_waits() -> tuple[int, int]:
    """Tell how long this thread has waited in calls of this module.

    Returns:
        A pair of nanoseconds: for the network, and for the interpreter lock.
    """

def yield_unavailable() -> str | None:
    """Tell why no thread asks a computing one for the interpreter lock after a wait.

    Returns:
        A str with the reason, or ``None`` where threads do, once a wait has found the lock taken.
    """

def select(
    rlist: Iterable[Any],
    wlist: Iterable[Any],
    xlist: Iterable[Any],
    timeout: float | None = None,
    /,
) -> tuple[list[Any], list[Any], list[Any]]:
    """Wait until descriptors are ready; select(2).

    What is ready is reported with the interpreter lock kept, and after a wait the lock is back
    at once, although another thread computes.

    Args:
        rlist: those to wait for until they can be read: descriptors' numbers, or objects with a
            method ``fileno``, below 1024.
        wlist: those to wait for until they can be written to.
        xlist: those to wait for until they have an exceptional condition.
        timeout: seconds; None for no limit.

    Returns:
        A tuple of three lists, with the objects of each argument that are ready.

    Raises:
        OSError: a number is no open descriptor.
        OverflowError: the timeout is too large.
        TypeError: an argument is no sequence, or none of descriptors; the timeout is no number.
        ValueError: the timeout is negative; a descriptor is out of range, or there are too many.
    """

def poll() -> Poll:
    """Make an object to wait for descriptors with; poll(2).

    Returns:
        An object that descriptors are registered with, and that waits for them.
    """

@final
class Poll:
    """Descriptors, and what each is waited for; poll(2).

    What is ready is reported with the interpreter lock kept, and after a wait the lock is back
    at once, although another thread computes.
    """

    def register(self, fd: FileDescriptorLike, eventmask: int = ..., /) -> None:
        """Register a descriptor, or change what it is waited for.

        Args:
            fd: the descriptor's number, or an object with a method ``fileno``.
            eventmask: what to wait for, ``POLL*``; ``POLLIN | POLLPRI | POLLOUT`` if left out.

        Raises:
            OverflowError: the mask is too large.
            TypeError: an argument is of the wrong type.
            ValueError: an argument is negative.
        """
    def modify(self, fd: FileDescriptorLike, eventmask: int, /) -> None:
        """Change what a registered descriptor is waited for.

        Args:
            fd: the descriptor's number, or an object with a method ``fileno``.
            eventmask: what to wait for, ``POLL*``.

        Raises:
            FileNotFoundError: the descriptor is not registered.
            OverflowError: the mask is too large.
            TypeError: an argument is of the wrong type.
            ValueError: an argument is negative.
        """
    def unregister(self, fd: FileDescriptorLike, /) -> None:
        """Take a descriptor out.

        Args:
            fd: the descriptor's number, or an object with a method ``fileno``.

        Raises:
            KeyError: the descriptor is not registered.
            TypeError: the argument is no descriptor.
            ValueError: the number is negative.
        """
    def poll(self, timeout: float | None = None, /) -> list[tuple[int, int]]:
        """Wait until registered descriptors are ready; poll(2).

        Args:
            timeout: milliseconds; None, or a negative number, for no limit.

        Returns:
            The pairs of a descriptor's number and the events that were found, ``POLL*``.

        Raises:
            OSError: the system refuses the call.
            OverflowError: the timeout is too large.
            RuntimeError: another call of this object is under way.
            TypeError: the timeout is no number.
            ValueError: the timeout is no number of the kind that can be counted.
        """

@final
class epoll:
    """Make an object to wait for descriptors with; epoll(7).

    What is ready is reported with the interpreter lock kept, and after a wait the lock is back
    at once, although another thread computes.

    Args:
        sizehint: how many descriptors there will be, which has no effect; -1 for any number.
        flags: 0, or ``EPOLL_CLOEXEC``, which has no effect: the descriptor is closed on exec.

    Raises:
        OSError: the flags are others, or there are too many descriptors.
        ValueError: ``sizehint`` is 0, or below -1.
    """

    def __new__(cls, sizehint: int = -1, flags: int = 0) -> Self: ...
    @staticmethod
    def fromfd(fd: int, /) -> epoll:
        """Make an object of a descriptor of epoll(7), which belongs to it from then on.

        Args:
            fd: the descriptor's number; -1 for a new one.

        Raises:
            OSError: the number is below -1.
        """
    def close(self) -> None:
        """Close the descriptor; close(2). Who waits in another thread is woken.

        Raises:
            OSError: on CPython 3.15 and later, the system's own, such as EBADF; it is closed
                nevertheless.
        """
    @property
    def closed(self) -> bool:
        """Whether the object is closed."""
    def fileno(self) -> int:
        """Return the descriptor's number.

        Raises:
            ValueError: the object is closed.
        """
    def register(self, fd: FileDescriptorLike, eventmask: int = ...) -> None:
        """Register a descriptor; epoll_ctl(2).

        Args:
            fd: the descriptor's number, or an object with a method ``fileno``.
            eventmask: what to wait for, ``EPOLL*``; ``EPOLLIN | EPOLLPRI | EPOLLOUT`` if left out.

        Raises:
            OSError: the system refuses it, as for what is registered already.
            TypeError: an argument is of the wrong type.
            ValueError: the object is closed, or the number negative.
        """
    def modify(self, fd: FileDescriptorLike, eventmask: int) -> None:
        """Change what a registered descriptor is waited for; epoll_ctl(2).

        Args:
            fd: the descriptor's number, or an object with a method ``fileno``.
            eventmask: what to wait for, ``EPOLL*``.

        Raises:
            OSError: the system refuses it, as for what is not registered.
            TypeError: an argument is of the wrong type.
            ValueError: the object is closed, or the number negative.
        """
    def unregister(self, fd: FileDescriptorLike) -> None:
        """Take a descriptor out; epoll_ctl(2).

        Args:
            fd: the descriptor's number, or an object with a method ``fileno``.

        Raises:
            OSError: the system refuses it, as for what is not registered.
            TypeError: the argument is no descriptor.
            ValueError: the object is closed, or the number negative.
        """
    def poll(self, timeout: float | None = None, maxevents: int = -1) -> list[tuple[int, int]]:
        """Wait until registered descriptors are ready; epoll_wait(2).

        Args:
            timeout: seconds; None, or a negative number, for no limit.
            maxevents: the largest number of pairs to return, -1 for 1023.

        Returns:
            The pairs of a descriptor's number and the events that were found, ``EPOLL*``.

        Raises:
            OverflowError: the timeout is too large.
            TypeError: an argument is no number.
            ValueError: the object is closed, also meanwhile; ``maxevents`` is 0, or below -1.
        """
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        exc_tb: TracebackType | None = None,
        /,
    ) -> None: ...

def deadline_left() -> float | None:
    """Tell how much of the deadline of the context is left.

    Returns:
        Seconds as a float, 0.0 when it has passed; None where there is no deadline.
    """

def counters() -> dict[str, int]:
    """Count how operations of all sockets went so far. For tests and benchmarks.

    Returns:
        A dict: ``kept`` counts operations that were ready and kept the interpreter lock,
        ``busy_polls`` those that busy-polled before they slept, ``busy_poll_hits`` those that
        found something then, ``released`` the times that the lock was given up. Of the calls that
        ask a computing thread to yield, ``yield_requests`` counts all, ``yields_refused`` those
        that the interpreter's queue had no room for, ``yields`` those in which the thread yielded,
        and ``yields_expired`` those that came when nobody was waiting any more.
    """

def tune(name: str, value: int, /) -> int:
    """Set an engine parameter and return its value before. For benchmarks.

    Args:
        name: ``"keep_limit"``, the largest copy in bytes that keeps the interpreter lock.
        value: the new value.

    Raises:
        ValueError: there is no such parameter.
    """

def encode_address(family: int, protocol: int, address: Any, /) -> bytes:
    """Encode an address as ``bind`` and ``connect`` do, without a socket.

    Host names are resolved. Private: for tests, and for system calls that the package does
    not wrap.

    Returns:
        The bytes of the system's structure, the family in front.
    """

def decode_address(protocol: int, address: bytes, /) -> Any:
    """Decode an address as ``getsockname`` and ``recvfrom`` do: the inverse of ``encode_address``.

    Private: for tests.

    Raises:
        ValueError: there are more bytes than any address has.
    """

def encode_ancillary(items: Iterable[_CMSGArg], /) -> bytes:
    """Encode ``(level, type, data)`` items as ``sendmsg`` does, without sending them.

    Private: for tests, and to see what would be sent.
    """

def encode_ancillary_alg(
    *, op: int | None = None, iv: ReadableBuffer | None = None, assoclen: int | None = None
) -> bytes:
    """Encode the control messages of an ``AF_ALG`` operation as ``sendmsg_afalg`` does.

    Private: for tests.
    """

def decode_ancillary(control: bytes, /) -> list[_CMSG]:
    """Decode control messages as ``recvmsg`` does. Descriptors among them stay what they are.

    Private: for tests, and for buffers that came from elsewhere.
    """

def pack_ints(numbers: Iterable[int], /) -> bytes:
    """Pack numbers as C ints, one behind the other, as the data of ``SCM_RIGHTS`` are.

    Private: for ``send_fds``.
    """

def unpack_ints(data: ReadableBuffer, /) -> list[int]:
    """Unpack C ints. Bytes behind the last whole one are left out.

    Private: for ``recv_fds``.
    """

# The constants that the Python layer itself uses; a module `__getattr__` has all of them. As plain
# integers: the members of the enumerations are made by `oxisock`.
AF_INET: int
AF_INET6: int
AF_UNIX: int
IPPROTO_IPV6: int
IPV6_V6ONLY: int
SCM_RIGHTS: int
SOCK_STREAM: int
SOL_SOCKET: int
IPPROTO_TCP: int
SO_REUSEADDR: int
SO_REUSEPORT: int
