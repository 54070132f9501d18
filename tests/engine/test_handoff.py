"""A thread that wakes up beside one that computes: it has the interpreter lock back at once.

The switch interval is so long in most of these programs that one which had to wait for it each
time would not end. On a loaded machine a thread may miss what it asked for; most waits get it. Each
program runs in an interpreter of its own, as what the engine has learned is the process's.
"""

import ctypes
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="there is no interpreter lock"
)
# On 3.11 the program has to ask for it.
SETTINGS = {"OXISOCK_YIELD": "1"} if sys.version_info < (3, 12) else {}
# How long many threads wait and compute: 60 for the longer run, by hand.
STARVING = float(os.environ.get("OXISOCK_TEST_STARVING", "2"))
calls_only = pytest.mark.skipif(bool(SETTINGS), reason="3.11 has no calls in other threads")

PRELUDE = """
import os, sys, threading, time
import oxisock
from oxisock._socket import counters

INTERVAL = 0.5
stop = threading.Event()
turns = [0] * 8

def compute(index=0):
    is_set = stop.is_set
    while not is_set():
        turns[index] += 1

def computing(count=1):
    # Daemons, so that a program that fails ends.
    threads = [threading.Thread(target=compute, args=(i,), daemon=True) for i in range(count)]
    for thread in threads:
        thread.start()
    return threads

def wait(sock, milliseconds=1):
    sock.settimeout(milliseconds / 1000)
    try:
        sock.recv(1)
    except TimeoutError:
        return
    raise AssertionError("nobody sends anything")

def learn(sock):
    # One wait that is long in coming back shows that somebody computes.
    sys.setswitchinterval(0.002)
    for _ in range(5):
        wait(sock)
    sys.setswitchinterval(INTERVAL)

def most(waits):
    # Most of so many waits did not have to wait for the interval.
    before, began = counters()["yields"], time.monotonic()
    yield from range(waits)
    assert time.monotonic() - began < waits * INTERVAL / 2
    # Some find the lock free.
    assert sys.version_info < (3, 12) or counters()["yields"] > before, counters()

def settled():
    now = counters()
    left = now["yield_requests"] - now["yields"] - now["yields_expired"] - now["yields_refused"]
    return left

sock, other = oxisock.socketpair()
"""


def run(code: str, *arguments: str, timeout: float = 40, status: int = 0, **variables: str) -> str:
    """Run a program after the prelude, in a new interpreter; what it printed.

    It has to end with that exit status, and without a message.
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments, "-c", PRELUDE + code],
        capture_output=True, text=True, timeout=timeout, check=False,
        env={**os.environ, **SETTINGS, **variables},
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    assert not done.stderr
    return done.stdout


WAITS = """
threads = computing()
learn(sock)
for _ in most(50):
    wait(sock)
stop.set()
threads[0].join()
"""


def test_a_woken_thread_does_not_wait_for_the_interval() -> None:
    run(WAITS)


def test_the_main_thread_computes() -> None:
    run("""
def client():
    learn(sock)
    for _ in most(50):
        wait(sock)
    stop.set()

thread = threading.Thread(target=client)
thread.start()
compute()
thread.join()
""")


OTHER_WAITS = {
    "accept": """
server = oxisock.create_server(("127.0.0.1", 0))
server.settimeout(0.001)
def once():
    try:
        server.accept()
    except TimeoutError:
        pass
""",
    "sendall": """
left, right = oxisock.socketpair()
left.setblocking(False)
try:
    while True:
        left.send(bytes(65536))
except BlockingIOError:
    left.settimeout(0.001)
def once():
    try:
        left.sendall(b"x")
    except TimeoutError:
        pass
""",
    "select": """
from oxisock.select import select
def once():
    assert not any(select([sock], [], [], 0.001))
""",
    "poll": """
from oxisock.select import poll
polled = poll()
polled.register(sock)
polled.modify(sock, 1)
def once():
    assert not polled.poll(1)
