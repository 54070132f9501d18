"""Lookups that need no network, and lookups that wait for it.

What is numeric is answered natively: it must be what the C library answers, for everything
that can be combined. What needs the network must leave it to signals and timeouts when the
wait ends.
"""

from __future__ import annotations

import itertools
import os
import random
import socket as std
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oxisock import _socket as native
from tests.helpers.namespace import unshare
from tests.helpers.process import needs_strace, run_python
from tests.helpers.silent_dns import needs_silence

FAMILIES = [std.AF_UNSPEC, std.AF_INET, std.AF_INET6, std.AF_UNIX, -1]
KINDS = [0, 1, 2, 3, 4, 5, 6, 10, std.SOCK_STREAM | std.SOCK_NONBLOCK, -1]
PROTOCOLS = [0, 1, 6, 17, 33, 58, 132, 136, 255, 262, -1]
FLAGS = [
    0,
    std.AI_PASSIVE,
    std.AI_NUMERICHOST,
    std.AI_PASSIVE | std.AI_NUMERICHOST | std.AI_NUMERICSERV,
    std.AI_CANONNAME | std.AI_NUMERICHOST,
    std.AI_ADDRCONFIG | std.AI_NUMERICHOST,
    std.AI_V4MAPPED | std.AI_ALL | std.AI_NUMERICHOST,
    1 << 20,
]
HOSTS = [None, "127.0.0.1", b"10.1.2.3", "255.255.255.255", "::1", b"fe80::1", "::ffff:1.2.3.4"]
PORTS = [None, 0, 80, 65535, 65536, -1, "80", b"80", "", "http"]


def outcome(function: Any, *args: Any, **kwargs: Any) -> Any:
    """What a call returns, or the class and arguments of what it raises."""
    try:
        return function(*args, **kwargs)
    except (OSError, ValueError, OverflowError, TypeError) as error:
        return type(error), error.args


def same(name: Any, *args: Any) -> Any:
    """The outcome of a call of ours, which must be that of the standard library's."""
    ours = outcome(getattr(native, name), *args)
    assert ours == outcome(getattr(std, name), *args), (name, args)
    return ours


@pytest.mark.parametrize("host", HOSTS)
def test_every_combination_of_hints_gives_the_answer_of_the_c_library(host: Any) -> None:
    answered = 0
    for hints in itertools.product(PORTS, FAMILIES, KINDS, PROTOCOLS, FLAGS):
        answered += isinstance(same("getaddrinfo", host, *hints), list)
    assert answered > 100


def test_results_are_enumeration_members() -> None:
    import oxisock

    (found,) = native.getaddrinfo("127.0.0.1", 80, 0, std.SOCK_STREAM)
    assert found[0] is oxisock.AddressFamily.AF_INET
    assert found[1] is oxisock.SocketKind.SOCK_STREAM


@pytest.mark.parametrize(
    "host",
    [
        "127.1",
        "0x7f.1",
        "0177.0.0.01",
        "01.2.3.4",
        "1.2.3.4.",
        "1.2.3.4 ",
        "1.2.3.256",
        "1.2.3",
        "4294967295",
        "4294967296",
        "fe80::1%lo",
        "fe80::1%1",
        "fe80::1%nothing",
        "ff02::1%lo",
        "1::2::3",
        "1:2:3:4:5:6:7:8:9",
        "::00001",
        "[::1]",
        "::1.2.3.04",
        "1.2.3.4\0x",
        b"::1\0x",
        "",
    ],
)
@pytest.mark.parametrize("family", [std.AF_UNSPEC, std.AF_INET, std.AF_INET6])
def test_other_forms_of_numbers(host: Any, family: Any) -> None:
    same("getaddrinfo", host, 80, family, 0, 0, std.AI_NUMERICHOST)


@pytest.mark.parametrize(
    "port",
    [
        "0080",
        "00000000080",
        "65535",
        "65536",
        "4294967297",
        "99999999999999999999",
        " 80",
        "+80",
        "80x",
        "-1",
        "8\0",
        2**31,
        2**32,
        2**63 - 1,
        -(2**63),
        "no-such-service",
        1.5,
        True,
        b"\xff",
    ],
)
def test_other_forms_of_ports(port: Any) -> None:
    same("getaddrinfo", "127.0.0.1", port, 0, std.SOCK_STREAM)


