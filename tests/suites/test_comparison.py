"""What `python -m tests.suites` reads and says."""

import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from tests.suites.comparison import Outcomes, compared
from tests.suites.programs import Place, by_pytest, unittest_outcomes


def test_outcomes_of_unittest() -> None:
    output = """\
    test_one (test.test_ssl.Y.test_one) ... ok
    test_two (test.test_ssl.Y.test_two)
    Has a docstring. ... skipped 'no reason'
    test_three (test.test_ssl.Y.test_three) ... something that it prints
    FAIL
    test_four (test.test_ssl.Y.test_four) ...
      test_four (test.test_ssl.Y.test_four) (number=1) ... ERROR
    test_five (test.test_ssl.Y.test_five) ... expected failure

    ======================================================================
    FAIL: test_three (test.test_ssl.Y.test_three)
    """
    found = unittest_outcomes(textwrap.dedent(output))
    assert {name.rpartition(".")[2]: outcome for name, outcome in found.items()} == {
        "test_one": "ok",
        "test_two": "skipped",
        "test_three": "fail",
        "test_four": "error",
        "test_five": "expected failure",
    }


def test_outcomes_of_pytest(tmp_path: Path) -> None:
    (tmp_path / "test_here.py").write_text(
        "import pytest, sys\n"
        "@pytest.mark.parametrize('number', [1, 2])\n"
        "def test_run(number): assert number == 1 or 'oxisock' not in sys.modules\n"
        "def test_skipped(): pytest.skip('here')\n"
        "@pytest.fixture\n"
        "def broken(): yield; raise OSError\n"
        "def test_end(broken): pass\n"
        "@pytest.mark.xfail\n"
        "def test_expected(): assert False\n"
    )
    place = Place(Path(sys.executable), tmp_path, {"PYTEST_ADDOPTS": ""}, 60)
    run = by_pytest(place, ["-p", "no:cacheprovider"], tmp_path)
    counts, differences = compared(run, 1)
    assert counts == {"passed": 2, "skipped": 1, "teardown failed": 1, "xfailed": 1}
    assert [(str(each), each.steady) for each in differences] == [
        ("test_here.py::test_run[2]: passed, on oxisock failed", True)
    ]


def test_what_is_not_always_the_same_says_nothing() -> None:
    runs = iter(
        [
            {"a": "ok", "b": "ok", "c": "fail", "d": "ok"},
            {"a": "ok", "b": "fail", "c": "ok"},
            {"b": "ok", "c": "fail", "d": "ok"},
            {"b": "fail", "c": "fail"},
        ]
    )
    asked: list[Sequence[str] | None] = []

    def run(launcher: Sequence[str], only: Sequence[str] | None) -> Outcomes:
        asked.append(only)
        return next(runs)

    counts, differences = compared(run, 2)
    assert counts == {"ok": 3, "fail": 1}
    assert asked == [None, None, ["b", "c", "d"], ["b", "c", "d"]]
    assert [(str(each), each.steady) for each in differences] == [
        ("b: ok, on oxisock fail", True),
        ("c: fail, on oxisock fail/ok", False),
        ("d: ok, on oxisock missing", True),
    ]
