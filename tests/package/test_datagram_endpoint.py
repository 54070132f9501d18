"""Datagram endpoints that read by the batch, on the selector loop and on uvloop."""

import asyncio
import errno
import gc
import importlib
import os
import socket as std
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import oxisock
from tests.helpers.process import needs_strace, wait_until

Run = Callable[[Callable[[], Awaitable[Any]]], Any]
PATIENCE = 20


@pytest.fixture(scope="module", autouse=True)
def _pipe_of_libuv() -> None:
    """Its first loop opens a pipe for the whole process, which no test is to blame for."""
    try:
        importlib.import_module("uvloop").new_event_loop().close()
    except ImportError:
        pass


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Run a coroutine in a new event loop of that module."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    module = importlib.import_module(request.param)

    def bounded(main: Callable[[], Awaitable[Any]]) -> Any:
        loop = module.new_event_loop()
        raised: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _, context: raised.append(context))
        try:
            result = loop.run_until_complete(asyncio.wait_for(main(), PATIENCE))
            loop.run_until_complete(asyncio.sleep(0))
        finally:
            loop.close()
        assert hasattr(main, "raises") or raised == []
        return result

    return bounded


class Collector(asyncio.DatagramProtocol):
    """Remembers what happens to it."""

    def __init__(self) -> None:
        self.transport: Any = None
        self.got: list[tuple[bytes, Any]] = []
        self.errors: list[Exception] = []
        self.events: list[str] = []
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.events.append("made")

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.got.append((data, addr))

    def error_received(self, exc: Exception) -> None:
        self.errors.append(exc)

    def pause_writing(self) -> None:
        self.events.append("pause")

    def resume_writing(self) -> None:
        self.events.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.events.append("lost")
        self.lost.set_result(exc)

    async def until(self, count: int) -> None:
        while len(self.got) < count:
            await asyncio.sleep(0.001)


class Echo(Collector):
    def datagram_received(self, data: bytes, addr: Any) -> None:
        super().datagram_received(data, addr)
        self.transport.sendto(data.upper(), addr)


@pytest.mark.parametrize(("family", "host"), [("AF_INET", "127.0.0.1"), ("AF_INET6", "::1")])
def test_echo(run: Run, family: str, host: str) -> None:
    async def main() -> None:
        server, echo = await oxisock.datagram_endpoint(Echo, (host, 0))
        name = server.get_extra_info("sockname")
        assert server.get_extra_info("socket").family == getattr(oxisock, family)
        assert server.get_extra_info("peername") is None
        assert server.get_extra_info("nothing", 5) == 5
        client, answers = await oxisock.datagram_endpoint(Collector, remote_addr=name[:2])
        assert client.get_extra_info("peername") == name
        for number in range(200):
            client.sendto(b"q%d" % number)
        await answers.until(200)
        assert answers.got == [(b"Q%d" % number, name) for number in range(200)]
        assert {addr for _, addr in echo.got} == {client.get_extra_info("sockname")}
        for transport, protocol in ((client, answers), (server, echo)):
            transport.close()
            assert transport.is_closing()
            assert await protocol.lost is None
            assert protocol.events == ["made", "lost"]
            assert transport.get_extra_info("socket").fileno() == -1

    run(main)


def test_it_is_a_transport_of_asyncio(run: Run) -> None:
    async def main() -> None:
        transport, protocol = await oxisock.datagram_endpoint(Collector, ("127.0.0.1", 0))
        assert isinstance(transport, asyncio.DatagramTransport)
        assert isinstance(transport, oxisock.DatagramEndpoint)
        assert "open" in repr(transport)
        assert transport.get_protocol() is protocol
        transport.close()
        await protocol.lost
        assert "closed" in repr(transport)

    run(main)


def test_unix_sockets(run: Run, short_path: Path) -> None:
    path = str(short_path / "server")

    async def main() -> None:
        for _ in range(2):  # the second takes the place of the first one's file
            server, echo = await oxisock.datagram_endpoint(Echo, path, family=oxisock.AF_UNIX)
            client, answers = await oxisock.datagram_endpoint(
                Collector, str(short_path / "client"), path, family=oxisock.AF_UNIX
            )
            client.sendto(b"x")
            await answers.until(1)
            assert answers.got == [(b"X", path)]
            for transport, protocol in ((client, answers), (server, echo)):
                transport.close()
                await protocol.lost

    run(main)


