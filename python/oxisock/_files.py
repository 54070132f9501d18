"""Sockets as files: makefile() and SocketIO.

The classes are those of ``io`` with reading of our own: a timeout in the middle of a read, which
makes the readers of ``io`` lose what they have gathered, loses nothing here. What was received and
not yet given belongs to the native state of each file, in its attribute ``_state``.
"""

import io
import sys
from codecs import getincrementaldecoder
from errno import EAGAIN, EWOULDBLOCK

from ._socket import (
    BufferMethods,
    FileState,
    RawMethods,
    TextMethods,
    TextReader,
    open_raw,
    register_files,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from _typeshed import ReadableBuffer


# The modes of SocketIO, and what each says in full.
_RAW_MODES = {"r": "rb", "w": "wb", "rw": "rwb", "rb": "rb", "wb": "wb", "rwb": "rwb"}


class SocketIO(io.RawIOBase, RawMethods):
    """The raw binary stream over a connected socket that makefile() is built on.

    Closing the stream gives up its hold on the socket (which makefile() took) and leaves the
    socket open as long as it is not closed itself.

    Args:
        sock: the socket.
        mode: one of r, w, rw, rb, wb, rwb.

    Raises:
        ValueError: another mode.
    """

    # `closed` as a slot and not as the property of RawIOBase: io asks for it on every call.
    __slots__ = ("_state", "closed")
    __module__ = "oxisock"

    closed: bool

    @classmethod
    def __subclasshook__(cls, other: type) -> bool:
        # The standard library's own is one as well: TLS sockets make their files of it.
        standard = sys.modules.get("oxisock._standard")
        module = standard.known() if standard else None
        theirs = getattr(module or sys.modules.get("socket"), "SocketIO", None)
        return True if cls is SocketIO and theirs in other.__mro__ else NotImplemented

    def __init__(self, sock: "Any", mode: str) -> None:
        """Wrap ``sock``; see the class."""
        if mode not in _RAW_MODES:
            raise ValueError(f"invalid mode: {mode!r}")
        self._state = FileState(sock, mode)
        self.closed = False  # pyright: ignore[reportIncompatibleMethodOverride]

    @property
    def _sock(self) -> "Any":
        # Private in the standard library too, but programs look for the socket there.
        return self._state.sock

    def write(self, b: "ReadableBuffer") -> "int | None":
        """Send ``b``.

        Returns:
            How many of its bytes went out; None if the socket is non-blocking and takes
            nothing now.

        Raises:
            OSError: as for send().
        """
        sock = self._state.sock
        if sock is None or not self._state.writes:
            self._checkClosed()
            raise io.UnsupportedOperation("File or stream is not writable.")
        try:
            return sock.send(b)  # type: ignore[no-any-return]
        except OSError as exc:
            if exc.errno in (EAGAIN, EWOULDBLOCK):
                return None
            raise

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        sock = self._state.sock
        if sock is None:
            raise ValueError("I/O operation on closed file.")
        return sock.fileno()  # type: ignore[no-any-return]

    @property
    def name(self) -> int:
        """The socket's descriptor, or -1 once the stream is closed."""
        sock = self._state.sock
        return -1 if sock is None else sock.fileno()

    @property
    def mode(self) -> str:
        """The mode given, with a ``b``."""
        return f"{'r' * self._state.reads}{'w' * self._state.writes}b"


class BufferedReader(io.BufferedReader, BufferMethods):
    """A BufferedReader over a SocketIO that an interrupted read leaves as it was before."""

    # Set by makefile: an __init__ of our own would cost each makefile() a call more.
    __slots__ = ("_state",)

    _state: FileState

    def __repr__(self) -> str:
        return f"<_io.BufferedReader name={self.name!r}>"

    def detach(self) -> io.RawIOBase:
        raw = super().detach()
        self._state.detach()
        return raw


class BufferedRWPair(io.BufferedRWPair, BufferMethods):
    """A BufferedRWPair over one SocketIO that reads in the same way."""

    __slots__ = ("_state",)

    _state: FileState


class TextIOWrapper(io.TextIOWrapper, TextMethods):
    """A TextIOWrapper that keeps what it has decoded when a read is interrupted."""

    __slots__ = ("_newline", "_state")

    def __init__(
        self, buffer: "Any", encoding: "str | None", errors: "str | None", newline: "str | None"
    ) -> None:
        super().__init__(buffer, encoding, errors, newline)
        self._newline = newline
        self._state = TextReader(buffer._state, newline)

    def _prepare_to_read(self) -> None:
        """Check that reading is possible, and write what io holds."""
        super().read(0)

    def _make_decoder(self) -> "Any":
        decoder: Any = getincrementaldecoder(self.encoding)(self.errors or "strict")
        newline = self._newline
        if not newline:
            decoder = io.IncrementalNewlineDecoder(decoder, newline is None)
        return decoder

    @property
    def newlines(self) -> "str | tuple[str, ...] | None":  # type: ignore[override]
        _ = super().newlines  # raises where there is no file beneath any more
        return getattr(self._state.decoder, "newlines", None)

    def reconfigure(self, **settings: "Any") -> None:
        """Change settings as in TextIOWrapper; not those of reading once that has begun."""
        if self._state.decoder is not None and (
            "newline" in settings
            or settings.get("encoding") is not None
            or settings.get("errors") is not None
        ):
            raise io.UnsupportedOperation(
                "It is not possible to set the encoding or newline of stream after the first read"
            )
        super().reconfigure(**settings)
        if "newline" in settings:
            self._newline = settings["newline"]
            self._state.set_newline(self._newline)

    def detach(self) -> "Any":
        buffer = super().detach()
        self._state.detach()
        return buffer


register_files(SocketIO, BufferedReader, BufferedRWPair, TextIOWrapper)


def _raw_mode(mode: str) -> str:
    """Return the mode beneath a file of any ``mode`` that makefile() takes."""
    if not set(mode) <= {"r", "w", "b"}:
        raise ValueError(f"invalid mode {mode!r} (only r, w, b allowed)")
    writing = "w" in mode
    return "rwb" if writing and "r" in mode else "wb" if writing else "rb"


def open_file(
    sock: "Any",
    mode: str,
    buffering: "int | None",
    encoding: "str | None",
    errors: "str | None",
    newline: "str | None",
) -> "SocketIO | io.BufferedIOBase | io.TextIOWrapper":
    """Do what makefile() does."""
    try:
        raw_mode = _RAW_MODES[mode]
    except KeyError:
        raw_mode = _raw_mode(mode)
    if buffering is None or buffering < 0:
        buffering = io.DEFAULT_BUFFER_SIZE
    raw = open_raw(sock, SocketIO, raw_mode, buffering)
    raw.closed = False
    if not buffering:
        if "b" not in mode:
            raise ValueError("unbuffered streams must be binary")
        return raw
    buffer: Any
    if raw_mode == "rb":
        # The buffer of io itself stays empty.
        buffer = BufferedReader(raw, 1)
        buffer._state = raw._state
    elif raw_mode == "rwb":
        buffer = BufferedRWPair(raw, raw, buffering)
        buffer._state = raw._state
    else:
        buffer = io.BufferedWriter(raw, buffering)
    if "b" in mode:
        return buffer  # type: ignore[no-any-return]
    kind = io.TextIOWrapper if raw_mode == "wb" else TextIOWrapper
    text = kind(buffer, io.text_encoding(encoding, 3), errors, newline)
    text.mode = mode  # type: ignore[misc]
    return text
