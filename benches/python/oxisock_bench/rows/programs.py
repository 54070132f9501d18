"""Whole programs: an asyncio server, and the start of an interpreter."""

from __future__ import annotations

from ..programs import asyncio_server, fresh_import, request_load
from ..row import Group
from ..setups import nothing

GROUP = Group("programs", "Programs")
row = GROUP.row

row(
    "asyncio-echo",
    asyncio_server(50),
    request_load,
    slice=0.1,
    rounds=0.3,
    least=50,
    concurrent=True,
    note="requests to an asyncio echo server with 50 connections",
)
row("import", nothing, fresh_import, target=2, note="import in a fresh interpreter")
