"""install() after other imports, in part of a program, beside other replacements, and undone."""

import textwrap
from typing import Any

import pytest

from tests.helpers.process import needs_library, python


def works(program: str, *flags: str) -> str:
    """Run a program that asserts; no warning, no error."""
    done = python("-W", "error", *flags, "-c", textwrap.dedent(program))
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout


def test_modules_that_come_later_are_not_loaded_for_it() -> None:
    works(
        """
        import sys, oxisock
        oxisock.install()
        assert not {"ssl", "selectors", "socket.socket"} & set(sys.modules)
        assert sys.modules["socket"] is oxisock

        import ssl, selectors, socket
        assert ssl.SSLContext.sslsocket_class is oxisock.SSLSocket
        assert ssl.SSLSocket.__mro__[1].__module__ == "socket"
        assert issubclass(ssl.SSLSocket, socket.socket)
        assert ssl.create_connection is oxisock.create_connection
        assert selectors.DefaultSelector is oxisock.selectors.DefaultSelector
        for module in ssl, selectors:
            assert module.__spec__.loader is module.__loader__
            assert type(module.__loader__).__module__ == "_frozen_importlib_external"

        standard = ssl.SSLSocket.__mro__[1]
        globals_ = standard.accept.__globals__
        assert standard.accept.__module__ == globals_["AF_INET"].__class__.__module__ == "socket"
        assert "oxisock._standard_socket" not in sys.modules

        oxisock.uninstall()
        import socket as after
        assert after.socket is standard and after.__name__ == "socket"
        assert selectors.DefaultSelector is not oxisock.selectors.DefaultSelector
        assert ssl.SSLContext.sslsocket_class is ssl.SSLSocket
        """
    )


def test_ssl_that_is_imported_by_two_threads_at_once() -> None:
    works(
        """
        import threading, oxisock
        oxisock.install()
        seen = []
        def load():
            import ssl, socket, selectors
            seen.append((ssl.SSLContext.sslsocket_class, socket.socket, selectors.DefaultSelector))
        threads = [threading.Thread(target=load) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wanted = oxisock.SSLSocket, oxisock.socket, oxisock.selectors.DefaultSelector
        assert seen == [wanted] * 8, seen
        """
    )


REBOUND = """
    import sys, types
    import asyncio, http.client, selectors, socket, socketserver, ssl, subprocess, oxisock
    from socket import AF_INET, SOL_SOCKET, AddressFamily, create_connection, getaddrinfo
    from socket import gaierror, inet_aton, socket as cls, timeout
    standard, number = socket, SOL_SOCKET
    asked = []

    class Lazy(types.ModuleType):
        def __getattribute__(self, name):
            asked.append(name)
            raise AttributeError(name)

    sys.modules["lazy"] = Lazy("lazy")
    sys.modules["odd"] = 1
    before = {name: globals()[name] for name in ("socket", "cls", "create_connection", "AF_INET")}

    def check(module):
        assert socket is standard is http.client.socket is socketserver.socket is module
        assert http.client.socket is asyncio.selector_events.socket is ssl._socket is module
        assert cls is module.socket is ssl.socket and AF_INET is module.AF_INET
        assert create_connection is module.create_connection is ssl.create_connection
        assert getaddrinfo is module.getaddrinfo and inet_aton is module.inet_aton
        assert AddressFamily is module.AddressFamily
        assert SOL_SOCKET is number and gaierror is module.gaierror and timeout is TimeoutError
        assert sys.modules["socket"] is module
"""


def test_rebind() -> None:
    works(
        REBOUND
        + """
    with oxisock.install(rebind=True) as given:
        assert given is oxisock
        check(oxisock)
        assert subprocess._PopenSelector is oxisock.selectors.PollSelector
        with http.client.socket.create_server(("127.0.0.1", 0)) as made:
            assert type(made) is oxisock.socket
    check(before["socket"])
    assert not asked and not oxisock.installed()
    assert subprocess._PopenSelector is selectors.PollSelector
    assert {name: globals()[name] for name in before} == before

    # What the program has put there itself stays.
    oxisock.install()
    assert socket is before["socket"] and http.client.socket is socket
    with oxisock.install(rebind=True):
        check(oxisock)
        http.client.socket = mine = object()
    assert oxisock.installed(), "the first call has installed it"
    check_later = oxisock.uninstall()
    assert http.client.socket is mine and socketserver.socket is before["socket"]
        """
    )


