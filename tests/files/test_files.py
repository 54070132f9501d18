"""`makefile`, `SocketIO`, deferred close and `sendfile`."""

import errno
import gc
import io
import os
import re
import socket as std
from pathlib import Path
from typing import Any

import pytest

import oxisock
from tests.helpers.oracle import agree, cases, same
from tests.helpers.process import Task, descriptors, no_new_descriptors

MODES = ["r", "w", "rw", "wr", "b", "rb", "br", "wb", "rwb", "rbw", "wrb", ""]
BUFFERINGS = [None, -1, 0, 1, 2, 512, 8192]


def plain(text: str) -> str:
    """The repr of a file without what differs between the modules and from run to run."""
    return re.sub(r"fd=\d+|0x[0-9a-f]+|<\w+\.SocketIO|<\w+\.socket", "", text)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("buffering", BUFFERINGS)
def test_modes(mode: str, buffering: int | None) -> None:
    """Every combination gives the same stack of file objects, or the same refusal."""

    def describe(module: Any) -> Any:
        a, b = module.socketpair()
        with a, b, a.makefile(mode, buffering) as file:
            layers: list[Any] = [type(file).__name__]
            for attribute in ("buffer", "raw"):
                inner = getattr(file, attribute, None)
                if isinstance(inner, io.IOBase):
                    layers.append((attribute, type(inner).__name__))
            return (
                layers, file.mode, file.readable(), file.writable(), file.seekable(), file.isatty(),
                file.fileno() == a.fileno(), file.closed, isinstance(file, io.IOBase),
            )  # fmt: skip

    same(describe)


@cases("""
    a.makefile("a")
    a.makefile("x")
    a.makefile("r+")
    a.makefile("rt")
    a.makefile("R")
    a.makefile(None)
    a.makefile(1)
    a.makefile(b"r")
    a.makefile("r", "1")
    a.makefile("r", 1.5)
    a.makefile("r", 0)
    a.makefile("rw", 0)
    a.makefile("rb", -2)
    a.makefile("r", 2**64)
    a.makefile("r", encoding="no-such-encoding")
    a.makefile("r", errors=1)
    a.makefile("r", newline="x")
    a.makefile("r", encoding=1)
    a.makefile("r", -1, "utf-8")
    a.makefile(mode="r", bufsize=1)
    closed.makefile().closed
    closed.makefile("rb").read(1)
    (b.sendall(b"a\\nb\\n"), b.close(), a.makefile().readlines())
    (b.sendall(b"a\\r\\nb\\rc\\n"), b.close(), a.makefile().read())
    (b.sendall(b"a\\r\\nb\\rc\\n"), b.close(), a.makefile(newline="").read())
    (b.sendall(b"a\\r\\nb\\rc\\n"), b.close(), a.makefile(newline="\\r").readlines())
    (b.sendall(b"\\xe9\\n"), b.close(), a.makefile(encoding="latin-1").read())
    (b.sendall(b"\\xe9\\n"), b.close(), a.makefile(encoding="utf-8").read())
    (b.sendall(b"\\xe9\\n"), b.close(), a.makefile(encoding="ascii", errors="replace").read())
    (b.sendall(b"abc"), b.close(), a.makefile("rb").read())
    (b.sendall(b"abc"), b.close(), a.makefile("rb", 0).readall())
    (b.sendall(b"abc"), a.makefile("rb").peek(1)[:1])
    (b.sendall(b"abc"), a.makefile("rb", 0).read(2), a.recv(5))
    (b.sendall(b"abc"), a.makefile("rb", 0).readinto(bytearray(2)), a.recv(5))
    (b.sendall(b"abc"), a.makefile("rb").read1(2))
    (b.sendall(b"a\\nb"), b.close(), list(a.makefile("rb")))
    (b.sendall(b"a\\nb"), b.close(), a.makefile("rb", 0).readline(), a.recv(5))
    (a.makefile("wb", 0).write(b"abc"), b.recv(10))
    (a.makefile("wb", 0).write(b""), 0)
    a.makefile("wb", 0).write("abc")
    a.makefile("wb", 0).write(None)
    (a.makefile("wb", 0).write(memoryview(b"abcd").cast("I")), b.recv(10))
    a.makefile("wb").read()
    a.makefile("rb").write(b"x")
    a.makefile("wb", 0).read()
    a.makefile("rb", 0).write(b"x")
    a.makefile("wb", 0).readinto(bytearray(1))
    a.makefile("rb", 0).seek(0)
    a.makefile("rb", 0).tell()
    a.makefile("rb").tell()
    a.makefile("wb").tell()
    [(f.close(), f.tell()) for f in [a.makefile("rb", 0)]]
    [(f.close(), f.tell()) for f in [a.makefile("rb")]]
    [(f.close(), f.tell()) for f in [a.makefile("rwb")]]
    [(f.close(), f.tell()) for f in [a.makefile("r")]]
    a.makefile("rb", 0).truncate()
    a.makefile("rb", 0).readinto(b"")
    (a.settimeout(0), a.makefile("rb", 0).read(1))
    (a.settimeout(0), a.makefile("rb", 0).readinto(bytearray(1)))
    (a.settimeout(0), a.makefile("rb").read(1))
    (a.settimeout(0), [a.makefile("wb", 0).write(bytes(10**6)) for _ in range(100)][-1])
    (a.settimeout(0.02), a.makefile("rb", 0).read(1))
    (a.settimeout(0.02), a.makefile("rb").read(1))
    m.SocketIO(a, "rb")
    m.SocketIO(a, "r").mode
    m.SocketIO.__mro__[1].__name__
    m.SocketIO(a, "rw").name == a.fileno()
    hasattr(m.SocketIO(a, "r"), "__dict__")
""")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_files(expression: str, short_path: Path) -> None:
    agree(expression, short_path)


