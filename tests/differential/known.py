"""Where the two modules differ on purpose; each kind has its line in docs/differences.md."""

import socket
import sys
from typing import Any

import oxisock

REFUSED = (OverflowError, OSError, ValueError)
DESCRIPTORS = ("__init__", "close", "dup", "fromfd", "socket")

COMPARING = ("__init__", "socket", "makefile")
NAMING = (
    *("gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getaddrinfo", "create_server"),
    *("bind", "connect", "connect_ex", "sendto", "sendmsg", "create_connection"),
)
CLOSED = ("raises", OSError, 9)
DEAD = ("closed", "detached", "blank", "half", "failed")


def known(
    name: str,
    subject: str,
    call: str,
    count: int,
    expected: tuple[Any, ...],
    answer: tuple[Any, ...],
) -> bool:
    """Whether this difference is one of those; `count` is that of the call's arguments."""
    return (
        unborn(subject, expected, answer)
        or unencodable(call, expected, answer)
        or (name in DESCRIPTORS and number_too_large(expected, answer))
        # The C library refuses `::ffff:1.2.3.4` without a number: there it is the last call's.
        or (
            name == "gethostbyname_ex"
            and raises(expected, socket.herror)
            and raises(answer, socket.herror)
        )
        or (name == "makefile" and raises(expected, ValueError) and raises(answer, TypeError))
        # That it has letters only is seen before that it has one dimension.
        or (
            name == "makefile"
            and raises(expected, NotImplementedError)
            and raises(answer, ValueError)
        )
        # The standard library's `socket.py` compares what it is given, and its codec asks the host.
        or (
            name in COMPARING
            and "Odd" in call
            and raises(expected, ZeroDivisionError, AttributeError)
        )
        or (
            name in NAMING
            and "OddText(" in call
            and (raises(expected, ZeroDivisionError, TypeError) or expected[:3] == CLOSED)
        )
        # A TLS socket has the memory for what arrives, not for what was asked for.
        or (
            subject == "tls"
            and name in ("read", "recv")
            and raises(expected, MemoryError, OverflowError)
            and answer[0] == "returns"
        )
        # Nor has any other before the system was asked, or a buffer before it is used.
        or (name == "recv" and raises(expected, MemoryError) and raises(answer, OSError))
        or (name == "makefile" and raises(expected, MemoryError) and answer[0] == "returns")
        # From 3.14 on each exception of `__iter__` is a TypeError.
        or (
            sys.version_info >= (3, 14)
            and name in ("sendmsg", "recvmsg_into")
            and raises(expected, TypeError)
            and raises(answer, ZeroDivisionError)
        )
        # Which of two arguments is converted first, where converting one raises.
        or (
            ("Acting(" in call or "(S.close" in call)
            and count > 1
            and {answer[0], expected[0]} == {"raises"}
        )
        # The descriptor is asked for when all arguments are converted, whatever these did to it.
        or ("Acting(" in call and expected[:3] == CLOSED and answer[0] == "returns")
        # Which of two faults is seen first: that the socket is closed, or another one.
        or (
            subject in DEAD
            and {answer[0], expected[0]} == {"raises"}
            and CLOSED in (answer[:3], expected[:3])
        )
        # The mode is looked up: its `__hash__` is asked.
        or (name == "makefile" and "(fail" in call and raises(answer, ZeroDivisionError))
        # A method taken from the class is for sockets.
        or (call.startswith("m.socket.") and raises(answer, TypeError))
        # Comparing NaN is refused, which the standard library does behind looking for attributes.
        or (call.startswith("m.socket.") and "NaN" in call and raises(answer, ArithmeticError))
        # A TLS socket that an argument closes is closed.
        or (subject == "tls" and ("(lose" in call or "(S.close" in call) and answer[:3] == CLOSED)
        # A second `__init__` closes what the socket had, which the standard library forgets.
        or ("(S.__init__)" in call and expected[0] == "returns" and answer[:3] == CLOSED)
        # The timeout is that of the look-up, too.
        or (
            name == "create_connection"
            and "1e-300" in call
            and raises(expected, socket.gaierror)
            and raises(answer, TimeoutError)
        )
        # A read of nothing decodes nothing.
        or (
            name == "readline"
            and raises(expected, UnicodeDecodeError)
            and answer == ("returns", ("str", ""))
        )
        or (name == "sendmsg_afalg" and raises(expected, OSError) and raises(answer, TypeError))
    )


def raises(answer: tuple[Any, ...], *classes: type[BaseException]) -> bool:
    return answer[0] == "raises" and issubclass(answer[1], classes)


def unborn(subject: str, expected: tuple[Any, ...], answer: tuple[Any, ...]) -> bool:
    """A socket that no constructor has made has attributes that the standard library's lacks."""
    lacks = raises(expected, AttributeError) or expected[:3] == ("raises", OSError, None)
    lacks |= raises(expected, TypeError, ValueError)
    closed = answer[0] == "returns" or answer[:3] == ("raises", OSError, 9)
    closed |= raises(answer, TypeError, ValueError, OverflowError, ZeroDivisionError)
    return subject in ("blank", "half", "failed") and lacks and closed


def unencodable(call: str, expected: tuple[Any, ...], answer: tuple[Any, ...]) -> bool:
    """A name that IDNA cannot encode is the name of no host."""
    none = raises(answer, oxisock.HostNameError) or answer[:3] == ("raises", OSError, -2)
    return (
        '"' in call
        and raises(expected, UnicodeError, TypeError)
        and (none or (call.startswith("m.getfqdn") and answer[0] == "returns"))
    )


def number_too_large(expected: tuple[Any, ...], answer: tuple[Any, ...]) -> bool:
    """No number of a descriptor is cut to 32 bits."""
    refused = raises(answer, OverflowError, ValueError) or answer[:3] == ("raises", OSError, 9)
    return refused and (
        raises(expected, OverflowError, OSError, ValueError) or expected[0] == "returns"
    )
