"""The benchmark suite runs, and says what it measures; no test looks at the times themselves."""

import argparse
import builtins
import inspect
import json
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("oxisock_bench", reason="pip install ./benches")

from oxisock_bench import _baseline, cli, measure, record, syscalls
from oxisock_bench.row import Row, every_row
from oxisock_bench.rows import GROUPS
from oxisock_bench.setups import nothing, unix

ROWS = list(every_row(GROUPS))


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not find out whether the machine is busy: it takes a while each time."""
    monkeypatch.setattr(record, "others", lambda: None)


UNMEASURED = {
    # Changes the machine's name, and needs privileges.
    "sethostname",
    # Needs the kernel's cryptographic sockets, which many kernels are built without.
    "sendmsg_afalg",
}


def run(*arguments: Any) -> Any:
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    return cli.main(parser.parse_args(arguments))


def test_every_public_operation_has_a_row() -> None:
    functions = {name for name in dir(socket) if inspect.isbuiltin(getattr(socket, name))} | {
        name for name in socket.__all__ if inspect.isfunction(getattr(socket, name))
    }
    methods = {name for name in dir(socket.socket) if not name.startswith("_")}
    operations = {name for name in functions | methods if not name.startswith("_")}
    text = "\n".join(
        row.op if isinstance(row.op, str) else inspect.getsource(sys.modules[row.op.__module__])
        for row in ROWS
    )
    missing = {name for name in operations if not re.search(rf"\b{name}\b", text)}
    assert missing - UNMEASURED == set()


def test_names_of_rows_are_unique_and_groups_are_their_own() -> None:
    names = [row.name for row in ROWS]
    assert len(names) == len(set(names))
    assert {row.group for row in ROWS} == {group.name for group in GROUPS}
    assert all(row.text for row in ROWS)


def test_run_writes_json_and_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rich")
    results = tmp_path / "results.json"
    rows = ["family", "send-recv.unix", "throughput.udp.64B"]
    assert run("--quick", *rows, "--json", str(results)) == 0
    data = json.loads(results.read_text())
    assert data["version"] == record.VERSION
    assert set(data["machine"]) >= {"processor", "cores", "system", "python", "oxisock"}
    assert data["geometric_mean"] > 0
    assert sorted(entry["name"] for entry in data["rows"]) == sorted(rows)
    for entry in data["rows"]:
        assert entry["error"] is None
        sides = {"stdlib", "oxisock"} | ({"baseline"} if entry["name"] != "family" else set())
        assert set(entry["times"]) == sides
        assert all(0 < time < 1 for time in entry["times"].values())
        expected = entry["times"]["stdlib"] / entry["times"]["oxisock"]
        assert entry["ratio"] == pytest.approx(expected)
        assert entry["reached"] == (entry["ratio"] >= entry["target"])
    output = capsys.readouterr().out
    assert all(row in output for row in rows)


def test_plot_is_drawn(tmp_path: Path) -> None:
    """In a process of its own, because matplotlib keeps its fonts open."""
    pytest.importorskip("rich")
    pytest.importorskip("matplotlib")
    plot = tmp_path / "plot.svg"
    rows = ["family", "throughput.udp.64B", "throughput.unix.1B"]
    command = [sys.executable, "-m", "oxisock", "bench", *rows, "--quick", "--plot", str(plot)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert plot.read_text().lstrip().startswith("<?xml")


def test_earlier_results_are_shown_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rich")
    results = tmp_path / "results.json"
    assert run("--quick", "fileno", "proto", "--json", str(results)) == 0
    first = capsys.readouterr().out
    assert run("--load", str(results)) == 0
    assert capsys.readouterr().out.strip() == first.strip()
    results.write_text("{}")
    assert run("--load", str(results)) == 2


def test_json_on_stdout_is_nothing_but_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--quick", "fileno", "--json", "-") == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["name"] == "fileno"


def test_rows_are_chosen_by_name_group_and_pattern() -> None:
    def names(*patterns: Any) -> Any:
        return [row.name for row in cli.choose(GROUPS, list(patterns))]

    assert names() == [row.name for row in ROWS]
    assert names("htons") == ["htons"]
    assert set(names("files")) == {row.name for row in ROWS if row.group == "files"}
    assert set(names("inet_*")) == {r.name for r in ROWS if r.name.startswith("inet_")}
    # The order is that of the suite, whatever the order of the arguments.
    assert names("htonl", "htons", "htons") == ["htons", "htonl"]


def test_unknown_row_is_refused_with_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("htosn") == 2
    message = capsys.readouterr().err
    assert "htosn" in message
    assert "htons" in message
    assert message.count("\n") == 1


def test_list_measures_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("rich")
    monkeypatch.setattr(measure, "measure", None)
    assert run("--list", "files") == 0
    assert "makefile.headers" in capsys.readouterr().out


@pytest.mark.parametrize("rounds", ["0", "-1", "x", "1.5"])
def test_rounds_must_be_positive(rounds: Any) -> None:
    with pytest.raises(SystemExit):
        run("--rounds", rounds)


def test_file_that_cannot_be_written_is_refused_before_measuring(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("rich")
    assert run("fileno", "--json", "/nonexistent/results.json") == 2
    assert "/nonexistent" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("missing", "arguments"),
    [("rich", ["--list"]), ("matplotlib", ["htons", "--json", "-", "--plot", "plot.svg"])],
)
def test_missing_dependency_is_one_clear_line(
    missing: Any,
    arguments: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = builtins.__import__

    def without(name: Any, *rest: Any) -> Any:
        if name.partition(".")[0] == missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest)

    for module in [name for name in sys.modules if name.partition(".")[0] == missing]:
        monkeypatch.delitem(sys.modules, module)
    for module in ("report", "plot"):
        monkeypatch.delitem(sys.modules, f"oxisock_bench.{module}", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    assert run(*arguments) == 2
    assert capsys.readouterr().err == (
        f"oxisock bench: this needs {missing}: pip install 'oxisock[bench]'\n"
    )


def test_check_fails_on_a_missed_target(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [Row("slow", "names", nothing, "socket.getdefaulttimeout()", target=1e9)]
    monkeypatch.setattr(cli, "choose", lambda groups, patterns: rows)
    assert run("--quick", "--json", "-") == 0
    assert run("--quick", "--json", "-", "--check") == 1


def test_failing_row_is_reported_and_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        Row("broken", "names", nothing, "socket.no_such_name()"),
        Row("sound", "names", nothing, "socket.getdefaulttimeout()"),
    ]
    monkeypatch.setattr(cli, "choose", lambda groups, patterns: rows)
    assert run("--quick", "--json", "-") == 1
    broken, sound = json.loads(capsys.readouterr().out)["rows"]
    assert "no_such_name" in broken["error"]
    assert broken["ratio"] is None
    assert not broken["reached"]
    assert sound["error"] is None


def test_row_can_be_measured_in_a_new_interpreter() -> None:
    row = next(row for row in ROWS if row.name == "recv-64KiB.udp")
    result = measure.measure_fresh(row, cli.QUICK)
    assert result.error is None
    assert set(result.times) == {"stdlib", "oxisock", "baseline"}


def test_sides_are_measured_alike() -> None:
    """Both modules get the same number of rounds, in turning order, and the baseline with them."""
    seen = []

    class Module:
        def __init__(self, name: Any) -> None:
            self.name = name

        def work(self) -> None:
            seen.append(self.name)

    row = Row("row", "names", nothing, "socket.work()", slice=1e-5)
    sides = {side: Module(side) for side in measure.SIDES}
    result = measure.measure(row, sides, measure.Config(rounds=6))
    assert result.error is None
    turns = [name for at, name in enumerate(seen) if at == 0 or seen[at - 1] != name]
    # Both are calibrated; then each round begins with the side that the one before ended with.
    assert turns == [*["stdlib", "oxisock"] * 4, "stdlib"]


def test_geometric_mean_leaves_out_the_convoy_and_the_differences() -> None:
    def result(ratio: Any, **fields: Any) -> Any:
        row = Row("row", "names", nothing, "pass", **fields)
        return measure.Result(row, {"stdlib": ratio, "oxisock": 1.0, "baseline": 0.5})

    results = [
        result(2.0),
        result(8.0),
        result(500.0, busy=True),
        result(90.0, above_baseline=True),
    ]
    assert measure.geometric_mean(results) == pytest.approx(4.0)
    assert measure.geometric_mean(results[2:]) is None


def test_ratio_above_the_baseline_is_that_of_the_differences() -> None:
    row = Row("row", "above", nothing, "pass", above_baseline=True)
    result = measure.Result(row, {"stdlib": 3e-6, "oxisock": 2e-6, "baseline": 1e-6})
    assert result.ratio == pytest.approx(2.0)
    below = measure.Result(row, {"stdlib": 3e-6, "oxisock": 0.9e-6, "baseline": 1e-6})
    assert below.ratio == pytest.approx(2000.0)


def test_baseline_makes_the_calls_it_names() -> None:
    a, b = socket.socketpair()
    with a, b:
        steps = [("send", [a.fileno(), 7]), ("send", [a.fileno(), 5])]
        assert _baseline.run(steps, 3) > 0
        assert len(b.recv(1000)) == 36
        assert _baseline.run([("send", [a.fileno(), 9]), ("recv", [b.fileno(), 9])], 1000) > 0
        b.setblocking(False)
        with pytest.raises(BlockingIOError):
            b.recv(1)


@pytest.mark.skipif(sys.platform != "linux", reason="the calls are those of Linux")
@pytest.mark.parametrize(
    "kind",
    ["recvmmsg", "recvmmsg-from", "recvfrom-one", "sendmmsg", "sendmmsg-to", "cut", "joined"],
)
def test_baseline_of_batches(kind: str) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as a,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as b,
    ):
        b.bind(("127.0.0.1", 0))
        b.setsockopt(socket.IPPROTO_UDP, 104, kind in ("cut", "joined"))  # UDP_GRO
        if kind != "sendmmsg-to":
            a.connect(b.getsockname())
        count = 1 if kind == "recvfrom-one" else 8
        assert _baseline.batch(kind, a.fileno(), b.fileno(), count, 100, 3) > 0
        b.setblocking(False)
        with pytest.raises(BlockingIOError):
            b.recv(1)
        with pytest.raises(ValueError, match="no such batch"):
            _baseline.batch("else", a.fileno(), b.fileno(), 1, 1, 1)
        with pytest.raises(OSError):
            _baseline.batch(kind, -1, -1, count, 100, 1)


def test_baseline_of_two_threads() -> None:
    a, b = socket.socketpair()
    with a, b:
        ours = [("send", [a.fileno(), 64]), ("recv", [a.fileno(), 64])]
        theirs = [("recv", [b.fileno(), 64]), ("send", [b.fileno(), 64])]
        assert _baseline.run_pair(ours, theirs, 100) > 0
        a.setblocking(False)
        with pytest.raises(BlockingIOError):
            a.recv(1)


def test_baseline_closes_what_it_made() -> None:
    """Descriptors that steps made are gone, whether the steps closed them or not."""
    probe = socket.socket()
    lowest = probe.fileno()
    probe.close()
    make = ("socket", [socket.AF_UNIX, socket.SOCK_STREAM, 0])
    _baseline.run([make, ("close", [])], 50)
    _baseline.run([make], 50)
    with pytest.raises(OSError):
        _baseline.run([make, ("getpeername", [-1])], 1)
    with socket.socket() as probe:
        assert probe.fileno() == lowest


def test_baseline_of_every_row_can_be_run() -> None:
    """Each baseline's text is understood, and its calls succeed."""
    from contextlib import ExitStack

    for row in ROWS:
        if isinstance(row.baseline, str) and "peer" not in row.note and "process" not in row.name:
            with ExitStack() as stack:
                loop = syscalls.loop_of(row.baseline, row.setup(socket, stack))
                assert loop(2) > 0, row.name


