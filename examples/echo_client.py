"""Client of ``echo_server.py``, IPv4 only: ``python echo_client.py [PORT [HOST]]``."""

import socket
import sys

port = int(sys.argv[1]) if len(sys.argv) > 1 else 50007
host = sys.argv[2] if len(sys.argv) > 2 else "localhost"

with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
    connection.connect((host, port))
    connection.sendall(b"Hello, world")
    data = connection.recv(1024)
print("Received", repr(data))
