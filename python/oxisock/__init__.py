"""The BSD socket interface with its engine in Rust: ``import oxisock as socket``.

Every name of the interpreter's own ``socket`` module is here, with the same behaviour.
Constants, enumerations and functions that are written in Python are fetched when they are first
asked for (``_lazy``), which keeps the import short.
"""

from ._class import socket
from ._socket import (
    CMSG_LEN,
    CMSG_SPACE,
    Socket as SocketType,
    __version__,
    close,
    deadline,
    dup,
    getaddrinfo,
    getbusypoll,
    getconnectionattemptdelay,
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
    ntohl,
    ntohs,
    setbusypoll,
    setconnectionattemptdelay,
    setdefaulttimeout,
    sethostname,
    setresolvertimeout,
    socketpair,
)

error = OSError
timeout = TimeoutError


def __getattr__(name: str) -> object:
    from ._lazy import fetch

    return fetch(globals(), name)


def __dir__() -> list[str]:
    from ._lazy import listing

    return listing(globals())
