"""Answers for an interpreter's own socket module, with the probe between it and the system.

Reads one JSON list `[operation, family, protocol, expression]` a line and writes the outcome as
one: `["returns", value]` or `["raises", class, errno, message]`. Addresses and values are Python
expressions: tuples and bytes cannot stand in JSON.
"""

import ctypes
import json
import socket
import sys
from typing import Any

probe = ctypes.CDLL(sys.argv[1])
here, there = socket.socketpair()


def stand_in(family: int, protocol: int) -> socket.socket:
    """A socket that believes to be of a family which the kernel may not have."""
    probe.probe_answer(None, 0)
    return socket.socket(family, socket.SOCK_RAW, protocol, fileno=socket.dup(here.fileno()))


def seen() -> bytes:
    buffer = ctypes.create_string_buffer(1 << 16)
    length = probe.probe_seen(buffer)
    return buffer.raw[:length]


def run(operation: str, family: int, protocol: int, expression: str) -> str:
    value = eval(expression)
    if operation == "control":
        here.sendmsg([b"x"], value)
        return seen().hex()
    if operation == "messages":
        probe.probe_answer(value, len(value))
        return repr(here.recvmsg(0, len(value))[1])
    with stand_in(family, protocol) as sock:
        if operation == "encode":
            sock.bind(value)
            return seen().hex()
        probe.probe_answer(value, len(value))
        try:
            return repr(sock.getsockname())
        finally:
            probe.probe_answer(None, 0)


for line in sys.stdin:
    try:
        answer: list[Any] = ["returns", run(*json.loads(line))]
    except Exception as error:
        answer = ["raises", type(error).__name__, getattr(error, "errno", None), str(error)]
    print(json.dumps(answer), flush=True)
