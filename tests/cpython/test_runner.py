"""The runner of CPython's tests, on small suites that do all that tests can do."""

import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.cpython import runner

pytestmark = pytest.mark.timeout(150)

SUITE = """
    import os, socket, sys, time, unittest
    from pathlib import Path

    OURS = socket.__name__ == "oxisock"

    class Plain(unittest.TestCase):
        def test_passes(self):
            socket.socket().close()

        def test_differs(self):
            self.assertFalse(OURS, "only here")

        def test_fails_everywhere(self):
            self.fail("there too")

        def test_skips_everywhere(self):
            self.skipTest("nowhere")

        def test_skips_on_ours(self):
            if OURS:
                self.skipTest("not on oxisock")

        def test_subtests(self):
            for number in range(3):
                with self.subTest(number):
                    self.assertFalse(OURS and number == 1)

        def test_lost_exception(self):
            class Lost:
                def __del__(self):
                    if OURS:
                        raise RuntimeError("lost")
            Lost()

    class Accidents(unittest.TestCase):
        def test_crash(self):
            if OURS:
                os.abort()

        def test_hang(self):
            if OURS:
                time.sleep(60)

        def test_second_time(self):
            mark = Path(__file__).with_name("mark")
            if OURS and not mark.exists():
                mark.touch()
                self.fail("the first time")

        def test_zz_after(self):
            pass

    class Fixture(unittest.TestCase):
        @classmethod
        def setUpClass(cls):
            if OURS:
                raise RuntimeError("no class")

        def test_waits(self):
            pass

    @unittest.skip("a class")
    class Skipped(unittest.TestCase):
        def test_skipped(self):
            pass
"""


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("suite")
    (folder / "small_suite.py").write_text(textwrap.dedent(SUITE))
    return runner.run(module="small_suite", limit=6, deadline=90, path=folder, expectations=[])


def test_what_passes_on_both_sides_is_no_difference(comparison: Any) -> None:
    for test in ("Plain.test_passes", "Accidents.test_zz_after"):
        assert comparison.standard.outcome(f"small_suite.{test}") == "ok"
        assert comparison.ours.outcome(f"small_suite.{test}") == "ok"


def test_every_difference_is_found_with_its_reason(comparison: Any) -> None:
    found = {test.partition(".")[2]: here for test, (_, here) in comparison.differences.items()}
    wanted = {
        "Plain.test_differs": ("fail", "only here"),
        "Plain.test_skips_on_ours": ("skip", "not on oxisock"),
        "Plain.test_subtests": ("fail", "AssertionError"),
        "Plain.test_lost_exception": ("fail", "RuntimeError: lost"),
        "Accidents.test_crash": ("crash", "SIGABRT"),
        "Accidents.test_hang": ("hang", "in test_hang"),
        "Fixture.test_waits": ("fail", "no class"),
    }
    assert {name: here.outcome for name, here in found.items()} == {
        name: outcome for name, (outcome, _) in wanted.items()
    }
    for name, (_, text) in wanted.items():
        assert text in found[name].detail


def test_an_accident_is_settled_by_a_second_look(comparison: Any) -> None:
    assert comparison.settled == ["small_suite.Accidents.test_second_time"]


def test_every_test_has_a_result(comparison: Any) -> None:
    assert set(comparison.ours.tests) == set(comparison.ours.results)
    assert comparison.standard.outcome("small_suite.Skipped.test_skipped") == "skip"
    assert comparison.ours.outcome("small_suite.Skipped.test_skipped") == "skip"


def test_report_names_what_differs(comparison: Any) -> None:
    assert not comparison.passed
    text = comparison.report()
    assert "small_suite.Plain.test_differs\n  standard library: ok, oxisock: fail" in text
    assert "7 differences" in text


def test_one_test_can_be_chosen(tmp_path: Path) -> None:
    (tmp_path / "small_suite.py").write_text(textwrap.dedent(SUITE))
    comparison = runner.run("test_passes", "small_suite", 3, path=tmp_path, expectations=[])
    assert list(comparison.ours.results) == ["small_suite.Plain.test_passes"]
    assert comparison.passed, comparison.report()