def test_rebinding_reaches_those_who_keep_the_module_itself() -> None:
    works(
        """
        import socket, oxisock
        class Keeper:
            module = socket
        theirs = socket.socket
        with oxisock.install(rebind=True):
            assert Keeper.module is not oxisock
            listener = Keeper.module.create_server(("127.0.0.1", 0))
            assert type(listener) is oxisock.socket
            listener.close()
            Keeper.module.setdefaulttimeout(3)
            assert oxisock.getdefaulttimeout() == 3
            oxisock.setdefaulttimeout(None)
        assert socket.socket is theirs is Keeper.module.socket
        """
    )


def test_install_by_many_threads_at_once() -> None:
    works(
        """
        import sys, threading, http.client, socket, oxisock
        standard = socket
        sys.setswitchinterval(1e-6)
        for _ in range(20):
            barrier = threading.Barrier(6)
            seen = []
            def once():
                barrier.wait()
                oxisock.install(rebind=True)
                seen.append((socket is oxisock, http.client.socket is oxisock))
            threads = [threading.Thread(target=once) for _ in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert seen == [(True, True)] * 6, seen
            oxisock.uninstall()
            assert socket is http.client.socket is standard
        """
    )


@pytest.mark.parametrize("name", ["gevent", "eventlet", "socks", "a class of the program"])
def test_another_replacement_before_it_is_refused(name: str) -> None:
    if name.isidentifier():
        needs_library(name)
    first, word = {
        "gevent": ("import gevent.monkey; gevent.monkey.patch_all()", "gevent"),
        "eventlet": ("import eventlet; eventlet.monkey_patch()", "eventlet"),
        "socks": ("import socks, socket; socket.socket = socks.socksocket", "socks.socksocket"),
    }.get(name, ("import socket; socket.socket = type('Mine', (socket.socket,), {})", "Mine"))
    program = f"""
        {first}
        import sys, oxisock
        before = sys.modules["socket"]
        try:
            oxisock.install(rebind=True)
        except RuntimeError as exc:
            print(exc)
        assert sys.modules["socket"] is before and not oxisock.installed()
        """
    done = python("-W", "ignore", "-c", textwrap.dedent(program))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("oxisock.install() has to come before")
    assert word in done.stdout


def test_multiprocessing_that_was_imported_first_sends_our_sockets() -> None:
    works(
        """
        import multiprocessing.reduction as reduction, multiprocessing, pickle, oxisock
        oxisock.install()
        here, there = multiprocessing.Pipe()
        a, b = oxisock.socketpair()
        here.send(a)
        copy = there.recv()
        assert type(copy) is oxisock.socket and copy.fileno() != a.fileno()
        copy.sendall(b"x")
        assert b.recv(1) == b"x"
        for each in here, there, a, b, copy:
            each.close()
        import multiprocessing.resource_sharer as sharer
        sharer.stop()
        """
    )


# -- settings that reach what other modules make ---------------------------------------------------


