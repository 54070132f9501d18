"""``python -m oxisock info``: versions, the platform, what is active, and why the rest is not."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import sysconfig
import textwrap
from importlib.util import find_spec

import oxisock

from . import _socket
from ._install import installed

Entries = dict[str, dict[str, str]]


def gather() -> Entries:
    """Return what there is to tell, by section and name."""
    try:
        from ._tls import tls_status

        tls = tls_status()
    except ImportError:
        tls = "off: this interpreter has no ssl"
    reason = _socket.yield_unavailable()
    free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    has_lock = getattr(sys, "_is_gil_enabled", lambda: True)()
    keepalive = oxisock.getdefaultkeepalive()
    return {
        "versions": {
            "oxisock": oxisock.__version__,
            "python": f"{platform.python_implementation()} {sys.version.split()[0]}"
            + (", free-threaded" if free_threaded else "")
            + (", debug build" if hasattr(sys, "gettotalrefcount") else ""),
            "package": os.path.dirname(oxisock.__file__),
            "executable": sys.executable,
        },
        "platform": {
            "system": f"{platform.system()} {platform.release()}",
            "machine": platform.machine(),
            "libc": " ".join(platform.libc_ver()).strip() or "unknown",
            "processors": str(os.cpu_count() or "unknown"),
        },
        "engine": {
            "installed": "yes" if installed() else "no: nothing has called oxisock.install()",
            "tls": tls,
            "interpreter lock": "there is one" if has_lock else "none: nothing to wait for",
            "yield on wake": "active" if reason is None else f"off: {reason}",
            "busy-poll": _microseconds(oxisock.getbusypoll()),
            "selectors": ", ".join(_selectors()),
        },
        "defaults": {
            "timeout": _seconds(oxisock.getdefaulttimeout()),
            "connect timeout": _seconds(oxisock.getconnecttimeout()),
            "resolver timeout": _seconds(oxisock.getresolvertimeout()),
            "keepalive": "none" if keepalive is None else ",".join(map(str, keepalive)),
            "attempt delay": _seconds(oxisock.getconnectionattemptdelay()),
        },
        "environment": {
            name: value for name, value in sorted(os.environ.items()) if name.startswith("OXISOCK_")
        },
        "extras": {"bench": "installed" if find_spec("oxisock_bench") else "not installed"},
    }


def _seconds(value: float | None) -> str:
    return "none" if value is None else f"{value:g} s"


def _microseconds(value: float) -> str:
    return f"up to {value * 1e6:.0f} µs" if value else "off: set to 0"


def _selectors() -> list[str]:
    from . import selectors

    return [name for name in ("EpollSelector", "PollSelector") if hasattr(selectors, name)]


def main(as_json: bool) -> int:
    """Print it, in lines that fit the terminal, or as JSON."""
    entries = gather()
    if as_json:
        import json

        print(json.dumps(entries, indent=1))
        return 0
    width = max(24, shutil.get_terminal_size().columns)
    for section, values in entries.items():
        if values:
            print(f"{section}:")
        column = max(map(len, values), default=0) + 2
        for name, value in values.items():
            # Below its name where there is no room beside it.
            beside = width - column >= 30
            lead = f"  {name:<{column}}" if beside else f"  {name}\n    "
            room = max(16, width - (column + 2 if beside else 4))
            lines = textwrap.wrap(value, room, break_on_hyphens=False) or [""]
            indent = " " * (column + 2 if beside else 4)
            print(lead + f"\n{indent}".join(lines))
    return 0
