"""The exception classes that the interpreter's own socket module does not have."""

from _socket import gaierror


class IncompleteReadError(EOFError):
    """A stream that ended before an exact read had everything.

    Like ``asyncio.IncompleteReadError``, which is another class.

    Attributes:
        partial: the bytes that arrived before the end.
        expected: the number of bytes that were asked for.
    """

    __module__ = "oxisock"

    def __init__(self, partial: bytes, expected: int) -> None:
        super().__init__(f"the stream ended after {len(partial)} of {expected} bytes")
        self.partial = partial
        self.expected = expected

    def __reduce__(self) -> "tuple[type, tuple[bytes, int]]":
        return type(self), (self.partial, self.expected)


class HostNameError(gaierror, UnicodeError):
    """A host name that IDNA (RFC 3490) cannot express.

    No host can have such a name, so that this is a ``gaierror`` with the code ``EAI_NONAME``,
    and a ``UnicodeError`` as well, which is what the standard library raises here.
    """

    __module__ = "oxisock"
