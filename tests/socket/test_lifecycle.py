"""From the constructor to the last `close`: what a socket is, apart from the data it moves."""

import copy
import gc
import os
import pickle
import re
import select
import selectors
import socket as std
import textwrap
import warnings
import weakref
from pathlib import Path
from typing import Any

import pytest

import oxisock
from tests.helpers.net import connected
from tests.helpers.oracle import agree, cases, same
from tests.helpers.process import descriptors, run_python


@cases("""
    m.socket()
    m.socket(m.AF_INET)
    m.socket(m.AF_INET6, m.SOCK_DGRAM)
    m.socket(m.AF_UNIX, m.SOCK_STREAM, 0)
    m.socket(m.AF_UNIX, m.SOCK_SEQPACKET)
    m.socket(m.AF_INET, m.SOCK_DGRAM, m.IPPROTO_UDP)
    m.socket(m.AF_INET, m.SOCK_STREAM, m.IPPROTO_TCP, None)
    m.socket(family=m.AF_INET, type=m.SOCK_DGRAM, proto=0, fileno=None)
    m.socket(-1, -1, -1)
    m.socket(2, 1)
    m.socket(m.AF_INET, m.SOCK_STREAM | m.SOCK_NONBLOCK)
    m.socket(m.AF_INET, m.SOCK_STREAM | m.SOCK_CLOEXEC)
    keep(m.socket(m.AF_INET, m.SOCK_STREAM | m.SOCK_NONBLOCK | m.SOCK_CLOEXEC)).type
    m.socket(Index(2), Index(1), Index(0))
    m.socket(Integer(2), Integer(1), Integer(0))
    m.socket(True)
    m.socket(99)
    m.socket(2, 99)
    m.socket(2, 1, 99)
    m.socket(2, 1, 17)
    m.socket(-2)
    m.socket(2, -2)
    m.socket(2, 1, -2)
    m.socket(2**31)
    m.socket(2, 2**31)
    m.socket(2, 1, 2**31)
    m.socket(-2**31 - 1)
    m.socket(2**63)
    m.socket(2**64)
    m.socket(2.0)
    m.socket("2")
    m.socket(b"2")
    m.socket(None)
    m.socket(2, None)
    m.socket(2, 1, None)
    m.socket(2, 1.0)
    m.socket(2, 1, 0.0)
    m.socket([])
    m.socket(2, 1, 0, None, 0)
    m.socket(families=2)
    m.socket(Index(ZeroDivisionError()))
    m.socket(2, Index(ZeroDivisionError()))
    m.socket(Index("2"))
    m.socket(fileno="1")
    m.socket(fileno=1.5)
    m.socket(fileno=b"")
    m.socket(fileno=-1)
    m.socket(fileno=-2)
    m.socket(fileno=-2**31)
    m.socket(fileno=2**63)
    m.socket(fileno=nofd)
    m.socket(fileno=pipe)
    m.socket(fileno=folder)
    m.socket(m.AF_INET, m.SOCK_STREAM, 0, fileno=pipe)
    m.socket(m.AF_INET, m.SOCK_STREAM, 0, fileno=nofd)
    m.socket(m.AF_INET, m.SOCK_STREAM, 0, fileno=-1)
    m.socket(fileno=Index(ZeroDivisionError()))
    m.socket.__init__(tcp, 99)
    m.SocketType
    keep(m.socket(2, 1)).__class__.__name__
    m.socket.__mro__[0].__name__
    hasattr(tcp, "__dict__")
    setattr(tcp, "unknown", 1)
    setattr(tcp, "family", 1)
    setattr(tcp, "proto", 1)
    setattr(tcp, "timeout", 1)
    (tcp.family, tcp.type, tcp.proto, tcp.timeout)
    (udp6.family, udp6.type, udp6.proto, udp6.timeout)
    (closed.family, closed.type, closed.proto, closed.timeout)
    keep(m.socket(16, 3, 15)).family
    tcp == tcp, tcp == udp, tcp != udp
    isinstance(hash(tcp), int)
    len(tcp)
    bool(tcp), bool(closed)
    tcp < udp
    iter(tcp)
    tcp[0]
    issubclass(m.timeout, OSError), m.timeout is TimeoutError, m.error is OSError
    m.gaierror, m.herror
    (m.gaierror(1, "a").errno, m.herror(1, "b").strerror)
""")
def test_constructor(expression: str, short_path: Path) -> None:
    if expression == "m.SocketType":
        assert issubclass(oxisock.socket, oxisock.SocketType)
        return
    agree(expression, short_path)


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_UNIX"])
@pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_DGRAM"])
def test_detection(family: str, kind: str) -> None:
    """family, type and proto come from the descriptor where they are not given."""

    def seen(module: Any, **given: int) -> tuple[Any, ...]:
        with module.socket(getattr(module, family), getattr(module, kind)) as sock:
            other = module.socket(fileno=os.dup(sock.fileno()), **given)
            with other:
                return (other.family, other.type, other.proto, other.gettimeout())

    same(seen)
    same(lambda m: seen(m, family=m.AF_INET))
    same(lambda m: seen(m, type=m.SOCK_RAW))
    same(lambda m: seen(m, proto=1))
    same(lambda m: seen(m, family=m.AF_INET6, type=m.SOCK_DGRAM, proto=17))


