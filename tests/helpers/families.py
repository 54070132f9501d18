"""The standard library as an oracle for families that the kernel lacks, see families_probe.c."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from oxisock import _socket
from tests.helpers.process import needs

HERE = Path(__file__).parent


class Oracle:
    """Answers of an interpreter's own socket module."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def ask(self, operation: str, family: int, protocol: int, expression: str) -> list[Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([operation, family, protocol, expression]) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())  # type: ignore[no-any-return]


def built_probe(directory: Path) -> Path:
    """The probe as a shared library."""
    probe = directory / "probe.so"
    if not probe.exists():
        source = HERE / "families_probe.c"
        command = [needs("cc"), "-shared", "-fPIC", "-o", str(probe), str(source), "-ldl"]
        subprocess.run(command, check=True)
    return probe


@contextmanager
def oracle(interpreter: str, directory: Path) -> Iterator[Oracle]:
    """Start an interpreter with the probe, which is built into the directory."""
    probe = built_probe(directory)
    with subprocess.Popen(
        # With the warnings that the addresses of CPython 3.15 may bring, as this process has them.
        [
            *(interpreter, "-I", "-W", "ignore", "-W", "error:integer value:DeprecationWarning"),
            *(str(HERE / "families_oracle.py"), str(probe)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"LD_PRELOAD": str(probe)},
    ) as process:
        yield Oracle(process)


def answer(operation: str, family: int, protocol: int, expression: str) -> list[Any]:
    """The same from oxisock."""
    try:
        value = eval(expression)
        if operation == "encode":
            return ["returns", _socket.encode_address(family, protocol, value).hex()]
        if operation == "decode":
            return ["returns", repr(_socket.decode_address(protocol, value))]
        if operation == "control":
            return ["returns", _socket.encode_ancillary(value).hex()]
        assert operation == "messages"
        return ["returns", repr(_socket.decode_ancillary(value))]
    except Exception as error:
        return ["raises", type(error).__name__, getattr(error, "errno", None), str(error)]
