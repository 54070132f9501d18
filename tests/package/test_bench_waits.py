"""Rows whose every request is timed, the rivals, and what a user of the benchmark gets to see."""

import argparse
import json
import subprocess
import sys
from contextlib import ExitStack
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("oxisock_bench", reason="pip install ./benches")

from oxisock_bench import cli, measure, observe, record
from oxisock_bench.computing import computing_threads, switch_interval
from oxisock_bench.record import others
from oxisock_bench.row import Observation, Probe, Row, every_row
from oxisock_bench.rows import GROUPS
from oxisock_bench.setups import nothing

ROWS = list(every_row(GROUPS))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure for a moment, and do not find out whether the machine is busy: both take a while."""
    monkeypatch.setattr(record, "others", lambda: None)
    monkeypatch.setattr(cli, "QUICK", measure.Config(rounds=1, scale=0.01, budget=0.01))


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    return cli.main(parser.parse_args(arguments))


def made_up(row: Row) -> measure.Result:
    """A result with figures of the longest form."""
    details = {}
    if isinstance(row.op, Probe):
        figures = {"median": 1.11e-4, "p90": 2.22e-4, "p99": 3.33e-4, "requests": 1234.0}
        figures |= {"processor": 4.44e-4, "work": 12.3e6}
        details = dict.fromkeys(["stdlib", *observe.RIVALS, "oxisock", observe.ALONE], figures)
    sides = ["stdlib", *(observe.RIVALS if row.rivals else ()), "oxisock", "baseline"]
    times = dict.fromkeys(details or sides, 4.44e-4)
    return measure.Result(row, times, details=details)


# What is measured.


def test_sides_take_turns_with_the_same_number_of_requests_each_at_its_interval() -> None:
    seen: list[tuple[str, int, float]] = []

    def setup(module: Any, stack: ExitStack) -> dict[str, Any]:
        return {"module": module, "made_at": sys.getswitchinterval()}

    def probed(names: Any, n: int) -> Observation:
        assert names.made_at == sys.getswitchinterval()
        seen.append((names.module, n, round(sys.getswitchinterval(), 6)))
        return Observation([0.001 * turn for turn in range(1, n + 1)], 0.1 * n, 0.01 * n, 5 * n)

    probe = Probe(probed, chunk=10, alone=setup)
    row = Row("row", "peers", setup, probe, note="nothing")
    usual = round(sys.getswitchinterval(), 6)
    config = measure.Config(scale=0.05, budget=60)
    result = measure.measure(row, {"stdlib": "theirs", "oxisock": "ours"}, config)
    assert result.error is None
    assert list(result.details) == ["stdlib", *observe.RIVALS, "oxisock", observe.ALONE]
    sides = [("theirs", usual), ("theirs", 5e-4), ("theirs", 1e-4), ("ours", usual)]
    sides += [("ours", usual)]
    turns = [(module, interval) for module, n, interval in seen if n == 10]
    # The requests that warm up do not count; then the order turns round each time.
    assert len(seen) == len(turns) + len(sides)
    assert turns == [side for turn in range(5) for side in (sides[::-1] if turn % 2 else sides)]
    for figures in result.details.values():
        assert figures["median"] == pytest.approx(0.0055)
        assert figures["p90"] == pytest.approx(0.0091)
        assert figures["requests"] == pytest.approx(10)
        assert figures["processor"] == pytest.approx(0.01)
        assert figures["work"] == pytest.approx(50)
    assert round(sys.getswitchinterval(), 6) == usual


def test_a_budget_ends_a_row_after_two_turns() -> None:
    turns = []

    def probed(names: Any, n: int) -> Observation:
        turns.append(n)
        return Observation([0.001] * n, 0.1)

    row = Row("row", "peers", nothing, Probe(probed, chunk=10), note="nothing")
    modules = {"stdlib": None, "oxisock": None}
    assert measure.measure(row, modules, measure.Config(budget=0.0)).error is None
    assert turns == [2] * 4 + [10] * 8


@pytest.mark.parametrize(
    "names",
    [
        ["peer.50us.alone", "peer.1ms.beside-2.main"],
        ["asyncio.in-turn.alone", "asyncio.pause-1ms.beside-2"],
    ],
)
def test_requests_are_measured_on_every_side(
    names: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--quick", *names, "--json", "-") == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["name"] for row in rows] == names
    for row in rows:
        computing = "beside" in row["name"]
        sides = {"stdlib", *observe.RIVALS, "oxisock"} | ({"alone"} if computing else set())
        assert set(row["details"]) == sides
        for side, figures in row["details"].items():
            assert 0 < figures["median"] <= figures["p90"] <= figures["p99"]
            assert row["times"][side] == figures["median"]
            assert ("work" in figures) == (computing and side != "alone")
            if "work" in figures:
                assert figures["work"] > 0
            if not computing:
                assert figures["processor"] > 0


@pytest.mark.parametrize(
    "name",
    [
        "bulk.threads.unix.64KiB.peer-timeout",
        "bulk.one-core.unix.16MiB.timeout",
        "bulk.to-process.tcp.1MiB.timeout",
        "bulk.from-process.unix.4MiB",
        "busy.send-recv.unix",
    ],
)
def test_rows_beside_others_are_measured(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--quick", "--rounds", "1", name, "--json", "-") == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["error"] is None
    rivals = set(observe.RIVALS) if name.startswith("busy") else set()
    assert set(row["times"]) >= {"stdlib", "oxisock"} | rivals


def test_every_combination_of_the_rows_is_there() -> None:
    names = {row.name for row in ROWS}
    beside = [f"beside-{n}{main}" for n in (1, 2, 4) for main in ("", ".main")]
    for delay in ("0us", "50us", "200us", "1ms", "10ms"):
        assert {f"peer.{delay}.{where}" for where in ["alone", *beside]} <= names
    for piece in ("64KiB", "256KiB", "1MiB", "4MiB", "16MiB"):
        for transport in ("unix", "tcp"):
            for kind in ("threads", "to-process", "from-process"):
                assert f"bulk.{kind}.{transport}.{piece}" in names
                assert f"bulk.{kind}.{transport}.{piece}.timeout" in names
    assert {f"lookup.{name}" for name in ("htons", "timeout", "AF_INET")} <= names


def test_computing_threads_count_and_end() -> None:
    counts = [0, 0, 0]
    with pytest.raises(ZeroDivisionError), computing_threads(2, counts) as work:
        while not (counts[0] and counts[1]):
            pass
        assert work.done() == sum(counts)
        raise ZeroDivisionError
    before = list(counts)
    assert counts == before
    assert counts[2] == 0


def test_switch_interval_comes_back() -> None:
    before = sys.getswitchinterval()
    with pytest.raises(ZeroDivisionError), switch_interval(1e-4):
        assert sys.getswitchinterval() == pytest.approx(1e-4)
        raise ZeroDivisionError
    assert sys.getswitchinterval() == before


def test_goals_of_a_probe_name_what_they_miss() -> None:
    def result(**ours: float) -> measure.Result:
        good = {"median": 1.1e-3, "p90": 1.2e-3, "processor": 1e-4, "work": 100.0}
        details = {side: dict(good) for side in ("stdlib", *observe.RIVALS, "alone")}
        details["oxisock"] = {**good, **ours}
        goals: dict[str, Any] = {
            "added": (0.15e-3, 0.4e-3),
            "p90": 1.6e-3,
            "share": 0.85,
            "processor": 1.05,
        }
        probe = Probe(lambda names, n: Observation([], 0), 1, **goals)
        row = Row("row", "peers", nothing, probe)
        times = {side: figures["median"] for side, figures in details.items()}
        return measure.Result(row, times, details=details)

    assert result().missed == []
    assert any("at the median" in fault for fault in result(median=1.3e-3).missed)
    assert len([fault for fault in result(p90=1.7e-3).missed if "at the p90" in fault]) == 3
    assert any("share" in fault for fault in result(work=84.0).missed)
    assert any("processor" in fault for fault in result(processor=1.1e-4).missed)
    assert any("switch interval" in fault for fault in result(p90=1.3e-3).missed)


def test_quick_leaves_variants_out_unless_they_are_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def listed(*arguments: str) -> set[str]:
        run("--list", *arguments)
        lines = capsys.readouterr().out.splitlines()
        # A name is indented by two, what it does by six.
        return {line.strip() for line in lines if line.startswith("  ") and line[2] != " "}

    pytest.importorskip("rich")
    assert listed() == {row.name for row in ROWS}
    assert listed("--quick") == {row.name for row in ROWS if not row.variant}
    assert {"peer.1ms.beside-1", "asyncio.in-turn.beside-1"} <= listed("--quick")
    assert listed("--quick", "bulk") == {row.name for row in ROWS if row.group == "bulk"}


def test_variants_and_waits_are_not_in_the_mean() -> None:
    assert not [row.name for row in ROWS if row.counted and row.name.startswith(("peer", "bulk"))]
    assert [row.name for row in ROWS if row.counted and row.name == "send-recv.unix"]


# What a user sees.


def test_ctrl_c_keeps_the_rows_that_are_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rich")
    rows = [
        Row("done", "names", nothing, "socket.getdefaulttimeout()"),
        Row("stopped", "names", nothing, "raise KeyboardInterrupt"),
        Row("never", "names", nothing, "socket.getdefaulttimeout()"),
    ]
    monkeypatch.setattr(cli, "choose", lambda groups, patterns: rows)
    results = tmp_path / "results.json"
    assert run("--quick", "--json", str(results)) == 130
    data = json.loads(results.read_text())
    assert [row["name"] for row in data["rows"]] == ["done"]
    assert data["complete"] is False
    assert "1 of 3 rows" in capsys.readouterr().err
    monkeypatch.setattr(cli, "choose", lambda groups, patterns: rows[1:])
    assert run("--quick", "--json", str(tmp_path / "none.json")) == 130
    assert not (tmp_path / "none.json").exists()


@pytest.mark.parametrize(("share", "warned"), [(0.9, True), (0.05, False), (None, False)])
def test_busy_machine_is_warned_about(
    share: Any, warned: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(record, "others", lambda: share)
    assert run("--quick", "fileno", "--json", "-") == 0
    assert ("processor time" in capsys.readouterr().err) == warned


def test_others_are_measured() -> None:
    share = others(0.05)
    assert share is None or 0 <= share <= 1


def test_targets_are_for_developers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rich")
    rows = [row for row in ROWS if row.name in ("fileno", "family")]
    monkeypatch.setattr(cli, "choose", lambda groups, patterns: rows)
    run("--quick")
    shown = capsys.readouterr().out
    assert "target" not in shown.lower()
    assert "✗" not in shown
    assert "✓" not in shown
    run("--quick", "--check")
    assert "target" in capsys.readouterr().out
    run("--list")
    assert "target" not in capsys.readouterr().out
    run("--list", "--check")
    assert "target" in capsys.readouterr().out


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("width", [60, 80, 120])
def test_names_are_whole_on_any_terminal(width: int, check: bool) -> None:
    console = pytest.importorskip("rich.console")
    from oxisock_bench import report

    output = StringIO()
    terminal = console.Console(file=output, width=width)
    results = [made_up(row) for row in ROWS]
    report.show(terminal, GROUPS, results, {"cores": 2}, check)
    report.show_rows(terminal, GROUPS, ROWS, check)
    lines = output.getvalue().splitlines()
    words = {word for line in lines for word in line.split()}
    assert not [row.name for row in ROWS if row.name not in words]
    # But for the figures of `--check`, which are two columns more, nothing is wider either.
    assert not [line for line in lines if len(line) > max(width, 66 if check else 0)]


def test_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    console = pytest.importorskip("rich.console")
    from oxisock_bench import report

    def colors() -> bool:
        output = StringIO()
        terminal = console.Console(file=output, width=80, force_terminal=True)
        report.show(terminal, GROUPS, [made_up(ROWS[0])], {"cores": 2}, True)
        return "\x1b[32m" in output.getvalue() or "\x1b[31m" in output.getvalue()

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert colors()
    monkeypatch.setenv("NO_COLOR", "1")
    assert not colors()


def test_rounds_that_are_no_number_are_refused_in_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        run("--rounds", "many")
    message = capsys.readouterr().err
    assert "--rounds: must be a whole number, 1 or more, not 'many'" in message
    assert "_positive" not in message


def test_closed_pipe_is_no_traceback() -> None:
    pytest.importorskip("rich")
    command = [sys.executable, "-m", "oxisock", "bench", "--list"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""


CROSSINGS = """
from oxisock_bench import plot
from oxisock_bench.measure import Result
from oxisock_bench.row import every_row
from oxisock_bench.rows import GROUPS

