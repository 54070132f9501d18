"""Records that come in pieces, late, damaged, or not at all: the engine says what `ssl` says."""

import random
import select
import selectors
import ssl
from collections.abc import Callable
from typing import Any

import pytest

import oxisock.select
import oxisock.selectors
from tests.helpers.tls_records import HEADER, FarEnd, far_end, outcome, same

Trace = list[Any]
numbers = pytest.mark.parametrize("number", ["1.2", "1.3"])
SIZES = [1, 100, 5000, 16_384]


# -- selectors and what is pending ----------------------------------------------------------------


def with_selector(module: Any) -> Callable[[Any], Callable[[], bool]]:
    def readable(client: Any) -> Callable[[], bool]:
        selector = module.DefaultSelector()
        selector.register(client, selectors.EVENT_READ)
        return lambda: bool(selector.select(0))

    return readable


def with_poll(module: Any) -> Callable[[Any], Callable[[], bool]]:
    def readable(client: Any) -> Callable[[], bool]:
        poll = module.poll()
        poll.register(client, select.POLLIN)
        return lambda: bool(poll.poll(0))

    return readable


WAYS: dict[str, Callable[[Any], Callable[[], bool]]] = {
    "select": lambda client: lambda: bool(select.select([client], [], [], 0)[0]),
    "poll": with_poll(select),
    "selectors": with_selector(selectors),
    "oxisock.select": with_poll(oxisock.select),
    "oxisock.selectors": with_selector(oxisock.selectors),
}


@pytest.mark.parametrize("way", WAYS)
@numbers
def test_selectors_and_pending_say_the_same(way: str, number: str) -> None:
    """After every delivery and every read, of parts of records and of several at once.

    What is in the kernel is there for a selector, and what is not is told by `pending`: not a byte
    of the next record is taken before its turn.
    """

    def scenario(kind: str) -> Trace:
        chance = random.Random(5)
        trace: Trace = []
        with far_end(kind, number) as far:
            readable = WAYS[way](far.client)
            # The tickets of 1.3 are no payload, and are taken with the first read.
            trace += [readable(), outcome(far.client.recv, 1), readable()]
            late, unread = b"", 0
            for _ in range(200):
                match chance.randrange(5):
                    case 0 if len(late) < 40_000:
                        late += b"".join(far.records(bytes(chance.choice(SIZES))))
                    case 1 | 2 if unread < 60_000:
                        # Often inside a header, or inside what follows it.
                        size = chance.choice([1, HEADER, HEADER + 1, 90, 20_000])
                        far.deliver(late[:size])
                        unread += len(late[:size])
                        late = late[size:]
                    case 3 | 4:
                        found = outcome(far.client.recv, chance.choice([1, 50, 70_000]))
                        unread -= len(found) if isinstance(found, bytes) else 0
                        trace.append(found)
                trace += [readable(), far.client.pending()]
        return trace

    trace = same(scenario)
    assert any(isinstance(item, bytes) and len(item) > 1000 for item in trace)


@numbers
def test_the_loop_that_the_documentation_of_ssl_has(number: str) -> None:
    """`select`, then reads until nothing is pending: no payload is left where nobody sees it."""
    for kind in ("standard", "engine"):
        with far_end(kind, number) as far:
            chance = random.Random(1)
            for _ in range(30):
                data = chance.randbytes(chance.choice(SIZES))
                far.write(data)
                got = b""
                while len(got) < len(data):
                    assert select.select([far.client], [], [], 0)[0]
                    try:
                        got += far.client.recv(1000)
                    except ssl.SSLWantReadError:
                        continue
                    while far.client.pending():
                        got += far.client.recv(chance.choice([1, 1000, 20_000]))
                assert got == data


# -- faults -------------------------------------------------------------------------------------


Records = list[bytes]


def flipped(chance: random.Random, records: Records, place: int) -> None:
    """One bit is another, behind the header as likely as in it."""
    octets = bytearray(records[place])
    at = chance.randrange(HEADER) if chance.random() < 0.5 else chance.randrange(len(octets))
    octets[at] ^= 1 << chance.randrange(8)
    records[place] = bytes(octets)


