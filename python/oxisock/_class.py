"""The socket class: what is not a system call, above the native one."""

import sys
from _warnings import warn
from abc import ABCMeta

from ._late import Method, without_annotations
from ._socket import Socket, construct, dup, load, register_class, write_unraisable

TYPE_CHECKING = False
if TYPE_CHECKING:
    import io
    from typing import Any, NoReturn, Self

    from ._files import SocketIO


def _open_first(*arguments: "Any") -> "Any":
    """Import what makefile() needs; from then on that calls it itself."""
    global _open_file
    _open_file = load("oxisock._files").open_file
    return _open_file(*arguments)


_open_file = _open_first


class _SocketType(ABCMeta):
    """Makes ``isinstance`` take the sockets of the standard class for sockets, too.

    A TLS socket needs that class's layout. An abstract base class of the program's own can stand
    beside ours among the bases of a class.
    """

    def __new__(
        mcls, name: str, bases: "tuple[type, ...]", namespace: "dict[str, Any]", **options: "Any"
    ) -> "Any":
        if name == "SSLSocket" and namespace.get("__module__") == "ssl":
            # The module ssl, imported while `import socket` gives oxisock.
            from . import _standard

            return type(name, (_standard.module().socket,), namespace)
        return super().__new__(mcls, name, bases, namespace, **options)

    def __instancecheck__(cls, instance: object) -> bool:
        kind = type(instance)
        if cls.__subclasscheck__(kind):
            return True
        # What an object says of itself: mocks with a specification do.
        claimed = getattr(instance, "__class__", kind)
        return claimed is not kind and isinstance(claimed, type) and cls.__subclasscheck__(claimed)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return super().__subclasscheck__(subclass) or (
            # Only the class itself: a subclass of ours is nothing that a standard socket is.
            cls is socket and _is_standard(subclass)
        )


def _is_standard(cls: type) -> bool:
    """Tell whether a class is the standard library's ``socket.socket`` or derived from it."""
    native = getattr(sys.modules.get("_socket"), "socket", None)
    bases = cls.__mro__
    return native in bases and bases.index(native) > 0


@register_class
class socket(Socket, metaclass=_SocketType):  # noqa: N801 - the name of the standard library
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
    __module__ = "oxisock"

    peer_credentials = Method("oxisock._peers")
    tcp_info = Method("oxisock._peers")
    sendfile = Method("oxisock._sendfile")  # pyright: ignore[reportAssignmentType]
    _sendfile_use_sendfile = Method("oxisock._sendfile")
    _sendfile_use_send = Method("oxisock._sendfile")
    _sendfile_zerocopy = Method("oxisock._sendfile")
    _check_sendfile_params = Method("oxisock._sendfile")

    def __init__(
        self, family: int = -1, type: int = -1, proto: int = -1, fileno: "Any" = None
    ) -> None:
        # For whoever inspects it or calls it by name; the native one is called directly else.
        Socket.__init__(self, family, type, proto, fileno)  # type: ignore[call-arg]

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
        if Socket.fileno(self) != -1:
            try:
                # On the account of who let go of it.
                warn(f"unclosed {self!r}", ResourceWarning, 2, self)
            except Warning as exc:
                write_unraisable(exc, self)  # the program made an error of it
            except Exception:
                pass  # at shutdown, when the repr cannot import what it needs any more
            finally:
                # Not left to the end of the memory: the warning may keep that alive.
                try:
                    Socket._real_close(self)
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
        fd = dup(self.fileno())
        other = construct(fd, type(self), self.family, self.type, self.proto, fileno=fd)
        other.settimeout(self.gettimeout())
        return other


without_annotations(socket)
if "__firstlineno__" in vars(socket):
    # Of a file that is not that of the class's module: `inspect` would show something else.
    delattr(socket, "__firstlineno__")