def test_detection_of_a_non_blocking_descriptor() -> None:
    """The timeout belongs to the object: a wrapped descriptor starts from the default timeout."""

    def timeout(module: Any) -> Any:
        with module.socket() as sock:
            sock.setblocking(False)
            with module.socket(fileno=os.dup(sock.fileno())) as other:
                return other.gettimeout(), other.getblocking(), os.get_blocking(other.fileno())

    same(timeout)


@pytest.mark.differs(
    "the standard library cuts the number to 32 bits and acts on another descriptor"
)
@pytest.mark.parametrize("offset", [2**32, -(2**32), 2**40])
def test_descriptor_numbers_are_never_cut(offset: int) -> None:
    errors = (OverflowError, ValueError, OSError)
    with oxisock.socket() as sock:
        number = sock.fileno()
        with pytest.raises(errors):
            oxisock.dup(number + offset)
        with pytest.raises(errors):
            oxisock.fromfd(number + offset, sock.family, sock.type)
        with pytest.raises(errors):
            oxisock.socket(fileno=number + offset).detach()
        with pytest.raises(errors):
            oxisock.close(number + offset)
        sock.getsockname()


@pytest.mark.differs("the standard library leaks the duplicate when the constructor refuses it")
def test_dup_closes_what_it_cannot_use() -> None:
    read, write = os.pipe()
    before = descriptors()
    for arguments in ((read, 2, 1), (read, "2", 1), (read, 2, 2**40)):
        # type and family are given, so only the probe of the descriptor's name can fail
        with pytest.raises((OSError, TypeError, OverflowError)):
            oxisock.fromfd(*arguments)
    assert descriptors() == before
    with oxisock.socket() as sock:
        os.dup2(read, sock.fileno())
        with pytest.raises(OSError, match="non-socket"):
            sock.dup()
    os.close(read)
    os.close(write)
    assert len(descriptors()) == len(before) - 2


@pytest.mark.parametrize("wrong", [-1, 10**6])
def test_a_failed_constructor_leaves_the_descriptor_alone(wrong: int) -> None:
    read, write = os.pipe()
    with pytest.raises(OSError):
        oxisock.socket(fileno=read)
    with pytest.raises((OSError, ValueError)):
        oxisock.socket(fileno=wrong)
    os.close(read)
    os.close(write)


