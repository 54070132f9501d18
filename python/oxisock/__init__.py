"""The BSD socket interface with its engine in Rust: ``import oxisock as socket``.

Every name of the interpreter's own ``socket`` module is here, with the same behaviour.
Constants, enumerations and what few programs need are fetched when they are first asked for,
which keeps the import short.
"""

from ._class import socket
from ._functions import (
    create_connection,
    create_server,
    fromfd,
    getfqdn,
    has_dualstack_ipv6,
    recv_fds,
    send_fds,
)
from ._install import install, uninstall
from ._socket import (
    CMSG_LEN,
    CMSG_SPACE,
    close,
    dup,
    getaddrinfo,
    getbusypoll,
    getdefaulttimeout,
    gethostbyaddr,
    gethostbyname,
    gethostbyname_ex,
    gethostname,
    getnameinfo,
    getprotobyname,
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
    setdefaulttimeout,
    sethostname,
    socketpair,
)
from ._socket import Socket as SocketType

__version__ = "0.1.0"

error = OSError
timeout = TimeoutError

# Names that are fetched when they are first asked for: their module and their name there.
_LAZY = {
    "HostNameError": ("oxisock._errors", "HostNameError"),
    "SSLObject": ("oxisock._ssl", "SSLObject"),
    "SocketIO": ("oxisock._files", "SocketIO"),
    "UnverifiedTLSWarning": ("oxisock._ssl", "UnverifiedTLSWarning"),
    "ssl": ("oxisock._ssl", "ssl"),
    "sslerror": ("ssl", "SSLError"),
    # The interpreter's own, so that its `except` clauses catch ours and the other way round.
    "gaierror": ("_socket", "gaierror"),
    "herror": ("_socket", "herror"),
    # What C extensions of the interpreter import; it stands for their own module.
    "CAPI": ("_socket", "CAPI"),
    # Private in the standard library too, but programs and tests know them.
    "_GLOBAL_DEFAULT_TIMEOUT": ("oxisock._functions", "_GLOBAL_DEFAULT_TIMEOUT"),
    "_GiveupOnSendfile": ("oxisock._sendfile", "_GiveupOnSendfile"),
    "_LOCALHOST": ("oxisock._functions", "_LOCALHOST"),
    "_LOCALHOST_V6": ("oxisock._functions", "_LOCALHOST_V6"),
    "_fallback_socketpair": ("oxisock._functions", "_fallback_socketpair"),
}
# Not in `__all__`: after `import ssl` and `from socket import *`, `ssl` has to be the module.
_UNLISTED = {"SSLObject", "UnverifiedTLSWarning", "ssl", "sslerror"}


def __getattr__(name: str) -> object:
    if name == "__all__":
        value: object = sorted(_public_names())
    elif name in _LAZY:
        from importlib import import_module

        module, attribute = _LAZY[name]
        value = getattr(import_module(module), attribute)
    else:
        from ._enums import resolve

        value = resolve(name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_UNLISTED, *_public_names()})


def _public_names() -> set[str]:
    from ._enums import names

    own = {
        name
        for name, value in globals().items()
        if not name.startswith("_") and type(value) is not _Module
    }
    lazy = {name for name in _LAZY if not name.startswith("_")}
    return (own | lazy | set(names())) - _UNLISTED


_Module = type(__import__("sys"))
