"""Fixtures that every test file can use."""

import ctypes  # noqa: F401 - libffi keeps a descriptor from then on, which is no test's
import gc
import importlib.util
import os
import signal
import socket as std
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import oxisock

pytest.register_assert_rewrite("tests.helpers")

from tests.helpers.net import connected, datagrams  # noqa: E402
from tests.helpers.process import no_new_descriptors  # noqa: E402


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "differs(reason): behaviour that departs from the standard library on purpose"
    )
    # A background job of a shell starts with Ctrl-C ignored, and so would the tests' children.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    # Where there is no interpreter lock, not every version has the libraries of the TLS tests.
    if not sysconfig.get_config_var("Py_GIL_DISABLED") or importlib.util.find_spec("cryptography"):
        return None
    if collection_path.suffix != ".py" or not collection_path.name.startswith("test_"):
        return None
    source = collection_path.read_text("utf-8")
    return any(text in source for text in ("helpers.tls", "import cryptography", "trustme")) or None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """Three times as many processes as processors: the tests wait for most of their time."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    return min(3 * len(os.sched_getaffinity(0)), 8)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # What takes longest first, so that nobody waits for it at the end.
    items.sort(key=lambda item: not item.nodeid.startswith("tests/cpython/"))


def pytest_collection_finish() -> None:
    # Thousands of collected tests are no garbage: the collections that tests ask for, and those
    # that come by themselves, need not search them each time.
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _descriptors() -> Iterator[None]:
    """No test may leave a descriptor behind."""
    with no_new_descriptors():
        yield


@pytest.fixture
def short_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory whose name is short enough for the 108 bytes of a UNIX address."""
    return tmp_path_factory.mktemp("s")


@pytest.fixture
def tcp() -> Iterator[tuple[Any, Any]]:
    """Two connected TCP sockets over IPv4."""
    with connected(oxisock) as pair:
        yield pair


@pytest.fixture
def unix() -> Iterator[tuple[Any, Any]]:
    """Two connected UNIX stream sockets."""
    a, b = oxisock.socketpair()
    with a, b:
        yield a, b


@pytest.fixture(params=["tcp4", "tcp6", "unix"])
def stream(request: pytest.FixtureRequest) -> Iterator[tuple[Any, Any]]:
    """Two connected stream sockets of each family in turn."""
    if request.param == "unix":
        a, b = oxisock.socketpair()
        with a, b:
            yield a, b
    else:
        with connected(oxisock, std.AF_INET if request.param == "tcp4" else std.AF_INET6) as pair:
            yield pair


@pytest.fixture
def udp() -> Iterator[tuple[Any, Any]]:
    """Two bound UDP sockets over IPv4, not connected."""
    with datagrams(oxisock) as pair:
        for sock in pair:
            sock.settimeout(10)
        yield pair
