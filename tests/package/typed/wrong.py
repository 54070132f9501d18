"""Mistakes, one in each line with a mark, which type checkers have to find.

`test_typing.py` gives it to them; nothing runs it.
"""

import oxisock as socket


def mistakes(sock: socket.socket) -> None:
    sock.send("text")  # wrong
    sock.settimeout("1")  # wrong
    sock.no_such_method()  # wrong
    print(socket.AF_NO_SUCH_FAMILY)  # wrong
    text: str = sock.recv(10)  # wrong
    sock.makefile("rb").write("text")  # wrong
    socket.create_connection("localhost")  # wrong
    number: int = sock.getsockopt(1, 2, 3)  # wrong
    with socket.socket() as other:
        other.connect()  # wrong
    print(text, number)