def test_repr() -> None:
    def texts(module: Any) -> list[str]:
        a, b = module.socketpair()
        with a, b, a.makefile("rb", buffering=0) as file:
            open_text = plain(repr(file))
        return [open_text, plain(repr(file))]

    same(texts)


def test_text_both_ways(stream: Any) -> None:
    a, b = stream
    with (
        a.makefile("rw", encoding="utf-8", newline="\n") as one,
        b.makefile("rw", encoding="utf-8", newline="\n") as two,
    ):
        for line in ("plain\n", "gr\u00fc\u00dfe \u4e2d\n", "x" * 100_000 + "\n"):
            writer = Task(lambda text=line: (one.write(text), one.flush()))
            assert two.readline() == line
            writer.result()
            two.write(line.upper())
            reader = Task(one.readline)
            two.flush()
            assert reader.result() == line.upper()


def test_large_buffered_reads(stream: Any) -> None:
    a, b = stream
    data = os.urandom(1 << 22)
    writer = Task(lambda: (a.sendall(data), a.shutdown(std.SHUT_WR)))
    with b.makefile("rb") as file:
        assert file.read(10) == data[:10]
        assert file.read(1 << 20) == data[10 : 10 + (1 << 20)]
        assert file.read() == data[10 + (1 << 20) :]
        assert file.read() == b""
    writer.result()


def test_lines_arrive_before_the_stream_ends(stream: Any) -> None:
    """A reader gets a line as soon as it is there."""
    a, b = stream
    with b.makefile("rb") as file:
        for turn in range(50):
            line = b"line %d\r\n" % turn
            a.sendall(line)
            assert file.readline() == line


def test_an_unbuffered_writer_may_write_less(unix: Any) -> None:
    a, _ = unix
    with a.makefile("wb", buffering=0) as file:
        a.setblocking(False)
        written = 0
        while (count := file.write(bytes(1 << 20))) is not None:
            written += count
        assert 0 < written < 1 << 28


# -- the descriptor stays until the last file is closed --------------------------------------------


def test_close_waits_for_the_files() -> None:
    a, b = oxisock.socketpair()
    with b:
        number = a.fileno()
        files = [a.makefile("rb"), a.makefile("wb"), a.makefile()]
        a.close()
        assert a.fileno() == number
        assert number in descriptors()
        b.sendall(b"one\ntwo\n")
        assert files[0].readline() == b"one\n"
        files[1].write(b"reply")
        files[1].flush()
        assert b.recv(10) == b"reply"
        for file in files:
            assert number in descriptors()
            file.close()
        assert number not in descriptors()
        assert a.fileno() == -1
        assert b.recv(1) == b""


