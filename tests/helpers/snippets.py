"""What the examples of the documentation need that are no whole programs.

A comment in front of an example, which no reader sees, has the code that runs before it; it
imports this.
"""

import atexit
import os
import socket
import ssl
import threading
import warnings
from typing import Any

import oxisock

# They end without closing what is theirs.
warnings.simplefilter("ignore", ResourceWarning)

PAGE = b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def connected() -> Any:
    """A TCP socket of oxisock, whose peer has sent some kilobytes and reads everything."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sock = oxisock.create_connection(listener.getsockname())
        peer, _ = listener.accept()
    peer.sendall(bytes(4000))
    atexit.register(peer.close)
    return sock


def _serve(listener: Any, context: ssl.SSLContext | None) -> None:
    while True:
        peer, _ = listener.accept()
        try:
            if context:
                peer = context.wrap_socket(peer, server_side=True)
            peer.recv(4096)
            peer.sendall(PAGE)
            if context:
                peer.unwrap()
        except OSError:
            pass
        peer.close()


def internet() -> None:
    """Have www.example.org answer from here, over HTTP and HTTPS."""
    import trustme

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("www.example.org").configure_cert(context)
    authority.cert_pem.write_to_path("authority.pem")
    os.environ["SSL_CERT_FILE"] = os.path.abspath("authority.pem")
    ports = {}
    for port, tls in ((80, None), (443, context)):
        listener = socket.create_server(("127.0.0.1", 0))
        ports[port] = listener.getsockname()[1]
        threading.Thread(target=_serve, args=(listener, tls), daemon=True).start()
    modules: list[Any] = [socket, oxisock]
    for module in modules:
        real = module.getaddrinfo

        def here(host: Any, port: Any, *more: Any, real: Any = real, **named: Any) -> Any:
            if host == "www.example.org":
                host, port = "127.0.0.1", ports[port]
            return real(host, port, *more, **named)

        module.getaddrinfo = here


def certificate() -> None:
    """Leave ``server.crt`` and ``server.key`` here."""
    import trustme

    issued = trustme.CA().issue_cert("localhost")
    issued.cert_chain_pems[0].write_to_path("server.crt")
    issued.private_key_pem.write_to_path("server.key")


def with_client() -> None:
    """Have somebody connect over TLS to each server that is created, at a free port."""
    real = oxisock.create_server

    def ask(address: Any) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(socket.create_connection(address)) as tls:
            tls.recv(100)

    def create(address: Any, **named: Any) -> Any:
        listener = real(("127.0.0.1", 0), **named)
        threading.Thread(target=ask, args=(listener.getsockname(),)).start()
        return listener

    oxisock.create_server = create
