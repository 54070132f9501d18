"""Copies and pickles of sockets and constants."""

import copy
import pickle
import socket

a, b = socket.socketpair()
for f in (copy.copy, copy.deepcopy, pickle.dumps):
    try:
        f(a)
        print("copied")
    except TypeError as e:
        print(e)
print(
    copy.deepcopy(socket.AF_INET) is socket.AF_INET, copy.copy(socket.MSG_PEEK) == socket.MSG_PEEK
)
print(
    hash(socket.AF_INET) == hash(2),
    {2: "x"}[socket.AF_INET],
    f"{socket.AF_INET}",
    "%d" % socket.AF_INET,
    str(socket.SOCK_STREAM),
    repr(socket.SOCK_STREAM),
)
import json

print(json.dumps({"f": socket.AF_INET, "l": [socket.SOCK_DGRAM]}))
