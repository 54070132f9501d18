"""Functions that are pickled."""

import pickle
import socket
import subprocess
import sys

functions = (socket.create_connection, socket.gethostbyname, socket.getaddrinfo, socket.inet_aton)
data = pickle.dumps(functions)
print(b"oxisock" in data, pickle.loads(data) == functions)
code = "import pickle, sys; print([f.__name__ for f in pickle.loads(sys.stdin.buffer.read())])"
done = subprocess.run([sys.executable, "-I", "-S", "-c", code], input=data, capture_output=True)
print(done.stdout, done.returncode)
