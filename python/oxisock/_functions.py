"""Module functions that are made of several socket calls.

Names that programs are known to replace (``socket``, ``getaddrinfo``, ``gethostbyaddr`` …) are
looked up in the public module at the time of the call, so that a replaced
``oxisock.socket`` or ``oxisock.getaddrinfo`` is the one that is used.
"""

import oxisock as _public

from ._socket import (
    AF_INET,
    AF_INET6,
    IPPROTO_IPV6,
    IPV6_V6ONLY,
    SO_REUSEADDR,
    SO_REUSEPORT,
    SOCK_STREAM,
    SOL_SOCKET,
    connect_host,
    construct,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, SupportsIndex

    from _typeshed import ReadableBuffer

_LOCALHOST = "127.0.0.1"
_LOCALHOST_V6 = "::1"
_GLOBAL_DEFAULT_TIMEOUT = object()


def fromfd(fd: "SupportsIndex", family: int, type: int, proto: int = 0) -> "_public.socket":
    """Make a socket of a duplicate of a descriptor; dup(2).

    Args:
        fd: the number of the descriptor, which stays open and the caller's.
        family: the address family; -1 asks the descriptor.
        type: the socket type; -1 asks the descriptor.
        proto: the protocol number; -1 asks the descriptor.

    Returns:
        A socket whose descriptor is closed on exec.

    Raises:
        OSError: the descriptor cannot be duplicated, or is no socket.
    """
    copy = _public.dup(fd)
    return construct(copy, _public.socket, family, type, proto, by_name=False)


def _fallback_socketpair(
    family: int = AF_INET, type: int = SOCK_STREAM, proto: int = 0
) -> "tuple[_public.socket, _public.socket]":
    """Make two TCP sockets connected over loopback, for families that socketpair(2) lacks."""
    if family == AF_INET:
        host = _LOCALHOST
    elif family == AF_INET6:
        host = _LOCALHOST_V6
    else:
        raise ValueError("Only AF_INET and AF_INET6 socket address families are supported")
    if type != SOCK_STREAM:
        raise ValueError("Only SOCK_STREAM socket type is supported")
    if proto != 0:
        raise ValueError("Only protocol zero is supported")

    with _public.socket(family, type, proto) as listener:
        listener.bind((host, 0))
        listener.listen()
        client = _public.socket(family, type, proto)
        try:
            # Not to wait here for the accept that follows in this same thread.
            client.setblocking(False)
            try:
                client.connect(listener.getsockname()[:2])
            except (BlockingIOError, InterruptedError):
                pass
            client.setblocking(True)
            server, _ = listener.accept()
        except BaseException:
            client.close()
            raise
    try:
        # Any process may connect to a port of loopback: make sure that it was ours.
        if (
            server.getsockname() != client.getpeername()
            or client.getsockname() != server.getpeername()
        ):
            raise ConnectionError("Unexpected peer connection")
    except BaseException:
        server.close()
        client.close()
        raise
    return server, client


def getfqdn(name: str = "") -> str:
    """Look up the fully qualified domain name of a host; gethostbyaddr(3).

    Args:
        name: a name or a numeric address; ``''``, ``'0.0.0.0'`` and ``'::'`` stand for this host.

    Returns:
        The first name with a dot in it among the official name and the aliases, else the official
        name. ``name`` itself where it cannot be resolved, which is no error.
    """
    name = name.strip()
    if not name or name in ("0.0.0.0", "::"):
        name = _public.gethostname()
    try:
        official, aliases, _ = _public.gethostbyaddr(name)
    except OSError:
        return name
    return next((known for known in (official, *aliases) if "." in known), official)


def create_connection(
    address: "tuple[str | None, bytes | str | int | None]",
    timeout: "float | None" = _GLOBAL_DEFAULT_TIMEOUT,  # type: ignore[assignment]
    source_address: "tuple[Any, ...] | str | ReadableBuffer | int | None" = None,
    *,
    all_errors: bool = False,
) -> "_public.socket":
    """Connect a TCP socket to a host; connect(2), RFC 8305.

    The addresses of the host are tried in the order of ``getaddrinfo``, IPv6 and IPv4 in turn. The
    next attempt begins when one has failed, and after ``getconnectionattemptdelay`` seconds while
    none has answered. Attempts that have begun go on; the first to connect wins, and the others are
    closed.

    With a port other than 0 in ``source_address`` the addresses are tried one after the other, each
    with the whole timeout, as two sockets cannot have that port; likewise where a program has put a
    class with a ``connect`` of its own into the place of ``oxisock.socket``.

    Args:
        address: a pair of host and port.
        timeout: seconds, one deadline for all of it, name resolution included, and the timeout of
            the returned socket; None waits without limit. Without it ``getdefaulttimeout`` counts.
        source_address: a pair of host and port that each socket is bound to before it connects.
        all_errors: whether to raise the errors of all addresses.

    Returns:
        The connected socket.

    Raises:
        gaierror: the name cannot be resolved.
        TimeoutError: the deadline passed.
        OSError: no address answered; the error is that of the last one.
        ExceptionGroup: the same, with ``all_errors``: an OSError for each address, in the order of
            ``getaddrinfo``.
    """
    host, port = address
    # A bare object() can be nothing but a "not given" mark, ours or the standard library's, which
    # gets here by way of modules that were imported before install().
    if type(timeout) is object:
        return connect_host(_public, host, port, source_address, all_errors)
    return connect_host(_public, host, port, source_address, all_errors, timeout)


def has_dualstack_ipv6() -> bool:
    """Tell whether one socket can serve IPv6 and IPv4 clients here; ipv6(7), ``IPV6_V6ONLY``."""
    if not _public.has_ipv6:
        return False
    try:
        with _public.socket(AF_INET6, SOCK_STREAM) as sock:
            sock.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, 0)
            return True
    except OSError:
        return False


