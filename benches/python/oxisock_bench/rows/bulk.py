"""64 MiB by `sendall`, in pieces, between threads and between processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..programs import (
    from_process,
    on_one_core,
    receiving_process,
    sending_process,
    streaming,
    to_process,
)
from ..row import Group, Setup
from ..setups import TIMEOUT, tcp, timeouts, unix
from .sizes import label

GROUP = Group("bulk", "64 MiB by sendall in pieces (time of a piece)")

TOTAL = 64 << 20
PIECES = [1 << power for power in range(16, 25, 2)]
READ = 1 << 16
"""Bytes that a receive asks for."""

TRANSPORTS: list[tuple[str, Callable[[int], Setup]]] = [("unix", unix), ("tcp", tcp)]


def add(name: str, piece: int, setup: Setup, run: Any, note: str) -> None:
    """Add a row; its operation is a piece, and it does as many as make 64 MiB."""
    GROUP.row(
        name,
        setup,
        run,
        payload=piece,
        least=TOTAL // piece,
        slice=0.01,
        setups=10,
        concurrent=True,
        variant=True,
        note=f"64 MiB {note}, sendall of {label(piece)}",
    )


for name, transport in TRANSPORTS:
    for piece in PIECES:
        for suffix, sender, receiver, words in [
            ("", None, None, ""),
            (".timeout", TIMEOUT, None, ", a timeout on the sender"),
            (".peer-timeout", None, TIMEOUT, ", a timeout on the receiver"),
        ]:
            setup = timeouts(transport(piece), sender, receiver)
            path, note = f"{name}.{label(piece)}{suffix}", f"over {name}{words}"
            run = streaming(READ)
            add(f"bulk.threads.{path}", piece, setup, run, f"between threads {note}")
            if name == "unix":
                note = f"between threads on one core {note}"
                add(f"bulk.one-core.{path}", piece, setup, on_one_core(run), note)
        for suffix, timeout, words in [("", None, ""), (".timeout", TIMEOUT, ", with a timeout")]:
            path, note = f"{name}.{label(piece)}{suffix}", f"over {name}{words}"
            setup = receiving_process(timeouts(transport(piece), timeout, None))
            add(f"bulk.to-process.{path}", piece, setup, to_process, f"to a process {note}")
            setup = sending_process(timeouts(transport(piece), None, timeout), piece)
            run = from_process(READ)
            add(f"bulk.from-process.{path}", piece, setup, run, f"from a process {note}")
