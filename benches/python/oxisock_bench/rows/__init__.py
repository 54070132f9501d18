"""The rows, group by group, in the order they are shown."""

from . import convoy, files, lookup, moving, names, programs, sizes, sockets, state, waiting

GROUPS = [
    moving.GROUP,
    waiting.GROUP,
    convoy.GROUP,
    programs.GROUP,
    files.GROUP,
    sockets.GROUP,
    state.GROUP,
    lookup.GROUP,
    names.GROUP,
    sizes.ABOVE,
    sizes.THROUGHPUT,
]
