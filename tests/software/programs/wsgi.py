"""Applications for the servers of test_servers.py."""

import hashlib
import os
import socket

LARGE = bytes(range(256)) * 4096


def application(environ, start_response):
    """Answer with what tells which process and module served it, or with 1 MiB, or with a hash."""
    path = environ["PATH_INFO"]
    if path == "/large":
        body = LARGE
    elif path == "/hash":
        body = hashlib.sha256(environ["wsgi.input"].read()).hexdigest().encode()
    else:
        body = f"{socket.__name__} {os.getpid()}".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


async def asgi(scope, receive, send):
    """Answer likewise."""
    if scope["type"] != "http":
        return
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if scope["path"] == "/large":
        answer = LARGE
    elif scope["path"] == "/hash":
        answer = hashlib.sha256(body).hexdigest().encode()
    else:
        answer = f"{socket.__name__} {os.getpid()}".encode()
    headers = [(b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})
