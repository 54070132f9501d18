"""The socket class: what is not a system call, above the native one."""

from _warnings import warn

from ._socket import Socket, dup, register_class

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn, Self


class socket(Socket):  # noqa: N801 - the name of the standard library
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

    __slots__ = ("__weakref__",)
    __module__ = "oxisock"

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        if not self._closed:
            self.close()

    def __repr__(self) -> str:
        closed = getattr(self, "_closed", False)
        fd = self.fileno()
        cls = type(self)
        text = (
            f"<{cls.__module__}.{cls.__qualname__}{' [closed]' if closed else ''} fd={fd}, "
            f"family={self.family:d}, type={self.type:d}, proto={self.proto}"
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

    def __del__(self, _warn=warn) -> None:
        if self.fileno() != -1:
            _warn(f"unclosed {self!r}", ResourceWarning, 2, self)

    def dup(self) -> "Self":
        """Make a second socket of the same open file, in the same mode; dup(2).

        The new descriptor is closed on exec. Raises OSError if there are too many.
        """
        other = type(self)(self.family, self.type, self.proto, fileno=dup(self.fileno()))
        other.settimeout(self.gettimeout())
        return other


register_class(socket)
