"""The BSD socket interface with its engine in Rust: ``import oxisock as socket``.

Every name of the interpreter's own ``socket`` module is here, with the same behaviour.
Constants and enumerations are made when they are first asked for, which keeps the import
short.
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
    Socket as SocketType,
)
from ._socket import (
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

__version__ = "0.1.0"

error = OSError
timeout = TimeoutError

# Names that are fetched when they are first asked for, and where from.
_LAZY = {
    "SocketIO": "oxisock._files",
    "HostNameError": "oxisock._errors",
    # The interpreter's own, so that its `except` clauses catch ours and the other way round.
    "gaierror": "_socket",
    "herror": "_socket",
    # What C extensions of the interpreter import; it stands for their own module.
    "CAPI": "_socket",
}


def __getattr__(name: str) -> object:
    if name == "__all__":
        value: object = sorted(_public_names())
    elif name in _LAZY:
        from importlib import import_module

        value = getattr(import_module(_LAZY[name]), name)
    else:
        from ._enums import resolve

        value = resolve(name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_public_names()})


def _public_names() -> set[str]:
    from ._enums import names

    here = {name for name in globals() if not name.startswith("_")}
    return here | _LAZY.keys() | set(names())
