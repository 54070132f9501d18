"""TLS sockets of the interpreter's ``ssl`` that read and write through the engine.

Contexts, certificates, handshakes and errors stay the interpreter's. Only the object of ``_ssl``
that a socket keeps for its session is replaced, by one that looks the same.
"""

from __future__ import annotations

import _socket
import _ssl
import ssl
import sys
from _weakref import ref
from typing import TYPE_CHECKING

from ._class import socket
from ._install import installed
from ._socket import (
    TLSSession,
    deadline_left,
    family_member,
    kind_member,
    tls_session,
    tls_unavailable,
)
from ._unbound import accept, enable

if TYPE_CHECKING:
    from typing import Any, Self

__all__ = ["SSLSocket", "TLSObject", "exchange", "tls_status"]


# What the standard class converts into members of its own enumerations.
_NATIVE: Any = _socket.socket
_SEND, _SENDALL = ssl.SSLSocket.send, ssl.SSLSocket.sendall


class _Bounded:
    """The timeout of a socket while ``_ssl`` waits for it: no longer than the deadline allows."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock = sock
        self._before: float | None = None
        self._changed = False

    def __enter__(self) -> None:
        left = deadline_left()
        if left is None:
            return
        self._before = self._sock.gettimeout()
        if self._before is None or self._before > left:
            # Zero would be non-blocking mode, and another exception.
            self._sock.settimeout(max(left, 1e-6))
            self._changed = True

    def __exit__(self, *_: object) -> None:
        if self._changed and self._sock.fileno() != -1:
            self._sock.settimeout(self._before)


class SSLSocket(ssl.SSLSocket):
    """An ``ssl.SSLSocket`` whose reads and writes go through the engine.

    Made by ``SSLContext.wrap_socket``: of every context after ``oxisock.install()``, else of one
    whose ``sslsocket_class`` is set to this class. It behaves as ``ssl.SSLSocket`` does, without
    giving the interpreter lock up for what is ready.
    """

    # Its repr and its messages name it, and are to say what they always did.
    __module__ = "ssl"
    _sslobj: Any

    @property
    def family(self) -> Any:
        """The address family, a member of the enumeration of every other socket."""
        return family_member(_NATIVE.family.__get__(self))

    @property
    def type(self) -> Any:
        """The socket type, likewise."""
        return kind_member(_NATIVE.type.__get__(self))

    @classmethod
    def _create(cls, *args: Any, **kwargs: Any) -> Self:
        self: Self = super()._create(*args, **kwargs)  # type: ignore[misc]
        self._use_engine()
        return self

    def _real_connect(self, addr: Any, connect_ex: bool) -> Any:
        with _Bounded(self):
            result = super()._real_connect(addr, connect_ex)  # type: ignore[misc]
        self._use_engine()
        return result

    def do_handshake(self, block: bool = False) -> None:
        """Perform the handshake, within the socket's timeout and the deadline of the context."""
        if deadline_left() is None:
            return super().do_handshake(block)
        with _Bounded(self):
            return super().do_handshake(block)

    def unwrap(self) -> Any:
        """End the session, within the socket's timeout and the deadline of the context.

        Returns:
            The socket, for plain text.
        """
        with _Bounded(self):
            return super().unwrap()

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all of the data within the socket's timeout.

        Args:
            data: a bytes-like object.
            flags: 0.

        Raises:
            TimeoutError: nothing could be sent for as long as the timeout; how much was sent
                before cannot be told.
        """
        session = self._sslobj
        if (
            type(session) is TLSSession
            and type(data) is bytes
            and data
            and not flags
            # What a program has put into their place is to be called.
            and type(self).send is _SEND
            and ssl.SSLSocket.sendall is _SENDALL
            and session.write(data) == len(data)
        ):
            return
        super().sendall(data, flags)

    def accept(self) -> Any:
        """Accept a connection, and perform the handshake if the listener was made so.

        Returns:
            The socket, of the listener's context, and the peer's address.
        """
        # By a socket of the program's own class: it may be a guarded one, or count.
        plain, address = accept(self)
        listener: Any = self
        secure = self.context.wrap_socket(
            plain,
            do_handshake_on_connect=listener.do_handshake_on_connect,
            suppress_ragged_eofs=listener.suppress_ragged_eofs,
            server_side=True,
        )
        return secure, address

    def _use_engine(self) -> None:
        session = self._sslobj
        if session is not None and _has_no_hook(self.context):
            self._sslobj = tls_session(session, ref(self), self.fileno())

    def makefile(self, *args: Any, **kwargs: Any) -> Any:
        """Return a file object over the socket, as ``oxisock.socket.makefile`` does."""
        plain: Any = socket
        return plain.makefile(self, *args, **kwargs)

    def stats(self) -> Any:
        """Tell what the engine has done for this session so far, as ``socket.stats`` does.

        Returns:
            A dict; bytes are those of the payload. It is empty where the engine does not carry the
            session, and before the handshake.
        """
        session = self._sslobj
        return session.stats() if type(session) is TLSSession else {}

    def detach(self) -> int:
        """Give the descriptor to the caller and close the object without it."""
        session = self._sslobj
        if type(session) is TLSSession:
            session.forget_descriptor()
        return super().detach()

    def _real_close(self) -> None:
        session = self._sslobj
        if type(session) is not TLSSession:
            return super()._real_close()  # type: ignore[misc, no-any-return]
        self._sslobj = None
        # Closed by the last thread that is inside, so that none can touch a number that was
        # used again.
        _socket.socket.detach(self)
        session.close_descriptor()
        return None


class TLSObject(ssl.SSLObject):
    """An ``ssl.SSLObject`` whose reads and writes keep the interpreter lock.

    Made by ``SSLContext.wrap_bio``, as asyncio does; see ``SSLSocket``.
    """

    @classmethod
    def _create(cls, *args: Any, **kwargs: Any) -> Self:
        self: Self = super()._create(*args, **kwargs)  # type: ignore[misc]
        use_engine(self)
        return self


def _has_no_hook(context: Any) -> bool:
    """Tell whether nobody debugs the context: only ``_ssl`` asks for the hook's exceptions."""
    return context._msg_callback is None


def use_engine(session: Any) -> None:
    """Let an object that was just made by ``SSLContext.wrap_bio`` work on the engine."""
    if _has_no_hook(session.context):
        session._sslobj = tls_session(session._sslobj, None, -1)


def exchange(ours: bool) -> None:
    """Make the classes above those of every context that has none of its own, or undo it."""
    ssl.SSLContext.sslsocket_class = SSLSocket if ours else ssl.SSLSocket
    ssl.SSLContext.sslobject_class = TLSObject if ours else ssl.SSLObject


def tls_status() -> str:
    """Tell whether the engine carries TLS.

    Returns:
        ``"active: …"`` with the OpenSSL in use, or ``"off: …"`` with the reason; TLS works then as
        in the standard library.
    """
    reason = tls_unavailable()
    return f"active: {_ssl.OPENSSL_VERSION}" if reason is None else f"off: {reason}"


if "t" in sys.abiflags:
    # Without an interpreter lock reading and writing stay with `ssl`, at one call less.
    del SSLSocket.sendall

enable()
if installed():
    exchange(True)
