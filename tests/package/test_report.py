"""``oxisock report``: what it tells is what the program has done, and its estimate comes true."""

import json
import os
import signal
import subprocess
import sys
import sysconfig
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.process import ON_OXISOCK, needs_module, output, python, wait_until

REPORT = ("-m", "oxisock", "report")
modules = pytest.mark.parametrize("option", [(), ("--standard",)], ids=["oxisock", "standard"])
needs_linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="only Linux tells what threads wait for"
)
needs_lock = pytest.mark.skipif(
    bool(sysconfig.get_config_var("Py_GIL_DISABLED")), reason="there is no lock to wait for"
)


@pytest.fixture
def program(tmp_path: Path) -> Any:
    def write(text: str) -> Path:
        path = tmp_path / "program.py"
        path.write_text(textwrap.dedent(text))
        return path

    return write


def report(path: Path, *options: str, arguments: Any = (), **environment: Any) -> Any:
    """Run a program under the command; its report as data, in step with the text."""
    done = python(
        # A thread samples what the program's own wait for, beside which 3.15 warns of forks.
        "-W", "error", "-W", "ignore:This process", *REPORT,
        *options, "--json", path.parent / "report.json", path, *arguments,
        **{"COLUMNS": "200", **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    data = json.loads((path.parent / "report.json").read_text())
    assert "oxisock report:" in done.stderr
    assert " ".join(data["verdict"].split()) in " ".join(done.stderr.split())
    data["stdout"], data["stderr"] = done.stdout, done.stderr
    return data


DATA = """
    import socket, sys
    print(socket.__name__, sys.argv[1:])
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname())
    server, _ = listener.accept()
    for _ in range(10):
        client.sendall(b"x" * 100)      # line 8
        got = 0
        while got < 100:
            got += len(server.recv(100))
    server.settimeout(0.02)
    try:
        server.recv(1)
    except TimeoutError:
        pass
    server.close()
    try:
        for _ in range(100):
            client.sendall(b"x")
    except OSError:
        pass
    left_open = socket.socket()         # line 23
"""


@modules
def test_what_is_told(program: Any, option: Any) -> None:
    path = program(DATA)
    told = report(path, *option, arguments=["a", "--json"])
    module = "socket" if option else "oxisock"
    assert told["stdout"] == f"{module} ['a', '--json']\n"
    assert told["module"] == ("standard library" if option else "oxisock")
    sent = told["operations"]["sendall"]
    assert 1000 <= sent["bytes"] <= 1100
    assert sent["errors"] == 1
    assert told["operations"]["recv"]["bytes"] == 1000
    assert told["operations"]["recv"]["timeouts"] == 1
    assert told["operations"]["accept"]["calls"] == 1
    assert told["operations"]["recv"]["seconds"] >= 0.02
    assert told["operations"]["recv"]["longest_seconds"] >= 0.02
    assert set(told["errors"]) <= {"EPIPE", "ECONNRESET"}
    assert sum(told["errors"].values()) == 1
    line = f"{path}:8 sendall"
    assert told["sites"][line]["calls"] == 10
    assert told["sites"][line]["bytes"] == 1000
    assert any(peer.startswith("127.0.0.1:") for peer in told["peers"])
    assert any(peer.startswith("127.0.0.1 at 127.0.0.1:") for peer in told["peers"])
    assert f"{path}:23" in {item["made_at"] for item in told["open"]}
    assert f"{path}:4" in {item["made_at"] for item in told["open"]}
    # The connection that was accepted is closed.
    assert len(told["open"]) == 3
    for text in ("sendall", f"{path}:23", "timeouts: 1", "Watching took"):
        assert text in told["stderr"]


@needs_linux
@modules
def test_a_wait_for_the_network_is_told(program: Any, option: Any) -> None:
    path = program("""
        import socket, threading
        a, b = socket.socketpair()
        timer = threading.Timer(0.5, a.send, [b"x"])
        timer.start()
        b.recv(1)
        timer.join()
        a.close(), b.close()
    """)
    told = report(path, *option)["operations"]["recv"]
    assert 0.3 < told["network_seconds"] <= told["seconds"] + 0.05
    assert told["lock_seconds"] < 0.1


REQUESTS = """
    import socket, subprocess, sys, threading
    ROUNDS = 100
    PEER = '''
    import socket, sys, time
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        peer, _ = listener.accept()
        while data := peer.recv(100):
            time.sleep(0.001)
            peer.sendall(data)
    '''
    import textwrap, time
    command = [sys.executable, "-S", "-E", "-c", textwrap.dedent(PEER)]
    peer = subprocess.Popen(command, stdout=subprocess.PIPE)
    sock = socket.create_connection(("127.0.0.1", int(peer.stdout.readline())))
    stop = False

    def compute():
        while not stop:
            sum(range(100))

    if "compute" in sys.argv:
        thread = threading.Thread(target=compute)
        thread.start()
    began = time.perf_counter()
    for _ in range(ROUNDS):
        sock.sendall(b"request")
        sock.recv(100)
    took = time.perf_counter() - began
    stop = True
    if "compute" in sys.argv:
        thread.join()
    sock.close()
    peer.wait()
    peer.stdout.close()
    print(took)
"""


def seconds(*command: Any) -> float:
    return min(float(output(python(*command, "compute"))) for _ in range(2))


@needs_lock
@pytest.mark.skipif(sys.version_info < (3, 12), reason="3.11 waits for the lock on oxisock as well")
@needs_linux
def test_the_estimate_is_what_is_saved(program: Any) -> None:
    """The program is run both ways, in turn."""
    path = program(REQUESTS)
    for _ in range(8):  # other programs take time from either
        saved = seconds(path) - seconds(*ON_OXISOCK, path)
        told = report(path, "--standard", arguments=["compute"])
        estimated = told["lock"]["saves_seconds"]
        if saved > 0.1 and 0.6 * saved < estimated < 1.6 * saved:
            break
    else:
        pytest.fail(f"{saved:.3f} s saved, {estimated:.3f} s estimated")
    assert told["lock"]["share"] > 0.2
    assert "oxisock would save about" in told["verdict"]
    lost = (report(path, arguments=["compute"])["lock"]["lost_seconds"] for _ in range(4))
    assert any(seconds < told["lock"]["lost_seconds"] for seconds in lost)


@modules
def test_nothing_to_gain(program: Any, option: Any) -> None:
    path = program(REQUESTS)
    for _ in range(8):  # a busy machine has threads wait for each other
        told = report(path, *option)
        if told["lock"]["share"] < 0.05:
            break
    assert told["lock"]["share"] < 0.05
    if option and not sysconfig.get_config_var("Py_GIL_DISABLED"):
        assert told["verdict"].startswith("Nothing to gain here")


CHILDREN = """
    import multiprocessing, os, socket, subprocess, sys

    def work(name):
        a, b = socket.socketpair()
        a.sendall(b"abc")
        b.recv(10)
        a.close(), b.close()

    if __name__ == "__main__":
        subprocess.run([sys.executable, "-c", '''
    import socket
    a, b = socket.socketpair()
    a.sendall(b"abcde")
    b.recv(10)
    a.close(), b.close()
    '''.replace("\\n    ", "\\n")], check=True)
        for method in ("fork", "spawn"):
            process = multiprocessing.get_context(method).Process(target=work, args=["x"])
            process.start()
            process.join()
            assert process.exitcode == 0
        if not os.fork():
            work("forked")
            os._exit(0)
        os.wait()
"""


@modules
def test_children_are_included(program: Any, option: Any) -> None:
    told = report(program(CHILDREN), *option)
    assert told["operations"]["sendall"]["bytes"] == 3 * 3 + 5
    assert told["operations"]["recv"]["bytes"] == 3 * 3 + 5
    assert told["processes"] >= 5
    assert told["open"] == []


def test_a_sitecustomize_of_the_program_runs_as_well(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('theirs')\n")
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', ''], check=True)"
    done = python(*REPORT, "-c", child, PYTHONPATH=str(tmp_path))
    assert done.stdout == "theirs\ntheirs\n"


@modules
def test_the_program_ends_as_it_would(program: Any, option: Any, tmp_path: Path) -> None:
    path = program("import socket, sys; socket.socketpair(); sys.exit(7)")
    done = python(*REPORT, *option, path)
    assert (done.returncode, done.stdout) == (7, "")
    assert "socketpair" in done.stderr
    path = program("import socket\nsocket.socketpair()\nraise ValueError('theirs')")
    done = python(*REPORT, *option, path)
    assert done.returncode == 1
    assert "ValueError: theirs" in done.stderr
    assert "oxisock report:" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGUSR1])
def test_on_demand_and_ctrl_c(program: Any, number: int, tmp_path: Path) -> None:
    path = program("""
        import socket, sys, time
        a, b = socket.socketpair()
        open(sys.argv[1], "w").close()
        b.recv(1)
    """)
    started = tmp_path / "started"
    with subprocess.Popen(
        [sys.executable, *REPORT, path, started], stderr=subprocess.PIPE, text=True
    ) as process:
        wait_until(started.exists)
        time.sleep(0.3)
        process.send_signal(number)
        if number == signal.SIGUSR1:
            assert process.stderr is not None
            while "Watching took" not in process.stderr.readline():
                pass
            process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in errors
    assert errors.count("oxisock report:") == 1


def test_every(program: Any) -> None:
    path = program("import socket, time\na, b = socket.socketpair()\ntime.sleep(3)\n")
    done = python(*REPORT, "--every", "0.4", path)
    assert 3 <= done.stderr.count("oxisock report:") <= 9


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_it_fits_the_terminal(program: Any, columns: int) -> None:
    done = python(*REPORT, program(DATA), COLUMNS=str(columns))
    long = [line for line in done.stderr.splitlines() if len(line) > columns]
    # A path is in one piece.
    assert [line for line in long if len(line.split()) > 1] == []


def test_json_to_the_standard_output(program: Any) -> None:
    done = python(*REPORT, "--json", "-", program("import socket; socket.socketpair()"))
    assert json.loads(done.stdout)["operations"]["socketpair"]["calls"] == 1
    assert done.stderr == ""


def test_a_plot(program: Any, tmp_path: Path) -> None:
    needs_module("oxisock_bench")
    done = python(*REPORT, "--plot", tmp_path / "report.svg", program(DATA))
    assert done.returncode == 0, done.stderr
    assert "<svg" in (tmp_path / "report.svg").read_text()


def test_a_plot_without_matplotlib_is_refused_before_the_program_runs(program: Any) -> None:
    code = (
        "import sys; sys.modules['oxisock_bench'] = None\n"
        "from oxisock.__main__ import main\n"
        "sys.exit(main(['report', '--plot', 'x.svg', '-c', 'print(1)']))\n"
    )
    done = python("-c", code)
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'oxisock[bench]'" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [(), ("--every", "0", "x.py"), ("--every", "x"), ("--nope", "x.py"), ("-m",),
     ("--json", "/nowhere/x.json", "-c", "print(1)")],
)  # fmt: skip
def test_a_wrong_command_line(arguments: Any) -> None:
    done = python(*REPORT, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


def test_nothing_is_left_behind(program: Any, tmp_path: Path) -> None:
    done = python(*REPORT, program(CHILDREN), TMPDIR=str(tmp_path))
    assert done.returncode == 0
    assert [path for path in tmp_path.iterdir() if path.name.startswith("oxisock")] == []


MANY = """
    import socket
    a, b = socket.socketpair()
    for _ in range(20_000):
        a.send(b"x")
        b.recv(1)
"""


@modules
def test_own_cost_is_told(program: Any, option: Any) -> None:
    told = report(program(MANY), *option)
    calls = sum(entry["calls"] for entry in told["operations"].values())
    assert calls == 40_001
    # It is measured, on a machine that may be busy, and perhaps on code that is not optimized.
    assert 10e-9 < told["own_seconds"] / calls < 200e-6


LABELS = """
    import socket
    a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    a.bind(("127.0.0.1", 0))
    b = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    b.bind(("127.0.0.1", 0))
    c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    c.bind(("127.0.0.1", 0))
    for _ in range(10):
        a.sendto(b"xyz", b.getsockname())
        a.sendto(b"xy", 0, c.getsockname())
        b.recvfrom(10)
        c.recv_into(bytearray(10))
    a.connect(c.getsockname())
    a.send(b"x")
    c.recvmsg(10)
    print(*(sock.getsockname()[1] for sock in (a, b, c)))
"""


@modules
def test_each_address_of_datagrams_is_a_peer(program: Any, option: Any) -> None:
    told = report(program(LABELS), *option)
    a, b, c = told["stdout"].split()
    peers = {name: (entry["calls"], entry["bytes"]) for name, entry in told["peers"].items()}
    assert peers.pop(f"127.0.0.1:{b}") == (10, 30)
    # The connect and what was sent after it as well.
    assert peers.pop(f"127.0.0.1:{c}") == (12, 21)
    # From what was received with its address.
    assert peers.pop(f"127.0.0.1:{a}") == (11, 31)
    assert peers.pop(f"at 127.0.0.1:{c}") == (11, 20)
    assert told["operations"]["sendto"]["calls"] == 20


WATCHED = """
    import inspect, pickle, socket, threading
    assert socket.socket.recv.__name__ == "recv"
    assert socket.socket.recv.__doc__
    assert socket.create_connection.__doc__
    assert "address" in inspect.signature(socket.create_connection).parameters
    assert pickle.loads(pickle.dumps(socket.create_connection)) is socket.create_connection
    a, b = socket.socketpair()
    socket.socket.sendall(a, b"unbound")
    assert b.recv(7) == b"unbound"
    receive = b.recv
    a.send(b"bound")
    assert receive(5) == b"bound"
    room = bytearray(8)
    a.send(b"keywords")
    assert b.recv_into(buffer=room, nbytes=8) == 8
    assert room == b"keywords"

    class Mine(socket.socket):
        def recv(self, *arguments):
            return super().recv(*arguments)[::-1]

    mine = Mine(fileno=b.detach())
    a.send(b"abc")
    assert mine.recv(3) == b"cba"
    for wrong in ((), ("x",), (1, 2, 3)):
        try:
            socket.socket.recv(a, *wrong)
        except TypeError:
            pass
        else:
            raise AssertionError(wrong)
    try:
        socket.socket.recv(1, 2)
    except TypeError:
        pass
    a.setblocking(False)
    for _ in range(3):
        try:
            a.recv(1)
        except BlockingIOError:
            pass
    threads = [threading.Thread(target=a.send, args=(b"x",)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert mine.recv(2) + mine.recv(1) == b"xxx"
    del mine, a
    print("done")
"""


@modules
def test_what_is_watched_behaves_as_it_is(program: Any, option: Any) -> None:
    told = report(program(WATCHED), *option)
    assert told["stdout"] == "done\n"
    assert told["errors"] == {}
    assert told["open"] == []


def test_a_signal_handler_gets_through_where_something_new_is_asked(program: Any) -> None:
    path = program("""
        import signal, socket, time

        class Alarm(Exception):
            pass

        def ring(*_):
            raise Alarm

        signal.signal(signal.SIGALRM, ring)
        rung = 0
        for _ in range(300):
            try:
                a, b = socket.socketpair()
                signal.setitimer(signal.ITIMER_REAL, 0.0002)
                for _ in range(200):
                    a.send(b"x")
                    b.recv(1)
                time.sleep(5)
            except Alarm:
                rung += 1
        print(rung)
    """)
    assert report(path)["stdout"] == "300\n"


def test_asyncio(program: Any) -> None:
    path = program("""
        import asyncio

        async def main():
            async def serve(reader, writer):
                writer.write(await reader.readline())
                await writer.drain()
                writer.close()
                await writer.wait_closed()
            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            host, port = server.sockets[0].getsockname()
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(b"line\\n")
            print(await reader.readline())
            writer.close()
            await writer.wait_closed()
            server.close()
            await server.wait_closed()

        asyncio.run(main())
    """)
    for option in ((), ("--standard",)):
        told = report(path, *option)
        assert told["stdout"] == "b'line\\n'\n"
        assert told["operations"]["select"]["calls"] > 3
        assert told["operations"]["send"]["bytes"] == 10
        assert os.path.basename(path) in " ".join(told["sites"]) or "asyncio" in str(told["sites"])