def random_texts(count: Any) -> Iterator[Any]:
    """Texts that are addresses, and texts that are nearly addresses."""
    chance = random.Random(8)
    parts = ["0", "1", "ff", "abcd", "0001", "00001", "1.2.3.4", "255.255.255.255", "01.2.3.4"]
    for _ in range(count):
        groups = chance.randint(1, 9)
        text = "".join(
            chance.choice(parts) + chance.choice([":", ":", ":", "::", ".", ""])
            for _ in range(groups)
        )
        yield text.removesuffix(chance.choice(["", ":"]))
        packed = bytes(chance.choice([0, 0, 0, 1, 255, chance.randrange(256)]) for _ in range(16))
        yield std.inet_ntop(std.AF_INET6, packed)
        yield ".".join(str(chance.choice([0, 1, 9, 99, 255, 256, "00", ""])) for _ in range(4))


def test_texts_and_bytes_of_addresses() -> None:
    valid = 0
    for text in random_texts(2000):
        for family in (std.AF_INET, std.AF_INET6):
            packed = same("inet_pton", family, text)
            if isinstance(packed, bytes):
                valid += 1
                same("inet_ntop", family, packed)
            if not any(label == "" for label in text.split(".")[:-1]):
                same("getaddrinfo", text, 1, family, std.SOCK_STREAM, 0, std.AI_NUMERICHOST)
        same("inet_aton", text)
    assert valid > 2000


@pytest.mark.parametrize("flags", [0, 1, 2, 3, 8, 11, 16, 19, 1 << 20])
@pytest.mark.parametrize(
    "address",
    [
        ("127.0.0.1", 80),
        ("127.0.0.1", 65535),
        ("127.0.0.1", 65536),
        ("127.0.0.1", -1),
        ("127.0.0.1", 80, 0),
        ("127.0.0.1",),
        ("localhost", 80),
        ("", 80),
        (b"127.0.0.1", 80),
        (None, 80),
        ["127.0.0.1", 80],
        ("::1", 80, 1 << 20, 0),
        ("::1", 80, 0, 0, 0),
    ],
)
def test_names_of_addresses(address: Any, flags: Any) -> None:
    same("getnameinfo", address, flags)


@pytest.mark.parametrize("flags", [1, 3, 11, 19])
@pytest.mark.parametrize(
    "address",
    [
        ("::1", 53),
        ("::1", 80, 5, 0),
        ("fe80::1", 80, 0, 1),
        ("fe80::1", 80, 0, 99999),
        ("fe80::1%lo", 80),
        ("::ffff:1.2.3.4", 80),
        ("192.0.2.1", 80),
    ],
)
def test_numbers_of_addresses(address: Any, flags: Any) -> None:
    same("getnameinfo", address, flags)


def test_timeout_of_a_numeric_lookup_is_checked_but_never_needed() -> None:
    found = native.getaddrinfo("127.0.0.1", 80)
    for timeout in (None, 0, 0.0, 5, 1e9):
        assert native.getaddrinfo("127.0.0.1", 80, timeout=timeout) == found
    for timeout in (-1, -0.5, float("nan")):
        with pytest.raises(ValueError):
            native.getaddrinfo("127.0.0.1", 80, timeout=timeout)
    with pytest.raises(TypeError):
        native.getaddrinfo("127.0.0.1", 80, timeout="1")  # type: ignore[arg-type]


