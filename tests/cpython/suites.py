"""Run test modules of CPython plain and under ``python -m oxisock run``, and compare.

    python -m tests.cpython.suites [MODULE ...]

Each module runs twice, in processes of its own. A test that passes plain has to pass on oxisock;
the second line of each pair is the verdict. Exits with 1 where a result differs. Without names it
is the modules below, which take some minutes: a command of its own, and no part of the test suite.
"""

import re
import subprocess
import sys

TLS = (
    "test.test_ssl",
    "test.test_asyncio.test_ssl",
    "test.test_asyncio.test_sslproto",
    "test.test_httplib",
    "test.test_urllib2_localnet",
    "test.test_ftplib",
    "test.test_poplib",
    "test.test_imaplib",
    "test.test_smtplib",
)
WAITS = (
    "test.test_selectors",
    "test.test_select",
    "test.test_poll",
    "test.test_epoll",
    "test.test_socketserver",
    "test.test_asyncio",
)
LIMIT = 900.0
# `test_x (test.test_ssl.Y.test_x) ... ok`, with a docstring's line in between where there is one.
LINE = re.compile(
    r"^(\w+) \((\S+?)\)(?:\n.*?)? \.\.\. (ok|FAIL|ERROR|skipped|expected failure)", re.M
)


def results(module: str, *launcher: str) -> dict[str, str]:
    """Return the outcome of each test of a module by its name."""
    done = subprocess.run(
        [sys.executable, *launcher, "-m", "unittest", "-v", module],
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    found = {f"{place}:{name}": outcome for name, place, outcome in LINE.findall(done.stderr)}
    if not found:
        raise SystemExit(f"{module} has run no test:\n{done.stderr[-2000:]}")
    return found


def main(modules: list[str]) -> int:
    """Compare the modules and return how many differ, at most 1."""
    differs = False
    for module in modules or TLS + WAITS:
        plain, ours = results(module), results(module, "-m", "oxisock", "run")
        print(f"{module}: {len(plain)} tests", flush=True)
        different = sorted(test for test, was in plain.items() if ours.get(test) != was)
        for test in different:
            print(f"  {test}: {plain[test]}, on oxisock {ours.get(test, 'missing')}", flush=True)
        print(f"  {len(different)} differ", flush=True)
        differs |= bool(different)
    return int(differs)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
