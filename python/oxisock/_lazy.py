"""Names that the public module fetches when they are first asked for.

Python 3.11 does not specialise look-ups of attributes in a module with a ``__getattr__``. So the
function goes there once every name is there. That waits for ``ssl`` to be imported by somebody, as
fetching ``sslerror`` would import it, and OpenSSL with it. On 3.12 to 3.14 the names have slots
instead (``give_slots``), and 3.15 specialises them anyway.
"""

import sys
from _thread import RLock

from . import _enums
from ._socket import complete, give_slots, load, without_annotations

# The module of each name, where it has the same name.
_HOMES = {
    "Datagram": "oxisock._socket",
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
    "deadline": "oxisock._socket",
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
# What they import takes longer than all the rest.
_LARGE = frozenset(("ssl", "oxisock._ssl", "oxisock._tls", "oxisock._datagrams"))
_ELSEWHERE = {"sslerror": "SSLError"}
# What the standard module happens to import: programs reach through it for these.
_MODULES = ("array", "errno", "io", "os", "selectors", "sys")
_OTHERS = ("__all__", "EBADF", "EAGAIN", "EWOULDBLOCK")
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
    from collections.abc import Iterable, Iterator

    Namespace = dict[str, object]


_has_slots = False


def _looks_up_fast(namespace: "Namespace") -> bool:
    """Give the names slots, if that is possible, and tell whether they have them."""
    global _has_slots
    _has_slots = _has_slots or give_slots(namespace, _fetched())
    return _has_slots


def fetch(namespace: "Namespace", name: str) -> object:
    """Return a name of the public module and keep it in the module's namespace."""
    fast = _looks_up_fast(namespace)
    value = namespace[name] = _find(namespace, name)
    if "ssl" in sys.modules:
        if not fast:
            fetch_all(namespace)
        elif namespace["socket"].__module__ != "socket" and "oxisock._tls" not in sys.modules:
            # Methods of our class are called on TLS sockets. `install` sees to it itself.
            try:
                load("oxisock._tls")
            except ImportError:
                pass  # another thread is importing `ssl`
    return value


# How many threads fetch every name. They take names out for a moment, which the module's
# ``__getattr__`` finds again until the last of them is done. The lock is never held across an
# import, and a signal handler may take it once more.
_fetching = 0
_fetching_lock = RLock()


def fetch_all(namespace: "Namespace") -> None:
    """Fetch every name of the public module.

    But for those that would import ``ssl``, or ``asyncio``, unless somebody has imported ``ssl``
    already, and what is out of reach.
    """
    global _fetching
    with _fetching_lock:
        if "__getattr__" not in namespace:
            return
        _fetching += 1
    whole = False
    try:
        whole = _fetch_all(namespace)
    finally:
        with _fetching_lock:
            _fetching -= 1
            if whole and not _fetching:
                namespace.pop("__getattr__", None)
                if not _has_slots:
                    complete(namespace)


def _fetch_all(namespace: "Namespace") -> bool:
    """Do so, and tell whether every name is there."""
    _looks_up_fast(namespace)
    whole = "ssl" in sys.modules
    for name in (*_HOMES, *_MODULES, *_OTHERS):
        if name not in namespace and (whole or _HOMES.get(name) not in _LARGE):
            try:
                namespace[name] = _find(namespace, name)
            except (ImportError, OSError):
                whole = False
    # Programs make tables by value out of them, where the last name counts: in the order of the
    # standard library, behind those that only we have.
    ours = {*_constants()}
    theirs = [name for name in vars(load("_socket")) if name in ours]
    for name in ours.difference(theirs):
        if name not in namespace:
            namespace[name] = _find(namespace, name)
    for name in theirs:
        value = namespace.pop(name, None)
        namespace[name] = _find(namespace, name) if value is None else value
    return whole


def _fetched() -> "Iterator[str]":
    """Yield the names that are fetched."""
    yield from _HOMES
    yield from _MODULES
    yield from _OTHERS
    yield from _constants()


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
        value = getattr(load(_HOMES[name]), _ELSEWHERE.get(name, name))
        if _HOMES[name].startswith(f"{__package__}."):
            call_it(without_annotations(value), namespace["socket"].__module__)
            if "__firstlineno__" in getattr(value, "__dict__", ()):
                # Of a file that is not that of the class's module: `inspect` would show that one.
                delattr(value, "__firstlineno__")
        return value
    return _enums.resolve(name)


def call_it(value: object, module: str) -> None:
    """Have ``inspect`` and pickle name a module as the home of a public function."""
    if type(value) in _FUNCTIONS:
        value.__module__ = module
    elif isinstance(value, type):
        for method in [*vars(value).values()]:
            if type(method) is _FUNCTIONS[0]:
                method.__module__ = module


_FUNCTIONS: "tuple[type, ...]" = (type(call_it), type(len))


def listing(namespace: "Namespace") -> "list[str]":
    """Return every name of the public module, fetched or not.

    While the module stands for the standard one, without the constants that this lacks and whose
    number it has another name for: programs make tables by value out of the list.
    """
    names = {*namespace, *_own(namespace), *_constants(), "__all__"}
    if getattr(namespace["socket"], "__module__", None) == "socket":
        theirs = vars(load("_socket"))
        taken: set[object] = {
            (_group(name), value) for name, value in theirs.items() if type(value) is int
        }
        names.difference_update(
            [
                name
                for name in _constants()
                if name not in theirs and (_group(name), _enums.constant(name)) in taken
            ]
        )
    return sorted(names)


def _group(name: str) -> str:
    return name.partition("_")[0]


def _own(namespace: "Namespace") -> "Iterable[str]":
    """Yield the public names that are no constants, without the submodules."""
    for name in (*namespace, *_HOMES):
        if not name.startswith("_") and type(namespace.get(name)) is not type(sys):
            yield name


def _constants() -> "list[str]":
    return _enums.names()