@pytest.mark.parametrize(
    "steps",
    [
        [("nonsense", [])],
        [("send", [1])],
        [("send", [1, 2, 3])],
        [("send", [1, -1])],
        [("send", [1, 1 << 30])],
        [("send", [1 << 40, 1])],
        [("bind", [1, 99])],
    ],
)
def test_malformed_baseline_is_refused(steps: Any) -> None:
    with pytest.raises(ValueError):
        _baseline.run(steps, 1)


def test_baseline_reports_the_system_error() -> None:
    with pytest.raises(OSError) as caught:
        _baseline.run([("recv", [-1, 1])], 1)
    assert caught.value.errno == 9


def test_baseline_text_names_sockets_constants_and_made_descriptors() -> None:
    from contextlib import ExitStack

    with ExitStack() as stack:
        names = unix()(socket, stack)
        text = "send a 64; getsockopt b SOL_SOCKET SO_TYPE; close; listen made2 1"
        assert syscalls.steps(text, names) == [
            ("send", [names["a"].fileno(), 64]),
            ("getsockopt", [names["b"].fileno(), socket.SOL_SOCKET, socket.SO_TYPE]),
            ("close", []),
            ("listen", [-2, 1]),
        ]


def test_command_is_reached_from_the_package() -> None:
    command = [sys.executable, "-m", "oxisock", "bench", "fileno", "--quick", "--json", "-"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["rows"][0]["name"] == "fileno"


def test_missing_package_is_one_clear_line() -> None:
    program = (
        "import sys\n"
        "sys.modules['oxisock_bench'] = None\n"
        "from oxisock.__main__ import main\n"
        "sys.exit(main(['bench', 'fileno']))\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert "pip install 'oxisock[bench]'" in line
    assert "./benches" in line


def test_package_has_no_benchmark_code() -> None:
    import oxisock
    from oxisock import _socket

    files = list(Path(oxisock.__path__[0]).rglob("*.py"))
    assert files
    assert not [path.name for path in files if "bench" in path.name]
    assert not hasattr(_socket, "floor")
    assert not hasattr(_socket, "run_pair")
