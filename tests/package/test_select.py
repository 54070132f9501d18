"""`oxisock.select`: the standard library's interface, and its results."""

import errno
import inspect
import os
import select as standard
import signal
import socket as std
import threading
from functools import partial
from typing import Any

import pytest

from oxisock import select
from oxisock._socket import counters
from tests.helpers.oracle import Float, Index, cases, outcome
from tests.helpers.process import Task, alarm, handled, run_python, sleeping, wait_until

if not hasattr(standard, "epoll"):
    pytest.skip("no epoll(7) here", allow_module_level=True)

WAITS = ["select", "poll", "epoll"]
IN, OUT = standard.POLLIN, standard.POLLOUT


class Shrinks:
    """Its `fileno` takes the last one out of a list."""

    def __init__(self, members: list[Any], fd: int) -> None:
        self.members, self.fd = members, fd

    def fileno(self) -> int:
        self.members.pop()
        return self.fd


class Scene:
    """What the expressions below name, on one of the two modules."""

    def __init__(self, module: Any) -> None:
        self.a, self.b = std.socketpair()
        self.epoll, self.poll, self.closed = module.epoll(), module.poll(), module.epoll()
        self.closed.close()
        # The events are equal only where the numbers of the descriptors are.
        self.fd = self.a.fileno()
        self.epoll.register(self.a, OUT)
        self.poll.register(self.a, OUT)

    def __enter__(self) -> "Scene":
        return self

    def __exit__(self, *_: object) -> None:
        self.epoll.close()
        self.a.close()
        self.b.close()


def agree(expression: str) -> None:
    """Demand that an expression has the same outcome on both modules."""
    code = compile(expression, expression, "eval")

    def play(module: Any) -> tuple[Any, ...]:
        with Scene(module) as scene:
            names = {"m": module, "Index": Index, "Float": Float, "Shrinks": Shrinks}
            return outcome(lambda: named(eval(code, {**names, **vars(scene)}), scene))

    def named(result: Any, scene: Scene) -> Any:
        names = {scene.fd: "a", scene.b.fileno(): "b", scene.a: "a", scene.b: "b"}
        if isinstance(result, list | tuple):
            return type(result)(named(item, scene) for item in result)
        return names.get(result, result)

    assert play(select) == play(standard)


@cases("""
    m.select([a], [a], [a])
    m.select([a, a], (a, b), {}, 0)
    m.select([fd], [fd], iter([fd]), 0)
    m.select([], [], [], 0)
    m.select([], [], [], 0.001)
    m.select([a], [], [], 0.001)
    m.select([a], [], [], 1e-10)
    m.select([a], [], [], -1e-10)
    m.select([a], [], [], -0.0)
    m.select([a], [], [], -1)
    m.select([], [a], [], True)
    m.select([], [a], [], None)
    m.select([], [a], [], float('nan'))
    m.select([], [a], [], float('inf'))
    m.select([], [a], [], 1e300)
    m.select([], [a], [], 10**30)
    m.select([], [a], [], 2**62)
    m.select([], [a], [], '1')
    m.select([], [a], [], Index(1))
    m.select([], [a], [])
    m.select([], [a])
    m.select([], [a], [], timeout=1)
    m.select(1, [], [])
    m.select([], None, [])
    m.select([], [], 'xx')
    m.select(['x'], [], [], 0)
    m.select([-1], [], [], 0)
    m.select([1.0], [], [], 0)
    m.select([1024], [], [], 0)
    m.select([10**30], [], [], 0)
    m.select([], [], [fd] * 1024, 0)
    m.select([fd] * 1025, [], [], 0)
    (lambda l: (l.extend([Shrinks(l, fd)] * 10), m.select([], l, [], 0))[1].__len__())([])
    len((lambda l: (l.extend([Shrinks(l, fd)] * 10), m.select([], l, [], 0)[1])[1])([]))
""")
def test_select(expression: str) -> None:
    agree(expression)


