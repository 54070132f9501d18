"""Sockets as files: makefile() and SocketIO.

A timeout in the middle of a read loses nothing here. The buffered readers of ``io`` drop what
they have gathered when their raw stream raises, but hand it over when it answers None,
"nothing there now". So the raw stream beneath a reader of makefile() keeps the exception
and answers None; the reader gives what it got back to the raw stream and raises. Its next
read begins with just these bytes.
"""

import io
from _operator import index
from errno import EAGAIN, EWOULDBLOCK

from ._socket import open_raw, register_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from _typeshed import ReadableBuffer, WriteableBuffer

    from ._class import socket

# The modes of SocketIO, and what each says in full.
_RAW_MODES = {"r": "rb", "w": "wb", "rw": "rwb", "rb": "rb", "wb": "wb", "rwb": "rwb"}
_read = io.BufferedReader.read
# How much read() without a size asks for at a time.
_READ_ALL_STEP = 1 << 16


class SocketIO(io.RawIOBase):
    """The raw binary stream over a connected socket that makefile() is built on.

    *sock* is the socket, *mode* one of r, w, rw, rb, wb, rwb; anything else is a ValueError.
    Closing the stream gives up its hold on the socket (which makefile() took) and leaves the
    socket open as long as it is not closed itself.
    """

    # `closed` as a slot and not as the property of RawIOBase: io asks for it on every call.
    __slots__ = ("_held", "_interruption", "_mode", "_restorable", "_sock", "closed")

    __module__ = "oxisock"

    closed: bool

    def __init__(self, sock: "socket", mode: str) -> None:
        """Wrap *sock*; see the class."""
        if mode not in _RAW_MODES:
            raise ValueError(f"invalid mode: {mode!r}")
        self._sock: socket | None = sock
        self._mode = mode
        # Bytes that were received, but whose reader was interrupted: the first to be read.
        self._held: bytes | memoryview | None = None
        # True while a reader that can restore bytes sits on this stream, None while io makes
        # a buffer on it.
        self._restorable: bool | None = False
        # What interrupted that reader's last read.
        self._interruption: BaseException | None = None
        self.closed = False

    def _readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Do what readinto() leaves over: give bytes that are held, or say what is wrong."""
        held = self._held
        if held is None or self._sock is None or "r" not in self._mode:
            self._checkClosed()
            raise io.UnsupportedOperation("File or stream is not readable.")
        view = memoryview(buffer).cast("B")
        size = min(len(view), len(held))
        view[:size] = held[:size]
        self._held = held[size:] if size < len(held) else None
        return size

    def _keeps(self, exc: BaseException, buffer: "WriteableBuffer") -> bool:
        """Tell whether readinto() keeps to itself what receiving into *buffer* raised."""
        if isinstance(exc, OSError) and exc.errno in (EAGAIN, EWOULDBLOCK):
            return True
        # The C code of a buffered reader passes a view of memory that belongs to no object;
        # nobody else does, so others that read this stream directly get the exception.
        if self._restorable and type(buffer) is memoryview and buffer.obj is None:
            self._interruption = exc
            return True
        return False

    def _restore(self, data: "bytes | bytearray | memoryview") -> None:
        """Let *data*, which was read last, be read again."""
        if data:
            # Through a view, many small reads out of much data copy it only once.
            self._held = memoryview(b"".join((data, self._held or b"")))

    def readall(self) -> "bytes | None":  # type: ignore[override]
        """Receive until the end of the stream; None if a non-blocking socket has nothing."""
        chunks: list[bytes] = []
        try:
            while chunk := self.read(_READ_ALL_STEP):
                chunks.append(chunk)
        except BaseException:
            self._restore(b"".join(chunks))
            raise
        return b"".join(chunks) if chunks else chunk

    def readline(self, size: "int | None" = -1, /) -> bytes:
        r"""Receive up to and with the next ``\n``, and not a byte more; at most *size* bytes."""
        line = bytearray()
        limit = -1 if size is None else size
        try:
            while limit < 0 or len(line) < limit:
                byte = self.read(1)
                if byte is None:
                    raise OSError("read() should have returned a bytes object, not 'NoneType'")
                if not byte:
                    break
                line += byte
                if byte == b"\n":
                    break
        except BaseException:
            self._restore(line)
            raise
        return bytes(line)

    def readlines(self, hint: "int | None" = -1, /) -> "list[bytes]":
        """Receive all lines until the end of the stream, or until they make up *hint* bytes."""
        return _gather_lines(self, hint, lambda lines: self._restore(b"".join(lines)))

    def write(self, b: "ReadableBuffer") -> "int | None":
        """Send *b*; return how many of its bytes went out.

        Returns None if the socket is non-blocking and takes nothing now. Raises OSError as send().
        """
        sock = self._sock
        if sock is None or "w" not in self._mode:
            self._checkClosed()
            raise io.UnsupportedOperation("File or stream is not writable.")
        try:
            return sock.send(b)
        except OSError as exc:
            if exc.errno in (EAGAIN, EWOULDBLOCK):
                return None
            raise

    def writable(self) -> bool:
        """Tell whether the mode is one for writing."""
        if self.closed:
            raise ValueError("I/O operation on closed socket.")
        return "w" in self._mode

    def seekable(self) -> bool:
        """Return False: what a socket received does not come again."""
        if self.closed:
            raise ValueError("I/O operation on closed socket.")
        return False

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        sock = self._sock
        if sock is None:
            raise ValueError("I/O operation on closed file.")
        return sock.fileno()

    @property
    def name(self) -> int:
        """The socket's descriptor, or -1 once the stream is closed."""
        return -1 if self._sock is None else self._sock.fileno()

    @property
    def mode(self) -> str:
        """The mode given, with a ``b``."""
        return _RAW_MODES[self._mode]