def test_a_socket_of_the_standard_library_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "small_suite.py").write_text(
        textwrap.dedent("""
            import ssl, unittest
            kept = ssl.SSLSocket.__mro__[1]

            class Stray(unittest.TestCase):
                def test_makes_one(self):
                    kept().close()
        """)
    )
    comparison = runner.run(module="small_suite", limit=10, path=tmp_path, expectations=[])
    assert not comparison.passed
    report = comparison.report()
    assert "small_suite.kept" in report
    assert "a socket of the standard library was made" in report
    assert "no socket of oxisock was made" in report


def test_a_module_that_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(runner.SuiteMissingError, match="no_such_suite"):
        runner.run(module="no_such_suite", path=tmp_path, expectations=[])


def sides(there: dict[str, str], here: dict[str, str]) -> tuple[runner.Run, runner.Run]:
    """Two runs of one module with these outcomes, without running anything."""
    standard, ours = runner.Run("standard"), runner.Run("oxisock")
    for side, outcomes in ((standard, there), (ours, here)):
        side.tests = list(outcomes)
        side.results = {test: runner.Result(outcome) for test, outcome in outcomes.items()}
        side.python, side.sockets = "3.12.1", 1
    return standard, ours


EXPECTED = runner.Expectation("a.B.test_it", "because it is better so", ("3.12",))


def test_an_expectation_excuses_a_difference() -> None:
    standard, ours = sides({"a.B.test_it": "ok"}, {"a.B.test_it": "fail"})
    comparison = runner.compare(standard, ours, [EXPECTED])
    assert comparison.passed
    assert comparison.expected == {"a.B.test_it": "because it is better so"}


def test_an_expectation_for_other_versions_excuses_nothing() -> None:
    standard, ours = sides({"a.B.test_it": "ok"}, {"a.B.test_it": "fail"})
    other = runner.Expectation("a.B.test_it", "because it is better so", ("3.13",))
    assert list(runner.compare(standard, ours, [other]).differences) == ["a.B.test_it"]


@pytest.mark.parametrize(
    ("outcomes", "text"),
    [({"a.B.test_it": "ok"}, "passes"), ({"a.B.test_other": "ok"}, "no such test in Python 3.12")],
)
def test_a_stale_expectation_fails_the_run(outcomes: Any, text: str) -> None:
    comparison = runner.compare(*sides(outcomes, outcomes), [EXPECTED])
    assert not comparison.passed
    assert text in comparison.stale[0]


@pytest.mark.parametrize("there", ["fail", "skip", "hang", "crash", "missing"])
def test_what_the_standard_library_does_not_pass_is_not_ours(there: Any) -> None:
    standard, ours = sides({"t.ok": "ok", "t.x": there}, {"t.ok": "ok", "t.x": "fail"})
    assert runner.compare(standard, ours, []).passed


def test_a_run_without_any_result_is_no_success() -> None:
    standard, ours = sides({"t.x": "fail"}, {"t.x": "ok"})
    assert not runner.compare(standard, ours, []).passed


@pytest.mark.parametrize(
    "text",
    [
        '[[expected]]\ntest = "a.B.test_it"',
        '[[expected]]\nreason = "a reason without any test to it"',
        '[[expected]]\ntest = "a.B.test_it"\nreason = "short"',
        '[[expected]]\ntest = "t"\nreason = "long enough as it seems"\npython = ["313"]',
        '[[expected]]\ntest = "t"\nreason = "long enough as it seems"\nissue = 3',
        '[[excepted]]\ntest = "t"\nreason = "long enough as it seems"',
        '[[expected]]\ntest = "t"\nreason = "long enough as it seems"\n' * 2,
    ],
)
def test_an_incomplete_expectations_file_is_refused(tmp_path: Path, text: Any) -> None:
    path = tmp_path / "expectations.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"expectations\.toml"):
        runner.load_expectations(path)


def test_the_expectations_of_this_repository_are_complete() -> None:
    assert all(entry.reason.rstrip().endswith(".") for entry in runner.load_expectations())
