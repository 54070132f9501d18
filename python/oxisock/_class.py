"""The socket class: what is not a system call, above the native one."""

from _warnings import warn

from ._socket import Socket, close, dup, register_class

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn, Self


class _Elsewhere:
    """A method that lives in another module, which is imported when it is first called."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __set_name__(self, owner: type, name: str) -> None:
        self._owner = owner
        self._name = name

    def __get__(self, instance: object, owner: "type | None" = None) -> "Any":
        from importlib import import_module

        method = getattr(import_module(self._module, __package__), self._name)
        # From here on the class has the function itself.
        setattr(self._owner, self._name, method)
        return method.__get__(instance, owner)


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

    makefile = _Elsewhere("._files")
    sendfile = _Elsewhere("._sendfile")
    _sendfile_use_sendfile = _Elsewhere("._sendfile")
    _sendfile_use_send = _Elsewhere("._sendfile")
    _check_sendfile_params = _Elsewhere("._sendfile")

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
                warn(f"unclosed {self!r}", ResourceWarning, 1, self)
            except Warning:
                raise  # the program made an error of it
            except Exception:
                pass  # at shutdown, when the repr cannot import what it needs any more
            finally:
                # Not left to the end of the memory: the warning may keep that alive.
                Socket._real_close(self)

    def dup(self) -> "Self":
        """Make a second socket of the same open file, in the same mode; dup(2).

        The new descriptor is closed on exec. Raises OSError if there are too many.
        """
        fd = dup(self.fileno())
        try:
            other = type(self)(self.family, self.type, self.proto, fileno=fd)
        except BaseException:
            close(fd)
            raise
        other.settimeout(self.gettimeout())
        return other


register_class(socket)
