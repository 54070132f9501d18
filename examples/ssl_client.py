"""Client of a TLS server, here one of HTTP: ``python ssl_client.py HOST [PORT]``.

Prints the distinguished names of the server and of the issuer of its certificate, sends a request
and prints what comes back. The certificate has to be a valid one for HOST, from an authority that
this system trusts, or with ``--cafile FILE`` from one in that file. ``--unverified`` makes the bare
call that the older editions of the module show: it trusts anybody.
"""

import argparse
import ssl

import oxisock as socket

parser = argparse.ArgumentParser(description="Ask a web server for its front page over TLS.")
parser.add_argument("host")
parser.add_argument("port", nargs="?", type=int, default=443)
parser.add_argument("--cafile", help="the authorities to trust, as PEM")
parser.add_argument("--unverified", action="store_true", help="trust anybody")
arguments = parser.parse_args()

s = socket.create_connection((arguments.host, arguments.port), timeout=10)

if arguments.unverified:
    ssl_sock = socket.ssl(s)
else:
    context = ssl.create_default_context(cafile=arguments.cafile)
    ssl_sock = socket.ssl(s, context=context, server_hostname=arguments.host)

print(repr(ssl_sock.server()))
print(repr(ssl_sock.issuer()))

# A simple HTTP request; programs use http.client.
ssl_sock.write(b"GET / HTTP/1.0\r\nHost: %s\r\n\r\n" % arguments.host.encode("idna"))

# Everything until the server ends the session; read(n) would return a part.
data = ssl_sock.read()
print(data.decode(errors="replace"))

# It is the socket that has to be closed, not the SSL object.
del ssl_sock
s.close()
