"""The socket class."""

from abc import ABCMeta
from collections.abc import Callable
from io import BufferedReader, BufferedRWPair, BufferedWriter, IOBase, TextIOWrapper
from typing import Any, Literal, NoReturn, Protocol, Self, TypeVar, overload

from ._files import SocketIO
from ._peers import Credentials, TCPInfo
from ._socket import Socket

_Class = TypeVar("_Class", bound=type)

class _SendableFile(Protocol):
    def read(self, size: int, /) -> bytes: ...
    def seek(self, offset: int, /) -> object: ...

class Method:
    """A method that stands in a module of its own, which is imported when it is first asked for.

    The class has the method itself in this one's place from then on.
    """

    def __init__(self, module: str) -> None: ...
    def __set_name__(self, owner: type, name: str) -> None: ...
    def __get__(self, instance: object, owner: type | None = None) -> Callable[..., Any]: ...

class _SocketType(ABCMeta):
    """Makes ``isinstance`` take the sockets of the standard class for sockets, too.

    A TLS socket needs that class's layout. An abstract base class of the program's own can stand
    beside ours among the bases of a class.
    """

    def __new__(
        mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any
    ) -> Any: ...
    def __instancecheck__(cls, instance: object) -> bool: ...
    def __subclasscheck__(cls, subclass: type) -> bool: ...

class socket(Socket, metaclass=_SocketType):
    """A socket: an endpoint of communication; socket(2).

    Args:
        family: the address family, AF_INET without one.
        type: the socket type, SOCK_STREAM without one.
        proto: the protocol number, 0 for the family's own.
        fileno: a descriptor to adopt. Arguments that are left out are then asked of
            the system.

    Raises:
        OSError: the system offers no such socket, or ``fileno`` is no socket.
    """

    def peer_credentials(self) -> Credentials:
        """Return who is at the other end of a UNIX socket; ``SO_PEERCRED`` of unix(7).

        They are those of the time when the connection or the pair was made.

        Returns:
            A named tuple of ``pid``, ``uid`` and ``gid``. The numbers of a process that is not in
            sight, in another namespace, are 0, and those of users 65534.

        Raises:
            OSError: the socket is not one of AF_UNIX, not connected, or closed (ENOTCONN, EBADF), or
                the system has no such option.
        """
    def tcp_info(self) -> TCPInfo:
        """Return the state of a TCP connection; ``TCP_INFO`` of tcp(7).

        Returns:
            A named tuple with the fields of the system's ``struct tcp_info``. Times are seconds as a
            float, sizes bytes, rates bytes a second; what the running kernel does not tell is None.

        Raises:
            OSError: the socket is not one of TCP, or closed, or the system has no such option.
        """
    def __enter__(self) -> Self: ...
    def __exit__(self, *args: object) -> None: ...
    def __getstate__(self) -> NoReturn: ...
    def __del__(self) -> None: ...
    def dup(self) -> Self:
        """Make a second socket of the same open file, in the same mode; dup(2).

        Returns:
            A socket of the same class, whose descriptor is closed on exec.

        Raises:
            OSError: the process has too many descriptors, or the socket is closed.
        """
    # A size of 0 is an int as well: it is the first signature that fits which counts. And the
    # unbuffered file is a SocketIO of our own.
    @overload  # type: ignore[override]
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

        The descriptor is closed when both the socket and its files are. A read that the socket's
        timeout or the exception of a signal handler interrupts loses nothing: the next read gets
        the data received before. On a non-blocking socket a file is of no use.

        Args:
            mode: ``r``, ``w`` or both, and ``b`` for a binary file.
            buffering: the size of the buffer in bytes, as for ``open``; 0, for binary files
                only, makes a ``SocketIO``.
            encoding: the encoding of a text file, as for ``open``.
            errors: how a text file treats encoding errors, as for ``open``.
            newline: how a text file treats ends of lines, as for ``open``.

        Returns:
            A ``SocketIO``, or an object of one of the buffered or text classes of ``io``.

        Raises:
            ValueError: the mode is another, or a text file is to be unbuffered.
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
    def makefile(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        mode: str,
        buffering: int | None = None,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IOBase: ...
    def sendfile(self, file: _SendableFile, offset: int = 0, count: int | None = None) -> int:
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

    # Private, under the names that the standard library has for them.
    def _check_sendfile_params(self, file: _SendableFile, offset: int, count: int | None) -> None:
        """Refuse text files, sockets that are no streams, and counts that are no positive int."""
    def _sendfile_zerocopy(
        self,
        zerocopy_func: Callable[[int, int, int], int],
        giveup_exc_type: type[Exception],
        file: _SendableFile,
        offset: int = 0,
        count: int | None = None,
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
    def _sendfile_use_sendfile(
        self, file: _SendableFile, offset: int = 0, count: int | None = None
    ) -> int:
        """Send from a regular file in the kernel, or raise ``_GiveupOnSendfile``; sendfile(2)."""
    def _sendfile_use_send(
        self, file: _SendableFile, offset: int = 0, count: int | None = None
    ) -> int:
        """Send what ``read`` of any binary file object gives."""

def public(cls: _Class) -> _Class:
    """Have the class of the package be that of all sockets that are made.

    The first one stays it when the package is loaded anew.
    """
