"""Who owns a descriptor, and when: nobody closes or uses one that has become somebody else's."""

import gc
import os
import socket as std
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

import oxisock
from tests.helpers.net import connected, listening
from tests.helpers.oracle import freeze, same
from tests.helpers.process import Task, descriptors

# Each makes a descriptor and calls a class with it: the class in the place of `socket`, or of `a`.
MAKERS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "fromfd": lambda m, a, server: m.fromfd(a.fileno(), a.family, a.type),
    "dup": lambda m, a, server: a.dup(),
    "socketpair": lambda m, a, server: m.socketpair(),
    "accept": lambda m, a, server: server.accept(),
}


def adopting_then_failing(module: Any, armed: list[bool]) -> Any:
    class Failing(module.socket):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            if armed:
                raise RuntimeError("after the descriptor was taken over")

    return Failing


@pytest.mark.parametrize("maker", MAKERS)
def test_what_a_failed_constructor_has_taken_over_is_its_objects_to_close(
    maker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The object lives on in the traceback, and closes the descriptor when it goes: once."""

    def scene(module: Any) -> tuple[bool, int]:
        armed: list[bool] = []
        original = module.socket
        failing = adopting_then_failing(module, armed)
        with listening(module) as server, module.socket() as client:
            client.connect(server.getsockname())
            with failing() as a:
                before = descriptors()
                monkeypatch.setattr(module, "socket", failing)
                armed.append(True)
                try:
                    MAKERS[maker](module, a, server)
                except RuntimeError as caught:
                    error: RuntimeError | None = caught
                monkeypatch.setattr(module, "socket", original)
                armed.clear()
                pipes = [os.pipe() for _ in range(4)]
                assert error is not None
                error = None
                gc.collect()
                intact = True
                for end in (end for pipe in pipes for end in pipe):
                    try:
                        os.close(end)
                    except OSError:
                        intact = False
                return intact, len(descriptors()) - len(before)

    with pytest.warns(ResourceWarning):
        assert same(scene)[1] == freeze((True, 0))


@pytest.mark.differs("the standard library leaks what a class has refused")
@pytest.mark.parametrize("maker", MAKERS)
def test_what_a_class_of_ours_has_refused_is_closed(
    maker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing(oxisock.socket):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            if armed:
                raise RuntimeError("before the descriptor was taken over")
            super().__init__(*arguments, **options)

    armed: list[bool] = []
    with listening(oxisock) as server, oxisock.socket() as client, Refusing() as a:
        client.connect(server.getsockname())
        before = descriptors()
        monkeypatch.setattr(oxisock, "socket", Refusing)
        armed.append(True)
        with pytest.raises(RuntimeError):
            MAKERS[maker](oxisock, a, server)
        assert descriptors() == before


def test_a_class_may_close_what_it_refuses() -> None:
    """Its number is somebody else's by then, and is left alone."""

    class Tidy(oxisock.socket):
        def __init__(self, *arguments: Any, fileno: int | None = None) -> None:
            if fileno is not None:
                os.close(fileno)
                pipes.append(os.pipe())
                raise RuntimeError("closed")
            super().__init__(*arguments)

    pipes: list[tuple[int, int]] = []
    with Tidy() as sock, pytest.raises(RuntimeError):
        sock.dup()
    for end in pipes[0]:
        os.close(end)


def test_a_socket_whose_number_was_closed_goes_silently(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """But for the warning, which it deserves."""

    def scene(module: Any) -> list[Any]:
        ignored: list[Any] = []
        monkeypatch.setattr(sys, "unraisablehook", ignored.append)
        sock = module.socket()
        os.close(sock.fileno())
        with pytest.warns(ResourceWarning):
            del sock
        return [entry.exc_value for entry in ignored]

    assert same(scene)[1] == freeze([])


ROUNDS = 60


def after_detach(operation: Callable[[Any], None], timeout: float | None) -> int:
    """Detach while a thread is inside an operation, and give the number to somebody else.

    Returns in how many rounds the operation went on with the new owner.
    """
    misled = 0
    for _ in range(ROUNDS):
        with connected(oxisock) as (a, b):
            a.settimeout(timeout)
            b.settimeout(1)
            started = threading.Event()

            def reader(peer: Any = b, begun: Any = started) -> None:
                try:
                    while peer.recv(1 << 16):
                        begun.set()
                except OSError:
                    pass

            def worker(sock: Any = a) -> None:
                try:
                    while True:
                        operation(sock)
                except OSError:
                    pass

            tasks = [Task(reader), Task(worker)]
            started.wait(5)
            number = a.detach()
            owner, other = std.socketpair()
            os.dup2(owner.fileno(), number)
            os.close(owner.fileno())
            owner.detach()
            tasks[1].result()
            other.setblocking(False)
            try:
                misled += bool(other.recv(1))
            except BlockingIOError:
                pass
            os.close(number)
            other.close()
            b.shutdown(std.SHUT_RDWR)
            tasks[0].result()
    return misled


BLOCK = bytes(1 << 20)


@pytest.mark.parametrize("timeout", [None, 5.0])
def test_no_data_go_to_a_stranger_after_detach(timeout: float | None) -> None:
    assert after_detach(lambda sock: sock.sendall(BLOCK), timeout) == 0


@pytest.mark.parametrize("timeout", [None, 5.0])
def test_no_small_data_go_to_a_stranger_after_detach(timeout: float | None) -> None:
    assert after_detach(lambda sock: sock.sendall(b"small"), timeout) == 0
