"""The exception classes that the interpreter's own socket module does not have."""

from _socket import gaierror


class HostNameError(gaierror, UnicodeError):
    """A host name that IDNA (RFC 3490) cannot express.

    No host can have such a name, so that this is a ``gaierror`` with the code ``EAI_NONAME``,
    and a ``UnicodeError`` as well, which is what the standard library raises here.
    """

    __module__ = "oxisock"
