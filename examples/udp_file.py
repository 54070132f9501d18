"""A file over UDP, cut into datagrams by the kernel or the network device, and joined again there.

    udp_file.py receive FILE [PORT]      prints its port, takes one file and ends
    udp_file.py send FILE HOST PORT

The sender sends all pieces, then those that the receiver misses, until it misses none. There is no
congestion control: this is for networks that are one's own.
"""

import hashlib
import struct
import sys
import time

import oxisock as socket

PIECE = 1200
HEAD = struct.Struct("!I")
BODY = PIECE - HEAD.size
BURST = 48
"""As many pieces go at once; the receiver's buffer has room for some bursts."""
END = 0xFFFFFFFF


def describe(content: bytes) -> bytes:
    """Return what tells the receiver that this was all: the size, and a checksum."""
    return HEAD.pack(END) + struct.pack("!Q", len(content)) + hashlib.sha256(content).digest()


def send(path: str, host: str, port: int) -> None:
    with open(path, "rb") as file:
        content = file.read()
    pieces = -(-len(content) // BODY)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((host, port))
        sock.settimeout(0.2)
        missing = list(range(pieces))
        patience = time.monotonic() + 20
        while time.monotonic() < patience:
            for start in range(0, len(missing), BURST):
                burst = missing[start : start + BURST]
                data = b"".join(
                    HEAD.pack(number) + content[number * BODY : (number + 1) * BODY].ljust(BODY)
                    for number in burst
                )
                sent = 0
                while sent < len(data):
                    sent += sock.send_segments(data[sent:], PIECE)
                time.sleep(0.001)
            sock.send(describe(content))
            try:
                reply = sock.recv(65535)
            except TimeoutError:
                continue  # the question or the answer was lost
            missing = [number for (number,) in HEAD.iter_unpack(reply)]
            patience = time.monotonic() + 20
            if missing == [END]:
                print(f"sent {len(content)} bytes in {pieces} pieces")
                return
        sys.exit("the receiver does not answer")


def receive(path: str, port: int) -> None:
    found: dict[int, bytes] = {}
    buffers = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        sock.bind(("", port))
        sock.setgro(True)
        sock.settimeout(20)
        print("Receiving at port", sock.getsockname()[1], flush=True)
        while True:
            data, size, sender = sock.recv_segments()
            buffers += 1
            for start in range(0, len(data), size):
                (number,) = HEAD.unpack_from(data, start)
                if number != END:
                    found[number] = data[start + HEAD.size : start + size]
                    continue
                (length,) = struct.unpack_from("!Q", data, start + HEAD.size)
                wanted = range(-(-length // BODY))
                missing = [number for number in wanted if number not in found]
                # As many as fit into the answer: the others are asked for the next time.
                reply = b"".join(map(HEAD.pack, missing[:300] or [END]))
                sock.sendto(reply, sender)
                if not missing:
                    content = b"".join(found[number] for number in wanted)[:length]
                    assert describe(content) == data[start : start + size]
                    with open(path, "wb") as file:
                        file.write(content)
                    print(f"received {length} bytes, {len(found)} pieces in {buffers} buffers")
                    linger(sock)
                    return


def linger(sock: socket.socket) -> None:
    """Repeat the last answer for a sender that has lost it."""
    sock.settimeout(0.5)
    try:
        while True:
            data, _, sender = sock.recv_segments()
            if HEAD.unpack_from(data)[0] == END:
                sock.sendto(HEAD.pack(END), sender)
    except TimeoutError:
        pass


def main() -> None:
    match sys.argv[1:]:
        case ["send", path, host, port]:
            send(path, host, int(port))
        case ["receive", path, *port] if len(port) < 2:
            receive(path, int((port or ["0"])[0]))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