def test_a_numeric_lookup_makes_no_system_call(tmp_path: Path) -> None:
    script = """
        import os
        from oxisock import _socket as native
        def lookups():
            native.getaddrinfo("127.0.0.1", 80)
            native.getaddrinfo("::1", "80", native.AF_INET6, native.SOCK_STREAM)
            native.getaddrinfo(None, 80, native.AF_INET, native.SOCK_DGRAM)
            native.getnameinfo(("127.0.0.1", 80), 3)
            native.gethostbyname("127.0.0.1")
        lookups()
        os.path.exists("/begin")
        lookups()
        os.path.exists("/end")
    """
    log = tmp_path / "log"
    command = [needs_strace(), "-o", str(log), sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    lines = log.read_text().splitlines()
    (begin,) = (index for index, line in enumerate(lines) if '"/begin"' in line)
    (end,) = (index for index, line in enumerate(lines) if '"/end"' in line)
    assert lines[begin + 1 : end] == []


# The lookups from here on run in namespaces of their own, where the name server is a socket
# that does not answer by itself.
SILENT = """
import errno, os, select, signal, socket as std, sys, threading, time
from pathlib import Path
from tests.helpers.silent_dns import silence
server = silence(Path(sys.argv[1]))

from oxisock import _socket as native

def is_asked(seconds):
    return bool(select.select([server], [], [], seconds)[0])

def interrupt():
    # Once the question is there, the lookup is waiting.
    assert is_asked(10)
    os.kill(os.getpid(), signal.SIGINT)

def while_interrupted(call):
    began = time.monotonic()
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        call()
    except KeyboardInterrupt:
        assert time.monotonic() - began < 15
    else:
        raise AssertionError("not interrupted")
    finally:
        thread.join()
"""


@pytest.fixture
def silent(tmp_path: Path) -> Any:
    """Runs a script where the name server is silent."""

    def run(script: Any) -> None:
        needs_silence()
        command = [*unshare("--net", "--mount", "--uts"), sys.executable, "-c"]
        code = SILENT + textwrap.dedent(script)
        done = subprocess.run(
            [*command, code, str(tmp_path)], capture_output=True, text=True, timeout=100
        )
        assert done.returncode == 0, done.stderr

    return run


@pytest.mark.parametrize(
    "call",
    [
        "native.getaddrinfo('host.invalid', 80)",
        "native.getaddrinfo('known', 80, native.AF_INET6)",
        "native.gethostbyname('host.invalid')",
        "native.gethostbyname_ex('host.invalid')",
        "native.gethostbyaddr('192.0.2.1')",
        "native.getnameinfo(('192.0.2.1', 80), 0)",
        "oxisock.socket().connect(('host.invalid', 80))",
        "oxisock.socket().bind(('host.invalid', 80))",
    ],
)
def test_ctrl_c_ends_a_lookup(silent: Any, call: Any) -> None:
    silent(f"import oxisock; while_interrupted(lambda: {call})")


def test_handlers_run_and_the_lookup_goes_on(silent: Any) -> None:
    silent("""
        handled = []
        signal.signal(signal.SIGUSR1, lambda *_: handled.append(threading.current_thread()))

        def reject():
            question, client = server.recvfrom(4096)
            # The same question back as an answer, with the code for "no such name".
            server.sendto(question[:2] + b"\\x81\\x83" + question[4:], client)

        def answer():
            assert is_asked(10)
            for number in range(1, 4):
                os.kill(os.getpid(), signal.SIGUSR1)
                while len(handled) < number:  # two that are pending count as one
                    time.sleep(0.01)
            reject()
            reject()

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            native.getaddrinfo("host.invalid.", 80)
        except std.gaierror as error:
            assert error.errno == std.EAI_NONAME, error
        else:
            raise AssertionError("found")
        thread.join()
        assert handled == [threading.main_thread()] * 3, handled
    """)


@pytest.mark.parametrize("where", ["main", "other"])
def test_timeout_ends_a_lookup(silent: Any, where: Any) -> None:
    silent(f"""
        def work():
            for timeout in (0, 0.2):
                began = time.monotonic()
                try:
                    native.getaddrinfo("host.invalid", 80, timeout=timeout)
                except TimeoutError as error:
                    assert str(error) == "timed out"
                else:
                    raise AssertionError("no timeout")
                assert timeout <= time.monotonic() - began < 15
            done.append(True)

        done = []
        if {where!r} == "main":
            work()
        else:
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
        assert done
    """)


def test_a_lookup_leaves_other_threads_running_and_nothing_behind(silent: Any) -> None:
    silent("""
        def descriptors():
            return len(os.listdir("/proc/self/fd"))

        before = descriptors()
        count = 0
        def work():
            global count
            while not stop:
                count += 1
        stop = False
        thread = threading.Thread(target=work)
        thread.start()
        for _ in range(10):
            seen = count
            try:
                native.getaddrinfo("host.invalid", 80, timeout=0.05)
            except TimeoutError:
                pass
            assert count > seen
        stop = True
        thread.join()
        # An abandoned call keeps one end of a pipe and the resolver's socket until it ends;
        # the side that waited has closed the other end.
        assert descriptors() - before <= 2 * 10, descriptors()
        # The process ends with calls under way: no crash, and no wait for them.
    """)


def test_what_the_hosts_file_has_needs_no_name_server(silent: Any) -> None:
    silent("""
        assert native.gethostbyname("known") == "127.0.0.1"
        assert native.gethostbyaddr("127.0.0.1")[0] == "localhost"
        assert native.getnameinfo(("127.0.0.1", 80), 0)[0] == "localhost"
        (found,) = native.getaddrinfo("KNOWN", 80, 0, native.SOCK_STREAM, timeout=5)
        assert found[4] == ("127.0.0.1", 80)
        assert not is_asked(0)
    """)


def test_a_lookup_in_a_forked_child(silent: Any) -> None:
    silent("""
        native.gethostbyname("known")
        child = os.fork()
        if child == 0:
            try:
                while_interrupted(lambda: native.gethostbyname("host.invalid"))
                assert native.gethostbyname("known") == "127.0.0.1"
            except BaseException:
                os._exit(1)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    """)


def test_host_name_can_be_changed(silent: Any) -> None:
    silent("""
        before = native.gethostname()
        for name, text in (("other", "other"), (b"bytes", "bytes"), ("\\xfcber", "\\xfcber")):
            native.sethostname(name)
            assert native.gethostname() == std.gethostname() == text
        assert native.gethostname() != before
        try:
            native.sethostname("x" * 65)
        except OSError as error:
            assert error.errno == errno.EINVAL
        else:
            raise AssertionError("too long a name was taken")
    """)


def test_own_host_name_did_not_change() -> None:
    assert native.gethostname() == std.gethostname() == os.uname().nodename


BAD_NAMES = ["é" * 70, "a" * 64, "a..b", ".a", "\udcff", "a" * 64 + ".example"]
HOST_FUNCTIONS = ["gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getaddrinfo"]


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("function", HOST_FUNCTIONS)
def test_a_name_that_idna_cannot_express(function: Any, name: Any) -> None:
    args = (name, 80) if function == "getaddrinfo" else (name,)
    with pytest.raises(UnicodeError):
        getattr(std, function)(*args)
    with pytest.raises(UnicodeError) as caught:
        getattr(native, function)(*args)
    assert isinstance(caught.value, std.gaierror)
    assert caught.value.errno == std.EAI_NONAME
    assert isinstance(caught.value.__cause__, UnicodeError)


@pytest.mark.parametrize("method", ["bind", "connect", "connect_ex"])
@pytest.mark.parametrize("name", ["é" * 70, "\udcff", "\udcff.example"])
def test_a_name_that_idna_cannot_express_in_an_address(name: Any, method: Any) -> None:
    import oxisock

    with oxisock.socket() as sock, pytest.raises(UnicodeError) as caught:
        getattr(sock, method)((name, 80))
    assert isinstance(caught.value, std.gaierror)


def test_audit_events() -> None:
    run_python("""
        import sys
        seen = []
        sys.addaudithook(lambda *event: seen.append(event) if event[0][:7] == "socket." else None)
        def run(module):
            seen.clear()
            module.getaddrinfo("127.0.0.1", "80", 2, 1, 6, 4)
            module.getaddrinfo(None, 80)
            module.getnameinfo(("127.0.0.1", 80), 3)
            module.gethostbyname("127.0.0.1")
            module.gethostbyname_ex(b"127.0.0.1")
            module.gethostbyaddr(bytearray(b"127.0.0.1"))
            module.gethostname()
            try:
                module.sethostname("x" * 100)
            except OSError:
                pass
            module.getservbyname("http")
            module.getservbyname("http", "tcp")
            module.getservbyport(80, "tcp")
            module.getprotobyname("tcp")
            return list(seen)
        import _socket
        from oxisock import _socket as native
        ours, theirs = run(native), run(_socket)
        assert ours == theirs, (ours, theirs)
        assert len(ours) == 11, ours
    """)


def test_an_audit_hook_can_forbid() -> None:
    run_python("""
        import sys
        from oxisock import _socket as native
        class Forbidden(Exception): pass
        def hook(event, args):
            if event == "socket.getaddrinfo":
                raise Forbidden(args)
        sys.addaudithook(hook)
        try:
            native.getaddrinfo("127.0.0.1", 80)
        except Forbidden as error:
            assert error.args == (("127.0.0.1", 80, 0, 0, 0),)
        else:
            raise AssertionError
    """)


def test_threads_get_their_own_answers() -> None:
    services = {"http": 80, "domain": 53, "ssh": 22, "smtp": 25}
    protocols = {"tcp": 6, "udp": 17, "icmp": 1, "sctp": 132}
    wrong = []
    asked = []
    until = time.monotonic() + 1.5

    def work(service: Any, protocol: Any) -> None:
        while time.monotonic() < until:
            answer = (
                native.getservbyname(service),
                native.getprotobyname(protocol),
                native.getservbyport(services[service]),
            )
            asked.append(answer)
            if answer != (services[service], protocols[protocol], service):
                wrong.append((service, protocol, answer))

    pairs = zip(services, protocols, strict=True)
    threads = [threading.Thread(target=work, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) > len(threads)
    assert wrong == []
