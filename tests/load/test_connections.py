"""A share of the load that `python -m tests.load.connections` makes on demand."""

import pytest

import oxisock
from tests.load.connections import WAYS, cycles, hold


@pytest.mark.parametrize("way", WAYS)
def test_many_connections(way: str) -> None:
    """Every byte arrives once, and nothing stays behind."""
    held = hold(oxisock, 400, way, 5)
    assert held["descriptors left"] == 0
    assert held["bytes"] == 11 * 400 * 64
    assert held["memory grown"] < 4 << 20, held


def test_many_cycles() -> None:
    done = cycles(3000)
    assert done["descriptors left"] == 0
    assert done["memory grown"] < 2 << 20, done