@cases("""
    poll.poll()
    poll.poll(0)
    poll.poll(-1)
    poll.poll(-1e-9)
    poll.poll(0.5)
    poll.poll(True)
    poll.poll(2**31 - 1)
    poll.poll(2**31)
    poll.poll(-2**31)
    poll.poll(-2**31 - 1)
    poll.poll(2**31 - 1.5)
    poll.poll(2**31 - 0.5)
    poll.poll(1e300)
    poll.poll(10**30)
    poll.poll(float('nan'))
    poll.poll('1')
    poll.poll(Index(1))
    poll.poll(Float(1))
    poll.poll(None, 1)
    poll.poll(timeout=0)
    (poll.register(b, 4), poll.poll())
    (poll.register(b), poll.poll())
    (poll.register(fd, 1), poll.poll(0))
    (poll.register(b, 4), poll.register(a, 5), poll.poll())
    (poll.register(b, 4), poll.unregister(a), poll.register(a), poll.poll())
    (poll.register(9999), poll.poll())
    (poll.register(b, 4), poll.unregister(fd), poll.poll())
    (poll.modify(a, 1), poll.poll(0))
    poll.modify(b, 1)
    poll.modify(a)
    poll.unregister(b)
    (poll.unregister(a), poll.unregister(a))
    (poll.unregister(a), poll.poll(0))
    poll.register('x')
    poll.register(-1)
    poll.register(None)
    poll.register(a, -1)
    poll.register(a, 0)
    poll.register(a, 65535)
    poll.register(a, 65536)
    poll.register(a, 10**30)
    poll.register(a, 1.0)
    poll.register(a, None)
    poll.register(a, Index(1))
    poll.register(a, eventmask=1)
    poll.register()
    poll < poll
    poll == poll
    poll.colour
    m.poll(1)
    type(poll)()
    type(poll).__name__
    bool(poll)
""")
def test_poll(expression: str) -> None:
    agree(expression)


@cases("""
    epoll.poll()
    epoll.poll(0)
    epoll.poll(-1)
    epoll.poll(-1e-9)
    epoll.poll(-1e-3)
    epoll.poll(-0.0009)
    epoll.poll(0.5, 1)
    epoll.poll(maxevents=7, timeout=0)
    epoll.poll(None, -1)
    epoll.poll(0, 0)
    epoll.poll(0, -2)
    epoll.poll(0, 2**31)
    epoll.poll(0, 1.0)
    epoll.poll(0, 1, 2)
    epoll.poll(2147483.647)
    epoll.poll(2147483.648)
    epoll.poll(-2147483.648)
    epoll.poll(-2147483.650)
    epoll.poll(1e300)
    epoll.poll(10**30)
    epoll.poll(float('nan'))
    epoll.poll('1')
    epoll.poll(Index(1))
    epoll.poll(Float(1))
    (epoll.register(b, 4), sorted(map(str, epoll.poll())))
    (epoll.register(b), len(epoll.poll()))
    (epoll.register(b, eventmask=4), len(epoll.poll(None, 1)))
    epoll.register(a)
    epoll.register(fd, 1)
    epoll.register(9999)
    epoll.register(-1)
    epoll.register('x')
    epoll.register(b, -1)
    epoll.register(b, None)
    epoll.register(b, 1.0)
    epoll.register(b, Index(4))
    epoll.register(epoll)
    epoll.register()
    (epoll.modify(a, 1), epoll.poll(0))
    (epoll.modify(eventmask=0, fd=fd), epoll.poll(0))
    epoll.modify(a)
    epoll.modify(b, 1)
    (epoll.unregister(a), epoll.poll(0))
    (epoll.unregister(fd=fd), epoll.poll(0))
    epoll.unregister(b)
    epoll.unregister()
    epoll.closed
    closed.closed
    closed.close()
    closed.fileno()
    closed.poll(0)
    closed.poll('x')
    closed.register(a)
    closed.modify(a, 1)
    closed.unregister(a)
    closed.__enter__()
    closed.__exit__()
    (epoll.__enter__() is epoll, epoll.__exit__(None, None, None), epoll.closed)
    epoll.__exit__(1, 2, 3, 4)
    m.epoll(0)
    m.epoll(-2)
    m.epoll(sizehint=1, flags=m.EPOLL_CLOEXEC).closed
    m.epoll(1, 1)
    m.epoll('x')
    m.epoll(2**40)
    m.epoll.fromfd(-1).closed
    m.epoll.fromfd('x')
    m.epoll.fromfd(2**40)
    m.epoll.fromfd()
    epoll.colour
    epoll < epoll
    epoll == epoll
    bool(epoll)
    type(epoll) is m.epoll
    m.epoll.__name__
""")
def test_epoll(expression: str) -> None:
    agree(expression)


