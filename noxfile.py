"""The checks of this project. `nox` runs all of them, `nox -l` lists them, `nox -s lint` runs one.

Options after `--` go to pytest: `nox -s tests-3.13 -- -k accept`.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nox

OLDEST = (3, 11)
PROJECT = nox.project.load_toml("pyproject.toml")


def interpreters():
    """Find every CPython that the package supports: those of pyenv, then those on PATH."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    places = [*root.glob("versions/*/bin"), *map(Path, os.get_exec_path())]
    found = {}
    for place in places:
        for path in place.glob("python3.*"):
            name = re.fullmatch(r"python3\.(\d+)t?", path.name)
            if not name or (3, int(name[1])) < OLDEST:
                continue
            # A shim of pyenv is no interpreter, unless its version is chosen.
            program = "import sys; print(sys.implementation.name, *sys.version_info[:3])"
            done = subprocess.run([path, "-c", program], capture_output=True, text=True)
            implementation, *version = done.stdout.split() or [""]
            if implementation != "cpython":
                continue
            patch = tuple(map(int, version))
            before = found.get(path.name)
            # The newest of pyenv, else the first on PATH, as a shell would take it.
            if before is None or (place.parent.parent.name == "versions" and patch > before[0]):
                found[path.name] = patch, place
    chosen = sorted(found.items(), key=lambda item: item[1][0])
    # nox looks a version up on PATH.
    bins = [str(place) for _, (_, place) in chosen]
    os.environ["PATH"] = os.pathsep.join([*bins, os.environ["PATH"]])
    return [name.removeprefix("python") for name, _ in chosen]


FOUND = interpreters()
# What has no interpreter lock has a session of its own.
FREE_THREADED = [python for python in FOUND if python.endswith("t")]
PYTHONS = [python for python in FOUND if python not in FREE_THREADED]
if not PYTHONS:
    raise SystemExit("there is no CPython of version 3.11 or later on this machine")
NEWEST = PYTHONS[-1]

nox.options.sessions = ["lint", "types", "docs", "rust", "platforms", "software", "tests"]
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = True
# Each Debian of tools/debian.sh has environments of its own in the checkout.
nox.options.envdir = os.environ.get("NOX_ENVDIR", ".nox")

# Names the folder of a wheel that was built elsewhere (session `processors`).
READY = "OXISOCK_WHEEL"

_wheels = {}


def wheel(session, source):
    """Build a package of this repository once for each Python and run of nox."""
    key = session.python, source
    if source == "." and READY in os.environ:
        (_wheels[key],) = Path(os.environ[READY]).glob("*.whl")
    if key not in _wheels:
        folder = Path(session.cache_dir, "wheels", session.python, Path(source).name or "oxisock")
        folder = folder.resolve()
        shutil.rmtree(folder, ignore_errors=True)
        session.run(
            "python", "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, source
        )
        (_wheels[key],) = folder.glob("*.whl")
    return _wheels[key]


def install_wheel(session, extra=None, bench=False):
    """Install the package as a user gets it, if asked with the benchmark beside it."""
    wheels = [wheel(session, ".")]
    if bench:
        wheels.append(wheel(session, "./benches"))
    session.install("--force-reinstall", "--no-deps", *map(str, wheels))
    extras = f"[{extra}]" if extra else ""
    # Once more, for what they depend on.
    session.install(f"oxisock{extras} @ {wheels[0].as_uri()}", *map(str, wheels[1:]))


def install_group(session, group):
    """Install the tools that a dependency group of pyproject.toml names."""
    session.install(*nox.project.dependency_groups(PROJECT, group))


@nox.session(python=NEWEST)
def lint(session):
    """Check the style of the Python and Rust sources and of the workflows."""
    install_group(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("python", "tools/stub_constants.py", "--check")
    session.run("cargo", "fmt", "--all", "--check", external=True)
    # PyO3 asks this interpreter what to compile for.
    interpreter = {"PYO3_PYTHON": str(Path(session.bin, "python"))}
    clippy = ["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]
    session.run("cargo", *clippy, env=interpreter, external=True)
    session.run("zizmor", "--quiet", "--offline", ".github")
    for schema, pattern in [
        ("github-workflows", "workflows/*.yml"),
        ("github-issue-forms", "ISSUE_TEMPLATE/[!c]*.yml"),
        ("github-issue-config", "ISSUE_TEMPLATE/config.yml"),
        ("dependabot", "dependabot.yml"),
    ]:
        files = sorted(Path(".github").glob(pattern))
        session.run("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *files)


@nox.session(python=PYTHONS)
def types(session):
    """Check the types of sources, tests and typed programs, and the stubs against the package."""
    install_wheel(session, "test", bench=True)
    install_group(session, "types")
    session.run("mypy", "--python-version", session.python)
    session.run("basedpyright", "--pythonversion", session.python)
    allowed = "tests/package/stubtest-allowlist.txt"
    options = ["--allowlist", allowed] if Path(allowed).exists() else []
    session.run("python", "-m", "mypy.stubtest", "oxisock", "oxisock_bench", *options)
    session.run("python", "-m", "pytest", "tests/package/test_typing.py")


@nox.session(python=NEWEST)
def docs(session):
    """Build the documentation, where a warning is an error, check its links, look at it."""
    install_wheel(session, "docs")
    output = Path(session.cache_dir, "docs", "html")
    session.run("sphinx-build", "-E", "-W", "--keep-going", "-b", "html", "docs", output)
    session.run("python", "tools/check_links.py")
    if os.environ.get("CI") or any(map(shutil.which, BROWSERS)):
        session.run("python", "tools/browse_docs.py", output)
    else:
        session.warn("Chromium is not installed: nobody looks at the pages")


# As tools/browse_docs.py looks for them.
BROWSERS = ["chromium", "chromium-headless-shell", "google-chrome"]


@nox.session(python=False)
def rust(session):
    """Run the tests of what knows no Python, on both C libraries of Linux."""
    command = ["cargo", "test", "--locked", "--package", "oxisock-sys"]
    session.run(*command, external=True)
    # They are linked statically, so that nothing of musl need be on this machine.
    musl = "x86_64-unknown-linux-musl"
    if sys.platform == "linux" and os.uname().machine == "x86_64" and has_target(session, musl):
        session.run(*command, "--lib", "--target", musl, external=True)
    session.run(
        "cargo", "fmt", "--check", "--manifest-path", "src/sys/fuzz/Cargo.toml", external=True
    )


# What nobody here can run, or only slowly (tools/debian.sh --arch): it has to compile at least.
# Rust's name of the system, the width of a pointer, the interpreter, and how that was built.
PLATFORMS = {
    "macos": ("aarch64-apple-darwin", 64, "3.13", ""),
    "freebsd": ("x86_64-unknown-freebsd", 64, "3.13", ""),
    "musl": ("x86_64-unknown-linux-musl", 64, "3.13", ""),
    "i386": ("i686-unknown-linux-gnu", 32, "3.13", ""),
    "windows": ("x86_64-pc-windows-gnu", 64, "3.13", ""),
    "free-threaded": ("x86_64-unknown-linux-gnu", 64, "3.14", "Py_GIL_DISABLED"),
}


def has_target(session, target):
    """Say whether Rust's standard library for a system is there, which rustup can bring."""
    root = session.run("rustc", "--print", "sysroot", external=True, silent=True).strip()
    library = Path(root, "lib/rustlib", target, "lib")
    if not library.exists() and shutil.which("rustup"):
        added = ["rustup", "target", "add", target]
        session.run(*added, external=True, success_codes=range(256))
    return library.exists()


@nox.session(python=False)
@nox.parametrize("platform", list(PLATFORMS), ids=list(PLATFORMS))
def platforms(session, platform):
    """Compile the package for other systems; neither their linker nor their Python is needed."""
    target, width, version, flags = PLATFORMS[platform]
    if not has_target(session, target):
        session.skip(f"Rust's standard library for {target} is not installed")
    config = Path(session.create_tmp(), "pyo3.txt").resolve()
    config.write_text(
        f"implementation=CPython\nversion={version}\nshared=true\n"
        f"pointer_width={width}\nbuild_flags={flags}\nsuppress_build_script_link_lines=true\n"
    )
    environment = {"PYO3_CONFIG_FILE": str(config), "CARGO_TARGET_DIR": "target/platforms"}
    packages = ["--package", "oxisock-sys", "--package", "oxisock", "--all-targets"]
    # A conversion that does nothing here does something where C's types have other widths.
    widths = ["-A", "clippy::unnecessary_cast", "-A", "clippy::useless_conversion"]
    session.run(
        "cargo", "clippy", "--locked", *packages, "--target", target, "--", "-D", "warnings",
        *widths, env=environment, external=True,
    )  # fmt: skip


# What the native module declares of Python itself, as PyO3 has no words for it.
DECLARED = ["PyDict_AddWatcher", "PyMethod_New", "PySys_Audit"]


@nox.session(python=False, default=False)
def windows(session):
    """Link the module for Windows, and run the tests of what knows no Python under Wine.

    Options go to these tests. No interpreter is there that could import the module.

    Debian's packages `gcc-mingw-w64-x86-64` and `wine64` are what it needs.
    """
    target, _, _, _ = PLATFORMS["windows"]
    if not has_target(session, target):
        session.error(f"Rust's standard library for {target} is not installed")
    aside = "/usr/lib/wine/wine64"  # Where Debian's `wine64` has it, without its `wine`.
    wine = shutil.which("wine64") or shutil.which("wine") or aside
    compiler = "x86_64-w64-mingw32-gcc"
    scratch = Path(session.create_tmp()).resolve()
    output = Path("target/platforms").resolve()
    beside = output / target / "debug/deps"
    beside.mkdir(parents=True, exist_ok=True)
    library = ["-shared", "-O2", "-o", str(beside / "bcryptprimitives.dll")]
    session.run(compiler, *library, "tools/bcryptprimitives.c", "-ladvapi32", external=True)
    environment = {
        "CARGO_TARGET_DIR": str(output),
        "CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER": wine,
        "WINEPREFIX": str(scratch / "wine"),
        # Nothing but what the tests print, and no question whether to install a browser.
        "WINEDEBUG": "-all",
        "WINEDLLOVERRIDES": "mscoree,mshtml=",
    }
    session.run(
        "cargo", "test", "--locked", "--package", "oxisock-sys", "--target", target,
        *session.posargs, env=environment, external=True,
    )  # fmt: skip
    # The import library that comes with an interpreter for Windows.
    definition = scratch / "python313.def"
    definition.write_text("\n".join(["LIBRARY python313.dll", "EXPORTS", *DECLARED, ""]))
    dlltool = compiler.replace("gcc", "dlltool")
    imported = scratch / "libpython313.a"
    session.run(dlltool, "-d", str(definition), "-l", str(imported), external=True)
    config = scratch / "pyo3.txt"
    config.write_text(
        "implementation=CPython\nversion=3.13\nshared=true\npointer_width=64\n"
        f"lib_name=python313\nlib_dir={scratch}\n"
    )
    environment["PYO3_CONFIG_FILE"] = str(config)
    session.run(
        "cargo", "build", "--locked", "--package", "oxisock", "--target", target,
        env=environment, external=True,
    )  # fmt: skip


def cross_wheel(session, profile, target, platform, version, output):
    """Build a wheel for another system: Zig is a C compiler that has every C library."""
    if not has_target(session, target):
        session.error(f"Rust's standard library for {target} is not installed")
    session.run(
        "maturin", "build", "--profile", profile, "--locked", "--zig", "--target", target,
        "--compatibility", platform, "--interpreter", f"python{version}", "--out", output,
    )  # fmt: skip


# Linux wheels that can be built on any: Rust's name of the system, what `platform` promises, the
# interpreter. One that is not on this machine can be had for other systems alone.
WHEELS = [
    ("x86_64-unknown-linux-gnu", "manylinux2014", NEWEST),
    ("aarch64-unknown-linux-gnu", "manylinux2014", NEWEST),
    ("aarch64-unknown-linux-gnu", "manylinux2014", "3.14t"),
    ("x86_64-unknown-linux-musl", "musllinux_1_2", NEWEST),
]
# What those are called since.
OLDEST_LIBRARIES = {"manylinux": (2, 17), "musllinux": (1, 2)}


@nox.session(python=NEWEST, default=False)
def wheels(session):
    """Build wheels and the source distribution in build/wheels, and check them as indexes do.

    An option is the profile to build them with, instead of `release`: `-- dev` is fast.
    """
    (profile,) = session.posargs or ["release"]
    install_group(session, "wheels")
    output = Path("build/wheels").resolve()
    shutil.rmtree(output, ignore_errors=True)
    for target, platform, version in WHEELS:
        cross_wheel(session, profile, target, platform, version, output)
    for wheel in output.glob("*-musllinux_*.whl"):
        name_musl(session, wheel)
    session.run("maturin", "sdist", "--out", output)
    (source,), built = output.glob("*.tar.gz"), sorted(output.glob("*.whl"))
    session.run("twine", "check", "--strict", source, *built)
    session.run("check-wheel-contents", *built)
    for wheel in built:
        told = session.run("auditwheel", "show", wheel, silent=True)
        granted = re.search(r'tag:\s+"(manylinux|musllinux)_(\d+)_(\d+)_', told)
        if not granted or (int(granted[2]), int(granted[3])) > OLDEST_LIBRARIES[granted[1]]:
            session.error(f"auditwheel does not grant {wheel.name} its tag:\n{told}")
        session.log(f"auditwheel: {wheel.name} runs on {granted[1]} {granted[2]}.{granted[3]}")
    session.run("python", "tools/try_wheel.py", output)
    build_sdist(session, source)


def name_musl(session, wheel):
    """Name musl's C library in a wheel as systems name theirs, not `libc.so`, as Zig does.

    musl takes both for itself. Its own loader, where it is installed, then says what is missing.
    """
    machine = wheel.stem.split("_", 3)[3]
    with tempfile.TemporaryDirectory() as scratch:
        session.run("python", "-m", "wheel", "unpack", "--dest", scratch, wheel)
        (folder,) = Path(scratch).iterdir()
        (library,) = folder.glob("oxisock/*.so")
        session.run("patchelf", "--replace-needed", "libc.so", f"libc.musl-{machine}.so.1", library)
        session.run("python", "-m", "wheel", "pack", "--dest-dir", wheel.parent, folder)
        loader = Path(f"/lib/ld-musl-{machine}.so.1")
        if not loader.exists():
            session.warn(f"{loader} is not installed (Debian's package musl): nothing is loaded")
            return
        told = session.run(
            str(loader), "--list", library, external=True, silent=True, success_codes=[0, 127]
        )
        missing = re.findall(r": (\w+): symbol not found", told)
        # The interpreter has the rest.
        if absent := [name for name in missing if not re.match("_?Py", name)] or not missing:
            session.error(f"musl cannot load {wheel.name}: {absent}\n{told}")
        session.log(f"musl's loader finds all but {len(missing)} symbols of Python")


def build_sdist(session, source):
    """Build a wheel of a source distribution where there is no repository, and a git that fails."""
    with tempfile.TemporaryDirectory() as scratch:
        shutil.unpack_archive(source, scratch, filter="data")
        (folder,) = Path(scratch).iterdir()
        git = Path(scratch, "bin", "git")
        git.parent.mkdir()
        git.write_text("#!/bin/sh\necho 'git was called' >&2\nexit 1\n")
        git.chmod(0o755)
        environment = {
            "PATH": os.pathsep.join([str(git.parent), *session.bin_paths, os.environ["PATH"]]),
            "MATURIN_PEP517_ARGS": "--profile dev --locked",
            "CARGO_TARGET_DIR": str(Path("target").resolve()),
        }
        output = Path(scratch, "dist")
        command = ["python", "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", output]
        session.run(*command, folder, env=environment)
        session.run("python", "tools/try_wheel.py", output)


# Processors that this machine has no Python for, as tools/debian.sh and Rust call them.
PROCESSORS = {
    "i386": "i686-unknown-linux-gnu",
    "arm64": "aarch64-unknown-linux-gnu",
    "s390x": "s390x-unknown-linux-gnu",
}
# The interpreter of that Debian, for which it has compiled libraries.
PROCESSORS_PYTHON = "3.14"
# Where qemu executes all of it, some ten times as slowly: what the order of bytes and the layout of
# structures can break.
EMULATED_TESTS = [
    "tests/address", "tests/socket/test_ancillary.py", "tests/socket/test_create.py",
    "tests/socket/test_options.py", "tests/socket/test_transfer.py", "-k", "not 100_mib",
    "tests/package/test_constants.py", "--timeout=600", "-o", "faulthandler_timeout=0",
]  # fmt: skip


@nox.session(python=NEWEST, default=False)
@nox.parametrize("processor", list(PROCESSORS), ids=list(PROCESSORS))
def processors(session, processor):
    """Run the tests on another processor, in a Debian of its own; options go to pytest."""
    install_group(session, "cross")
    output = Path("build/processors", processor).resolve()
    shutil.rmtree(output, ignore_errors=True)
    # With the checks of arithmetic that a release leaves out.
    built = "dev", PROCESSORS[processor], "manylinux2014", PROCESSORS_PYTHON, output
    cross_wheel(session, *built)
    inside = ["env", f"{READY}={output}", "nox", "-s", f"tests-{PROCESSORS_PYTHON}", "--"]
    options = session.posargs or ([] if processor == "i386" else EMULATED_TESTS)
    session.run("tools/debian.sh", "--arch", processor, *inside, *options, external=True)


@nox.session(python=False, default=False)
def miri(session):
    """Run what Miri can of those tests; it comes with rustup's nightly toolchain."""
    session.run("cargo", "+nightly", "miri", "test", "--package", "oxisock-sys", external=True)


@nox.session(python=NEWEST, default=False)
def valgrind(session):
    """Have every access to memory watched, in TLS on the engine, every operation and every error.

    Options name one program with its arguments: `-- tests.tls.memory on_memory`.
    """
    install_wheel(session)
    # What `tests.differential` imports.
    session.install(*(need for need in TEST_NEEDS if need.startswith(("hypothesis", "pytest>"))))
    suppressed = "--suppressions=tests/helpers/valgrind.supp"
    watched = ["valgrind", "--error-exitcode=9", "--num-callers=30", suppressed, "python"]
    # The interpreter's own allocator would hide what is used after it was freed.
    environment = {"PYTHONMALLOC": "malloc"}
    programs = [["tests.tls.memory"], ["tests.faults.calls", "5"]]
    if session.python == "3.13":  # others crash without memory themselves
        programs.append(["tests.faults.memory"])
    for program in [session.posargs] if session.posargs else programs:
        session.run(*watched, "-m", *program, env=environment, external=True)


FUZZ_SECONDS = 60


@nox.session(python=False, default=False)
def fuzz(session):
    """Run each fuzz target for a minute, on a stable toolchain that takes itself for a nightly."""
    session.chdir("src/sys/fuzz")
    # What `cargo fuzz` would set, for toolchains without it.
    flags = [
        "-Cpasses=sancov-module", "-Cllvm-args=-sanitizer-coverage-level=4",
        "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
        "-Cllvm-args=-sanitizer-coverage-pc-table",
        "-Cllvm-args=-sanitizer-coverage-trace-compares",
        "-Zsanitizer=address", "-Cdebug-assertions", "-Coverflow-checks", "--cfg=fuzzing",
    ]  # fmt: skip
    environment = {"RUSTC_BOOTSTRAP": "1", "RUSTFLAGS": " ".join(flags)}
    host = session.run("rustc", "--print", "host-tuple", external=True, silent=True).strip()
    build = ["build", "--release", "--target", host]
    session.run("cargo", *build, env=environment, external=True)
    for target in sorted(path.stem for path in Path("fuzz_targets").glob("*.rs")):
        program = f"target/{host}/release/{target}"
        corpus = Path("target", "corpus", target)
        corpus.mkdir(parents=True, exist_ok=True)
        limits = [f"-max_total_time={FUZZ_SECONDS}", "-max_len=512", "-timeout=10"]
        session.run(
            program, *limits, *session.posargs, str(corpus), f"corpus/{target}", external=True
        )


@nox.session(python=False, name="thread-sanitizer", default=False)
def thread_sanitizer(session):
    """Run the tests of what knows no Python under ThreadSanitizer, on the stable toolchain."""
    # Rust's library comes without it: what its test harness does between threads is not seen whole.
    suppressed = Path(session.create_tmp(), "suppressed.txt").resolve()
    suppressed.write_text("race:test::run_test\nrace:test::event\n")
    environment = {
        "RUSTC_BOOTSTRAP": "1",
        "RUSTFLAGS": "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer",
        "CARGO_TARGET_DIR": "target/thread-sanitizer",
        "TSAN_OPTIONS": f"suppressions={suppressed}",
    }
    host = session.run("rustc", "--print", "host-tuple", external=True, silent=True).strip()
    tests = ["test", "--locked", "--package", "oxisock-sys", "--lib", "--target", host]
    session.run("cargo", *tests, *session.posargs, env=environment, external=True)


# Families that distributions build as modules, and what CPython's tests of CAN want.
FAMILIES = """
set -e
modprobe -a -q vcan can_raw can_bcm can_isotp can_j1939
modprobe -a -q tipc rds rds_tcp vsock_loopback qrtr hci_vhci sctp
ip link add dev vcan0 type vcan
ip link set up vcan0
"""


@nox.session(python=NEWEST, default=False)
def machine(session):
    """Run what wants another kernel: families, netem, 50,000 connections; see tools/machine.sh."""
    install_wheel(session, "test")
    python = shlex.quote(str(Path(session.bin, "python").absolute()))
    netem = "export OXISOCK_TEST_NETEM=1 && modprobe sch_netem"
    for script in (
        f"{FAMILIES}exec {python} -m tests.cpython.runner -v",
        f"{netem} && exec {python} -m pytest -n0 tests/engine/test_links.py -k kernels",
        f"exec {python} -m tests.load.connections 50000 --rounds 1",
        f"exec {python} -m tests.load.connections 50000 --rounds 1 --by threads",
        f"exec {python} -m tests.load.connections 50000 --rounds 1 --by asyncio",
    ):
        session.run("tools/machine.sh", "bash", "-c", script, external=True)


@nox.session(python=NEWEST, default=False)
def links(session):
    """Follow the documentation's links to other sites: needs the network."""
    install_wheel(session, "docs")
    output = Path(session.cache_dir, "docs")
    session.run("sphinx-build", "--keep-going", "-b", "linkcheck", "docs", output / "links")


@nox.session(python=PYTHONS)
def tests(session):
    """Run all tests on the installed wheel."""
    # matplotlib has no wheels for 32 bits and few for others: there go the tests of the benchmark
    # without it.
    install_wheel(session, "test", bench=sys.maxsize > 2**32 and READY not in os.environ)
    session.run("python", "-m", "pytest", *session.posargs)


# One for which all of the software is compiled.
BEFORE_3_14 = [python for python in PYTHONS if python in ("3.11", "3.12", "3.13")]


COMPILED = BEFORE_3_14[-1] if BEFORE_3_14 else NEWEST


@nox.session(python=COMPILED)
def software(session):
    """Try what people run on the installed wheel; see whether docs/software.md says so."""
    install_wheel(session)
    install_group(session, "software")
    results = Path(session.create_tmp(), "results.json").resolve()
    # Patient, as they start servers: beside others they take several times as long.
    options = ["--results", results, "--timeout=400", "-o", "faulthandler_timeout=0"]
    options += session.posargs
    session.run("python", "-m", "pytest", "tests/software", *options)
    if not session.posargs:
        session.run("python", "tools/software.py", results, "--check")


@nox.session(python=COMPILED, default=False)
def users(session):
    """Measure what people run on both modules; options go to benches/experiments/users.py."""
    install_wheel(session, "bench", bench=True)
    install_group(session, "software")
    session.run("python", "benches/experiments/users.py", *session.posargs)


def debug(session):
    """Run all tests on a debug build, which checks itself and its reference counts."""
    install_wheel(session, "test", bench=True)
    # Which these print by default, in the programs that tests compare, too.
    session.env["PYTHONWARNINGS"] = "ignore::ResourceWarning"
    session.run("python", "-X", "dev", "-m", "pytest", *session.posargs)


def free_threaded(session):
    """Run all tests without an interpreter lock; `tools/free_threaded.sh` brings an interpreter."""
    # PyO3 no longer supports 3.13, and has its structures all the same.
    session.env["UNSAFE_PYO3_SKIP_VERSION_CHECK"] = "1"
    # Else the first library that asks for the lock brings it back for all.
    session.env["PYTHON_GIL"] = "0"
    install_wheel(session)
    session.install(*(need for need in TEST_NEEDS if not need.startswith(LOCKED)))
    session.run("python", "-m", "pytest", *session.posargs)


# What threads do to each other.
TOGETHER = ("sharing", "pairs", "owners", "wake")
SANITIZED_TESTS = [f"tests/engine/test_{name}.py" for name in TOGETHER]
# A race of a program's own, with a frame of ours: what does not see it would see nothing else.
RACE = """
import threading, time, oxisock

def receive():
    for _ in range(100):
        one.send(b"x")
        other.recv_into(buffer)
        time.sleep(0.002)

one, other = oxisock.socketpair()
buffer = bytearray(8)
thread = threading.Thread(target=receive)
thread.start()
while thread.is_alive():
    buffer[0] = 1
    time.sleep(0.001)
"""


def sanitized(session):
    """Watch threads by ThreadSanitizer: in the interpreter, the module and Rust's library.

    `tools/free_threaded.sh --sanitize` brings the interpreter. Options go to pytest.
    """
    session.env["UNSAFE_PYO3_SKIP_VERSION_CHECK"] = "1"
    output = Path("build/sanitized").resolve()
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    root = session.run("rustc", "--print", "sysroot", external=True, silent=True).strip()
    if not Path(root, "lib/rustlib/src/rust/library").exists() and shutil.which("rustup"):
        session.run("rustup", "component", "add", "rust-src", external=True)
    host = session.run("rustc", "--print", "host-tuple", external=True, silent=True).strip()
    instrumented = {
        "RUSTC_BOOTSTRAP": "1",
        "RUSTFLAGS": "-Zsanitizer=thread",
        "CARGO_UNSTABLE_BUILD_STD": "std",
        "CARGO_TARGET_DIR": str(Path("target/sanitized").resolve()),
    }
    # pip takes minutes when it is watched: what fits any interpreter is installed by nox's.
    site = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = session.run("python", "-c", site, silent=True).strip()
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--upgrade", "--target", site]
    needs = [need for need in TEST_NEEDS if need.startswith("pytest")]
    needs += nox.project.dependency_groups(PROJECT, "coverage")
    session.run(*pip, *needs, external=True)
    build = ["-m", "maturin", "build", "--profile", "dev", "--strip", "false", "--target", host]
    session.run("python", *build, "--out", output / "wheel", env=instrumented)
    (wheel,) = Path(output, "wheel").glob("*.whl")
    session.install("--force-reinstall", "--no-deps", wheel)
    prefix = session.run("python", "-c", "import sys; print(sys.base_prefix)", silent=True).strip()
    # What the interpreter's developers know of, and leave as it is.
    known = Path(prefix, "share/tsan/suppressions_free_threading.txt")

    def watch(name, *arguments, tests_fail=False, races=False):
        reports = output / name
        reports.mkdir()
        # A process that a test starts is not to fail for a report, nor for being forked.
        options = f"suppressions={known} log_path={reports}/report exitcode=0 die_after_fork=0"
        watched = {"PYTHON_GIL": "0", "TSAN_OPTIONS": options}
        # A test that runs out of time is the business of the session above.
        session.run("python", *arguments, env=watched, success_codes=[0, int(tests_fail)])
        session.run("python", "tools/races.py", reports, success_codes=[int(races)])

    watch("race", "-c", RACE, races=True)
    # They take several times as long.
    patient = ["-n0", "--timeout=900", "-o", "faulthandler_timeout=0"]
    tests = session.posargs or SANITIZED_TESTS
    watch("tests", "-m", "pytest", *patient, *tests, tests_fail=True)


TEST_NEEDS = PROJECT["project"]["optional-dependencies"]["test"]
# Those that cannot be had for it: what they need is compiled for interpreters with the lock.
LOCKED = ("cryptography", "eventlet", "gevent", "trustme", "uvloop")
if FREE_THREADED:
    nox.session(python=FREE_THREADED, default=False, name="free-threaded")(free_threaded)
    nox.session(python=FREE_THREADED, default=False)(sanitized)


# As Debian names them.
DEBUG_BUILDS = [name for python in PYTHONS if shutil.which(name := f"python{python}-dbg")]
if DEBUG_BUILDS:
    nox.session(python=DEBUG_BUILDS, default=False)(debug)


@nox.session(python=NEWEST, default=False)
def coverage(session):
    """Report in build/coverage what the tests reach in the Rust sources."""
    install_group(session, "coverage")
    output = Path("build/coverage").resolve()
    shutil.rmtree(output, ignore_errors=True)
    profiles = output / "profiles"
    profiles.mkdir(parents=True)
    instrumented = {
        "RUSTFLAGS": "-C instrument-coverage",
        "CARGO_TARGET_DIR": str(Path("target/coverage").resolve()),
        # %p is the process, as many tests start others, and %m what tells builds apart.
        "LLVM_PROFILE_FILE": str(profiles / "%p-%m.profraw"),
    }
    # Not `develop`, which would leave what it builds in the checkout.
    session.run("maturin", "build", "--profile", "dev", "--out", output / "wheel", env=instrumented)
    (wheel,) = Path(output, "wheel").glob("*.whl")
    session.install("--force-reinstall", f"oxisock[test] @ {wheel.as_uri()}")
    # A failing test is the business of the session `tests`: what ran, ran.
    session.run("python", "-m", "pytest", *session.posargs, env=instrumented, success_codes=[0, 1])
    merged = output / "merged.profdata"
    profdata, cov = llvm_tool(session, "llvm-profdata"), llvm_tool(session, "llvm-cov")
    session.run(
        profdata, "merge", "--sparse", "--failure-mode=all", *profiles.glob("*.profraw"),
        "-o", merged, external=True,
    )  # fmt: skip
    shutil.rmtree(profiles)
    (library,) = Path(session.virtualenv.location).glob("lib/python*/site-packages/oxisock/*.so")
    report = [library, f"--instr-profile={merged}", "--ignore-filename-regex=/(registry|rustc)/"]
    session.run(cov, "show", *report, "--format=html", f"--output-dir={output}", external=True)
    session.run(cov, "report", *report, external=True)


def llvm_tool(session, name):
    """Find a tool of the LLVM that this compiler was built with: rustup's or the system's."""
    told = session.run("rustc", "-vV", external=True, silent=True)
    host = re.search(r"^host: (\S+)", told, re.MULTILINE)[1]
    version = re.search(r"^LLVM version: (\d+)", told, re.MULTILINE)[1]
    root = session.run("rustc", "--print", "sysroot", external=True, silent=True).strip()
    rustups = Path(root, "lib/rustlib", host, "bin", name)
    for candidate in (rustups, shutil.which(f"{name}-{version}")):
        if candidate and Path(candidate).exists():
            return candidate
    return session.error(f"{name} is missing: rustup component add llvm-tools, or llvm-{version}")