def test_a_protocol_may_take_the_batch(run: Run) -> None:
    class Batches(Collector):
        def __init__(self) -> None:
            super().__init__()
            self.batches: list[int] = []

        def datagrams_received(self, datagrams: list[tuple[bytes, Any]]) -> None:
            self.batches.append(len(datagrams))
            self.got += datagrams
            self.transport.sendto_many([(data * 2, addr) for data, addr in datagrams])

    async def main() -> None:
        server, batches = await oxisock.datagram_endpoint(Batches, ("127.0.0.1", 0), batch=16)
        with oxisock.socket(oxisock.AF_INET, oxisock.SOCK_DGRAM) as client:
            client.settimeout(PATIENCE)
            client.connect(server.get_extra_info("sockname"))
            assert client.send_many([b"%d" % number for number in range(40)]) == 40
            await batches.until(40)
            assert batches.batches == [16, 16, 8]
            found: list[tuple[bytes, Any]] = []
            while len(found) < 40:
                found += client.recvfrom_many(64)
            assert [data for data, _ in found] == [b"%d" % number * 2 for number in range(40)]
        server.close()
        await batches.lost

    run(main)


def test_datagrams_that_are_mutable_or_empty(run: Run) -> None:
    async def main() -> None:
        server, got = await oxisock.datagram_endpoint(Collector, ("127.0.0.1", 0))
        address = server.get_extra_info("sockname")
        client, sent = await oxisock.datagram_endpoint(Collector, family=oxisock.AF_INET)
        buffer = bytearray(b"ab")
        client.sendto(buffer, address)
        buffer[:] = b"cd"
        client.sendto(memoryview(buffer), address)
        client.sendto(b"", address)
        client.sendto_many([(b"e", address), (buffer, address)])
        await got.until(5)
        assert [data for data, _ in got.got] == [b"ab", b"cd", b"", b"e", b"cd"]
        calls: list[tuple[Callable[[], None], type[Exception], str]] = [
            (lambda: client.sendto("text", address), TypeError, "bytes-like"),  # type: ignore[arg-type]
            (lambda: client.sendto_many([("text", address)]), TypeError, "bytes-like"),  # type: ignore[list-item]
            (lambda: client.sendto(b"x"), ValueError, "addr is missing"),
            (lambda: client.send_many([b"x"]), ValueError, "no peer"),
        ]
        for call, error, words in calls:
            with pytest.raises(error, match=words):
                call()
        client.close()
        server.close()
        client.sendto(b"late", address)
        await sent.lost
        await got.lost
        client.sendto(b"later", address)

    run(main)


def test_the_peer_is_the_only_address(run: Run) -> None:
    async def main() -> None:
        server, got = await oxisock.datagram_endpoint(Collector, ("127.0.0.1", 0))
        name = server.get_extra_info("sockname")
        client, _ = await oxisock.datagram_endpoint(Collector, remote_addr=name)
        client.sendto(b"a", name)
        client.send_many([b"b", b"c"])
        await got.until(3)
        with pytest.raises(ValueError, match="must be None or"):
            client.sendto(b"x", ("127.0.0.1", 1))
        with pytest.raises(ValueError, match="use send_many"):
            client.sendto_many([(b"x", name)])
        client.close()
        server.close()
        await got.lost

    run(main)


def test_a_peer_that_is_gone_is_told(run: Run) -> None:
    async def main() -> None:
        gone, lost = await oxisock.datagram_endpoint(Collector, ("127.0.0.1", 0))
        name = gone.get_extra_info("sockname")
        client, told = await oxisock.datagram_endpoint(Collector, remote_addr=name)
        gone.close()
        await lost.lost
        client.sendto(b"x")
        while not told.errors:
            await asyncio.sleep(0.001)
        assert isinstance(told.errors[0], ConnectionRefusedError)
        assert not client.is_closing()
        # Each datagram is sent, whatever an earlier one has met with.
        with std.socket(std.AF_INET, std.SOCK_DGRAM) as back:
            client.sendto(b"refused")
            back.bind(name)
            back.settimeout(PATIENCE)
            client.send_many([b"a", b"b"])
            assert back.recv(10) == b"a"
            assert back.recv(10) == b"b"
        client.close()
        await told.lost

    run(main)


