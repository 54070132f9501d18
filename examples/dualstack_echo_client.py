"""Client of ``dualstack_echo_server.py``: ``python dualstack_echo_client.py [PORT [HOST]]``.

Tries every address of the host, IPv6 and IPv4, until one connects.
"""

import socket
import sys

port = int(sys.argv[1]) if len(sys.argv) > 1 else 50007
host = sys.argv[2] if len(sys.argv) > 2 else "localhost"

connection = None
for family, kind, proto, _, address in socket.getaddrinfo(
    host, port, socket.AF_UNSPEC, socket.SOCK_STREAM
):
    try:
        connection = socket.socket(family, kind, proto)
    except OSError:
        continue
    try:
        connection.connect(address)
    except OSError:
        connection.close()
        connection = None
        continue
    break
if connection is None:
    sys.exit("could not open socket")
with connection:
    connection.sendall(b"Hello, world")
    data = connection.recv(1024)
print("Received", repr(data))
