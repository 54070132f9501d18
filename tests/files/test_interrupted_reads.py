"""A read through makefile() that is interrupted half-way loses nothing.

One program of random reads runs over a socket whose timeout keeps expiring; what it got, put
together, has to be what was sent, and each line has to be a line.
"""

import gc
import io
import random
import signal
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

import pytest

import oxisock
from oxisock._socket import counters
from tests.helpers.process import handled, sleeping

ENCODINGS = {"utf-8": "aé\n\r", "utf-16": "aé\n\r", "latin-1": "aé\n\r", "shift_jis": "aあ\n\r"}


@pytest.fixture
def pair() -> Iterator[Any]:
    peer, sock = oxisock.socketpair()
    with peer, sock:
        yield peer, sock


READS: dict[str, Callable[[Any], Any]] = {
    "read(5)": lambda file: file.read(5),
    "read": lambda file: file.read(),
    "readline": lambda file: file.readline(),
    "readlines": lambda file: file.readlines(),
    "next": lambda file: next(file),
}


@pytest.mark.parametrize("sent", [b"", b"ab", b"ab\nc"], ids=["nothing", "a part", "a line"])
@pytest.mark.parametrize("read", READS.values(), ids=READS)
@pytest.mark.parametrize("mode", ["rb", "r"])
def test_what_a_timeout_holds_is_let_go(
    mode: str, read: Callable[[Any], Any], sent: bytes, pair: Any
) -> None:
    """The exception's frames, and whatever is in them, end with it and not at some later call."""
    made: list[weakref.ref[Any]] = []

    class Local:
        pass

    class Receiving(oxisock.socket):
        def recv_into(self, *arguments: Any, **keywords: Any) -> int:
            local = Local()
            made.append(weakref.ref(local))
            return super().recv_into(*arguments, **keywords)

    peer, sock = pair
    peer.sendall(sent)
    with Receiving(fileno=sock.detach()) as receiving, receiving.makefile(mode) as file:
        receiving.settimeout(0.01)
        with suppress(TimeoutError):
            read(file)
        assert [local() for local in made] == [None] * len(made)


def first_line(text: Any, newline: Any) -> Any:
    """The first line of *text* as TextIOWrapper would cut it; bytes are cut at \\n."""
    if isinstance(text, bytes):
        return text[: text.find(b"\n") + 1] or text
    if newline == "":
        return io.StringIO(text, newline="").readline()
    end = newline or "\n"
    return text[: text.find(end) + len(end)] if end in text else text


def random_read(rnd: Any, file: Any, binary: Any) -> Any:
    """Read in some random way; return the received data and whether it has to be one whole line."""
    choices = ["line", "line", "line", "limited", "count", "lines", "all", "next"]
    if binary:
        choices += ["read1", "into"]
    match rnd.choice(choices):
        case "line":
            return file.readline(), True
        case "limited":
            return file.readline(rnd.choice([1, 3, 50])), False
        case "count":
            return file.read(rnd.choice([1, 5, 40, 9000])), False
        case "lines":
            lines = file.readlines(rnd.choice([1, 30, -1]))
            return (b"" if binary else "").join(lines), False
        case "all":
            return file.read(), False
        case "next":
            return next(file, b"" if binary else ""), True
        case "read1":
            return file.read1(20), False
        case _:
            buffer = bytearray(rnd.choice([4, 9000]))
            count = rnd.choice([file.readinto, file.readinto1])(buffer)
            return bytes(buffer[:count]), False


@pytest.mark.parametrize("mode", ["r", "rw", "rb", "rwb"])
@pytest.mark.parametrize("seed", range(25))
def test_random_reads_get_what_was_sent(pair: Any, mode: Any, seed: Any) -> None:
    rnd = random.Random(f"{mode} {seed}")
    peer, sock = pair
    binary = "b" in mode
    encoding = rnd.choice(list(ENCODINGS))
    newline = None if binary else rnd.choice([None, "", "\n", "\r", "\r\n"])
    alphabet = ENCODINGS[encoding] + "bcd" * rnd.choice([1, 20])
    body = "".join(rnd.choice(alphabet) for _ in range(rnd.choice([5, 300, 12_000])))
    data = body.encode(encoding)
    expected: Any = data
    options: dict[str, Any] = {}
    if not binary:
        options = {"encoding": encoding, "newline": newline}
        expected = io.TextIOWrapper(io.BytesIO(data), **options).read()

    sock.settimeout(0.0005)
    file = sock.makefile(mode, rnd.choice([-1, 1, 2, 7, 100]), **options)
    got = expected[:0]
    sent = interruptions = 0
    while True:
        # Nothing is there for the first read, so that each run has an interruption.
        if sent < len(data) and interruptions and rnd.random() < 0.6:
            size = rnd.choice([1, 3, 10, 200, 9000])
            peer.sendall(data[sent : sent + size])
            sent += size
            if sent >= len(data):
                peer.shutdown(oxisock.SHUT_WR)
        try:
            piece, is_line = random_read(rnd, file, binary)
        except TimeoutError:
            interruptions += 1
            continue
        if not piece:
            break
        if is_line and not (newline == "" and got.endswith("\r")):
            assert piece == first_line(expected[len(got) :], newline)
        got += piece
    assert got == expected
    assert sent >= len(data)


INTERRUPTED = {
    "readline": lambda file: file.readline(),
    "read": lambda file: file.read(),
    "read 20": lambda file: file.read(20),
    "read 20000": lambda file: file.read(20_000),
    "readlines": lambda file: file.readlines(),
    "next": lambda file: next(file),
}
BINARY = {
    "readinto": lambda file: file.readinto(bytearray(20)),
    "readinto large": lambda file: file.readinto(bytearray(20_000)),
}


