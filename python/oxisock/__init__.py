"""The BSD socket interface with its engine in Rust: ``import oxisock as socket``.

Every name of the interpreter's own ``socket`` module is here, with the same behaviour.
Constants, enumerations and functions that are written in Python get into the module when they are
first asked for (``_lazy``), which keeps the import short. What they are made of is in memory by
then (``src/python/late.rs``): a program may have left the file system for good (chroot(2)), its
rights to read it, or its last free descriptor. Only ``ssl`` and what needs it is left for later.
"""

try:
    from . import _socket
except ImportError as error:
    # The interpreter's own words, which name a module that nobody has asked for.
    if "subinterpreters" not in str(error):
        raise
    raise ImportError(
        "oxisock works in the main interpreter only; an interpreter inside it, such as those of "
        "InterpreterPoolExecutor, has the standard library's socket",
        name=__name__,
        path=__file__,
    ) from None

from _warnings import warn as _warn

from ._class import Method as _Method, _SocketType, public as _public_class
from ._socket import (
    CMSG_LEN,
    CMSG_SPACE,
    Socket as _Socket,
    __version__,
    close,
    construct as _construct,
    dup,
    dup as _dup,
    getaddrinfo,
    getbusypoll,
    getconnectionattemptdelay,
    getconnecttimeout,
    getdefaultkeepalive,
    getdefaulttimeout,
    gethostbyaddr,
    gethostbyname,
    gethostbyname_ex,
    gethostname,
    getnameinfo,
    getprotobyname,
    getresolvertimeout,
    getservbyname,
    getservbyport,
    htonl,
    htons,
    if_indextoname,
    if_nameindex,
    if_nametoindex,
    inet_aton,
    inet_ntoa,
    inet_ntop,
    inet_pton,
    load as _load,
    make_lazy as _make_lazy,
    ntohl,
    ntohs,
    setbusypoll,
    setconnectionattemptdelay,
    setconnecttimeout,
    setdefaultkeepalive,
    setdefaulttimeout,
    sethostname,
    setresolvertimeout,
    socketpair,
    stats,
    write_unraisable as _write_unraisable,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import io
    from typing import Any, NoReturn, Self

    from ._files import SocketIO
del TYPE_CHECKING

error = OSError
timeout = TimeoutError
SocketType = _Socket


def _open_first(*arguments: "Any") -> "Any":
    """Import what makefile() needs; from then on that calls it itself."""
    global _open_file
    _open_file = _load("oxisock._files").open_file
    return _open_file(*arguments)


_open_file = _open_first


# Here and not in a module of its own, so that `inspect` finds its source by the class's name.
class socket(_Socket, metaclass=_SocketType):  # noqa: N801 - the name of the standard library
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

    __slots__ = ("__weakref__",)

    peer_credentials = _Method("oxisock._peers")
    tcp_info = _Method("oxisock._peers")
    sendfile = _Method("oxisock._sendfile")  # pyright: ignore[reportAssignmentType]
    _sendfile_use_sendfile = _Method("oxisock._sendfile")
    _sendfile_use_send = _Method("oxisock._sendfile")
    _sendfile_zerocopy = _Method("oxisock._sendfile")
    _check_sendfile_params = _Method("oxisock._sendfile")

    def __init__(
        self, family: int = -1, type: int = -1, proto: int = -1, fileno: "Any" = None
    ) -> None:
        # For whoever inspects it or calls it by name; the native one is called directly else.
        _Socket.__init__(self, family, type, proto, fileno)  # type: ignore[call-arg]

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        if not self._closed:
            self.close()

    def __repr__(self) -> str:
        closed = getattr(self, "_closed", False)
        cls = type(self)
        text = (
            f"<{cls.__module__}.{cls.__qualname__}{' [closed]' if closed else ''} "
            f"fd={self.fileno()}, family={self.family}, type={self.type}, proto={self.proto}"
        )
        if not closed:
            for label, name in (("laddr", self.getsockname), ("raddr", self.getpeername)):
                try:
                    address = name()
                except (OSError, AttributeError):
                    continue
                if address:
                    text += f", {label}={address}"
        return text + ">"

    def __getstate__(self) -> "NoReturn":
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")

    def __del__(self) -> None:
        # At the interpreter's end the module's names may be gone, as free-threaded 3.13 has it.
        # What is open is closed with the memory then.
        if _Socket is not None and _Socket.fileno(self) != -1:
            try:
                # On the account of who let go of it.
                _warn(f"unclosed {self!r}", ResourceWarning, 2, self)
            except Warning as exc:
                _write_unraisable(exc, self)  # the program made an error of it
            except Exception:
                pass  # at shutdown, when the repr cannot import what it needs any more
            finally:
                # Not left to the end of the memory: the warning may keep that alive.
                try:
                    _Socket._real_close(self)
                except OSError:
                    pass  # such as EBADF: the program has closed the number itself

    def makefile(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        mode: str = "r",
        buffering: "int | None" = None,
        *,
        encoding: "str | None" = None,
        errors: "str | None" = None,
        newline: "str | None" = None,
    ) -> "SocketIO | io.BufferedIOBase | io.TextIOWrapper":
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
        return _open_file(self, mode, buffering, encoding, errors, newline)  # type: ignore[no-any-return]

    def dup(self) -> "Self":
        """Make a second socket of the same open file, in the same mode; dup(2).

        Returns:
            A socket of the same class, whose descriptor is closed on exec.

        Raises:
            OSError: the process has too many descriptors, or the socket is closed.
        """
        # Asked first: what is no socket of ours may have none of them.
        family, kind, proto = self.family, self.type, self.proto
        fd = _dup(self.fileno())
        other = _construct(fd, type(self), family, kind, proto, by_name=True)
        other.settimeout(self.gettimeout())
        return other


socket = _public_class(socket)


def __getattr__(name: str) -> object:
    return _load("oxisock._lazy").fetch(globals(), name)


def __dir__() -> list[str]:
    listing: list[str] = _load("oxisock._lazy").listing(globals())
    return listing


_make_lazy(globals())
