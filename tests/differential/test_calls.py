"""Every function and method with arguments at random, on both modules.

`OXISOCK_EXAMPLES=10000 python -m pytest tests/differential` tries that many calls of each.
"""

import os
import socket as std
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

import oxisock
from tests.differential.calls import FUNCTIONS, METHODS, OWN_METHODS, SUBJECTS
from tests.differential.known import known
from tests.differential.values import NAMES, arguments
from tests.helpers.oracle import Scene, outcome
from tests.helpers.process import descriptors, new_descriptors, wait_until

EXAMPLES = int(os.environ.get("OXISOCK_EXAMPLES", "25"))
# The same calls each time, so that a run tells of the code and not of its luck; others on demand.
hard = settings(
    max_examples=EXAMPLES,
    derandomize="OXISOCK_EXAMPLES" not in os.environ,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

UNRAISABLE = ["ignore::pytest.PytestUnraisableExceptionWarning"]

# What arguments are refused with. Which of several wrong ones is found first is not compared.
REFUSALS = (
    TypeError, OverflowError, ValueError, BufferError, ZeroDivisionError, MemoryError,
    AttributeError,
)  # fmt: skip
OTHERS = (*REFUSALS, OSError, EOFError, NotImplementedError)


def shape(frozen: Any) -> Any:
    """The types of a frozen result: values hold numbers of descriptors, ports and paths."""
    kind, value = frozen[0], frozen[1] if len(frozen) > 1 else None
    if kind in ("tuple", "list") and isinstance(value, list):
        return (kind, [shape(item) for item in value])
    return kind


def kind(answer: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    """What of an outcome must agree."""
    if answer[0] == "returns":
        return ("returns", shape(answer[1]))
    refusal = issubclass(answer[1], REFUSALS) and not issubclass(answer[1], OSError)
    return ("raises", "refusal") if refusal and count > 1 else answer[:3]


def owned(result: Any, call: str) -> Any:
    """The result; a descriptor that is now the caller's is closed."""
    if call.startswith(("S.detach(", "S._accept(", "m.dup(")):
        os.close(result[0] if isinstance(result, tuple) else result)
    return result


def play(module: Any, folder: Path, subject: str, call: str) -> tuple[Any, ...]:
    """Make the call in a new scene of `module`; how it ended."""
    scene = Scene(module, folder)
    scene.update(NAMES)
    os.chdir(folder)  # any text is a path for a UNIX socket
    try:
        sock = scene["S"] = scene[subject]
        if subject not in ("closed", "detached", "blank"):
            sock.setblocking(False)
        return outcome(lambda: owned(eval(call, scene, scene), call))
    finally:
        scene.strike()
        module.setdefaulttimeout(None)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A directory with one of each module in it; the working directory is put back."""
    here = os.getcwd()
    path = tmp_path_factory.mktemp("d")
    for name in ("s", "o"):
        (path / name).mkdir()
    yield path
    os.chdir(here)


def compare(place: Path, subject: str, name: str, call: str, count: int) -> None:
    """Make a call on both modules; fail when they differ or when ours leaves a descriptor."""
    before = descriptors()
    expected = play(std, place / "s", subject, call)
    for number in new_descriptors(before):
        os.close(number)  # the standard library forgets some
    before = descriptors()
    answer = play(oxisock, place / "o", subject, call)
    # The thread of a lookup may still be on its way out.
    wait_until(lambda: not new_descriptors(before))
    if not known(name, subject, call, expected, answer):
        assert kind(answer, count) == kind(expected, count), f"{call} on {subject}"


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.filterwarnings("ignore::ResourceWarning", *UNRAISABLE)  # the standard library's
def test_methods(name: str, place: Path) -> None:
    @hard
    @given(st.sampled_from(SUBJECTS), arguments(*METHODS[name]))
    def run(subject: str, given: list[str]) -> None:
        compare(place, subject, name, f"S.{name}({', '.join(given)})", len(given))

    run()


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.filterwarnings("ignore::ResourceWarning", *UNRAISABLE)  # the standard library's
def test_functions(name: str, place: Path) -> None:
    @hard
    @given(arguments(*FUNCTIONS[name]))
    def run(given: list[str]) -> None:
        compare(place, "udp", name, f"m.{name}({', '.join(given)})", len(given))

    run()


@pytest.mark.parametrize("name", OWN_METHODS)
def test_our_own_methods(name: str, place: Path) -> None:
    """What is refused is refused with an exception of those that arguments are refused with."""

    @hard
    @given(st.sampled_from(SUBJECTS), arguments(*OWN_METHODS[name]))
    def run(subject: str, given: list[str]) -> None:
        before = descriptors()
        answer = play(oxisock, place / "o", subject, f"S.{name}({', '.join(given)})")
        assert answer[0] == "returns" or issubclass(
            answer[1], (*REFUSALS, OSError, EOFError, NotImplementedError)
        ), answer
        assert not new_descriptors(before)

    run()


def test_no_call_is_forgotten() -> None:
    """A new function or method has to say here what it takes."""
    methods = {name for name in dir(oxisock.socket) if callable(getattr(oxisock.socket, name))}
    ours = {name for name in methods if not name.startswith("_")}
    assert ours - METHODS.keys() - OWN_METHODS.keys() == set()
    functions = {
        name
        for name in oxisock.__all__
        if callable(getattr(std, name, None)) and not isinstance(getattr(std, name), type)
    }
    assert functions - FUNCTIONS.keys() == {"sethostname"}  # it would be done