@contextmanager
def alarm_while_waiting() -> Iterator[None]:
    """Send SIGALRM once the block sleeps in a system call: never while it runs Python code."""
    target, number = threading.get_ident(), threading.get_native_id()
    released = counters()["released"]
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.001):
            if counters()["released"] > released and sleeping(number) and not over.is_set():
                signal.pthread_kill(target, signal.SIGALRM)
                return

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


@pytest.mark.parametrize(
    ("mode", "buffering", "name"),
    [
        (mode, buffering, name)
        for mode, buffering in [("r", -1), ("rw", -1), ("rb", -1), ("rwb", -1), ("rb", 0)]
        for name in [*INTERRUPTED, *(BINARY if "b" in mode else ())]
        if buffering or name in ("readline", "read", "readlines", "next")
    ],
)
@pytest.mark.parametrize("cause", ["timeout", "signal"])
def test_each_way_of_reading_can_go_on(
    pair: Any, mode: Any, buffering: Any, name: Any, cause: Any
) -> None:
    peer, sock = pair
    file = sock.makefile(mode, buffering, newline=None if "b" in mode else "\n")

    class AlarmError(Exception):
        pass

    def handler(number: Any, frame: Any) -> None:
        raise AlarmError

    expected = TimeoutError if cause == "timeout" else AlarmError
    sock.settimeout(0.02 if cause == "timeout" else None)
    with handled(signal.SIGALRM, handler):
        peer.sendall(b"one\ntwo\nthr")
        assert file.readline() in (b"one\n", "one\n")
        interrupted = 0
        for _ in range(5):  # two of these are spent on what is there already
            try:
                with alarm_while_waiting() if cause == "signal" else nullcontext():
                    piece = (INTERRUPTED | BINARY)[name](file)
                assert name in ("readline", "next")
                assert piece in (b"two\n", "two\n")
            except expected:
                interrupted += 1
        assert interrupted >= 4
    peer.sendall(b"ee\n")
    peer.close()
    sock.settimeout(10)
    rest = "" if name in ("readline", "next") else "two\n"
    assert file.read() in (rest + "three\n", (rest + "three\n").encode())


@pytest.mark.parametrize("name", ["read1", "readinto1", "peek"])
@pytest.mark.parametrize("mode", ["rb", "rwb"])
def test_a_timeout_is_not_taken_for_the_end(pair: Any, name: Any, mode: Any) -> None:
    peer, sock = pair
    sock.settimeout(0.01)
    file = sock.makefile(mode)
    for _ in range(2):
        with pytest.raises(TimeoutError, match="timed out"):
            getattr(file, name)(bytearray(5) if name == "readinto1" else 5)
    peer.send(b"hello")
    assert file.peek(1) == b"hello"
    assert file.read1(5) == b"hello"


def test_the_stream_beneath_raises_when_it_is_read_itself(pair: Any) -> None:
    peer, sock = pair
    sock.settimeout(0.01)
    file = sock.makefile("rb")
    raw = file.raw
    for read in (raw.read, raw.readline, lambda: raw.read(3), lambda: raw.readinto(bytearray(3))):
        with pytest.raises(TimeoutError):
            read()
    peer.send(b"line\nrest")
    assert file.readline() == b"line\n"
    assert file.read(4) == b"rest"
    assert file.detach() is raw
    peer.send(b"part")
    with pytest.raises(TimeoutError):
        raw.readline()
    peer.send(b"ial\n")
    assert io.BufferedReader(raw).readline() == b"partial\n"


def test_a_reset_comes_after_the_data_that_came_before_it(pair: Any) -> None:
    listener = oxisock.create_server(("127.0.0.1", 0))
    with listener, oxisock.create_connection(listener.getsockname(), timeout=10) as sock:
        peer, _ = listener.accept()
        file = sock.makefile("rb")
        peer.sendall(b"one\npart")
        assert file.readline() == b"one\n"
        peer.setsockopt(oxisock.SOL_SOCKET, oxisock.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        peer.close()
        with pytest.raises(ConnectionResetError):
            file.readline()
        assert file.read() == b"part"


def test_a_wrong_size_takes_nothing(pair: Any) -> None:
    peer, sock = pair
    peer.send(b"one\ntwo\n")
    with sock.makefile("r") as file:
        calls: list[Callable[[], object]] = [
            lambda: file.readline("1"),
            lambda: file.readline(None),
            lambda: file.read("1"),
        ]
        for call in calls:
            with pytest.raises(TypeError):
                call()
        assert [file.readline(), file.read(4)] == ["one\n", "two\n"]


@pytest.mark.parametrize("end", ["close", "detach"])
@pytest.mark.parametrize("read", [*INTERRUPTED.values()])
def test_a_file_that_is_closed_or_detached_says_so(pair: Any, end: Any, read: Any) -> None:
    peer, sock = pair
    file = sock.makefile("r")
    peer.send(b"one\ntwo\n")
    assert file.readline() == "one\n"
    getattr(file, end)()
    with pytest.raises(ValueError, match=r"closed file|detached"):
        read(file)


def test_an_interrupted_read_leaves_no_cycle(pair: Any) -> None:
    peer, sock = pair
    sock.settimeout(0.01)
    for mode in ("rb", "r", "rwb", "rw"):
        file = sock.makefile(mode)
        peer.send(b"part")
        gc.collect()
        gc.disable()
        try:
            with pytest.raises(TimeoutError):
                file.readline()
            del file
            # That the file was closed at once shows that nothing but a name held it.
            assert sock._io_refs == 0
        finally:
            gc.enable()