@pytest.mark.parametrize("module", [standard, select])
def test_epoll_has_no_room_for_so_many_events(module: Any) -> None:
    """Who refuses them first, the allocator or the kernel, depends on the interpreter's build."""
    with Scene(module) as scene, pytest.raises((MemoryError, OSError)) as caught:
        scene.epoll.poll(0, 2**31 - 1)
    assert caught.type is MemoryError or caught.value.args[0] == errno.EINVAL


def test_an_epoll_of_a_descriptor_is_the_same_epoll() -> None:
    a, b = std.socketpair()
    with a, b, select.epoll() as first:
        first.register(a, OUT)
        with select.epoll.fromfd(os.dup(first.fileno())) as second:
            assert second.poll(0) == [(a.fileno(), OUT)]
            assert not os.get_inheritable(first.fileno())
        assert (first.closed, second.closed) == (False, True)
        # Each knows what the other, or the standard library's, has registered.
        with standard.epoll.fromfd(os.dup(first.fileno())) as third:
            third.modify(a, IN)
        assert first.poll(0) == []


def test_the_end_of_an_epoll_closes_its_descriptor() -> None:
    epoll = select.epoll()
    number = epoll.fileno()
    del epoll
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)


def test_a_descriptor_that_was_closed_under_it() -> None:
    ends = []
    for module in (standard, select):
        epoll = module.epoll()
        os.close(epoll.fileno())
        calls = [partial(epoll.poll, 0), partial(epoll.register, 0), epoll.close]
        ends += [outcome(call) for call in calls]
    assert ends[:3] == ends[3:]
    assert ends[0][2] == errno.EBADF


def test_all_other_names_are_the_standard_librarys() -> None:
    ours = {"select", "poll", "epoll"}
    for name in dir(standard):
        if not name.startswith("_"):
            same = getattr(select, name) is getattr(standard, name)
            assert same is (name not in ours), name


@pytest.mark.parametrize("name", ["select", "epoll.poll", "epoll.modify", "epoll.unregister"])
def test_signatures(name: str) -> None:
    def signature(module: Any) -> list[tuple[str, Any]]:
        routine: Any = module
        for part in name.split("."):
            routine = getattr(routine, part)
        found = inspect.signature(routine).parameters.values()
        return [(each.name, each.kind) for each in found]

    assert signature(select) == signature(standard)


def test_a_poll_that_is_under_way_refuses_another(unix: Any) -> None:
    poll = select.poll()
    poll.register(unix[0], IN)
    task = Task(poll.poll, 20_000)
    wait_until(lambda: sleeping(task.native_id))  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="concurrent"):
        poll.poll(0)
    # What is changed meanwhile counts for the next call.
    poll.modify(unix[0], OUT)
    unix[1].send(b"x")
    assert task.result() == [(unix[0].fileno(), IN)]
    assert poll.poll(0) == [(unix[0].fileno(), OUT)]


def test_many_descriptors_come_and_go_in_order() -> None:
    ours, theirs = select.poll(), standard.poll()
    numbers = list(range(2000, 2300))
    steps = [(n, True) for n in numbers] + [(n, False) for n in numbers[::2]]
    steps += [(n, True) for n in numbers[::4]] + [(n, False) for n in numbers[::3] if n % 2]
    for number, comes in steps:
        for poll in (ours, theirs):
            if comes:
                poll.register(number, IN)
            else:
                poll.unregister(number)
    assert ours.poll(0) == theirs.poll(0) != []


def waiter(name: str, fd: int, events: int) -> Any:
    """A call that waits for a descriptor, at most 20 seconds unless told otherwise."""
    if name == "select":
        read, write = [fd] * (events == IN), [fd] * (events == OUT)
        return lambda seconds=20: any(select.select(read, write, [], seconds))
    made: Any = getattr(select, name)()
    made.register(fd, events)
    if name == "poll":
        return lambda seconds=20: bool(made.poll(1000 * seconds))
    return lambda seconds=20: bool(made.poll(seconds))