@pytest.mark.parametrize(
    "method",
    ["recv(1)", "send(b'')", "getsockname()", "settimeout(1)", "dup().close()", "detach()"],
)
def test_a_closed_socket_with_open_files(method: str) -> None:
    """Between close() and the last file's end the socket answers as the standard library's does."""

    def attempt(module: Any) -> Any:
        a, b = module.socketpair()
        with b:
            file = a.makefile("rb")
            a.close()
            b.sendall(b"x")
            try:
                result = eval(f"a.{method}", {"a": a})
                if method == "detach()":
                    os.close(result)
                    result = a.fileno()
                return result
            finally:
                file.close()

    same(attempt)


def test_files_are_closed_twice_and_in_any_order() -> None:
    a, b = oxisock.socketpair()
    with b:
        one, two = a.makefile("rb"), a.makefile("rb")
        two.close()
        two.close()
        a.close()
        a.close()
        assert a.fileno() != -1
        one.close()
        assert a.fileno() == -1


def test_a_file_keeps_its_socket_alive() -> None:
    def make() -> Any:
        a, b = oxisock.socketpair()
        b.sendall(b"hello")
        b.close()
        file = a.makefile("rb")
        a.close()
        return file

    with no_new_descriptors():
        file = make()
        gc.collect()
        assert file.read() == b"hello"
        file.close()


def test_the_with_statement_of_both() -> None:
    with no_new_descriptors():
        a, b = oxisock.socketpair()
        with b, a, a.makefile("rwb") as file:
            file.write(b"data")
            file.flush()
            assert b.recv(10) == b"data"


def test_detach_of_a_file() -> None:
    a, b = oxisock.socketpair()
    with a, b:
        file = a.makefile("rb")
        raw = file.detach()
        assert isinstance(raw, oxisock.SocketIO)
        b.sendall(b"x")
        assert raw.read(1) == b"x"
        raw.close()
        with pytest.raises(ValueError, match="closed"):
            raw.read(1)
        assert raw.closed
        assert raw.name == -1


def test_shutdown_ends_the_reader(stream: Any) -> None:
    a, b = stream
    with b.makefile() as file:
        a.sendall(b"first\nlast")
        a.shutdown(std.SHUT_WR)
        assert file.readlines() == ["first\n", "last"]


def test_buffered_pair(unix: Any) -> None:
    a, b = unix
    with a.makefile("rwb") as file:
        assert isinstance(file, io.BufferedRWPair)
        b.sendall(b"in")
        assert file.read(2) == b"in"
        file.write(b"out")
        file.flush()
        assert b.recv(3) == b"out"


# -- sendfile --------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 64)
    return path


@pytest.mark.parametrize("offset", [0, 1, 1000, 16383, 16384, 20_000])
@pytest.mark.parametrize("count", [None, 1, 1000, 16384, 100_000])
@pytest.mark.parametrize("buffering", [0, -1])
def test_sendfile(file: Path, offset: int, count: int | None, buffering: int) -> None:
    """Sent bytes, returned number and the file's position agree."""

    def send(module: Any) -> Any:
        a, b = module.socketpair()
        with a, b, file.open("rb", buffering=buffering) as source:
            sent = a.sendfile(source, offset, count)
            a.close()
            got = b"".join(iter(lambda: b.recv(1 << 16), b""))
            return sent, source.tell(), got

    same(send)


@pytest.mark.parametrize(
    "arguments",
    [(0, 0), (0, -1), (-1, 1), (0, 1.5), (0, "1"), ("0", 1), (1.5,), (None,), (2**63,)],
    ids=str,
)
def test_sendfile_arguments(file: Path, arguments: tuple[Any, ...]) -> None:
    def send(module: Any) -> Any:
        a, b = module.socketpair()
        with a, b, file.open("rb") as source:
            return a.sendfile(source, *arguments), source.tell()

    same(send)


def test_sendfile_with_a_count_beyond_the_file(file: Path, unix: Any) -> None:
    """The count is an upper bound, of any size (before 3.13 the standard library set a limit)."""
    a, b = unix
    with file.open("rb") as source:
        assert a.sendfile(source, 0, 2**70) == file.stat().st_size
    a.close()
    assert b"".join(iter(lambda: b.recv(1 << 16), b"")) == file.read_bytes()


