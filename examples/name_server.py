"""A name server: answers the questions of DNS (RFC 1035) for a few names, by the batch.

    name_server.py [PORT [HOST]]

It takes all the questions that are there by one call, and sends all the answers by another. Bound
to every address (the default), it answers each from the address that was asked.
"""

import struct
import sys

import oxisock as socket

ADDRESSES = {
    b"one.example": "192.0.2.1",
    b"two.example": "192.0.2.2",
}
HEADER = struct.Struct("!6H")
A, INTERNET = 1, 1
RESPONSE, NO_SUCH_NAME, MALFORMED = 0x8400, 3, 1


def answer(question: bytes) -> bytes | None:
    """Return the answer to a question; None where there is nothing that could be answered."""
    if len(question) < HEADER.size or question[2] & 0x80:
        return None
    number, flags, *_ = HEADER.unpack_from(question)
    flags = RESPONSE | flags & 0x0100
    try:
        labels, place = [], HEADER.size
        while length := question[place]:
            labels.append(question[place + 1 : place + 1 + length])
            place += 1 + length
        kind, where = struct.unpack_from("!2H", question, place + 1)
    except (IndexError, struct.error):
        return HEADER.pack(number, flags | MALFORMED, 0, 0, 0, 0)
    asked = question[HEADER.size : place + 5]
    address = ADDRESSES.get(b".".join(labels).lower())
    if address is None:
        return HEADER.pack(number, flags | NO_SUCH_NAME, 1, 0, 0, 0) + asked
    if (kind, where) != (A, INTERNET):
        return HEADER.pack(number, flags, 1, 0, 0, 0) + asked
    record = struct.pack("!3HIH", 0xC000 | HEADER.size, A, INTERNET, 60, 4)
    return HEADER.pack(number, flags, 1, 1, 0, 0) + asked + record + socket.inet_aton(address)


def main() -> None:
    port, host = int((sys.argv[1:] or ["5353"])[0]), (sys.argv[2:] or [""])[0]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((host, port))
        server.setrecvinfo(destination=True)
        print("Answering at", server.getsockname(), flush=True)
        while True:
            answers = [
                (reply, question)
                for question in server.recvmsg_many(64, 512)
                if (reply := answer(question.data))
            ]
            if host:
                server.sendto_many([(reply, question.address) for reply, question in answers])
                continue
            for reply, question in answers:
                source = server.ancillary(source=question.destination)
                server.sendmsg([reply], source, 0, question.address)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