def _gather_lines(
    stream: "Any", hint: "int | None", restore: "Callable[[list[Any]], None]"
) -> "list[Any]":
    """Do the readlines() of any stream; hand its lines to *restore* when interrupted."""
    lines: list[Any] = []
    total = 0
    try:
        while line := stream.readline():
            lines.append(line)
            total += len(line)
            if hint is not None and 0 < hint < total:
                break
    except BaseException:
        restore(lines)
        raise
    return lines


class BufferedReader(io.BufferedReader):
    """A BufferedReader over a SocketIO that an interrupted read leaves as it was before."""

    # Set by _open_reader: an __init__ of our own would cost each makefile() a call more.
    __slots__ = ("_source",)

    _source: SocketIO

    def _interrupted(self, data: "bytes | memoryview | None") -> "NoReturn":
        """Give *data* back, the outcome of the read that was interrupted, and raise why."""
        source = self._source
        exc = source._interruption
        source._interruption = None
        # Whatever io still had buffered is part of this outcome: the order stays.
        source._restore(data or b"")
        try:
            raise exc or AssertionError("no read was interrupted")
        finally:
            del exc  # its traceback refers to this frame

    def _interrupted_into(self, buffer: "WriteableBuffer", size: "int | None") -> "NoReturn":
        """Do the same for a read that has put *size* bytes into *buffer*."""
        self._interrupted(memoryview(buffer).cast("B")[: size or 0])

    def _read_all(self) -> bytes:
        chunks: list[bytes] = []
        while chunk := _read(self, _READ_ALL_STEP):
            chunks.append(chunk)
            if len(chunk) < _READ_ALL_STEP:
                break
        data = b"".join(chunks) if chunks else chunk
        if self._source._interruption is not None:
            self._interrupted(data)
        return data

    def readlines(self, hint: "int | None" = -1, /) -> "list[bytes]":
        return _gather_lines(self, hint, self._give_back)

    def __repr__(self) -> str:
        return f"<_io.BufferedReader name={self.name!r}>"

    def _give_back(self, lines: "list[bytes]") -> None:
        """Let *lines* be read again, after an interrupted read emptied io's own buffer."""
        self._source._restore(b"".join(lines))

    def detach(self) -> SocketIO:
        super().detach()
        self._source._restorable = False
        return self._source