""",
    "epoll": """
from oxisock.select import epoll
polled = epoll()
polled.register(sock, 1)
def once():
    assert not polled.poll(0.001)
""",
    "asyncio": """
oxisock.install()
import asyncio
loop = asyncio.new_event_loop()
def once():
    loop.run_until_complete(asyncio.sleep(0.001))
""",
    "a file": """
def once():
    sock.settimeout(0.001)
    with sock.makefile("rb") as file:
        try:
            file.readline()
        except TimeoutError:
            pass
""",
}


@pytest.mark.parametrize("name", OTHER_WAITS)
def test_every_wait_has_the_lock_back(name: str) -> None:
    run(f"""
{OTHER_WAITS[name]}
once()  # imports what it needs
threads = computing()
learn(other)
for _ in most(20):
    once()
stop.set()
""")


@pytest.mark.skipif(sys.version_info < (3, 13), reason="there one alone is asked")
def test_several_threads_compute() -> None:
    run("""
threads = computing(3)
learn(sock)
for _ in most(60):
    wait(sock)
stop.set()
for thread in threads:
    thread.join()
for _ in range(1000):
    pass  # the last may be answered here
assert settled() == 0, counters()
""")


@calls_only
def test_no_request_is_left_behind() -> None:
    """Each is answered once: by a thread that yields, or by one that finds nobody waiting."""
    run("""
threads = computing(2)
learn(sock)
sys.setswitchinterval(0.005)
for _ in range(200):
    wait(sock)
assert counters()["yields"] > 0
stop.set()
for thread in threads:
    thread.join()
for _ in range(1000):
    pass  # the last may be answered here
assert settled() == 0, counters()
""")


@calls_only
def test_nobody_yields_where_nobody_computes() -> None:
    run("""
for _ in range(50):
    wait(sock)
for _ in range(1000):
    pass  # what a thread asked for that was late for the lock is answered here
assert counters()["yields"] == settled() == 0, counters()
""")


@calls_only
def test_threads_that_wait_in_turn_do_not_ask_each_other() -> None:
    """However many wait for the lock: each of them gives it up again soon."""
    run("""
def answer(sock):
    for _ in range(COUNT):
        sock.send(sock.recv(10))

def ask(sock):
    for _ in range(COUNT):
        sock.send(b"x")
        sock.recv(10)

