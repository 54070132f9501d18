"""An ASGI application for a server that starts it anew when it changes."""

import os
import socket


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    answer = f"{socket.__name__} {os.getpid()} first".encode()
    headers = [(b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})
