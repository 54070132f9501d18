"""Descriptors that travel over a UNIX socket: `send_fds` and `recv_fds`."""

from array import array

from ._socket import CMSG_LEN, SCM_RIGHTS, SOL_SOCKET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from _typeshed import ReadableBuffer

    import oxisock as _public


def send_fds(
    sock: "_public.socket",
    buffers: "Iterable[ReadableBuffer]",
    fds: "Iterable[int]",
    flags: int = 0,
    address: "Any" = None,
) -> int:
    """Send the descriptors *fds* along with the bytes of *buffers*; return the bytes sent.

    *sock* is an AF_UNIX socket. *flags* (MSG_*) and *address* (for an unconnected datagram
    socket) are handed to sendmsg(). At least one byte has to travel with the descriptors on a
    stream. Raises OSError as sendmsg() does, ETOOMANYREFS or EINVAL for too many descriptors.
    Source: unix(7), SCM_RIGHTS.
    """
    return sock.sendmsg(buffers, [(SOL_SOCKET, SCM_RIGHTS, array("i", fds))], flags, address)


def recv_fds(
    sock: "_public.socket", bufsize: int, maxfds: int, flags: int = 0
) -> "tuple[bytes, list[int], int, Any]":
    """Receive up to *bufsize* bytes and *maxfds* descriptors.

    Returns ``(data, descriptors, message flags, address)``. *flags* (MSG_*) are handed to
    recvmsg(); with MSG_CMSG_CLOEXEC the new descriptors are not inheritable. MSG_CTRUNC in the
    message flags tells that more descriptors were sent than *maxfds*; the kernel closed those.
    The descriptors are the caller's to close. Raises OSError as recvmsg() does.
    Source: unix(7), SCM_RIGHTS.
    """
    fds = array("i")
    # CMSG_LEN and not CMSG_SPACE: the padding of the latter may have room for one more.
    space = CMSG_LEN(maxfds * fds.itemsize)
    data, ancillary, message_flags, address = sock.recvmsg(bufsize, space, flags)
    for level, kind, content in ancillary:
        if level == SOL_SOCKET and kind == SCM_RIGHTS:
            fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
    return data, fds.tolist(), message_flags, address
