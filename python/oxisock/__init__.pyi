"""The BSD socket interface with its engine in Rust: `import oxisock as socket`.

Each name is typed and documented where it is written: the functions made of several calls in
`_functions.py`, the native ones in `_socket.pyi`, the class in `_class.pyi`, and the constants and
their enumerations, all of which are names of this module, in `_constants.pyi`.
"""

from ssl import SSLError

from _socket import CAPI as CAPI, gaierror as gaierror, herror as herror

from ._class import socket as socket
from ._constants import *
from ._errors import HostNameError as HostNameError
from ._files import SocketIO as SocketIO
from ._functions import (
    create_connection as create_connection,
    create_server as create_server,
    fromfd as fromfd,
    getfqdn as getfqdn,
    has_dualstack_ipv6 as has_dualstack_ipv6,
    recv_fds as recv_fds,
    send_fds as send_fds,
)
from ._install import install as install, uninstall as uninstall
from ._socket import (
    CMSG_LEN as CMSG_LEN,
    CMSG_SPACE as CMSG_SPACE,
    Socket as Socket_,
    close as close,
    dup as dup,
    getaddrinfo as getaddrinfo,
    getbusypoll as getbusypoll,
    getdefaulttimeout as getdefaulttimeout,
    gethostbyaddr as gethostbyaddr,
    gethostbyname as gethostbyname,
    gethostbyname_ex as gethostbyname_ex,
    gethostname as gethostname,
    getnameinfo as getnameinfo,
    getprotobyname as getprotobyname,
    getservbyname as getservbyname,
    getservbyport as getservbyport,
    htonl as htonl,
    htons as htons,
    if_indextoname as if_indextoname,
    if_nameindex as if_nameindex,
    if_nametoindex as if_nametoindex,
    inet_aton as inet_aton,
    inet_ntoa as inet_ntoa,
    inet_ntop as inet_ntop,
    inet_pton as inet_pton,
    ntohl as ntohl,
    ntohs as ntohs,
    setbusypoll as setbusypoll,
    setdefaulttimeout as setdefaulttimeout,
    sethostname as sethostname,
    socketpair as socketpair,
)
from ._ssl import SSLObject as SSLObject, UnverifiedTLSWarning as UnverifiedTLSWarning, ssl as ssl

__version__: str
__all__: list[str]

# What stands for "no timeout given", which modules of the standard library pass on.
_GLOBAL_DEFAULT_TIMEOUT: object

SocketType = Socket_
error = OSError
timeout = TimeoutError
sslerror = SSLError