def dropped(chance: random.Random, records: Records, place: int) -> None:
    del records[place]


def repeated(chance: random.Random, records: Records, place: int) -> None:
    records.insert(place, records[place])


def exchanged(chance: random.Random, records: Records, place: int) -> None:
    other = chance.randrange(len(records))
    records[place], records[other] = records[other], records[place]


def cut(chance: random.Random, records: Records, place: int) -> None:
    records[place] = records[place][: chance.randrange(len(records[place]))]


def emptied(chance: random.Random, records: Records, place: int) -> None:
    records.insert(place, records[place][:3] + b"\0\0")


def lengthened(chance: random.Random, records: Records, place: int) -> None:
    records[place] = records[place][:3] + b"\xff\xff" + records[place][HEADER:]


def alerted(chance: random.Random, records: Records, place: int) -> None:
    """An alert in plain text: what anybody on the way can make."""
    level, kind = chance.choice([1, 2]), chance.choice([0, 10, 20, 40, 90, 100])
    records.insert(place, bytes([21, 3, 3, 0, 2, level, kind]))


def spoken_to(chance: random.Random, records: Records, place: int) -> None:
    records.insert(place, b"HTTP/1.1 400 Bad Request\r\n\r\n")


FAULTS = [
    flipped, dropped, repeated, exchanged, cut, emptied, lengthened, alerted, spoken_to,
]  # fmt: skip


def read_on(chance: random.Random, client: Any) -> Trace:
    """Read until there is nothing, in one mode or the other."""
    trace: Trace = []
    client.settimeout(chance.choice([0, 0, 0, 0.001]))
    while True:
        if chance.random() < 0.5:
            found = outcome(client.recv, chance.choice([1, 700, 16_384, 70_000]))
        else:
            buffer = bytearray(chance.choice([10, 20_000]))
            count = outcome(client.recv_into, buffer)
            found = bytes(buffer[:count]) if isinstance(count, int) else count
        trace.append(found)
        # One byte at a time would take its time.
        if not isinstance(found, bytes) or not found or len(trace) > 40:
            return [*trace, client.pending()]


def leave(chance: random.Random, far: FarEnd) -> None:
    """The far end goes: in one of the ways there are, or not at all."""
    match chance.randrange(5):
        case 0:
            far.end()
        case 1:
            far.take()
            far.close()
        case 2:
            # Nobody takes this.
            outcome(far.client.send, b"x")
            far.close()
        case 3:
            # The session answers with an alert, which is not one of plain text.
            far.incoming.write(b"\x17\x03\x03\x00\x20" + bytes(32))
            outcome(far.session.read, 1)
            far.flush()


@pytest.mark.parametrize("part", range(4))
@numbers
def test_faults_of_the_records(number: str, part: int) -> None:
    """At random places, before, between and after records that are as they should be."""
    for seed in range(part * 15, part * 15 + 15):

        def scenario(kind: str, seed: int = seed) -> Trace:
            chance = random.Random(seed)
            trace: Trace = []
            with far_end(kind, number) as far:
                records = [
                    record
                    for _ in range(chance.randrange(1, 6))
                    for record in far.records(chance.randbytes(chance.choice(SIZES)))
                ]
                for _ in range(chance.randrange(3)):
                    if records:
                        chance.choice(FAULTS)(chance, records, chance.randrange(len(records)))
                octets = b"".join(records)
                places = sorted(chance.randrange(len(octets) + 1) for _ in range(3))
                for start, end in zip([0, *places], [*places, len(octets)], strict=True):
                    far.deliver(octets[start:end])
                    # What was not read by then may find that the far end has gone.
                    if chance.random() < 0.7:
                        trace += read_on(chance, far.client)
                leave(chance, far)
                for _ in range(3):
                    trace += read_on(chance, far.client)
                    trace.append(outcome(far.client.send, bytes(chance.choice([1, 5000]))))
                far.client.settimeout(0.001)
                trace.append(outcome(lambda: far.client.unwrap() is far.client))
            return trace

        same(scenario)
