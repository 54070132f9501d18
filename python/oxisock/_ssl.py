"""TLS over a connected socket, as the module's older editions had it: ``ssl``, ``SSLObject``.

The protocol is the interpreter's ``ssl`` module working on memory. This file moves records between
that memory and the socket, in the socket's own mode, and never reads past the current record: the
bytes after the end of a session, and what a selector says about the socket, stay the caller's.

Three locks, always taken in this order: ``_writing`` (one ``write`` at a time), ``_sending`` (one
thread sends, so that records keep their order), ``_state`` (the TLS engine and all memory; never
held while a thread waits for the network). One thread receives at a time, too, but another that
needs input must go on as soon as there is some: it waits for a change of state, not for a lock.
"""

from __future__ import annotations

import operator
import select
import warnings
from _thread import allocate_lock
from functools import partial
from math import ceil
from threading import Condition
from time import monotonic
from typing import TYPE_CHECKING

import oxisock

from ._socket import distinguished_names

if TYPE_CHECKING:
    import ssl as tls
    from collections.abc import Callable
    from typing import Protocol, TypeVar

    from _typeshed import ReadableBuffer

    _T = TypeVar("_T")

    class _Lock(Protocol):
        def acquire(self, blocking: bool = ..., timeout: float = ...) -> bool: ...

    class _Connected(Protocol):
        """What ``ssl`` needs of a socket: oxisock's own and the interpreter's have it."""

        @property
        def type(self) -> int: ...
        def fileno(self) -> int: ...
        def gettimeout(self) -> float | None: ...
        def getpeername(self) -> object: ...
        def recv(self, bufsize: int, flags: int = ..., /) -> bytes: ...
        def send(self, data: ReadableBuffer, flags: int = ..., /) -> int: ...


__all__ = ["SSLObject", "UnverifiedTLSWarning", "ssl"]

_HEADER = 5  # octets before each record; the last two are the length of its body (RFC 8446, 5.1)
_RECORD = 16384  # octets of plaintext that one record can carry
_LONGEST = 2**31 - 1  # milliseconds that poll(2) can wait


class UnverifiedTLSWarning(UserWarning):
    """A TLS session starts without a check of who the peer is.

    Whoever controls the network between can read and change everything. Make it an error with
    ``warnings.simplefilter("error", oxisock.UnverifiedTLSWarning)``; avoid it with the arguments
    ``context`` and ``server_hostname`` of ``ssl``.
    """


def ssl(
    sock: _Connected,
    keyfile: str | None = None,
    certfile: str | None = None,
    *,
    context: tls.SSLContext | None = None,
    server_hostname: str | None = None,
) -> SSLObject:
    """Start a TLS session, as its client, over a connected stream socket.

    Called as in the older editions it verifies NOTHING: not the certificate, not its dates, not
    the name. Every such call emits ``UnverifiedTLSWarning``. ``server_hostname`` or a verifying
    ``context`` makes it safe.

    The handshake (RFC 8446, RFC 5246) runs here, within the socket's timeout. On a non-blocking
    socket it starts here and goes on in the calls of the ``SSLObject``.

    Args:
        sock: a connected stream socket, which stays open and the caller's, also after an error.
        keyfile: a PEM file with the private key that belongs to ``certfile``.
        certfile: a PEM file with the certificate chain that the server may ask for; it may hold
            the key as well. With ``context``, load both there.
        context: an ``ssl.SSLContext`` that decides everything. One that verifies no certificate
            brings the warning back.
        server_hostname: the name or IP address to ask for and to verify. Without ``context`` the
            certificate is verified against the authorities that this system trusts.

    Returns:
        The session.

    Raises:
        ssl.SSLCertVerificationError: the certificate is refused.
        ssl.SSLError: the handshake failed; also ``oxisock.sslerror``.
        TimeoutError: the handshake took longer than the timeout.
        OSError: the connection failed, or the socket is not connected or closed.
        ValueError: the arguments do not go together.
        NotImplementedError: the socket is no stream.
    """
    import ssl as tls

    from ._tls import use_engine

    if not hasattr(sock, "getpeername"):
        raise TypeError(f"ssl() needs a socket, not {type(sock).__name__}")
    if sock.type != oxisock.SOCK_STREAM:
        raise NotImplementedError("only stream sockets are supported")
    sock.getpeername()  # ENOTCONN now, rather than from the middle of the handshake
    if context is None:
        context = _context(keyfile, certfile, verify=server_hostname is not None)
    elif keyfile is not None or certfile is not None:
        raise ValueError("keyfile and certfile cannot be given along with context")
    if context.check_hostname and not server_hostname:
        # Unlike wrap_socket(), the way over memory would silently leave the name unchecked.
        raise ValueError("check_hostname requires server_hostname")
    if context.verify_mode == tls.CERT_NONE:
        warnings.warn(
            "ssl() verifies neither the server's certificate nor its name; "
            "pass server_hostname, or a verifying context",
            UnverifiedTLSWarning,
            stacklevel=2,
        )
    incoming, outgoing = tls.MemoryBIO(), tls.MemoryBIO()
    engine = context.wrap_bio(incoming, outgoing, server_hostname=server_hostname)
    use_engine(engine)
    session = SSLObject(sock, engine, incoming, outgoing)
    try:
        session.do_handshake()
    except (tls.SSLWantReadError, tls.SSLWantWriteError):
        pass
    return session