@cases("""
    m.socketpair()
    m.socketpair(m.AF_UNIX)
    m.socketpair(m.AF_UNIX, m.SOCK_DGRAM)
    m.socketpair(m.AF_UNIX, m.SOCK_SEQPACKET)
    m.socketpair(m.AF_UNIX, m.SOCK_STREAM, 0)
    m.socketpair(family=m.AF_UNIX, type=m.SOCK_STREAM, proto=0)
    m.socketpair(m.AF_UNIX, m.SOCK_STREAM | m.SOCK_NONBLOCK)
    m.socketpair(None)
    m.socketpair(m.AF_INET)
    m.socketpair(m.AF_INET6, m.SOCK_DGRAM)
    m.socketpair(99)
    m.socketpair(1, 99)
    m.socketpair(1, 1, 99)
    m.socketpair("1")
    m.socketpair(1, None)
    m.socketpair(1.0)
    m.socketpair(2**40)
    m.fromfd(tcp.fileno(), m.AF_INET, m.SOCK_STREAM)
    m.fromfd(tcp.fileno(), m.AF_INET6, m.SOCK_DGRAM, 17)
    m.fromfd(tcp.fileno(), -1, -1, -1)
    m.fromfd(nofd, m.AF_INET, m.SOCK_STREAM)
    m.fromfd(-1, m.AF_INET, m.SOCK_STREAM)
    m.fromfd("1", m.AF_INET, m.SOCK_STREAM)
    m.fromfd(None, m.AF_INET, m.SOCK_STREAM)
    m.fromfd(1.0, m.AF_INET, m.SOCK_STREAM)
    m.fromfd(tcp.fileno())
    m.dup(nofd)
    m.dup(-1)
    m.dup("1")
    m.dup(None)
    m.dup(2**63)
    m.dup(1.0)
    m.dup()
    m.dup(1, 2)
    m.close(nofd)
    m.close(-1)
    m.close("1")
    m.close(None)
    m.close(2**64)
    m.close(1.0)
    m.close()
    m.close(1, 2)
    m.close(tcp.detach())
    (m.close(tcp.fileno()), tcp.close())
    tcp.dup()
    udp6.dup()
    (tcp.settimeout(3), tcp.dup())
    closed.dup()
    keep(tcp.dup()).fileno() != tcp.fileno()
    (m.close(tcp.detach()), tcp.fileno(), tcp.detach())
    (m.close(tcp.detach()), tcp.recv(1))
    (closed.detach(), closed.fileno())
    blank.detach()
    (tcp.close(), tcp.close(), tcp.fileno())
    tcp.close(1)
    tcp.fileno(1)
    tcp.__enter__() is tcp
    (tcp.__exit__(None, None, None), tcp.fileno())
    (tcp.__exit__(), tcp.fileno())
    closed.__enter__() is closed
""")
def test_descriptors(expression: str, short_path: Path) -> None:
    agree(expression, short_path)


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_UNIX"])
def test_repr(family: str) -> None:
    """The text is the standard library's, but for the module's name and the descriptor."""

    def text(module: Any, sock: Any) -> str:
        plain = re.sub(r"fd=\d+", "fd=N", repr(sock))
        return plain.replace(f"<{type(sock).__module__}.", "<module.")

    with std.socket(std.AF_INET6, std.SOCK_DGRAM) as probe:
        probe.bind(("::", 0))
        port = probe.getsockname()[1]

    def bound(module: Any) -> list[str]:
        with module.socket(getattr(module, family), module.SOCK_DGRAM) as sock:
            texts = [text(module, sock)]
            if family == "AF_UNIX":
                sock.bind(f"\0oxisock-repr-{port}")
            else:
                sock.bind(("localhost" if family == "AF_INET" else "::1", port))
            texts.append(text(module, sock))
            sock.connect(sock.getsockname())
            texts.append(text(module, sock))
        return [*texts, text(module, sock)]

    same(bound)


def test_repr_odd() -> None:
    def texts(module: Any) -> list[str]:
        class Derived(module.socket):  # type: ignore[misc]
            pass

        with Derived() as derived:
            found = [re.sub(r"fd=\d+|^<.*\.Derived", "", repr(derived))]
        with module.socket() as sock:
            os.close(sock.detach())
            found.append(repr(sock).partition(" ")[2])
        return found

    same(texts)
    assert "fd=-1" in repr(oxisock.socket.__new__(oxisock.socket))