@pytest.mark.parametrize("kind", ["text", "datagram", "non-blocking", "closed", "number", "reader"])
def test_sendfile_refuses(file: Path, kind: str) -> None:
    class Reader:
        def __init__(self) -> None:
            self.parts = [b"one", b"two", b""]

        def read(self, size: int) -> bytes:
            return self.parts.pop(0)

    def send(module: Any) -> Any:
        number = std.SOCK_DGRAM if kind == "datagram" else std.SOCK_STREAM
        a, b = module.socketpair(std.AF_UNIX, number)
        mode, encoding = ("r", "latin-1") if kind == "text" else ("rb", None)
        with a, b, file.open(mode, encoding=encoding) as source:
            if kind == "non-blocking":
                a.setblocking(False)
            if kind == "closed":
                source.close()
            target = {"number": 5, "reader": Reader()}.get(kind, source)
            return a.sendfile(target)

    same(send)


def test_sendfile_with_a_slow_reader(stream: Any, tmp_path: Path) -> None:
    a, b = stream
    a.settimeout(0.2)
    path = tmp_path / "large"
    path.write_bytes(bytes(1 << 24))
    with path.open("rb") as source:
        with pytest.raises(TimeoutError):
            a.sendfile(source)
        position = source.tell()
        assert 0 < position < 1 << 24  # the file stands behind what was sent
    a.close()
    got = 0
    while data := b.recv(1 << 20):
        got += len(data)
    assert got == position


class GaveUpError(Exception):
    """What a caller of `_sendfile_zerocopy` wants to see for a file that it cannot serve."""


@pytest.fixture(params=[std, oxisock], ids=["std", "oxisock"])
def with_zerocopy(request: pytest.FixtureRequest) -> Any:
    """Each module whose sockets have the method that CPython 3.15's `ssl` calls."""
    if not hasattr(request.param.socket, "_sendfile_zerocopy"):
        pytest.skip("the standard library has it from 3.15 on")
    return request.param


def test_sendfile_with_a_function_that_waits_for_room(with_zerocopy: Any, file: Path) -> None:
    a, b = with_zerocopy.socketpair()
    tries: list[int] = []

    def send(source: int, offset: int, count: int) -> int:
        tries.append(offset)
        if len(tries) % 2:
            raise BlockingIOError
        return os.sendfile(a.fileno(), source, offset, min(count, 1000))

    with a, b, file.open("rb") as source:
        a.settimeout(10)
        assert a._sendfile_zerocopy(send, GaveUpError, source, 10, 2500) == 2500
        assert source.tell() == 2510
        assert tries == [10, 10, 1010, 1010, 2010, 2010]
        assert b.recv(3000) == file.read_bytes()[10:2510]


def test_sendfile_with_a_function_and_no_room(with_zerocopy: Any, file: Path) -> None:
    a, b = with_zerocopy.socketpair()

    def refuse(*_: int) -> int:
        raise BlockingIOError

    with a, b, file.open("rb") as source:
        a.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                a.send(bytes(1 << 16))
        with pytest.raises(ValueError):
            a._sendfile_zerocopy(refuse, GaveUpError, source)
        a.settimeout(0.05)
        with pytest.raises(TimeoutError):
            a._sendfile_zerocopy(refuse, GaveUpError, source)


def test_sendfile_with_a_function_that_gives_up(with_zerocopy: Any, file: Path) -> None:
    a, b = with_zerocopy.socketpair()
    sent = 0

    def fail_at_first(*_: int) -> int:
        raise OSError(errno.EINVAL, "no such file")

    def fail_later(*_: int) -> int:
        nonlocal sent
        sent += 1
        return 7 if sent == 1 else fail_at_first()

    with a, b, file.open("rb") as source:
        with pytest.raises(GaveUpError):
            a._sendfile_zerocopy(fail_at_first, GaveUpError, source)
        with pytest.raises(GaveUpError):
            a._sendfile_zerocopy(fail_at_first, GaveUpError, io.BytesIO(b"x"))
        with pytest.raises(OSError) as caught:
            a._sendfile_zerocopy(fail_later, GaveUpError, source)
        assert caught.value.errno == errno.EINVAL
        assert source.tell() == 7


# -- closed files, and sockets of other kinds ------------------------------------------------------


