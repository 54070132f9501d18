"""The BSD socket interface with its engine in Rust: ``import oxisock as socket``.

Every name of the interpreter's own ``socket`` module is here, with the same behaviour.
Constants, enumerations and functions that are written in Python get into the module when they are
first asked for (``_lazy``), which keeps the import short. What they are made of is in memory by
then (``src/python/late.rs``): a program may have left the file system for good (chroot(2)), its
rights to read it, or its last free descriptor. Only ``ssl`` and what needs it is left for later.
"""

try:
    from . import _socket
except ImportError as error:
    # The interpreter's own words, which name a module that nobody has asked for.
    if "subinterpreters" not in str(error):
        raise
    raise ImportError(
        "oxisock works in the main interpreter only; an interpreter inside it, such as those of "
        "InterpreterPoolExecutor, has the standard library's socket",
        name=__name__,
        path=__file__,
    ) from None

from . import _late
from ._class import socket
from ._socket import (
    CMSG_LEN,
    CMSG_SPACE,
    Socket as SocketType,
    __version__,
    close,
    dup,
    getaddrinfo,
    getbusypoll,
    getconnectionattemptdelay,
    getconnecttimeout,
    getdefaultkeepalive,
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
    load as _load,
    ntohl,
    ntohs,
    setbusypoll,
    setconnectionattemptdelay,
    setconnecttimeout,
    setdefaultkeepalive,
    setdefaulttimeout,
    sethostname,
    setresolvertimeout,
    socketpair,
    stats,
)

error = OSError
timeout = TimeoutError


def __getattr__(name: str) -> object:
    return _load("oxisock._lazy").fetch(globals(), name)


def __dir__() -> list[str]:
    listing: list[str] = _load("oxisock._lazy").listing(globals())
    return listing


_late.make_lazy(globals())