def _context(keyfile: str | None, certfile: str | None, *, verify: bool) -> tls.SSLContext:
    import ssl as tls

    if verify:
        context = tls.create_default_context()
    else:
        context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = tls.CERT_NONE
    if certfile is not None:
        # Without a password OpenSSL would stop the program and ask on the terminal.
        context.load_cert_chain(certfile, keyfile, password=_no_password)
    elif keyfile is not None:
        raise ValueError("certfile must be specified along with keyfile")
    return context


def _no_password() -> str:
    raise ValueError(
        "the private key is encrypted: load it into an ssl.SSLContext with its password"
    )


class _Deadline:
    """How long one call may take, from the mode of its socket when the call starts."""

    __slots__ = ("_end", "_operation", "timeout")

    def __init__(self, timeout: float | None, operation: str) -> None:
        self.timeout = timeout
        self._operation = operation
        # Rounded up to poll(2)'s milliseconds, as the socket itself does.
        self._end = monotonic() + ceil((timeout or 0.0) * 1000) / 1000

    def left(self) -> float:
        """Return the seconds that are left, 0 for a call that must not wait.

        Raises:
            TimeoutError: none are.
        """
        if not self.timeout:
            return 0.0
        left = self._end - monotonic()
        if left <= 0:
            raise TimeoutError(f"The {self._operation} operation timed out")
        return left

    def acquire(self, lock: _Lock) -> bool:
        """Take a lock; False if it is taken and the call must not wait."""
        if self.timeout is None:
            return lock.acquire()
        while left := self.left():
            if lock.acquire(timeout=left):
                return True
        return lock.acquire(blocking=False)

    def wait(self, sock: _Connected, events: int) -> int:
        """Wait until a socket is ready; 0 if it is not and the call must not wait."""
        descriptor = sock.fileno()
        if descriptor < 0:
            return events  # closed: the operation itself has the right error for it
        poller = select.poll()
        poller.register(descriptor, events)
        while True:
            left = self.left()
            milliseconds = None if self.timeout is None else min(ceil(left * 1000), _LONGEST)
            if ready := poller.poll(milliseconds):
                return ready[0][1]
            if not left:
                return 0


