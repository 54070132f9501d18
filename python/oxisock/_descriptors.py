"""Descriptors that travel over a UNIX socket: ``send_fds`` and ``recv_fds``."""

from ._socket import CMSG_LEN, SCM_RIGHTS, SOL_SOCKET, pack_ints, unpack_ints

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Any socket will do, and to type checkers oxisock's is one of these, too.
    import socket as _standard
    from collections.abc import Iterable
    from typing import Any

    from _typeshed import ReadableBuffer


# The size of a C int.
_INT = 4


def _packed(fds: "Iterable[int]") -> bytes:
    """Return numbers as C ints, one behind the other."""
    if not isinstance(fds, bytes | bytearray):
        return pack_ints(fds)
    # They are there as C has them.
    if len(fds) % _INT:
        raise ValueError("bytes length not a multiple of item size")
    return bytes(fds)


def send_fds(
    sock: "_standard.socket",
    buffers: "Iterable[ReadableBuffer]",
    fds: "Iterable[int]",
    flags: int = 0,
    address: "Any" = None,
) -> int:
    """Send descriptors along with data over a UNIX socket; unix(7), ``SCM_RIGHTS``.

    Args:
        sock: an AF_UNIX socket, of oxisock or of the standard library.
        buffers: bytes-like objects; on a stream at least one byte has to go with the descriptors.
        fds: the numbers of the descriptors, which stay open and the caller's.
        flags: ``MSG_*`` flags.
        address: where to send, or None for the connected peer.

    Returns:
        The number of bytes of data sent.

    Raises:
        ValueError: ``fds`` are bytes that end within a number.
        OSError: there are too many descriptors (EINVAL, ETOOMANYREFS), or as ``sendmsg``.
    """
    return sock.sendmsg(buffers, [(SOL_SOCKET, SCM_RIGHTS, _packed(fds))], flags, address)


def recv_fds(
    sock: "_standard.socket", bufsize: int, maxfds: int, flags: int = 0
) -> "tuple[bytes, list[int], int, Any]":
    """Receive data and the descriptors that come with it; unix(7), ``SCM_RIGHTS``.

    Args:
        sock: an AF_UNIX socket, of oxisock or of the standard library.
        bufsize: the largest number of bytes of data to return.
        maxfds: the largest number of descriptors to take. The kernel closes further ones.
        flags: ``MSG_*`` flags; with ``MSG_CMSG_CLOEXEC`` the descriptors are not inheritable.

    Returns:
        A tuple of the data, a list of descriptors, which are the caller's to close, the flags of
        the message (``MSG_CTRUNC`` where there were more than ``maxfds``) and the sender's address.

    Raises:
        OSError: as ``recvmsg``.
    """
    fds: list[int] = []
    # CMSG_LEN and not CMSG_SPACE: the padding of the latter may have room for one more.
    space = CMSG_LEN(maxfds * _INT)
    data, ancillary, message_flags, address = sock.recvmsg(bufsize, space, flags)
    for level, kind, content in ancillary:
        if level == SOL_SOCKET and kind == SCM_RIGHTS:
            fds += unpack_ints(content)
    return data, fds, message_flags, address