def test_what_is_refused_is_told_once_and_the_rest_goes(run: Run) -> None:
    async def main() -> None:
        server, got = await oxisock.datagram_endpoint(Collector, ("127.0.0.1", 0))
        name = server.get_extra_info("sockname")
        client, told = await oxisock.datagram_endpoint(Collector, ("127.0.0.1", 0))
        huge = bytes(70_000)
        client.sendto_many([(b"a", name), (huge, name), (b"b", name), (huge, name), (b"c", name)])
        client.sendto(huge, name)
        await got.until(3)
        assert [data for data, _ in got.got] == [b"a", b"b", b"c"]
        assert [getattr(error, "errno", 0) for error in told.errors] == [errno.EMSGSIZE] * 3
        # A name that cannot be resolved is an error of its own datagram.
        client.sendto_many([(b"d", name), (b"x", ("no-such-host.invalid", 1)), (b"e", name)])
        await got.until(5)
        assert [data for data, _ in got.got[3:]] == [b"d", b"e"]
        assert isinstance(told.errors[-1], oxisock.gaierror)
        client.close()
        server.close()
        await told.lost

    run(main)


def test_a_wrong_address_ends_the_endpoint(run: Run) -> None:
    """As in asyncio: an error that is none of the system's."""

    async def main() -> None:
        server, got = await oxisock.datagram_endpoint(Collector, ("127.0.0.1", 0))
        name = server.get_extra_info("sockname")
        client, told = await oxisock.datagram_endpoint(Collector, ("127.0.0.1", 0))
        client.sendto_many([(b"a", name), (b"b", 5), (b"c", name)])
        assert isinstance(await told.lost, TypeError)
        await got.until(1)
        assert got.got[0][0] == b"a"
        server.close()
        await got.lost

    main.raises = True  # type: ignore[attr-defined]
    run(main)


def test_back_pressure(run: Run) -> None:
    """Nothing is lost where the system has no room: UNIX sockets hold the sender up."""

    async def main() -> None:
        one, other = oxisock.socketpair(oxisock.AF_UNIX, oxisock.SOCK_DGRAM)
        client, sent = await oxisock.datagram_endpoint(Collector, sock=one)
        client.set_write_buffer_limits(high=20_000)
        assert client.get_write_buffer_limits() == (5_000, 20_000)
        with other:
            other.setblocking(False)
            texts = [b"%d" % number * 100 for number in range(3000)]
            total = 0
            for text in texts:
                client.sendto(text)
                total += 1
                if sent.events[-1] == "pause":
                    break
            assert sent.events == ["made", "pause"]
            assert client.get_write_buffer_size() > 20_000
            client.close()
            assert "lost" not in sent.events
            found: list[tuple[bytes, Any]] = []
            while len(found) < total:
                await asyncio.sleep(0)
                try:
                    found += other.recvfrom_many(10)
                except BlockingIOError:
                    continue
            assert [data for data, _ in found] == texts[:total]
            assert await sent.lost is None
            assert sent.events == ["made", "pause", "resume", "lost"]
            assert client.get_write_buffer_size() == 0

    run(main)


def test_abort_drops_the_queue(run: Run) -> None:
    async def main() -> None:
        one, other = oxisock.socketpair(oxisock.AF_UNIX, oxisock.SOCK_DGRAM)
        client, sent = await oxisock.datagram_endpoint(Collector, sock=one)
        with other:
            while not client.get_write_buffer_size():
                client.sendto(bytes(1000))
            client.abort()
            client.abort()
            assert await sent.lost is None
            assert client.get_write_buffer_size() == 0
            assert one.fileno() == -1

    run(main)


def test_limits_have_to_make_sense(run: Run) -> None:
    async def main() -> None:
        client, sent = await oxisock.datagram_endpoint(Collector, ("127.0.0.1", 0))
        assert client.get_write_buffer_limits() == (16_384, 65_536)
        client.set_write_buffer_limits(low=10)
        assert client.get_write_buffer_limits() == (10, 40)
        for arguments in ({"high": 1, "low": 2}, {"high": -1}):
            with pytest.raises(ValueError, match="must be >= low"):
                client.set_write_buffer_limits(**arguments)
        client.close()
        await sent.lost

    run(main)


