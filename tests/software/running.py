"""How a program of this folder is run, and what is noted about it."""

import importlib.metadata
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.process import ON_OXISOCK, missing, output, python

PROGRAMS = Path(__file__).parent / "programs"


def software(*names: str, limits: str = "") -> Callable[[Any], Any]:
    """Mark a test with the packages of PyPI and programs of Debian that it tries.

    ``limits`` says what of them does not run on oxisock, and why; empty if all does.
    """
    return pytest.mark.software(*names, limits=limits)


def tried(program: str, *arguments: object, timeout: float = 240) -> str:
    """Run a program under ``python -m oxisock run``; it has to end with ``done on oxisock``.

    Returns:
        What it has printed before.
    """
    done = python(*ON_OXISOCK, PROGRAMS / program, *map(str, arguments), timeout=timeout)
    shown, _, last = output(done).rstrip("\n").rpartition("\n")
    assert last == "done on oxisock", done.stdout + done.stderr
    return shown


def version(package: str) -> str:
    """The installed version of a package of PyPI, which CI promises to have."""
    if package in sys.stdlib_module_names:
        return platform.python_version()
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        missing(f"{package} is not installed")


def is_package(name: str) -> bool:
    """Whether a name is that of a package of PyPI or a module, and not that of a program."""
    if name in sys.stdlib_module_names:
        return True
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