COUNT = 1000
for attempt in range(5):  # one whose thread the system has stopped, lock and all, computes
    before = counters()
    pairs = [oxisock.socketpair() for _ in range(6)]
    threads = [threading.Thread(target=ask, args=(a,)) for a, _ in pairs]
    threads += [threading.Thread(target=answer, args=(b,)) for _, b in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for a, b in pairs:
        a.close()
        b.close()
    after = counters()
    if 50 * (after["yields"] - before["yields"]) <= after["released"] - before["released"]:
        break
else:
    raise AssertionError((before, after))
""")


@calls_only
def test_it_can_be_switched_off() -> None:
    run(
        """
threads = computing()
sys.setswitchinterval(0.002)
for _ in range(20):
    wait(sock)
stop.set()
assert counters()["yield_requests"] == 0
""",
        OXISOCK_YIELD="0",
    )


@pytest.mark.skipif(not SETTINGS, reason="nothing is lowered on 3.12 and later")
def test_the_interval_is_put_back() -> None:
    run(WAITS + "assert sys.getswitchinterval() == INTERVAL\n")


@pytest.mark.skipif(not SETTINGS, reason="nothing is lowered on 3.12 and later")
def test_the_interval_is_left_alone_unless_asked_for() -> None:
    run(
        """
seen = set()
def watch():
    while not stop.is_set():
        seen.add(sys.getswitchinterval())
sys.setswitchinterval(0.002)
threading.Thread(target=watch).start()
for _ in range(50):
    wait(sock)
stop.set()
assert seen <= {0.002}
""",
        OXISOCK_YIELD="",
    )


def test_many_wait_and_many_compute() -> None:
    """Nobody starves: neither who waits nor who computes."""
    run(
        """
threads = computing(4)
learn(sock)
sys.setswitchinterval(0.005)
done = [0] * 10
def client(index):
    mine, _ = pair = oxisock.socketpair()
    while not stop.is_set():
        wait(mine)
        done[index] += 1
    for sock in pair:
        sock.close()
clients = [threading.Thread(target=client, args=(i,)) for i in range(10)]
for thread in clients:
    thread.start()
waits = 0
end = time.monotonic() + SECONDS
while time.monotonic() < end or not (min(done) > 5 and min(turns[:4]) > 100):
    wait(sock, 20)
    waits += 1
    assert waits < 1000 * SECONDS
stop.set()
for thread in [*threads, *clients]:
    thread.join()
""".replace("SECONDS", str(STARVING)),
        timeout=STARVING + 40,
    )


@calls_only
def test_a_full_queue_is_waited_for_as_everybody_does() -> None:
    run("""
import ctypes
CALL = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
add = ctypes.pythonapi._PyEval_AddPendingCall
add.argtypes = [ctypes.c_void_p, CALL, ctypes.c_void_p, ctypes.c_int]
interpreter = ctypes.pythonapi.PyInterpreterState_Get
interpreter.restype = ctypes.c_void_p
made = []

@CALL
def nothing(_):
    made.append(1)
    return 0

@CALL
def wait_inside(_):
    # No other call is made before this one is over.
    added = 0
    while add(interpreter(), nothing, None, 0) == 0:
        added += 1
    for _ in range(3):
        wait(sock)
    wanted.append(added)
    return 0

wanted = []
threads = computing()
learn(sock)
for _ in range(20):
    wait(sock)
sys.setswitchinterval(0.002)
assert add(interpreter(), wait_inside, None, 0) == 0
end = time.monotonic() + 20
while not (wanted and len(made) == wanted[0]):
    assert time.monotonic() < end
refused = counters()["yields_refused"]
assert refused >= 1, counters()
sys.setswitchinterval(INTERVAL)
for _ in most(20):
    wait(sock)
stop.set()
threads[0].join()
for _ in range(1000):
    pass
assert settled() == 0, counters()
""")


@pytest.mark.parametrize("name", ["settrace", "setprofile"])
def test_beside_a_traced_thread(name: str) -> None:
    run(
        f"""
threading.{name}(lambda *_: None)
{WAITS}
threading.{name}(None)
"""
    )


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is new in 3.12")
def test_beside_a_monitored_thread() -> None:
    run(f"""
events = sys.monitoring.events
sys.monitoring.use_tool_id(1, "test")
sys.monitoring.register_callback(1, events.LINE, lambda *_: None)
sys.monitoring.set_events(1, events.LINE)
{WAITS}
""")


def test_in_development_mode() -> None:
    run(WAITS + "sock.close(); other.close()\n", "-X", "dev")


def test_with_faulthandler() -> None:
    run("""
import faulthandler, tempfile
with tempfile.TemporaryFile() as file:
    faulthandler.dump_traceback_later(0.02, repeat=True, file=file)
    threads = computing()
    learn(sock)
    for _ in most(50):
        wait(sock)
    stop.set()
    threads[0].join()
    faulthandler.cancel_dump_traceback_later()
    assert file.seek(0, 2)
""")


def test_signals_meanwhile() -> None:
    run("""
import signal
runs = []
signal.signal(signal.SIGALRM, lambda *_: runs.append(1))
threads = computing()
learn(sock)
signal.setitimer(signal.ITIMER_REAL, 0.0007, 0.0007)
for _ in most(50):
    wait(sock)
signal.setitimer(signal.ITIMER_REAL, 0)
stop.set()
assert runs
""")


def test_threads_that_the_interpreter_did_not_make() -> None:
    run("""
import ctypes
libc = ctypes.CDLL(None)
@ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
def client(_):
    for _ in range(50):
        wait(sock)
    ended.append(1)
    return None
@ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
def computer(_):
    compute()
    return None
ended = []
threads = [ctypes.c_ulong(), ctypes.c_ulong()]
libc.pthread_create(ctypes.byref(threads[1]), None, computer, None)
learn(sock)
libc.pthread_create(ctypes.byref(threads[0]), None, client, None)
libc.pthread_join(threads[0], None)
assert ended
stop.set()
libc.pthread_join(threads[1], None)
""")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_fork_leaves_nobody_in_a_call() -> None:
    """The child's interpreter makes pending calls, though a thread was in one."""
    run(
        """
import ctypes
CALL = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
made = []
@CALL
def call(_):
    made.append(1)
    return 0
add = ctypes.pythonapi.Py_AddPendingCall
add.argtypes = [CALL, ctypes.c_void_p]
threads = computing()
learn(sock)
sys.setswitchinterval(0.005)
for _ in range(20):
    wait(sock)
    child = os.fork()
    if not child:
        status = 1
        try:
            add(call, None)
            end = time.monotonic() + 10
            while not made and time.monotonic() < end:
                pass
            stop.clear()
            mine = computing()
            for _ in range(5):
                wait(sock)
            status = not made
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
""",
        "-W", "ignore::DeprecationWarning",
    )  # fmt: skip


ENDS = {
    "waiting threads are daemons": """
def client():
    mine, other = oxisock.socketpair()
    while True:
        wait(mine)
for _ in range(4):
    threading.Thread(target=client, daemon=True).start()
end = time.monotonic() + 0.05
while time.monotonic() < end:
    pass
""",
    "computing threads are daemons": """
threads = computing(2)
learn(sock)
sys.setswitchinterval(0.005)
for _ in range(20):
    wait(sock)
""",
    "all are": """
threads = computing(2)
def client():
    mine, other = oxisock.socketpair()
    while True:
        wait(mine)
for _ in range(4):
    threading.Thread(target=client, daemon=True).start()
time.sleep(0.05)
""",
}


@pytest.mark.parametrize("name", ENDS)
def test_the_interpreter_ends_meanwhile(name: str) -> None:
    for _ in range(8):
        run("sys.setswitchinterval(0.001)\n" + ENDS[name])


def test_threads_outlive_the_interpreter() -> None:
    """They come back from waits while the C library ends the process, and ask nobody."""
    if not hasattr(ctypes.CDLL(None), "on_exit"):
        pytest.skip("no function of the C library is called with the exit status")
    program = """
threads = computing(2)
learn(sock)
sys.setswitchinterval(0.001)
def client():
    mine, other = oxisock.socketpair()
    for milliseconds in (*[1] * 20, 500):
        wait(mine, milliseconds)
for _ in range(4):
    threading.Thread(target=client, daemon=True).start()
time.sleep(0.3)
import ctypes
libc = ctypes.CDLL(None)
libc.on_exit(libc.sleep, None)  # called with the exit status, when the interpreter is gone
sys.exit(1)
"""
    run(program, status=1)


@pytest.mark.skipif(sys.version_info < (3, 13), reason="the module has another name before")
def test_another_interpreter_that_shares_the_lock() -> None:
    """A thread inside it computes; those of the main one wait, and get the lock sooner or later."""
    run("""
import _interpreters
inner = _interpreters.create("legacy")
def there():
    code = "for _ in range(200): sum(range(20_000))"
    failed.append(_interpreters.exec(inner, code))
failed = []
thread = threading.Thread(target=there)
thread.start()
sock.settimeout(0.001)
while thread.is_alive():
    try:
        sock.recv(1)
    except TimeoutError:
        pass
thread.join()
assert failed == [None], failed
_interpreters.destroy(inner)
""")
