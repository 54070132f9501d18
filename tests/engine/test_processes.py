"""Other users of signals, threads that C has made, forks by several threads, and exec."""

import subprocess
import sys
import textwrap

import pytest

import oxisock
from tests.helpers.process import output, run_python

WAIT = """
import ctypes, errno, os, signal, threading, time
import oxisock

def waiters(count):
    # So many threads that wait, and how to end them.
    pairs = [oxisock.socketpair() for _ in range(count)]
    ended = []
    def work(sock):
        try:
            sock.recv(1)
        except OSError as error:
            ended.append(error.errno)
    threads = [threading.Thread(target=work, args=(a,)) for a, b in pairs]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    def end():
        for a, b in pairs:
            a.close()
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()
        for a, b in pairs:
            b.close()
        assert ended == [errno.EBADF] * count, ended
    return end
"""


def test_the_wakeup_descriptor_hears_of_the_programs_signals_only() -> None:
    code = """
        read, write = os.pipe()
        os.set_blocking(read, False)
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write)
        signal.signal(signal.SIGUSR1, lambda *_: None)
        waiters(10)()
        try:
            print(os.read(read, 100))
        except BlockingIOError:
            print("nothing")
        signal.raise_signal(signal.SIGUSR1)
        print(os.read(read, 100) == bytes([signal.SIGUSR1]))
        signal.set_wakeup_fd(-1)
    """
    assert run(code) == "nothing\nTrue\n"


def test_a_thread_that_waits_for_all_signals_gets_its_own_only() -> None:
    """Every signal is blocked in all threads but those of the waiters, as servers do it."""
    code = """
        signal.pthread_sigmask(signal.SIG_SETMASK, set(signal.valid_signals()))
        got = []
        def listen():
            while (number := signal.sigwait(set(signal.valid_signals()))) != signal.SIGTERM:
                got.append(number)
        listener = threading.Thread(target=listen)
        listener.start()
        time.sleep(0.05)
        # Threads inherit the mask; these take the real-time signals.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, range(signal.SIGRTMIN, signal.SIGRTMAX + 1))
        end = waiters(10)
        signal.pthread_sigmask(signal.SIG_SETMASK, set(signal.valid_signals()))
        os.kill(os.getpid(), signal.SIGUSR2)
        end()
        os.kill(os.getpid(), signal.SIGTERM)
        listener.join(20)
        print(got == [signal.SIGUSR2])
    """
    assert run(code) == "True\n"


def test_threads_of_c_are_left_alone() -> None:
    """A sleep that C has begun in a thread of its own goes on to its end."""
    code = """
        libc = ctypes.CDLL(None)
        thread, left = ctypes.c_ulong(), ctypes.c_void_p()
        libc.pthread_create(ctypes.byref(thread), None, libc.sleep, ctypes.c_void_p(1))
        for _ in range(3):
            waiters(10)()
        libc.pthread_join(thread, ctypes.byref(left))
        print("seconds left:", left.value or 0)
    """
    assert run(code) == "seconds left: 0\n"


def test_close_wakes_a_thread_of_c_that_runs_python() -> None:
    code = """
        libc = ctypes.CDLL(None)
        a, b = oxisock.socketpair()
        said = []
        @ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
        def work(_):
            try:
                a.recv(1)
            except OSError as error:
                said.append(error.errno)
        thread = ctypes.c_ulong()
        libc.pthread_create(ctypes.byref(thread), None, work, None)
        time.sleep(0.1)
        a.close()
        libc.pthread_join(thread, None)
        print(said == [errno.EBADF])
        b.close()
    """
    assert run(code) == "True\n"


