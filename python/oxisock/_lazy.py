"""Names that the public module fetches when they are first asked for.

A module with a ``__getattr__`` pays for it: the interpreter does not specialise look-ups of its
attributes. So the function goes once every name is there. That waits for ``ssl`` to be imported by
somebody, as fetching ``sslerror`` would import it, and OpenSSL with it.
"""

import sys

from . import _enums
from ._held import load

# The module of each name, where it has the same name.
_HOMES = {
    "HostNameError": "oxisock._errors",
    "IncompleteReadError": "oxisock._errors",
    "SSLObject": "oxisock._ssl",
    "SSLSocket": "oxisock._tls",
    "TLSObject": "oxisock._tls",
    "SocketIO": "oxisock._files",
    "UnverifiedTLSWarning": "oxisock._ssl",
    "DatagramEndpoint": "oxisock._datagrams",
    "create_connection": "oxisock._functions",
    "create_server": "oxisock._functions",
    "datagram_endpoint": "oxisock._datagrams",
    "fromfd": "oxisock._functions",
    "getfqdn": "oxisock._functions",
    "getifaddrs": "oxisock._peers",
    "has_dualstack_ipv6": "oxisock._functions",
    "install": "oxisock._install",
    "installed": "oxisock._install",
    "recv_fds": "oxisock._descriptors",
    "send_fds": "oxisock._descriptors",
    "ssl": "oxisock._ssl",
    "sslerror": "ssl",
    "tls_status": "oxisock._tls",
    "uninstall": "oxisock._install",
    # The interpreter's own, so that its `except` clauses catch ours and the other way round.
    "gaierror": "_socket",
    "herror": "_socket",
    # What C extensions of the interpreter import; it stands for their own module.
    "CAPI": "_socket",
    # Private in the standard library too, but programs and tests know them.
    "_GLOBAL_DEFAULT_TIMEOUT": "oxisock._functions",
    "_GiveupOnSendfile": "oxisock._sendfile",
    "_LOCALHOST": "oxisock._functions",
    "_LOCALHOST_V6": "oxisock._functions",
    "_blocking_errnos": "oxisock._enums",
    "_fallback_socketpair": "oxisock._functions",
    "_intenum_converter": "oxisock._enums",
    "IntEnum": "enum",
    "IntFlag": "enum",
}
_ELSEWHERE = {"sslerror": "SSLError"}
# What the standard module happens to import: programs reach through it for these.
_MODULES = ("array", "errno", "io", "os", "selectors", "sys")
# Not in `__all__`: after `import ssl` and `from socket import *`, `ssl` has to be the module.
_UNLISTED = frozenset(
    (
        "IntEnum",
        "IntFlag",
        "SSLObject",
        "SSLSocket",
        "TLSObject",
        "UnverifiedTLSWarning",
        "ssl",
        "sslerror",
        "tls_status",
    )
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    Namespace = dict[str, object]


def fetch(namespace: "Namespace", name: str) -> object:
    """Return a name of the public module and keep it in the module's namespace."""
    value = namespace[name] = _find(namespace, name)
    if "ssl" in sys.modules and "__getattr__" in namespace:
        for missing in (
            *_HOMES,
            *_MODULES,
            "__all__",
            *_constants(),
            "EBADF",
            "EAGAIN",
            "EWOULDBLOCK",
        ):
            if missing not in namespace:
                namespace[missing] = _find(namespace, missing)
        namespace.pop("__getattr__", None)
    return value


def _find(namespace: "Namespace", name: str) -> object:
    if name == "__all__":
        return sorted({*_own(namespace), *_constants()} - _UNLISTED)
    if name == "selectors":
        # Ours, as `from oxisock import selectors` asks here first; it has all that theirs has.
        try:
            return load("oxisock.selectors")
        except AttributeError:
            pass  # gevent and eventlet have taken away what it builds on
    if name in _MODULES:
        return __import__(name)
    if name in _HOMES:
        return getattr(load(_HOMES[name]), _ELSEWHERE.get(name, name))
    return _enums.resolve(name)


def listing(namespace: "Namespace") -> "list[str]":
    """Return every name of the public module, fetched or not."""
    return sorted({*namespace, *_own(namespace), *_constants(), "__all__"})


def _own(namespace: "Namespace") -> "Iterable[str]":
    """Yield the public names that are no constants, without the submodules."""
    for name in (*namespace, *_HOMES):
        if not name.startswith("_") and type(namespace.get(name)) is not type(sys):
            yield name


def _constants() -> "list[str]":
    return _enums.names()
