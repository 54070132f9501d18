"""Restart a server at once, without and with SO_REUSEADDR: ``python reuse_address.py``.

The side that closes a TCP connection first keeps its address in the state TIME_WAIT for a while
(RFC 9293, section 3.6). A server that comes back in that time finds its port taken, unless both
its first socket and its next one have the option.
"""

import socket

HOST = "127.0.0.1"


def listen(port, reuse):
    """Open a listening socket at a port, 0 for any."""
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if reuse:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((HOST, port))
        s.listen(1)
    except OSError:
        s.close()
        raise
    return s


def restart(reuse):
    """Serve one client, stop, and start again at the same port."""
    with listen(0, reuse) as server:
        port = server.getsockname()[1]
        with socket.create_connection((HOST, port)) as client:
            connection, _ = server.accept()
            connection.close()  # first: this end will be in TIME_WAIT
            client.recv(1)
    listen(port, reuse).close()


for reuse in (False, True):
    label = "with SO_REUSEADDR" if reuse else "without SO_REUSEADDR"
    try:
        restart(reuse)
    except OSError as error:
        print(f"{label}: {error}")
    else:
        print(f"{label}: listening again")
