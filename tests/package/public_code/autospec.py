"""A mock with the specification of the class."""

import inspect
import socket
from unittest import mock

cls = mock.create_autospec(socket.socket)
made = cls(socket.AF_INET, socket.SOCK_STREAM)
cls.assert_called_once_with(family=socket.AF_INET, type=socket.SOCK_STREAM)
for call in (lambda: cls(1, 2, 3, 4, 5, 6), lambda: cls(famly=2), lambda: made.nosuch):
    try:
        call()
        print("accepted")
    except (TypeError, AttributeError) as exc:
        print(type(exc).__name__)
made.recv.return_value = b"x"
print(made.recv(10), isinstance(made, socket.socket), isinstance(mock.Mock(), socket.socket))
print(isinstance(mock.Mock(spec=socket.socket), socket.socket))
print(inspect.signature(socket.socket), inspect.signature(socket.socket.__init__))
