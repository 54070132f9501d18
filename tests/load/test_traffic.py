"""A moment of the traffic that `python -m tests.load.traffic` makes on demand."""

import random

import pytest

from tests.load.traffic import Stream, Traffic


def test_a_moment() -> None:
    """All that is sent arrives, and no descriptor stays; one of a kind at least goes through."""
    done = Traffic(2, 3, 1).run()
    assert done["descriptors left"] == 0
    assert all(done[what] for what in ("connections", "bytes", "datagrams", "echoed")), done


def test_what_is_not_as_it_was_sent_is_noticed() -> None:
    stream = Stream(random.Random(2))
    stream.total = 100
    sent = stream.next(100).tobytes()
    stream.came(sent[:10])
    for wrong in (sent[:10], sent[11:20], sent[10:20][::-1], b"", sent[10:] + b"x"):
        with pytest.raises(AssertionError):
            stream.came(wrong)
    stream.came(sent[10:])
    assert stream.left == 0
