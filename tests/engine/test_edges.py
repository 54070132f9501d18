"""Rare paths: false readiness, errors behind data, forks, the end of the interpreter."""

import os
import socket as std
import struct
import time
from collections.abc import Callable
from typing import Any

import pytest

import oxisock
from tests.helpers.net import connected
from tests.helpers.process import run_python


def test_a_full_datagram_queue_times_out_although_poll_calls_it_writable() -> None:
    with oxisock.socket(oxisock.AF_UNIX, oxisock.SOCK_DGRAM) as receiver:
        receiver.bind("")
        with oxisock.socket(oxisock.AF_UNIX, oxisock.SOCK_DGRAM) as sender:
            sender.settimeout(0.2)
            began = time.monotonic()
            try:
                while True:
                    sender.sendto(b"x", receiver.getsockname())
            except TimeoutError:
                pass
            assert 0.2 <= time.monotonic() - began < 10


def reset_behind_data(size: int) -> oxisock.socket:
    """A connection that has `size` bytes to read and a reset behind them."""
    with connected(oxisock) as (client, server):
        client.setsockopt(std.SOL_SOCKET, std.SO_RCVBUF, 4 * size)
        server.sendall(bytes(size))
        server.setsockopt(std.SOL_SOCKET, std.SO_LINGER, struct.pack("ii", 1, 0))
        time.sleep(0.2)
        return oxisock.socket(fileno=client.detach())


def test_an_error_behind_data_is_kept_for_what_moves_data() -> None:
    with reset_behind_data(1 << 17) as sock:
        received = 0
        try:
            while data := sock.recv(1 << 20):
                received += len(data)
                sock.settimeout(5)
                sock.getsockname()
        except ConnectionResetError:
            return
        raise AssertionError(f"a reset looked like an end, after {received} bytes")


def test_a_truncating_stream_read_shows_nothing_of_other_reads() -> None:
    with connected(oxisock) as (a, b), connected(oxisock) as (c, d):
        a.sendall(b"secret" * 100)
        assert b.recv(4096)
        c.sendall(b"x" * 600)
        time.sleep(0.1)
        assert b"secret" not in d.recv(600, oxisock.MSG_TRUNC)


def test_a_second_init_that_finds_the_first_descriptor_gone() -> None:
    low = os.open(os.devnull, os.O_RDONLY)
    sock = oxisock.socket()
    os.close(sock.fileno())
    os.close(low)
    sock.__init__()  # type: ignore[misc]
    assert sock.fileno() == low
    sock.getsockname()
    sock.close()


def test_a_forked_child_protects_its_descriptors_as_well() -> None:
    run_python(
        """
        import os, threading, time, oxisock
        a, b = oxisock.socketpair()
        a.settimeout(30)
        if pid := os.fork():
            os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        answers = []
        def wait():
            try:
                answers.append(a.recv(10))
            except OSError as error:
                answers.append(error.errno)
        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.3)
        a.close()
        others = [oxisock.socketpair() for _ in range(3)]
        for one, two in others:
            one.send(b"other")
        thread.join(10)
        os._exit(0 if answers == [9] else 1)
        """
    )


def test_an_error_while_the_interpreter_ends_does_not_abort() -> None:
    run_python(
        """
        import oxisock
        closed = oxisock.socket()
        closed.close()
        class Last:
            def __init__(self):
                self.send = closed.send
                self.me = self
            def __del__(self):
                try:
                    self.send(b"x")
                except Exception:
                    pass
        Last()
        """
    )


def test_the_pair_of_a_file_lives_as_long_as_a_call_of_it() -> None:
    a, b = oxisock.socketpair()
    with a, b:
        a.sendall(b"one\ntwo\n")
        assert b.makefile("rwb").readline() == b"one\n"


REFUSED: list[Callable[[Any], Any]] = [
    lambda m: keep_nothing(m, lambda sock: sock.recv(1)),
    lambda m: keep_nothing(m, lambda sock: sock.recv("x")),
    lambda m: keep_nothing(m, lambda sock: sock.recv_into(bytearray(1))),
    lambda m: keep_nothing(m, lambda sock: sock.bind("x" * 200)),
    lambda m: m.htons(70000),
    lambda m: m.inet_aton("x"),
    lambda m: m.getaddrinfo("127.0.0.1", "no such service"),
    lambda m: m.if_nametoindex("no such one"),
]


def keep_nothing(module: Any, call: Callable[[Any], Any]) -> Any:
    """Call it with a non-blocking socket."""
    one, other = module.socketpair()
    with one, other:
        one.settimeout(0)
        return call(one)


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_an_error_knows_what_was_being_handled(number: int) -> None:
    for module in (std, oxisock):
        handled = KeyError("as expected")
        try:
            raise handled
        except KeyError:
            with pytest.raises((OSError, TypeError, OverflowError)) as caught:
                REFUSED[number](module)
        assert caught.value.__context__ is handled
