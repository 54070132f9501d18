"""Echo server for one client, IPv4 or IPv6: ``python dualstack_echo_server.py [PORT [HOST]]``.

Listens at the first address of the host that works. Where the host is "" (every interface) that is
usually the IPv6 one, which takes IPv4 clients as well unless the system says otherwise.
"""

import socket
import sys

port = int(sys.argv[1]) if len(sys.argv) > 1 else 50007
host = sys.argv[2] if len(sys.argv) > 2 else "localhost"

server = None
for family, kind, proto, _, address in socket.getaddrinfo(
    host or None, port, socket.AF_UNSPEC, socket.SOCK_STREAM, 0, socket.AI_PASSIVE
):
    try:
        server = socket.socket(family, kind, proto)
    except OSError:
        continue
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(address)
        server.listen(1)
    except OSError:
        server.close()
        server = None
        continue
    break
if server is None:
    sys.exit("could not open socket")
with server:
    print("Listening at", server.getsockname(), flush=True)
    connection, address = server.accept()
    with connection:
        print("Connected by", address)
        while data := connection.recv(1024):
            connection.sendall(data)
