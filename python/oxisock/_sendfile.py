"""``socket.sendfile``: in the kernel where the file allows it, else by ``read`` and ``send``.

The functions are the methods of the socket class; the private ones carry the names under which
programs and CPython's own tests look for them.
"""

from io import UnsupportedOperation
from os import fstat

from ._socket import SOCK_STREAM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ._class import _SendableFile, socket


class _GiveupOnSendfile(Exception):  # noqa: N818 - the name that callers of the private methods know
    """sendfile(2) cannot serve this file; nothing was sent yet."""


def _check_sendfile_params(
    self: "socket", file: "_SendableFile", offset: int, count: "int | None"
) -> None:
    """Refuse text files, sockets that are no streams, and counts that are no positive int."""
    if "b" not in getattr(file, "mode", "b"):
        raise ValueError("file should be opened in binary mode")
    if not self.type & SOCK_STREAM:
        raise ValueError("only SOCK_STREAM type sockets are supported")
    if count is not None:
        if not isinstance(count, int):
            raise TypeError(f"count must be a positive integer (got {count!r})")
        if count <= 0:
            raise ValueError(f"count must be a positive integer (got {count!r})")


def _sendfile_zerocopy(  # noqa: D417 - as `sendfile`
    self: "socket",
    zerocopy_func: "Callable[[int, int, int], int]",
    giveup_exc_type: type[Exception],
    file: "_SendableFile",
    offset: int = 0,
    count: "int | None" = None,
) -> int:
    """Send from a regular file with a function that copies nothing to the program.

    Args:
        zerocopy_func: takes the file's descriptor, an offset and a count in bytes, and returns the
            bytes sent; after BlockingIOError it is called again when there is room.
        giveup_exc_type: raised for a file that it cannot serve.
        file: a file object opened in binary mode.
        offset: where to begin, in bytes.
        count: how many bytes to send, up to the end without it.

    Returns:
        The bytes sent.
    """
    self._check_sendfile_params(file, offset, count)
    try:
        file_fd = file.fileno()  # type: ignore[attr-defined]
    except (AttributeError, UnsupportedOperation) as exc:
        raise giveup_exc_type(exc) from exc
    try:
        file_size = fstat(file_fd).st_size
    except OSError as exc:
        raise giveup_exc_type(exc) from exc
    if not file_size:
        return 0
    if self.gettimeout() == 0:
        raise ValueError("non-blocking sockets are not supported")
    # One call sends less than 2 GiB anyway, and some platforms refuse to be asked for more.
    step = min(count or file_size, 1 << 30)
    start = offset
    try:
        while not count or offset - start < count:
            if count:
                step = min(step, count - (offset - start))
            try:
                sent = zerocopy_func(file_fd, offset, step)
            except BlockingIOError:
                _wait_for_room(self)
                continue
            except TimeoutError:
                raise
            except OSError as exc:
                if offset == start:
                    raise giveup_exc_type(exc) from exc
                raise exc from None
            if not sent:
                break
            offset += sent
        return offset - start
    finally:
        if offset > start and hasattr(file, "seek"):
            file.seek(offset)


def _wait_for_room(sock: "socket") -> None:
    """Wait until a socket takes data, or raise TimeoutError after its timeout; poll(2)."""
    from select import POLLOUT, poll

    poller = poll()
    poller.register(sock, POLLOUT)
    timeout = sock.gettimeout()
    if not poller.poll(None if timeout is None else int(timeout * 1000) + 1):
        raise TimeoutError("timed out")


def _sendfile_use_sendfile(
    self: "socket", file: "_SendableFile", offset: int = 0, count: "int | None" = None
) -> int:
    """Send from a regular file in the kernel, or raise ``_GiveupOnSendfile``; sendfile(2)."""
    return self._sendfile_zerocopy(self._send_from, _GiveupOnSendfile, file, offset, count)


def _sendfile_use_send(
    self: "socket", file: "_SendableFile", offset: int = 0, count: "int | None" = None
) -> int:
    """Send what ``read`` of any binary file object gives."""
    self._check_sendfile_params(file, offset, count)
    if self.gettimeout() == 0:
        raise ValueError("non-blocking sockets are not supported")
    if offset:
        file.seek(offset)
    total = 0
    try:
        while not count or total < count:
            data = memoryview(file.read(min(count - total, 8192) if count else 8192))
            if not data:
                break
            while data:
                try:
                    sent = self.send(data)
                except BlockingIOError:
                    continue
                total += sent
                data = data[sent:]
        return total
    finally:
        if total > 0 and hasattr(file, "seek"):
            file.seek(offset + total)


def sendfile(  # noqa: D417 - `self`, as this is a method
    self: "socket", file: "_SendableFile", offset: int = 0, count: "int | None" = None
) -> int:
    """Send the contents of a file; sendfile(2).

    Files that are not regular are sent by their ``read`` and ``send``. Afterwards, after an error
    too, the file's position tells how much was sent. The socket's
    timeout limits each wait for room, not the whole.

    Args:
        file: a file object opened in binary mode.
        offset: where in the file to begin, in bytes.
        count: the number of bytes to send, None for all up to the end.

    Returns:
        The number of bytes sent.

    Raises:
        ValueError: the file is a text file, the socket is no stream or is non-blocking, or
            ``count`` is below 1.
        TypeError: ``count`` is no int.
        TimeoutError: there was no room within the timeout.
        OSError: the connection failed, or the socket is closed.
    """
    try:
        sent: int = self._sendfile_use_sendfile(file, offset, count)
    except _GiveupOnSendfile:
        sent = self._sendfile_use_send(file, offset, count)
    return sent