def _open_reader(raw: SocketIO, size: int) -> BufferedReader:
    reader = BufferedReader(raw, size)
    reader._source = raw
    raw._restorable = True
    return reader


class BufferedRWPair(io.BufferedRWPair):
    """A BufferedRWPair over one SocketIO that reads through a BufferedReader."""

    def __init__(self, raw: SocketIO, size: int) -> None:
        super().__init__(raw, raw, size)
        self._reader = _open_reader(raw, size)

    # Methods, and not the reader's own bound ones, so that a call keeps the pair alive, whose end
    # closes the raw stream.

    def read(self, size: "int | None" = -1, /) -> bytes:
        return self._reader.read(size)

    def read1(self, size: int = -1, /) -> bytes:
        return self._reader.read1(size)

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        return self._reader.readinto(buffer)

    def readinto1(self, buffer: "WriteableBuffer", /) -> int:
        return self._reader.readinto1(buffer)

    def peek(self, size: int = 0, /) -> bytes:
        return self._reader.peek(size)

    def readline(self, size: "int | None" = -1, /) -> bytes:
        return self._reader.readline(size)

    def readlines(self, hint: "int | None" = -1, /) -> "list[bytes]":
        return self._reader.readlines(hint)


class TextIOWrapper(io.TextIOWrapper):
    """A TextIOWrapper that keeps what it has decoded when a read is interrupted.

    The one of ``io`` holds an unfinished line in local variables, out of anybody's reach. So
    reading is done here; writing, and everything else, is inherited.
    """

    __slots__ = ("_asks", "_decoder", "_end", "_newline", "_position", "_text")

    def __init__(
        self, buffer: "Any", encoding: "str | None", errors: "str | None", newline: "str | None"
    ) -> None:
        super().__init__(buffer, encoding, errors, newline)
        self._decoder: Any = None
        # Whether each read has to ask io first: it may hold text to write, or be closed.
        self._asks = isinstance(buffer, BufferedRWPair)
        # Decoded text, None once the file is closed or detached, and how much of it was read.
        self._text: str | None = ""
        self._position = 0
        self._set_newline(newline)

    def _set_newline(self, newline: "str | None") -> None:
        self._newline = newline
        # What ends a line; "" for any of the three.
        self._end = "\n" if newline is None else newline

    def _open_decoder(self) -> "Any":
        """Check that reading is possible at all, and return the decoder."""
        super().read(0)  # also puts what was written before into the buffer
        if self._decoder is None:
            from codecs import getincrementaldecoder

            decoder: Any = getincrementaldecoder(self.encoding)(self.errors or "strict")
            if not self._newline:
                decoder = io.IncrementalNewlineDecoder(decoder, self._newline is None)
            self._decoder = decoder
        return self._decoder

    def _decode_more(self) -> "str | None":
        """Return text that follows what is held, None at the end of the stream."""
        decoder = self._decoder
        if decoder is None or self._asks:
            decoder = self._open_decoder()
        data = self.buffer.read1(self._CHUNK_SIZE)  # type: ignore[attr-defined]
        text: str = decoder.decode(data, not data)
        return text if text or data else None

    def _line_end(self, text: str) -> int:
        """Return where the first line of *text* ends, 0 if it does not."""
        if self._end:
            return (text.find(self._end) + len(self._end)) if self._end in text else 0
        feed = text.find("\n")
        # The decoder never parts \r from its \n.
        carriage = text.find("\r", 0, feed) if feed >= 0 else text.find("\r")
        if carriage < 0 or feed == carriage + 1:
            return feed + 1
        return carriage + 1

    def _take_held(self) -> str:
        """Return the text that is held, and hold nothing any more."""
        text = (self._text or "")[self._position :]
        self._text = ""
        self._position = 0
        return text

    def _read_line(self, size: int = -1, /) -> str:
        return self._read_until(self._line_end, index(size))

    def _read(self, size: "int | None" = -1, /) -> str:
        if size is None or index(size) < 0:
            decoder = self._open_decoder()
            # First what may be interrupted, and then what takes something out.
            rest: str = decoder.decode(self.buffer.read(), True)
            return self._take_held() + rest
        return self._read_until(lambda text: 0, index(size))

    def _read_until(self, find: "Callable[[str], int]", size: int) -> str:
        """Read up to where *find* sees an end, at most *size* characters unless that is < 0."""
        self._open_decoder()
        unseen = self._take_held()
        pieces = [unseen]
        count = len(unseen)
        taken = 0
        try:
            while not (stop := find(unseen)) and not 0 <= size <= count:
                text = self._decode_more()
                if text is None:
                    break
                pieces.append(text)
                count += len(text)
                # An end of two characters may have come in two pieces.
                unseen = "\r" + text if self._end == "\r\n" and unseen[-1:] == "\r" else text
            taken = count - len(unseen) + stop if stop else count
            if 0 <= size < taken:
                taken = size
        finally:
            # One join for a line of any length; interrupted, it is all there for the next read.
            joined = "".join(pieces)
            self._text = joined[taken:]
        return joined[:taken]

    def readlines(self, hint: "int | None" = -1, /) -> "list[str]":  # type: ignore[override]
        return _gather_lines(self, hint, self._give_back)

    def _give_back(self, lines: "list[str]") -> None:
        self._text = "".join((*lines, self._take_held()))

    @property
    def newlines(self) -> "str | tuple[str, ...] | None":  # type: ignore[override]
        if self._text is None:
            _ = super().newlines  # raises where there is no file beneath any more
        return getattr(self._decoder, "newlines", None)

    def reconfigure(self, **settings: "Any") -> None:
        """Change settings as in TextIOWrapper; not those of reading once that has begun."""
        if self._decoder is not None and (
            "newline" in settings
            or settings.get("encoding") is not None
            or settings.get("errors") is not None
        ):
            raise io.UnsupportedOperation(
                "It is not possible to set the encoding or newline of stream after the first read"
            )
        super().reconfigure(**settings)
        if "newline" in settings:
            self._set_newline(settings["newline"])

    def detach(self) -> "Any":
        buffer = super().detach()
        self._text = None
        return buffer

    def close(self) -> None:
        self._text = None  # a closed file must not go on to give lines
        super().close()