def test_reading_is_held_up_and_goes_on_with_nothing_lost(run: Run) -> None:
    class Pausing(Collector):
        def datagram_received(self, data: bytes, addr: Any) -> None:
            assert self.transport.is_reading()
            super().datagram_received(data, addr)
            if len(self.got) % 7 == 0:
                self.transport.pause_reading()
                self.transport.pause_reading()
                assert not self.transport.is_reading()
                asyncio.get_running_loop().call_later(0.001, self.transport.resume_reading)

    async def main() -> None:
        server, got = await oxisock.datagram_endpoint(Pausing, ("127.0.0.1", 0))
        with oxisock.socket(oxisock.AF_INET, oxisock.SOCK_DGRAM) as client:
            client.connect(server.get_extra_info("sockname"))
            client.send_many([b"%d" % number for number in range(100)])
        await got.until(100)
        assert [data for data, _ in got.got] == [b"%d" % number for number in range(100)]
        assert server.is_reading()
        server.close()
        server.pause_reading()
        server.resume_reading()
        await got.lost

    run(main)


def test_closing_in_the_middle_of_a_batch(run: Run) -> None:
    class Closing(Echo):
        def datagram_received(self, data: bytes, addr: Any) -> None:
            super().datagram_received(data, addr)
            if len(self.got) == 3:
                self.transport.close()

    async def main() -> None:
        server, got = await oxisock.datagram_endpoint(Closing, ("127.0.0.1", 0))
        with oxisock.socket(oxisock.AF_INET, oxisock.SOCK_DGRAM) as client:
            client.settimeout(PATIENCE)
            client.connect(server.get_extra_info("sockname"))
            client.send_many([b"a", b"b", b"c", b"d"])
            assert await got.lost is None
            assert [data for data, _ in got.got] == [b"a", b"b", b"c"]
            # What was answered until then has gone.
            assert [data for data, _ in client.recvfrom_many(9)] == [b"A", b"B", b"C"]

    run(main)


def test_an_exception_of_the_protocol_stops_nothing(run: Run) -> None:
    class Failing(Collector):
        def datagram_received(self, data: bytes, addr: Any) -> None:
            super().datagram_received(data, addr)
            if data == b"b":
                raise ZeroDivisionError

    async def main() -> None:
        contexts: list[dict[str, Any]] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: contexts.append(context))
        server, got = await oxisock.datagram_endpoint(Failing, ("127.0.0.1", 0))
        with oxisock.socket(oxisock.AF_INET, oxisock.SOCK_DGRAM) as client:
            client.connect(server.get_extra_info("sockname"))
            client.send_many([b"a", b"b", b"c"])
        await got.until(3)
        server.close()
        await got.lost
        assert [type(context["exception"]) for context in contexts] == [ZeroDivisionError]
        assert contexts[0]["transport"] is server

    run(main)


def test_options_of_a_new_socket(run: Run) -> None:
    async def main() -> None:
        one, first = await oxisock.datagram_endpoint(
            Collector, ("127.0.0.1", 0), reuse_port=True, allow_broadcast=True
        )
        sock = one.get_extra_info("socket")
        assert sock.getsockopt(oxisock.SOL_SOCKET, oxisock.SO_BROADCAST) == 1
        name = one.get_extra_info("sockname")
        two, second = await oxisock.datagram_endpoint(Collector, name, reuse_port=True)
        assert two.get_extra_info("sockname") == name
        for transport, protocol in ((one, first), (two, second)):
            transport.close()
            await protocol.lost

    run(main)


def test_arguments_that_do_not_do(run: Run) -> None:
    async def main() -> None:
        make = oxisock.datagram_endpoint
        with oxisock.socket(oxisock.AF_INET, oxisock.SOCK_DGRAM) as sock, oxisock.socket() as tcp:
            cases: list[tuple[dict[str, Any], type[Exception], str]] = [
                ({}, ValueError, "unexpected address family"),
                ({"local_addr": "x"}, TypeError, "2-tuple"),
                ({"local_addr": 5, "family": oxisock.AF_UNIX}, TypeError, "string"),
                ({"sock": sock, "family": 2}, ValueError, "sock goes with none"),
                ({"sock": tcp}, ValueError, "A datagram socket was expected"),
                ({"local_addr": ("127.0.0.1", 0), "batch": 0}, ValueError, "batch"),
                ({"local_addr": ("127.0.0.1", 0), "bufsize": -1}, ValueError, "bufsize"),
                (
                    {"local_addr": ("127.0.0.1", 0), "remote_addr": ("::1", 1)},
                    ValueError,
                    "address information",
                ),
                ({"local_addr": ("192.0.2.1", 0)}, OSError, "assign"),
            ]
            for arguments, error, words in cases:
                with pytest.raises(error, match=words):
                    await make(Collector, **arguments)
        with std.socket(std.AF_INET, std.SOCK_DGRAM) as plain:
            with pytest.raises(TypeError, match="socket of oxisock"):
                await make(Collector, sock=plain)  # type: ignore[arg-type]
            assert plain.fileno() >= 0

        def refuses() -> Collector:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await make(refuses, ("127.0.0.1", 0))

    run(main)


