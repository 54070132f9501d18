"""Runs when an interpreter starts that a program under ``oxisock report`` or ``trace`` has started.

It stands in front of a ``sitecustomize`` of the program's own, which it runs as well.
"""

import os
import sys


def _run_the_one_behind() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != here]
    mine = sys.modules.pop("sitecustomize")
    try:
        __import__("sitecustomize")
    except ImportError as exc:
        if exc.name != "sitecustomize":
            raise
    finally:
        # The import that has brought us here takes it from there.
        sys.modules.setdefault("sitecustomize", mine)


def _start() -> None:
    settings = os.environ.get("OXISOCK_REPORT")
    if not settings:
        return
    try:
        from oxisock._report import start_child
    except ImportError:
        return  # another environment, without oxisock
    start_child(settings)


_run_the_one_behind()
_start()
