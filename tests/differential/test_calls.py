"""Every function and method with arguments at random, on both modules.

`OXISOCK_EXAMPLES=10000 python -m pytest tests/differential` tries that many calls of each;
`python -m tests.differential --calls 1000000` goes on over what makes one run fail.
"""

import os
import socket as std
import tomllib
from pathlib import Path
from typing import Any

import pytest

import oxisock
from tests.differential.calls import FUNCTIONS, METHODS, OWN_FUNCTIONS, OWN_METHODS, TLS_METHODS
from tests.differential.trial import (
    TRIALS,
    UNRAISABLE,
    Call,
    compare,
    hard,
    make_place,
    search,
)
from tests.helpers.process import CERTIFIED

FOUND: list[dict[str, Any]] = tomllib.loads(
    Path(__file__).with_name("found.toml").read_text("utf-8")
)["call"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A directory with one of each module in it; the working directory is put back."""
    here = os.getcwd()
    yield make_place(tmp_path_factory.mktemp("d"))
    os.chdir(here)


@pytest.mark.parametrize("name", TRIALS)
@pytest.mark.filterwarnings(
    # What the standard library leaves open, and `oxisock.ssl` without a context.
    "ignore::ResourceWarning", "ignore::oxisock.UnverifiedTLSWarning", *UNRAISABLE
)  # fmt: skip
def test_calls(name: str, place: Path) -> None:
    search(TRIALS[name], place, hard, None)


@pytest.mark.parametrize("found", FOUND, ids=lambda found: found["text"])
@pytest.mark.filterwarnings("ignore::ResourceWarning", *UNRAISABLE)
def test_what_was_found(found: dict[str, Any], place: Path) -> None:
    """Calls that came out otherwise once."""
    if found["subject"] == "tls" and not CERTIFIED:
        pytest.skip("there are no certificates")
    compare(place, Call(**found))


def test_no_call_is_forgotten() -> None:
    """A new function or method has to say here what it takes."""
    methods = {name for name in dir(oxisock.socket) if callable(getattr(oxisock.socket, name))}
    ours = {name for name in methods if not name.startswith("_")}
    assert ours - METHODS.keys() - OWN_METHODS.keys() == set()
    functions = {
        name
        for name in oxisock.__all__
        if callable(getattr(oxisock, name)) and not isinstance(getattr(oxisock, name), type)
    }
    forgotten = functions - FUNCTIONS.keys() - OWN_FUNCTIONS.keys()
    # What would be done, and a coroutine (tests/package/test_datagram_endpoint.py).
    assert forgotten == {
        "sethostname", "install", "installed", "uninstall", "datagram_endpoint",
    }  # fmt: skip
    assert {"getifaddrs", "deadline"} <= OWN_FUNCTIONS.keys()
    reading = {name for name in vars(oxisock.SSLSocket) if not name.startswith("_")}
    assert {name for name in reading if hasattr(std.socket, name)} <= {
        *TLS_METHODS, "accept", "family", "type",
    }  # fmt: skip