def test_inheritable() -> None:
    """PEP 446: no new descriptor survives an exec unless it is told to."""
    with connected(oxisock) as (client, accepted):
        pair = oxisock.socketpair()
        copies = [client.dup(), oxisock.fromfd(client.fileno(), client.family, client.type)]
        raw = oxisock.dup(client.fileno())
        assert not os.get_inheritable(raw)
        oxisock.close(raw)
        for sock in (client, accepted, *pair, *copies):
            assert not os.get_inheritable(sock.fileno())
            assert sock.get_inheritable() is False
            sock.set_inheritable(True)
            assert os.get_inheritable(sock.fileno())
            assert sock.get_inheritable() is True
            sock.set_inheritable(False)
            assert sock.get_inheritable() is False
        for sock in (*pair, *copies):
            sock.close()


@pytest.mark.parametrize("value", [1, 0, "", "x", None, 2.5])
def test_inheritable_takes_any_truth(value: object) -> None:
    def call(module: Any) -> Any:
        with module.socket() as sock:
            sock.set_inheritable(value)
            return sock.get_inheritable()

    same(call)


def test_a_wrapped_descriptor_keeps_its_flags() -> None:
    with oxisock.socket() as sock:
        copied = os.dup(sock.fileno())
        os.set_inheritable(copied, True)
        with oxisock.socket(fileno=copied) as other:
            assert other.fileno() == copied
            assert other.get_inheritable()


def test_weak_references() -> None:
    sock = oxisock.socket()
    calls: list[Any] = []
    reference = weakref.ref(sock, calls.append)
    proxy = weakref.proxy(sock)
    assert reference() is sock
    assert proxy.fileno() == sock.fileno()
    sock.close()
    del sock
    gc.collect()
    assert reference() is None
    assert calls == [reference]


@cases("""
    copy.copy(tcp)
    copy.deepcopy(tcp)
    tcp.__reduce_ex__(2)
    tcp.__getstate__()
""")
def test_copying_is_refused(expression: str, short_path: Path) -> None:
    agree(expression.replace("copy.", "__import__('copy').", 1), short_path)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_is_refused(protocol: int) -> None:
    def attempt(module: Any) -> None:
        with module.socket() as sock:
            pickle.dumps(sock, protocol)

    assert same(attempt)[1] is TypeError


def test_copying_names_the_class() -> None:
    with oxisock.socket() as sock, pytest.raises(TypeError, match="socket"):
        copy.copy(sock)


