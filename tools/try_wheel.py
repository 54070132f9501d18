"""Try a wheel as a user gets it: in a new environment, without a compiler or git within reach.

Takes, out of a folder, the wheel for the interpreter that runs this, installs it from there alone,
and has an unmodified program move data on it. Exits with 1 when anything of that fails::

    python tools/try_wheel.py dist
"""

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

PROGRAM = Path(__file__).parents[1] / "examples/transfer.py"
INSTALL = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
ABOUT = "import oxisock, sys; print('oxisock', oxisock.__version__, 'on CPython', sys.version)"


def main(arguments: list[str]) -> int:
    """Install the wheel that the folder has for this interpreter, and run a program on it."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    wheels = ["--only-binary", ":all:", "--find-links", str(Path(arguments[0]).resolve())]
    with tempfile.TemporaryDirectory() as scratch:
        clean = Path(scratch, "clean")
        venv.create(clean, with_pip=True)
        scripts = clean / ("Scripts" if os.name == "nt" else "bin")
        # What the system itself needs, and no program but those of the environment.
        kept = {name: os.environ[name] for name in ("SYSTEMROOT", "TEMP") if name in os.environ}
        environment = {**kept, "PATH": str(scripts), "PYTHONUTF8": "1"}
        for command in (
            [*INSTALL, *wheels, "oxisock"],
            ["-I", "-c", ABOUT],
            ["-m", "oxisock", "run", str(PROGRAM)],
        ):
            done = subprocess.run([scripts / "python", *command], cwd=scratch, env=environment)
            if done.returncode:
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