results, ratio = [], 0.03
for row in every_row(GROUPS):
    if row.name.startswith(("peer", "share", "asyncio.")):
        continue
    # From 0.03 to 3000 times, and on both sides of the baseline.
    ratio = ratio * 1.37 if ratio < 3000 else 0.03
    baseline = 0.9 if row.above_baseline else 1.4
    times = {"stdlib": ratio * 1e-5, "oxisock": 1e-5, "baseline": 1e-5 * min(baseline, ratio)}
    results.append(Result(row, times))
machine = {"processor": "p", "system": "s", "python": "y", "cores": 2}
for check in (False, True):
    figure = plot.figure_of(results, machine, check)
    figure.draw_without_rendering()
    labels = 0
    for axis in figure.get_axes():
        lines = [*axis.get_lines(), *axis.get_ygridlines(), *axis.get_xgridlines()]
        lines = [line for line in lines if line.get_visible()]
        paths = [line.get_transform().transform_path(line.get_path()) for line in lines]
        boxes = [text.get_window_extent() for text in axis.texts]
        labels += len(boxes)
        for text, box in zip(axis.texts, boxes):
            assert not any(path.intersects_bbox(box, filled=False) for path in paths), text
            assert not any(box.overlaps(other) for other in boxes if other is not box), text
            # Within the axes, whose sides are lines, too.
            assert axis.bbox.contains(*box.min), text
            assert axis.bbox.contains(*box.max), text
    assert labels > 50, labels
"""


def test_nothing_crosses_the_labels_of_a_plot() -> None:
    """In a process of its own, because matplotlib keeps its fonts open."""
    pytest.importorskip("matplotlib")
    done = subprocess.run([sys.executable, "-c", CROSSINGS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