def create_server(
    address: "tuple[Any, ...] | str | ReadableBuffer | int",
    *,
    family: int = AF_INET,
    backlog: "int | None" = None,
    reuse_port: bool = False,
    dualstack_ipv6: bool = False,
) -> "_public.socket":
    """Make a TCP socket that listens at an address; bind(2), listen(2).

    ``SO_REUSEADDR`` is set, so that a server can start again while connections of its predecessor
    are in TIME_WAIT; socket(7).

    Args:
        address: a pair of host and port; ``''`` stands for every address of the machine, port 0
            for any free one.
        family: AF_INET or AF_INET6.
        backlog: the number of connections that may wait to be accepted, None for the default.
        reuse_port: whether to set ``SO_REUSEPORT``, so that several sockets share the port.
        dualstack_ipv6: whether an AF_INET6 socket serves IPv4 clients too; ipv6(7).

    Returns:
        The listening socket.

    Raises:
        ValueError: ``dualstack_ipv6`` is given with another family, or the machine lacks it.
        OSError: the address cannot be bound; the text names it.
    """
    if dualstack_ipv6:
        if not _public.has_dualstack_ipv6():
            raise ValueError("dualstack_ipv6 not supported on this platform")
        if family != AF_INET6:
            raise ValueError("dualstack_ipv6 requires AF_INET6 family")
    sock = _public.socket(family, SOCK_STREAM)
    try:
        try:
            sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        except OSError:
            pass  # a family without it: bind() shall have the last word
        if reuse_port:
            sock.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1)
        if family == AF_INET6 and _public.has_ipv6:
            sock.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, 0 if dualstack_ipv6 else 1)
        try:
            sock.bind(address)
        except OSError as exc:
            raise OSError(
                exc.errno, f"{exc.strerror} (while attempting to bind on address {address!r})"
            ) from None
        if backlog is None:
            sock.listen()
        else:
            sock.listen(backlog)
    except BaseException:
        sock.close()
        raise
    return sock