def test_one_that_nobody_closes_warns(run: Run) -> None:
    async def main() -> None:
        found = [await oxisock.datagram_endpoint(asyncio.DatagramProtocol, ("127.0.0.1", 0))]
        sock = found[0][0].get_extra_info("socket")
        asyncio.get_running_loop().remove_reader(sock.fileno())

        async def lose() -> None:
            found.clear()
            await asyncio.sleep(0)
            gc.collect()

        with pytest.warns(ResourceWarning, match="unclosed transport"):
            await lose()
        assert sock.fileno() == -1

    run(main)


def test_every_datagram_once_with_several_senders(run: Run) -> None:
    count, senders = 2000, 3

    async def main() -> None:
        server, echo = await oxisock.datagram_endpoint(Echo, ("127.0.0.1", 0))
        sock = server.get_extra_info("socket")
        sock.setsockopt(oxisock.SOL_SOCKET, oxisock.SO_RCVBUF, 1 << 22)
        name = server.get_extra_info("sockname")
        results: list[list[bytes]] = [[] for _ in range(senders)]

        def client(number: int) -> None:
            with oxisock.socket(oxisock.AF_INET, oxisock.SOCK_DGRAM) as own:
                own.settimeout(PATIENCE)
                own.connect(name)
                for start in range(0, count, 50):
                    own.send_many([b"%d %d" % (number, i) for i in range(start, start + 50)])
                    while len(results[number]) < start + 50:
                        results[number] += [data for data, _ in own.recvfrom_many(64)]

        await asyncio.gather(*(asyncio.to_thread(client, n) for n in range(senders)))
        for number, found in enumerate(results):
            assert found == [b"%d %d" % (number, i) for i in range(count)]
        assert len(echo.got) == count * senders
        server.close()
        await echo.lost

    run(main)


def test_system_calls_of_an_echo_server(tmp_path: Path) -> None:
    """One to receive 32 questions, and one to send 32 answers."""
    program = """
import asyncio, oxisock as s
class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport): self.transport = transport
    def datagram_received(self, data, addr): self.transport.sendto(data, addr)
async def main():
    server, _ = await s.datagram_endpoint(Echo, ("127.0.0.1", 0))
    with s.socket(s.AF_INET, s.SOCK_DGRAM) as client:
        client.connect(server.get_extra_info("sockname"))
        for _ in range(10):
            client.send_many([b"x"] * 32)
            found = 0
            client.setblocking(False)
            while found < 32:
                await asyncio.sleep(0.001)
                try: found += len(client.recvfrom_many(32))
                except BlockingIOError: pass
    server.close()
asyncio.run(main())
"""
    log = tmp_path / "log"
    subprocess.run(
        [needs_strace(), "-o", str(log), "-e", "trace=network", sys.executable, "-c", program],
        check=True,
        timeout=60,
    )
    lines = log.read_text().splitlines()
    descriptor = next(line for line in lines if line.startswith("bind("))[5:].split(",")[0]
    own = [line for line in lines if line.split("(", 1)[-1].startswith(f"{descriptor},")]
    received = [line for line in own if line.startswith("recvmmsg")]
    sent = [line for line in own if line.startswith("sendmmsg")]
    assert len(received) == len(sent) == 10, own


def test_other_processes_and_threads_are_peers(run: Run) -> None:
    """A loop in another thread, which a blocking client asks."""
    ready, stop = threading.Event(), threading.Event()
    found: list[Any] = []

    async def main() -> None:
        server, echo = await oxisock.datagram_endpoint(Echo, ("127.0.0.1", 0))
        found.append(server.get_extra_info("sockname"))
        ready.set()
        while not stop.is_set():
            await asyncio.sleep(0.005)
        server.close()
        await echo.lost

    thread = threading.Thread(target=run, args=(main,), daemon=True)
    thread.start()
    wait_until(ready.is_set)
    with std.socket(std.AF_INET, std.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE)
        client.sendto(b"over", found[0])
        assert client.recvfrom(10) == (b"OVER", found[0])
    stop.set()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert os.getpid()