@pytest.mark.parametrize("end", ["close", "detach"])
@pytest.mark.parametrize("read", ["read(0)", "read(1)", "readline()", "newlines", "__next__()"])
def test_a_text_file_that_has_ended_gives_nothing(end: str, read: str) -> None:
    def scene(module: Any) -> Any:
        a, b = module.socketpair()
        with a, b:
            b.sendall(b"one\ntwo\nthree")
            file = a.makefile("r", encoding="utf-8")
            file.readline()
            rest = getattr(file, end)()
            try:
                return eval(f"file.{read}", {"file": file})
            finally:
                (rest or file).close()

    found = same(scene)
    assert found[0] == "raises" or (end, read) == ("close", "newlines")


@pytest.mark.parametrize("mode", ["r", "w", "rw"])
@pytest.mark.parametrize(
    "end",
    [
        "file.close()",
        "file.buffer.close()",
        "file.flush()",
        "file.detach().close()",
        "file.buffer.detach().close()",
    ],
)
def test_whether_a_text_file_is_closed(mode: str, end: str) -> None:
    def scene(module: Any) -> list[object]:
        told: list[object] = []
        a, b = module.socketpair()
        with a, b:
            file = a.makefile(mode, encoding="utf-8")
            for step in ("file.closed", end, "file.closed", "file.flush()", "file.close()"):
                try:
                    told.append(eval(step, {"file": file}))
                except (OSError, ValueError) as error:
                    told.append((type(error), str(error)))
        return told

    same(scene)


@pytest.mark.parametrize("mode", ["rb", "wb", "rwb"])
def test_what_a_raw_stream_says_of_itself(mode: str) -> None:
    """While it is open, and closed."""

    def scene(module: Any) -> list[object]:
        told: list[object] = []
        a, b = module.socketpair()
        with a, b:
            file = a.makefile(mode, 0)
            for _ in range(2):
                for name in ("readable", "writable", "seekable"):
                    try:
                        told.append(getattr(file, name)())
                    except ValueError as error:
                        told.append(str(error))
                file.close()
        return told

    same(scene)


def test_the_native_makers_of_files_check_their_arguments() -> None:
    from oxisock._files import SocketIO
    from oxisock._socket import open_raw

    make: Any = open_raw
    a, b = oxisock.socketpair()
    with a, b:
        for count in (0, 3, 5):
            with pytest.raises(TypeError, match="open_raw"):
                make(*(a, SocketIO, "rb", 0, 0)[:count])
        for place in (1, 2, 3):
            arguments: list[Any] = [a, SocketIO, "rb", 0]
            arguments[place] = None
            with pytest.raises(TypeError):
                make(*arguments)
        a.close()
        assert a.fileno() == -1


def test_makefile_in_a_class_that_is_no_socket() -> None:
    """As urllib3's wrapper for pyOpenSSL has it."""

    def scene(module: Any) -> Any:
        class Wrapper:
            makefile = module.socket.makefile

            def __init__(self, sock: Any) -> None:
                self.sock = sock
                self._io_refs = 0

            def recv_into(self, buffer: Any) -> int:
                return int(self.sock.recv_into(buffer))

            def _decref_socketios(self) -> None:
                self._io_refs -= 1

        a, b = module.socketpair()
        with a, b:
            b.sendall(b"line\n")
            wrapper = Wrapper(a)
            with wrapper.makefile("rb") as file:
                line, open_files = file.readline(), wrapper._io_refs
            return line, open_files, wrapper._io_refs

    assert same(scene)[0] == "returns"


def test_methods_that_a_program_replaces_are_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after a file has called the native ones without looking them up."""
    calls: list[str] = []

    def replacement(name: str) -> Any:
        original = getattr(oxisock.socket, name)

        def method(self: Any, *arguments: Any) -> Any:
            calls.append(name)
            return original(self, *arguments)

        return method

    a, b = oxisock.socketpair()
    with a, b:
        for expected in ([], ["recv_into", "_decref_socketios"], []):
            if expected:
                for name in expected:
                    monkeypatch.setattr(oxisock.socket, name, replacement(name))
            b.sendall(b"line\n")
            with a.makefile("rb") as file:
                assert file.readline() == b"line\n"
            assert calls == expected
            calls.clear()
            monkeypatch.undo()
