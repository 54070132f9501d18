"""Counters of a running process in the text format of Prometheus, at http://127.0.0.1:PORT/.

Usage: metrics.py [PORT]

Without a port it takes a free one, asks itself once, prints the answer and ends.
"""

# ruff: noqa: E402 - what is imported behind install() uses oxisock, and so is counted
import oxisock

oxisock.install()

import sys
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread


def metrics() -> Iterator[str]:
    for name, value in oxisock.stats().items():
        for kind, number in (value if isinstance(value, dict) else {"": value}).items():
            yield f'oxisock_{name}{{kind="{kind}"}} {number}\n'


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write("".join(metrics()).encode())

    def log_message(self, *_: object) -> None:
        """Leave the standard error stream alone."""


def main(port: int) -> None:
    with HTTPServer(("127.0.0.1", port), Handler) as server:
        if port:
            server.serve_forever()
        thread = Thread(target=server.handle_request)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}/"
        with urllib.request.urlopen(address, timeout=10) as answer:
            print(answer.read().decode(), end="")
        thread.join()


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 0)