@pytest.mark.parametrize("name", WAITS)
def test_what_is_ready_keeps_the_lock(name: str, unix: Any) -> None:
    wait = waiter(name, unix[0].fileno(), OUT)
    before = counters()["released"]
    for _ in range(20):
        assert wait()
    assert counters()["released"] == before


@pytest.mark.parametrize("name", WAITS)
def test_waiting_gives_the_lock_up(name: str, unix: Any) -> None:
    wait = waiter(name, unix[0].fileno(), IN)
    before = counters()["released"]
    task = Task(unix[1].send, b"x")
    assert wait()
    task.result()
    wait = waiter(name, unix[1].fileno(), IN)
    assert not wait(0.001)
    assert counters()["released"] > before


@pytest.mark.parametrize("name", WAITS)
def test_signal_handlers_run_and_the_wait_goes_on(name: str, unix: Any) -> None:
    wait = waiter(name, unix[0].fileno(), IN)
    runs: list[int] = []

    def handle(signum: int, _frame: Any) -> None:
        runs.append(signum)
        if len(runs) == 3:
            unix[1].send(b"x")

    with handled(signal.SIGALRM, handle):
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
        try:
            assert wait()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    assert len(runs) >= 3


@pytest.mark.parametrize("name", WAITS)
def test_signals_do_not_make_the_wait_longer(name: str, unix: Any) -> None:
    wait = waiter(name, unix[0].fileno(), IN)
    with handled(signal.SIGALRM, lambda *_: None):
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
        try:
            assert not wait(0.1)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


@pytest.mark.parametrize("name", WAITS)
def test_a_handlers_exception_ends_the_wait(name: str, unix: Any) -> None:
    def give_up() -> None:
        raise ZeroDivisionError

    wait = waiter(name, unix[0].fileno(), IN)
    with alarm(give_up), pytest.raises(ZeroDivisionError):
        wait()
    assert not wait(0)  # a poll object is free again


@pytest.mark.differs("the standard library's error has no number")
def test_an_epoll_of_no_descriptor() -> None:
    with pytest.raises(OSError):  # with whatever number an earlier call has left
        standard.epoll.fromfd(-2)
    with pytest.raises(OSError) as caught:
        select.epoll.fromfd(-2)
    assert caught.value.errno == errno.EBADF


@pytest.mark.differs("a thread that waits for an epoll that is closed sleeps on")
def test_closing_wakes_who_waits() -> None:
    epoll = select.epoll()
    task = Task(epoll.poll, 20)
    wait_until(lambda: sleeping(task.native_id))  # type: ignore[arg-type]
    epoll.close()
    with pytest.raises(ValueError, match="closed epoll"):
        task.result()


def test_threads_register_while_another_waits() -> None:
    pairs = [std.socketpair() for _ in range(40)]
    seen: set[int] = set()
    with select.epoll() as epoll:

        def register() -> None:
            for a, b in pairs:
                epoll.register(a, IN)
                b.send(b"x")

        thread = threading.Thread(target=register)
        thread.start()
        while len(seen) < len(pairs):
            for fd, _ in epoll.poll(20):
                seen.add(fd)
                epoll.unregister(fd)
        thread.join()
    for a, b in pairs:
        a.close()
        b.close()


def test_install_puts_them_in_place() -> None:
    run_python("""
import select as standard
before = standard.select, standard.poll, standard.epoll
import oxisock
oxisock.install()
from oxisock import select
for name in ("select", "poll", "epoll"):
    assert getattr(standard, name) is getattr(select, name)
assert standard.select is not before[0]
import selectors
with selectors.SelectSelector() as selector:
    a, b = oxisock.socketpair()
    selector.register(a, selectors.EVENT_WRITE)
    assert len(selector.select(1)) == 1
    a.close(), b.close()
standard.poll = another = object()
oxisock.uninstall()
assert standard.poll is another
assert (standard.select, standard.epoll) == (before[0], before[2])
""")