@pytest.mark.parametrize("how", ["before", "after", "rebind"])
def test_settings_reach_ssl(how: str) -> None:
    """A default timeout and replaced names, for what ``ssl`` makes itself."""
    first = {"before": "import ssl", "after": "", "rebind": "import socket, ssl"}[how]
    options = "rebind=True" if how == "rebind" else ""
    works(
        f"""
        {first}
        import oxisock
        oxisock.install({options})
        import signal, socket, ssl
        signal.alarm(30)
        silent = socket.create_server(("127.0.0.1", 0))
        address = silent.getsockname()
        socket.setdefaulttimeout(0.2)
        try:
            ssl.get_server_certificate(address)
        except TimeoutError:
            print("on time")
        socket.setdefaulttimeout(None)

        # The sockets that a TLS listener accepts have it as well.
        listener = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).wrap_socket(silent, server_side=True)
        clients = [socket.create_connection(address)]
        listener.settimeout(20)
        # The first of the backlog is the connection that was given up.
        socket.setdefaulttimeout(0.2)
        for _ in range(2):
            try:
                listener.accept()
            except (TimeoutError, ssl.SSLError, ConnectionError) as exc:
                print(isinstance(exc, (TimeoutError, OSError)))
        socket.setdefaulttimeout(None)

        real, asked = socket.getaddrinfo, []
        def replaced(*args, **options):
            asked.append(args[0])
            return real("127.0.0.1", *args[1:], **options)
        socket.getaddrinfo = replaced
        try:
            ssl.get_server_certificate(("nosuch.invalid", address[1]), timeout=0.2)
        except TimeoutError:
            print(asked)
        for sock in (*clients, listener):
            sock.close()
        """
    )


def test_the_default_timeout_is_one(monkeypatch: Any) -> None:
    works(
        """
        import socket, oxisock
        oxisock.setdefaulttimeout(2.5)
        made = socket.socket()
        assert made.gettimeout() == socket.getdefaulttimeout() == 2.5
        made.close()
        for wrong in -1, "x", float("nan"):
            try:
                oxisock.setdefaulttimeout(wrong)
            except (ValueError, TypeError):
                pass
            assert socket.getdefaulttimeout() == oxisock.getdefaulttimeout() == 2.5
        """
    )


@pytest.mark.parametrize("name", ["_tls", "select", "selectors"])
def test_ours_that_is_imported_before_the_standard_one(name: str) -> None:
    """It is what imports the standard module, and puts itself in place at its end."""
    works(
        f"""
        import oxisock
        oxisock.install()
        import oxisock.{name}
        import ssl, select, selectors
        assert ssl.SSLContext.sslsocket_class is oxisock.SSLSocket
        assert select.poll is oxisock.select.poll
        assert selectors.DefaultSelector is oxisock.selectors.DefaultSelector
        oxisock.uninstall()
        assert ssl.SSLContext.sslsocket_class is ssl.SSLSocket
        assert select.poll is not oxisock.select.poll
        assert selectors.DefaultSelector is not oxisock.selectors.DefaultSelector
        oxisock.install()
        assert ssl.SSLContext.sslsocket_class is oxisock.SSLSocket
        assert select.poll is oxisock.select.poll
        """
    )


@pytest.mark.parametrize("first", ["", "oxisock.install()"], ids=["imported", "installed"])
def test_methods_of_the_class_are_called_on_tls_sockets(first: str) -> None:
    works(
        f"""
        import oxisock
        {first}
        import ssl
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        listener = context.wrap_socket(oxisock.create_server(("127.0.0.1", 0)), server_side=True)
        client = oxisock.create_connection(listener.getsockname())
        raw, address = oxisock.socket.accept(listener)
        assert type(raw) is oxisock.socket and address == client.getsockname()
        assert oxisock.socket.fileno(listener) == listener.fileno()
        for sock in raw, client, listener:
            sock.close()
        """
    )


def test_a_loader_that_rewrites_modules() -> None:
    """As pytest's, where its option ``python_files`` takes in every module."""
    works(
        """
        import importlib.machinery, sys, oxisock
        oxisock.install()
        class Loader:
            def create_module(self, spec):
                return None
            def exec_module(self, module):
                loader = importlib.machinery.PathFinder.find_spec(module.__name__).loader
                exec(loader.get_code(module.__name__), module.__dict__)
        class Finder:
            @staticmethod
            def find_spec(name, path=None, target=None):
                if name in ("socket", "ssl"):
                    return importlib.machinery.ModuleSpec(name, Loader())
        sys.meta_path.insert(0, Finder)
        import ssl
        assert issubclass(ssl.SSLSocket, oxisock.socket)
        """
    )