class SSLObject:
    """The client's side of a TLS session over a socket, made by ``ssl``.

    Every call honours the mode of the socket as it is when the call starts:

    - blocking: until it is done;
    - with a timeout: one deadline for the whole call, TimeoutError after it;
    - non-blocking: ``ssl.SSLWantReadError`` or ``ssl.SSLWantWriteError`` says which readiness of
      the socket to wait for before making the same call again.

    None of them loses data: the next call goes on where the last one stopped. One thread may read
    while another writes; several writers take turns, whole call by whole call, and several readers
    share the received data, record by record. Deleting the object, or losing it, neither closes the
    socket nor tells the peer.
    """

    __slots__ = (
        "__weakref__",
        "_certificate",
        "_committed",
        "_engine",
        "_established",
        "_fed",
        "_header",
        "_incoming",
        "_missing",
        "_outgoing",
        "_received",
        "_receiving",
        "_sending",
        "_sock",
        "_state",
        "_unsent",
        "_writing",
    )

    def __init__(
        self,
        sock: _Connected,
        engine: tls.SSLObject,
        incoming: tls.MemoryBIO,
        outgoing: tls.MemoryBIO,
    ) -> None:
        self._sock = sock
        self._engine = engine
        self._incoming = incoming
        self._outgoing = outgoing
        self._writing = allocate_lock()
        self._sending = allocate_lock()
        self._state = Condition(allocate_lock())
        self._receiving = False
        self._established = False
        self._certificate: bytes | None = None
        self._unsent = memoryview(b"")  # taken out of _outgoing, not yet by the socket
        self._committed = b""  # plaintext that is on its way but that no write() has counted
        self._received = bytearray()  # plaintext that read() has not returned yet
        self._header = b""  # of the record that is coming in
        self._missing = _HEADER  # octets to come until this header or body is complete
        self._fed = 0  # how often the engine was given input

    def do_handshake(self) -> None:
        """Go on with a handshake that ``ssl`` could not finish on a non-blocking socket.

        The other methods do so by themselves. Once the session is established nothing happens.

        Raises:
            ssl.SSLWantReadError: the peer has to answer first, in non-blocking mode.
            ssl.SSLWantWriteError: there is no room, in non-blocking mode.
            ssl.SSLError: the handshake failed.
            TimeoutError: the handshake took longer than the timeout.
            OSError: the connection failed, or the socket is closed.
        """
        self._handshake(self._deadline("handshake"))

    def write(self, s: ReadableBuffer) -> int:
        """Send all of the bytes.

        Args:
            s: any bytes-like object.

        Returns:
            The number of bytes sent. It is less than the length of ``s`` only on a non-blocking
            socket that takes no more.

        Raises:
            ssl.SSLWantWriteError: there is no room, in non-blocking mode. As part of ``s`` may be
                encrypted and on its way by then, the next call has to begin with the same bytes.
            ssl.SSLError: the call does not begin with those bytes.
            TimeoutError: the timeout, which counts for the whole call, passed.
            OSError: the connection failed, or the socket is closed. The attribute
                ``characters_written`` of this and the other ones above is the number of bytes
                sent before; go on with those behind it.
            TypeError: ``s`` is not bytes-like.
        """
        import ssl as tls

        with memoryview(s) as view, view.cast("B") as data:
            if not len(data):
                return 0
            deadline = self._deadline("write")
            if not deadline.acquire(self._writing):
                raise _want_write()
            written = 0
            try:
                self._handshake(deadline)
                while written < len(data):
                    if not self._committed:
                        self._flush(deadline)
                        record = bytes(data[written : written + _RECORD])
                        encrypted = self._run(partial(self._put, record), deadline)
                        self._committed = record[:encrypted]
                    elif data[written : written + len(self._committed)] != self._committed:
                        raise tls.SSLError(
                            tls.SSL_ERROR_SSL,
                            "bad write retry: repeat write() with the bytes that are not yet sent",
                        )
                    self._flush(deadline)
                    written += len(self._committed)
                    self._committed = b""
            except OSError as error:
                if written and isinstance(error, (tls.SSLWantReadError, tls.SSLWantWriteError)):
                    return written
                error.characters_written = written  # type: ignore[attr-defined]
                raise
            finally:
                self._writing.release()
        return written

    def read(self, n: int | None = None) -> bytes:
        """Receive data; all of it until the end of the session where no number is given.

        The end is the peer's close_notify (RFC 8446, 6.1). The data that a call without ``n`` had
        received when it failed, for whatever reason, is what the next call returns first.

        Args:
            n: the largest number of bytes to return.

        Returns:
            The data, at most one record (16384 bytes) with ``n``; ``b""`` at the end.

        Raises:
            ssl.SSLEOFError: the connection ended without close_notify, as anybody on the way can
                make it do.
            ssl.SSLWantReadError: no record is complete, in non-blocking mode.
            ssl.SSLWantWriteError: the session has to send first and there is no room, in
                non-blocking mode.
            ssl.SSLError: the peer violated the protocol.
            TimeoutError: the timeout, which counts for the whole call, passed.
            OSError: the connection failed, or the socket is closed.
            ValueError: ``n`` is negative.
        """
        if n is not None:
            n = operator.index(n)
            if n < 0:
                raise ValueError("n must not be negative")
            if not n:
                return b""
        deadline = self._deadline("read")
        self._handshake(deadline)
        if n is None:
            while self._run(self._collect, deadline):
                pass
            with self._state:
                data = bytes(self._received)
                self._received.clear()
            return data
        data = self._run(partial(self._take, n), deadline)
        self._flush_now()  # what the engine may have answered, such as a change of keys
        return data

    def server(self) -> str:
        r"""Return the distinguished name that the server's certificate is for, as one line.

        It looks like ``/C=US/ST=California/L=Mountain View/O=Example, Inc./CN=www.example.org``:
        ``/``, OpenSSL's short name of the attribute (its object identifier in dotted form where
        there is none), ``=`` and the value. A ``+`` comes before each further attribute of a
        multi-valued name. Values are text, also when not ASCII; control characters come out as
        ``\xNN``, backslashes doubled, and values that are no text as ``#`` and the hexadecimal
        DER. ``/``, ``=`` and ``+`` in a value are not marked in any way: the line is for people to
        read, and a verifying context is for decisions.

        Returns:
            The name in the certificate of the first handshake, verified or not; empty where that
            is, or where the server has sent no certificate.

        Raises:
            ValueError: the certificate cannot be parsed.
            OSError: as ``do_handshake``, while the session is not established.
        """
        return self._names()[0]

    def issuer(self) -> str:
        """Return the distinguished name of the issuer of the server's certificate.

        Returns:
            The name, in the form of ``server``.

        Raises:
            ValueError: the certificate cannot be parsed.
            OSError: as ``do_handshake``, while the session is not established.
        """
        return self._names()[1]

    def _names(self) -> tuple[str, str]:
        self.do_handshake()
        if self._certificate is None:
            return "", ""
        return distinguished_names(self._certificate)

    def _deadline(self, operation: str) -> _Deadline:
        return _Deadline(self._sock.gettimeout(), operation)

    def _handshake(self, deadline: _Deadline) -> None:
        if not self._established:
            self._run(self._engine.do_handshake, deadline)
            self._flush(deadline)
            with self._state:
                self._certificate = self._engine.getpeercert(binary_form=True)
                self._established = True

    # Steps for `_run`.

    def _put(self, record: bytes) -> int:
        """Encrypt a record.

        In the middle of a renegotiation that takes input, among which there may still be data.
        Writing cannot handle it, so that received records are always read first.
        """
        import ssl as tls

        if self._incoming.pending:
            try:
                self._collect()
            except tls.SSLWantReadError:
                pass
        return self._engine.write(record)

    def _take(self, n: int) -> bytes:
        """Return at most ``n`` bytes of the received data, else of the next record."""
        if not self._received:
            return self._engine.read(min(n, _RECORD))
        data = bytes(self._received[:n])
        del self._received[:n]
        return data

    def _collect(self) -> int:
        """Add the next record to the received data, and return its length."""
        chunk = self._engine.read(_RECORD)
        self._received += chunk
        return len(chunk)

    def _run(self, step: Callable[[], _T], deadline: _Deadline) -> _T:
        """Repeat a step of the engine, moving records in and out, until it has what it needs."""
        import ssl as tls

        while True:
            fed = self._fed
            try:
                with self._state:
                    result = step()
            except tls.SSLWantReadError:
                self._exchange(deadline, fed)
            except tls.SSLError:
                self._flush_now()  # the alert that tells the peer why
                raise
            else:
                return result

    def _exchange(self, deadline: _Deadline, fed: int) -> None:
        """Let the peer see what it may be waiting for, or take in what it has sent.

        Waiting to send would lock up with a peer that is itself stuck sending; so whichever way
        opens first is taken. A thread that is sending takes our output along.
        """
        if self._pending() and not self._sending.locked():
            ready = deadline.wait(self._sock, select.POLLIN | select.POLLOUT)
            if not ready:
                # A caller with an unfinished write() waits for that readiness anyway.
                raise _want_read() if self._committed else _want_write()
            if ready & ~select.POLLIN and self._flush_now():
                return
        self._receive(deadline, fed)

    def _receive(self, deadline: _Deadline, fed: int) -> None:
        """Give the engine more of the current record, or the end of the stream.

        Nothing happens where another thread has done so since ``_fed`` was ``fed``.
        """
        with self._state:
            while self._receiving and self._fed == fed:
                left = deadline.left()
                if not left and deadline.timeout is not None:
                    raise _want_read()
                self._state.wait(left or None)
            if self._fed != fed:
                return
            self._receiving = True
        try:
            if deadline.timeout:
                deadline.wait(self._sock, select.POLLIN)
            data = self._sock.recv(self._missing)
            with self._state:
                self._feed(data)
        except BlockingIOError:
            raise _want_read() from None
        finally:
            with self._state:
                self._receiving = False
                self._state.notify_all()

    def _feed(self, data: bytes) -> None:
        self._fed += 1
        if not data:
            self._incoming.write_eof()
            return
        self._incoming.write(data)
        self._missing -= len(data)
        if len(self._header) < _HEADER:
            self._header += data
            if not self._missing:
                self._missing = int.from_bytes(self._header[3:])
        if not self._missing:
            self._header = b""
            self._missing = _HEADER

    def _pending(self) -> bool:
        with self._state:
            return bool(self._unsent) or self._outgoing.pending > 0

    def _flush(self, deadline: _Deadline) -> None:
        """Send everything the engine has put out.

        A thread that finds ``_sending`` taken leaves its output to the one that has it, which
        therefore checks for more after each turn.
        """
        while self._pending():
            if not deadline.acquire(self._sending):
                raise _want_write()
            try:
                while self._send(deadline):
                    pass
            finally:
                self._sending.release()

    def _send(self, deadline: _Deadline) -> bool:
        with self._state:
            if not self._unsent:
                self._unsent = memoryview(self._outgoing.read())
            if not self._unsent:
                return False
        flags = 0
        if deadline.timeout is not None:
            flags = oxisock.MSG_DONTWAIT  # the deadline may be stricter than the socket's mode
            if not deadline.wait(self._sock, select.POLLOUT):
                raise _want_write()
        try:
            sent = self._sock.send(self._unsent, flags)
        except BlockingIOError:
            raise _want_write() from None
        with self._state:
            self._unsent = self._unsent[sent:]
        return True

    def _flush_now(self) -> bool:
        """Send what can go without waiting; False if the connection takes nothing any more.

        That is no error yet: the peer's reason, or its last data, may still be there to read.
        """
        import ssl as tls

        try:
            self._flush(_Deadline(0.0, "write"))
        except tls.SSLWantWriteError:
            return True
        except OSError:
            return False
        return True


def _want_read() -> tls.SSLWantReadError:
    import ssl as tls

    return tls.SSLWantReadError(tls.SSL_ERROR_WANT_READ, "The operation did not complete (read)")


def _want_write() -> tls.SSLWantWriteError:
    import ssl as tls

    return tls.SSLWantWriteError(tls.SSL_ERROR_WANT_WRITE, "The operation did not complete (write)")
