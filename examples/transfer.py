"""Move data over TCP, UNIX and UDP sockets on this machine, check every byte, and print a table.

An ordinary program that knows only the ``socket`` module: ``python transfer.py`` runs it on the
standard library's, ``python -m oxisock run transfer.py`` on oxisock. Exits with 1 when a checksum
does not agree. An optional argument scales the amounts (default 1).
"""

import hashlib
import os
import socket
import sys
import tempfile
import threading
import time

MIB = 1 << 20
TIMEOUT = 30.0  # seconds a peer may keep us waiting
scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0


class Receiver(threading.Thread):
    """Accepts one connection and reads it to its end; the checksum is made afterwards."""

    def __init__(self, server, size):
        """Start to receive what is at most `size` bytes."""
        super().__init__(daemon=True)
        self.server, self.buffer, self.received = server, bytearray(size), 0
        self.start()

    def run(self):
        """Receive until the peer has finished."""
        connection, _ = self.server.accept()
        with connection, memoryview(self.buffer) as view:
            connection.settimeout(TIMEOUT)
            while count := connection.recv_into(view[self.received :]):
                self.received += count


class Echo(threading.Thread):
    """Accepts one connection and answers each line with the same line in upper case."""

    def __init__(self, server):
        """Start to answer."""
        super().__init__(daemon=True)
        self.server = server
        self.start()

    def run(self):
        """Answer until the peer has finished."""
        connection, _ = self.server.accept()
        connection.settimeout(TIMEOUT)
        with connection, connection.makefile("rb") as lines:
            for line in lines:
                connection.sendall(line.upper())


def listen(family, folder):
    """Make a stream socket that listens on this machine, at a port or in ``folder``."""
    server = socket.socket(family, socket.SOCK_STREAM)
    if family == socket.AF_UNIX:
        server.bind(os.path.join(folder, "server"))
    else:
        server.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
    server.listen()
    server.settimeout(TIMEOUT)
    return server


def connect(server):
    """Make a stream socket connected to ``server``."""
    client = socket.socket(server.family, socket.SOCK_STREAM)
    client.settimeout(TIMEOUT)
    client.connect(server.getsockname())
    return client


def stream(family, data, folder, *, from_file=False):
    """Send `data` with sendall or sendfile; the seconds it took, and whether it came whole."""
    path = os.path.join(folder, "data")
    if from_file:
        with open(path, "wb") as file:
            file.write(data)
    with listen(family, folder) as server:
        receiver = Receiver(server, len(data) + 1)
        start = time.perf_counter()
        with connect(server) as client:
            if from_file:
                with open(path, "rb") as file:
                    client.sendfile(file)
            else:
                client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            receiver.join(TIMEOUT)
        seconds = time.perf_counter() - start
    if family == socket.AF_UNIX:
        os.unlink(os.path.join(folder, "server"))
    received = memoryview(receiver.buffer)[: receiver.received]
    return seconds, len(data), digest(received) == digest(data)


def requests(count, folder):
    """Lines to a server and back; the checksum of the answers is that of what they must be."""
    expected, answers, moved = hashlib.sha256(), hashlib.sha256(), 0
    with listen(socket.AF_INET, folder) as server:
        echo = Echo(server)
        start = time.perf_counter()
        with connect(server) as client:
            for number in range(count):
                line = b"request %d\n" % number
                client.sendall(line)
                answer = b""
                while not answer.endswith(b"\n"):
                    piece = client.recv(65536)
                    if not piece:
                        break
                    answer += piece
                expected.update(line.upper())
                answers.update(answer)
                moved += len(line) + len(answer)
        seconds = time.perf_counter() - start
        echo.join(TIMEOUT)
    return seconds, moved, expected.digest() == answers.digest()


def datagrams(count, size, seed):
    """Datagrams from one UDP socket to another, each confirmed by its checksum."""
    good, start = 0, time.perf_counter()
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
    ):
        for sock in (sender, receiver):
            sock.bind(("127.0.0.1", 0))
            sock.settimeout(TIMEOUT)
        for number in range(count):
            data = number.to_bytes(4, "big") + seed[number % 256 : number % 256 + size - 4]
            sender.sendto(data, receiver.getsockname())
            got, address = receiver.recvfrom(65536)
            good += address == sender.getsockname() and digest(got) == digest(data)
    return time.perf_counter() - start, count * size, good == count


def digest(data):
    """Return the checksum of some bytes."""
    return hashlib.sha256(data).digest()


def main():
    """Run all transfers and print their table; 1 where one of them failed."""
    print(f"socket module: {socket.__name__} ({socket.__file__})")
    print(f"{'transfer':<30}{'bytes':>13}{'seconds':>9}{'rate':>18}  checksum")
    data = os.urandom(int(64 * MIB * scale))
    count = int(5000 * scale)
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            ("TCP over IPv4, sendall", None, lambda: stream(socket.AF_INET, data, folder)),
            ("TCP over IPv6, sendall", None, lambda: stream(socket.AF_INET6, data, folder)),
            (
                "TCP over IPv4, sendfile",
                None,
                lambda: stream(socket.AF_INET, data, folder, from_file=True),
            ),
            ("UNIX stream, sendall", None, lambda: stream(socket.AF_UNIX, data, folder)),
            ("TCP request and reply", count, lambda: requests(count, folder)),
            ("UDP datagrams of 1,400 bytes", count, lambda: datagrams(count, 1400, data[:2000])),
        ]
        failures = 0
        for name, operations, run in rows:
            try:
                seconds, moved, good = run()
            except OSError as error:
                print(f"{name:<30}failed: {error}")
                failures += 1
                continue
            rate = (
                f"{moved / MIB / seconds:,.0f} MiB/s"
                if operations is None
                else f"{operations / seconds:,.0f} per second"
            )
            failures += not good
            print(f"{name:<30}{moved:>13,}{seconds:>9.3f}{rate:>18}  {'ok' if good else 'WRONG'}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
