"""The socket class."""

from io import BufferedReader, BufferedRWPair, BufferedWriter, IOBase, TextIOWrapper
from typing import IO, Literal, NoReturn, Self, overload

from ._files import SocketIO
from ._socket import Socket

class socket(Socket):
    """A socket: an endpoint of communication; socket(2).

    Args:
        family: the address family, AF_INET without one.
        type: the socket type, SOCK_STREAM without one.
        proto: the protocol number, 0 for the family's own.
        fileno: a descriptor to take over. Arguments that are left out are then asked of
            the system.

    Raises:
        OSError: the system offers no such socket, or `fileno` is no socket.
    """

    def __enter__(self) -> Self: ...
    def __exit__(self, *args: object) -> None: ...
    def __getstate__(self) -> NoReturn: ...
    def __del__(self) -> None: ...
    def dup(self) -> Self:
        """Make a second socket of the same open file, in the same mode; dup(2).

        The new descriptor is closed on exec. Raises OSError if there are too many.
        """
    # A size of 0 is an int as well: it is the first signature that fits which counts.
    @overload
    def makefile(  # type: ignore[overload-overlap]
        self,
        mode: Literal["b", "rb", "br", "wb", "bw", "rwb", "rbw", "wrb", "wbr", "brw", "bwr"],
        buffering: Literal[0],
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> SocketIO:
        """Return a file object over the socket.

        *mode* is made of ``r``, ``w`` and ``b``; the other arguments are as for open(). With
        *buffering* 0 (binary modes only) it is a SocketIO, else one of the buffered or text
        classes of ``io``. The socket itself is closed when both it and its files are.

        A read that the socket's timeout (or the exception of a signal handler) interrupts loses
        nothing: the next read gets what had arrived before. The file is of no use on a
        non-blocking socket.

        Raises ValueError for another mode, and for unbuffered text.
        """
    @overload
    def makefile(
        self,
        mode: Literal["rwb", "rbw", "wrb", "wbr", "brw", "bwr"],
        buffering: int | None = None,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> BufferedRWPair: ...
    @overload
    def makefile(
        self,
        mode: Literal["rb", "br", "b"],
        buffering: int | None = None,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> BufferedReader: ...
    @overload
    def makefile(
        self,
        mode: Literal["wb", "bw"],
        buffering: int | None = None,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> BufferedWriter: ...
    @overload
    def makefile(
        self,
        mode: Literal["r", "w", "rw", "wr", ""] = "r",
        buffering: int | None = None,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> TextIOWrapper: ...
    @overload
    def makefile(
        self,
        mode: str,
        buffering: int | None = None,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IOBase: ...
    def sendfile(self, file: IO[bytes], offset: int = 0, count: int | None = None) -> int:
        """Send *file*, from byte *offset* to its end or *count* bytes of it; return the bytes sent.

        *file* is a file object opened in binary mode. A regular file goes out through sendfile(2),
        anything else through its read() and send(). Afterwards, after an error too, the file's
        position tells how much was sent. The socket's timeout limits each wait for room, not the whole.

        Raises ValueError for a text file, a socket that is no stream or is non-blocking, and a *count*
        below 1; TypeError for one that is no int; TimeoutError and OSError as send().
        """

    # Private, under the names that the standard library has for them.
    def _check_sendfile_params(self, file: IO[bytes], offset: int, count: int | None) -> None:
        """Refuse text files, sockets that are no streams, and counts that are no positive int."""
    def _sendfile_use_sendfile(
        self, file: IO[bytes], offset: int = 0, count: int | None = None
    ) -> int:
        """Send from a regular file in the kernel, or raise _GiveupOnSendfile. Source: sendfile(2)."""
    def _sendfile_use_send(self, file: IO[bytes], offset: int = 0, count: int | None = None) -> int:
        """Send what read() of any binary file object gives."""
