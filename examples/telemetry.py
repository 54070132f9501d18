"""A receiver of telemetry: many small samples from many senders, and no object for each of them.

    telemetry.py [SAMPLES [SENDERS]]

The samples go into one buffer, from which `memoryview.cast` reads the numbers. The senders are
threads of this program.
"""

import struct
import sys
import threading

import oxisock as socket

SAMPLE = struct.Struct("=IId")  # sender, number, value
SLOTS = 64


def send(sender: int, count: int, address: tuple[str, int], credit: threading.Semaphore) -> None:
    """Send samples, as many at a time as the receiver has room for."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(address)
        for start in range(0, count, SLOTS):
            numbers = range(start, min(start + SLOTS, count))
            for _ in numbers:
                credit.acquire()
            samples = [SAMPLE.pack(sender, number, number / 2) for number in numbers]
            sent = 0
            while sent < len(samples):
                sent += sock.send_many(samples[sent:])


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    senders = int(sys.argv[2]) if len(sys.argv) > 2 else 4
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        credit = threading.Semaphore(SLOTS * senders)
        threads = [
            threading.Thread(target=send, args=(sender, count, receiver.getsockname(), credit))
            for sender in range(senders)
        ]
        for thread in threads:
            thread.start()
        buffer = bytearray(SAMPLE.size * SLOTS)
        values = memoryview(buffer).cast("d")[1::2]
        received, calls, total = 0, 0, 0.0
        while received < count * senders:
            lengths = receiver.recv_many_into(buffer, SAMPLE.size)
            assert all(length == SAMPLE.size for length in lengths)
            total += sum(values[: len(lengths)])
            received += len(lengths)
            calls += 1
            credit.release(len(lengths))
        for thread in threads:
            thread.join()
    print(f"{received} samples, {senders} senders, sum {total:.1f}")
    print(f"{received / calls:.1f} samples a call")


if __name__ == "__main__":
    main()