globals().update(
    zip(
        ("SocketIO", "BufferedReader", "TextIOWrapper"),
        register_files(SocketIO, BufferedReader, TextIOWrapper),
        strict=True,
    )
)


def _raw_mode(mode: str) -> str:
    """Return the mode beneath a file of any *mode* that makefile() takes."""
    if not set(mode) <= {"r", "w", "b"}:
        raise ValueError(f"invalid mode {mode!r} (only r, w, b allowed)")
    writing = "w" in mode
    return "rwb" if writing and "r" in mode else "wb" if writing else "rb"


def open_file(
    sock: "socket",
    mode: str,
    buffering: "int | None",
    encoding: "str | None",
    errors: "str | None",
    newline: "str | None",
) -> "SocketIO | io.BufferedIOBase | io.TextIOWrapper":
    """Do what makefile() does."""
    raw_mode = _RAW_MODES.get(mode) or _raw_mode(mode)
    raw: SocketIO = open_raw(sock, raw_mode)
    if buffering == 0:
        if "b" not in mode:
            raise ValueError("unbuffered streams must be binary")
        raw._restorable = False
        return raw
    size = io.DEFAULT_BUFFER_SIZE if buffering is None or buffering < 0 else buffering
    buffer: Any
    if raw_mode == "rb":
        buffer = _open_reader(raw, size)
    elif raw_mode == "rwb":
        buffer = BufferedRWPair(raw, size)
    else:
        buffer = io.BufferedWriter(raw, size)
        raw._restorable = False
    if "b" in mode:
        return buffer  # type: ignore[no-any-return]
    kind = io.TextIOWrapper if raw_mode == "wb" else TextIOWrapper
    text = kind(buffer, io.text_encoding(encoding, 3), errors, newline)
    text.mode = mode  # type: ignore[misc]
    return text
