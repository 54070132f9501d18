"""The rows, group by group, in the order they are shown."""

from . import (
    bulk,
    convoy,
    datagrams,
    files,
    lookup,
    moving,
    names,
    peers,
    programs,
    sizes,
    sockets,
    state,
    tls,
    waiting,
)

GROUPS = [
    moving.GROUP,
    waiting.GROUP,
    convoy.GROUP,
    peers.GROUP,
    peers.SERVERS,
    programs.GROUP,
    datagrams.GROUP,
    tls.GROUP,
    tls.WAITS,
    files.GROUP,
    sockets.GROUP,
    state.GROUP,
    lookup.GROUP,
    names.GROUP,
    sizes.ABOVE,
    sizes.THROUGHPUT,
    bulk.GROUP,
]
