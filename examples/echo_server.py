"""Echo server for one client, IPv4 only: ``python echo_server.py [PORT [HOST]]``.

Sends back what it receives until the client has finished.
"""

import socket
import sys

port = int(sys.argv[1]) if len(sys.argv) > 1 else 50007
host = sys.argv[2] if len(sys.argv) > 2 else "localhost"  # "" is every interface

with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((host, port))
    server.listen(1)
    print("Listening at", server.getsockname(), flush=True)
    connection, address = server.accept()
    with connection:
        print("Connected by", address)
        while data := connection.recv(1024):
            connection.sendall(data)