def test_asyncio_hears_of_its_children() -> None:
    """While sockets are closed under threads that wait in them."""
    code = """
        import asyncio, sys
        async def main():
            end = waiters(10)
            program = "import os; os._exit({})"
            children = [
                await asyncio.create_subprocess_exec(sys.executable, "-c", program.format(number))
                for number in range(4)
            ]
            await asyncio.get_running_loop().run_in_executor(None, end)
            print([await child.wait() for child in children])
        asyncio.run(main())
    """
    assert run(code) == "[0, 1, 2, 3]\n"


def test_forks_by_several_threads_in_the_middle_of_use() -> None:
    """Each child can use what it has inherited, and all that it makes itself."""
    code = """
        import warnings
        warnings.simplefilter("ignore")
        over = threading.Event()
        pairs = [oxisock.socketpair() for _ in range(6)]
        mistakes = []

        def echo(a, b):
            while not over.is_set():
                a.sendall(b"some data" * 100)
                rest = 900
                while rest:
                    rest -= len(b.recv(rest))

        def connect():
            with oxisock.create_server(("127.0.0.1", 0)) as server:
                server.settimeout(20)
                with oxisock.create_connection(server.getsockname(), timeout=20) as client:
                    with server.accept()[0] as peer:
                        client.sendall(b"line\\n")
                        assert peer.makefile().readline() == "line\\n"
                        reader = threading.Thread(target=client.recv, args=(1,))
                        reader.start()
                        peer.send(b"x")
                        reader.join(20)
                        assert not reader.is_alive()
            assert oxisock.getaddrinfo("localhost", 80)

        def child():
            connect()
            for pair in pairs:
                for sock in pair:
                    sock.getsockopt(oxisock.SOL_SOCKET, oxisock.SO_TYPE)
                    sock.close()

        def fork():
            for _ in range(5):
                pid = os.fork()
                if not pid:
                    status = 1
                    try:
                        signal.alarm(30)
                        child()
                        status = 0
                    finally:
                        os._exit(status)
                mistakes.append(os.waitpid(pid, 0)[1])

        # Else each child imports what this imports, beside all of these threads.
        connect()
        users = [threading.Thread(target=echo, args=pair) for pair in pairs]
        forkers = [threading.Thread(target=fork) for _ in range(3)]
        end = waiters(5)
        for thread in users + forkers:
            thread.start()
        for thread in forkers:
            thread.join()
        over.set()
        for thread in users:
            thread.join()
        end()
        for pair in pairs:
            for sock in pair:
                sock.close()
        print(mistakes == [0] * 15 or mistakes)
    """
    assert run(code) == "True\n"


@pytest.mark.parametrize("inheritable", [True, False])
def test_exec_with_descriptors(inheritable: bool) -> None:
    """A program that is executed has those that may be inherited, and no other."""
    child = """
import sys, oxisock
try:
    sock = oxisock.socket(fileno=int(sys.argv[1]))
except OSError as error:
    print(error.errno)
else:
    sock.sendall(b"from the child")
    print("has it", sock.get_inheritable())
    sock.close()
"""
    kept = oxisock.socketpair()
    makers = {
        "socketpair": lambda: oxisock.socketpair(),
        "dup": lambda: [sock.dup() for sock in kept],
        "accept": accepted,
    }
    for make in makers.values():
        one, other = make()
        with one, other:
            one.set_inheritable(inheritable)
            command = [sys.executable, "-c", child, str(one.fileno())]
            done = subprocess.run(
                command, close_fds=False, capture_output=True, text=True, check=False
            )
            assert output(done) == ("has it True\n" if inheritable else "9\n")
            if inheritable:
                assert other.recv(100) == b"from the child"
    for sock in kept:
        sock.close()


def accepted() -> tuple[oxisock.socket, oxisock.socket]:
    """A connection, the accepted end first."""
    with oxisock.create_server(("127.0.0.1", 0)) as server:
        client = oxisock.create_connection(server.getsockname())
        return server.accept()[0], client


def run(code: str) -> str:
    """Run code where threads can wait; what it prints."""
    return run_python(WAIT + textwrap.dedent(code)).stdout