class Derived(oxisock.socket):
    """A subclass with arguments and state of its own, as programs write them."""

    def __init__(self, *arguments: Any, label: str, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.label = label
        self.received = 0

    def recv(self, *arguments: Any) -> bytes:
        data = super().recv(*arguments)
        self.received += len(data)
        return data

    def close(self) -> None:
        self.label += " (closed)"
        super().close()


def test_subclass() -> None:
    with Derived(std.AF_INET, std.SOCK_DGRAM, label="mine") as sock:
        assert sock.label == "mine"
        assert sock.type is oxisock.SOCK_DGRAM
        sock.bind(("127.0.0.1", 0))
        sock.sendto(b"hello", sock.getsockname())
        assert sock.recv(100) == b"hello"
        assert sock.received == 5
        assert isinstance(sock, oxisock.socket)
    assert sock.label == "mine (closed)"


def test_subclass_keeps_its_class_in_dup() -> None:
    class Plain(oxisock.socket):
        pass

    with Plain() as sock, sock.dup() as copied:
        assert type(copied) is Plain


def test_subclass_accepts_a_plain_socket() -> None:
    """`accept` gives the module's class, not the listener's, as in the standard library."""
    with Derived(label="server") as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        with oxisock.create_connection(server.getsockname()) as client:
            accepted, address = server.accept()
            with accepted:
                assert type(accepted) is oxisock.socket
                assert address == client.getsockname()


def test_subclass_without_super() -> None:
    class Careless(oxisock.socket):
        def __init__(self) -> None:
            pass

    sock = Careless()
    assert sock.fileno() == -1
    with pytest.raises(OSError, match="Bad file descriptor"):
        sock.recv(1)


def test_subclass_with_new() -> None:
    class Fresh(oxisock.socket):
        def __new__(cls, family: int, extra: str) -> Any:
            made: Any = super().__new__(cls)
            made.extra = extra
            return made

        def __init__(self, family: int, extra: str) -> None:
            super().__init__(family)

        extra: str

    with Fresh(std.AF_INET6, "more") as sock:
        assert (sock.family, sock.extra) == (oxisock.AF_INET6, "more")


def test_second_init() -> None:
    """A second `__init__` with the same descriptor is harmless."""
    with oxisock.socket() as sock:
        number = sock.fileno()
        sock.__init__(fileno=number)  # type: ignore[misc]
        assert sock.fileno() == number
        sock.getsockname()


def forget(socks: list[Any]) -> None:
    """Drop the last reference to sockets."""
    socks.clear()
    gc.collect()


@pytest.mark.parametrize("module", [std, oxisock])
def test_resource_warning(module: Any) -> None:
    socks = [module.socket()]
    number = socks[0].fileno()
    with pytest.warns(ResourceWarning, match=rf"unclosed <.*socket fd={number}, .*"):
        forget(socks)
    assert number not in descriptors()


def test_resource_warning_names_the_socket_as_source() -> None:
    socks = [oxisock.socket()]
    with pytest.warns(ResourceWarning) as caught:
        forget(socks)
    assert isinstance(caught[0].source, oxisock.socket)
    caught[0].source.close()


def test_no_warning_when_closed_or_detached() -> None:
    oxisock.socket().close()
    os.close(oxisock.socket().detach())
    with oxisock.socket():
        pass
    oxisock.socket.__new__(oxisock.socket)
    gc.collect()  # a ResourceWarning would fail this test


def test_a_socket_in_a_cycle_is_collected() -> None:
    class Node(oxisock.socket):
        me: Any

    socks = [Node()]
    socks[0].me = socks[0]
    number = socks[0].fileno()
    with pytest.warns(ResourceWarning):
        forget(socks)
    assert number not in descriptors()


def test_close_reports_a_failure() -> None:
    """close() on a descriptor that is gone is an error; the object counts as closed after it."""

    def attempt(module: Any) -> Any:
        sock = module.socket()
        os.close(sock.fileno())
        try:
            sock.close()
        finally:
            assert sock.fileno() == -1

    same(attempt)


def test_close_ignores_a_reset_connection() -> None:
    with connected(oxisock) as (client, accepted):
        accepted.setsockopt(std.SOL_SOCKET, std.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        accepted.close()
        client.close()


def test_both_modules_share_a_descriptor() -> None:
    """Sockets of the two modules can be turned into one another."""
    with oxisock.socket(std.AF_INET, std.SOCK_DGRAM) as ours:
        ours.bind(("127.0.0.1", 0))
        name = ours.getsockname()
        with std.socket(fileno=ours.detach()) as theirs:
            assert theirs.getsockname() == name
            with oxisock.socket(fileno=theirs.detach()) as again:
                assert again.getsockname() == name


def test_fileno_protocol() -> None:
    """Functions of the standard library that ask for `fileno()` take our sockets."""
    a, b = oxisock.socketpair()
    with a, b, selectors.DefaultSelector() as selector:
        selector.register(a, selectors.EVENT_READ, "key")
        assert select.select([a], [a], [], 0) == ([], [a], [])
        b.send(b"x")
        assert select.select([a], [], [], 10) == ([a], [], [])
        assert [key.data for key, _ in selector.select(10)] == ["key"]
        poll = select.poll()
        poll.register(a, select.POLLIN)
        assert poll.poll(10) == [(a.fileno(), select.POLLIN)]


# -- who has a say ---------------------------------------------------------------------------------


def test_a_subclass_has_a_say_in_accept_and_close() -> None:
    def scene(module: Any) -> list[str]:
        calls = []

        class Derived(module.socket):  # type: ignore[misc]
            def _accept(self) -> Any:
                calls.append("_accept")
                return super()._accept()

            def gettimeout(self) -> Any:
                calls.append("gettimeout")
                return super().gettimeout()

            def close(self) -> None:
                calls.append("close")
                super().close()

        with Derived(std.AF_UNIX) as server, module.socket(std.AF_UNIX) as client:
            server.bind("")
            server.listen()
            client.connect(server.getsockname())
            accepted, _ = server.accept()
            with accepted:
                calls.append(type(accepted).__name__)
            file = server.makefile("rb")
            server.close()
            file.close()
        return calls

    same(scene)


@pytest.mark.parametrize("derived", [False, True])
def test_what_closes_the_descriptor_can_be_replaced(
    derived: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a subclass or in the class, also after a socket was closed without looking it up."""

    def scene(module: Any) -> list[object]:
        calls: list[object] = []
        original = module.socket._real_close

        def _real_close(self: Any) -> None:
            calls.append(self.fileno() >= 0)
            original(self)

        base = module.socket
        module.socket().close()
        with monkeypatch.context() as patch:
            if derived:
                base = type("Derived", (base,), {"_real_close": _real_close})
            else:
                patch.setattr(base, "_real_close", _real_close)
            with base() as sock:
                file = sock.makefile("rb")
            calls.append("closed")
            file.close()
            calls.append(sock.fileno())
        module.socket().close()
        return calls

    assert "True" in str(same(scene)[1])


def test_a_class_in_the_place_of_socket_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """As pytest-socket and others do it."""

    def scene(module: Any) -> list[str]:
        class Guarded(module.socket):  # type: ignore[misc]
            pass

        monkeypatch.setattr(module, "socket", Guarded)
        a, b = module.socketpair()
        with a, b, module.create_server(("127.0.0.1", 0)) as server:
            with module.create_connection(server.getsockname()) as client:
                accepted, _ = server.accept()
                with accepted:
                    return [type(sock).__name__ for sock in (a, b, server, client, accepted)]

    same(scene)


def test_a_class_in_the_place_of_socket_may_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(oxisock.socket):
        def __new__(cls, *args: Any, **kwargs: Any) -> Any:
            raise RuntimeError("no sockets here")

    monkeypatch.setattr(oxisock, "socket", Refusing)
    with pytest.raises(RuntimeError):
        oxisock.socketpair()


def test_the_package_can_be_imported_again() -> None:
    code = """
        import sys, unittest.mock
        import oxisock
        before = oxisock.socket
        with unittest.mock.patch.dict(sys.modules):
            for name in [name for name in sys.modules if name.startswith("oxisock")]:
                del sys.modules[name]
            import oxisock as again
            a, b = again.socketpair()
            b.sendall(b"line")
            b.close()
            with a:
                assert a.makefile("r").read() == "line"
        with oxisock.socket() as sock:
            sock.makefile("rb").close()
        assert again.socket is oxisock.socket is before
        print(isinstance(a, before), oxisock.SocketIO is again.SocketIO)
    """
    assert run_python(textwrap.dedent(code)).stdout == "True True\n"


def test_a_method_can_be_specified_automatically_before_its_first_use() -> None:
    code = """
        import unittest.mock, oxisock
        with unittest.mock.patch.object(oxisock.socket, "makefile", autospec=True) as method:
            with oxisock.socket() as sock:
                sock.makefile("rb")
            method.assert_called_once_with(sock, "rb")
    """
    run_python(textwrap.dedent(code))


def test_a_warning_names_the_line_that_let_go() -> None:
    def scene(module: Any) -> bool:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            sock = module.socket()
            del sock
        (warning,) = caught
        return warning.filename == __file__

    assert same(scene)[1][1] is True
