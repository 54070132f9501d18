"""Run a program the way the interpreter would, with its ``import socket`` answered by oxisock."""

import sys
from types import ModuleType

from ._install import install
from ._socket import setconnecttimeout, setdefaultkeepalive, setresolvertimeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable
    from types import CodeType, TracebackType
    from typing import Any

USAGE = """\
usage: python -m oxisock run [OPTION ...] (SCRIPT | -m MODULE | -c COMMAND | -) [ARGUMENT ...]
"""


def describe_program(parser: "ArgumentParser") -> None:
    """Give a parser the arguments that name a program; everything behind is the program's own."""
    from argparse import REMAINDER

    # Without it argparse would set brackets around what is a choice.
    parser.usage = (
        "%(prog)s [OPTION ...]\n"
        "       (SCRIPT | -m MODULE |\n        -c COMMAND | -) [ARGUMENT ...]"
    )
    group = parser.add_argument_group("the program")
    group.add_argument(
        "program",
        nargs=REMAINDER,
        metavar="SCRIPT",
        help="a file, or a directory or zip archive with a __main__.py; - reads the standard input",
    )
    module, command = "MODULE: a module or package, as with `python -m`", "COMMAND: Python code"
    group.add_argument("-m", dest="module", metavar="MODULE", nargs=REMAINDER, help=module)
    group.add_argument("-c", dest="command_text", metavar="COMMAND", nargs=REMAINDER, help=command)


def describe(parser: "ArgumentParser") -> None:
    """Have a parser show the help of this command; what it parses is left to ``main``."""
    parser.description = "Run a program, unchanged, with its `import socket` answered by oxisock."
    describe_program(parser)
    defaults = parser.add_argument_group("what the program does not set itself")
    for name, (_, _, value, text) in _OPTIONS.items():
        defaults.add_argument(name, metavar=value, help=text)
    children = "leave other processes that the program starts alone, but for those that it forks"
    parser.add_argument("--no-children", action="store_true", help=children)
    parser.epilog = (
        "TLS sockets of the interpreter's ssl module read and write through it as well. Every "
        "Python of this environment that the program starts has oxisock and these options, too."
    )


def main(arguments: list[str]) -> int:
    """Run the program that the arguments name.

    The program's exceptions, SystemExit among them, go through to the interpreter.

    Args:
        arguments: those of the command line, behind ``run``.

    Returns:
        The exit status: 0, or 2 for a wrong command line.
    """
    children = True
    while arguments and arguments[0].partition("=")[0] in (*_OPTIONS, "--no-children"):
        if arguments[0] == "--no-children":
            children, arguments = False, arguments[1:]
            continue
        following = _take_option(arguments)
        if following is None:
            return _misused(f"a valid value is expected for {arguments[0].partition('=')[0]}")
        arguments = following
    if arguments and arguments[0] in ("-h", "--help"):
        from argparse import ArgumentParser

        parser = ArgumentParser(prog="python -m oxisock run")
        describe(parser)
        parser.print_help()
        return 0
    return start(arguments, "run", lambda: _prepare(children))


def start(arguments: list[str], command: str, prepare: "Callable[[], object]") -> int:
    """Run a program.

    Args:
        arguments: what names the program, and its own arguments.
        command: what a message about a wrong command line names.
        prepare: called when it is clear that there is a program.

    Returns:
        The exit status.
    """
    if not arguments:
        return _misused("a script, -m, -c or - is required", command)
    first, rest = arguments[0], arguments[1:]
    if first[:2] in ("-m", "-c"):
        # As for the interpreter, `-mname` is `-m name`.
        values = [first[2:], *rest] if first[2:] else rest
        if not values:
            return _misused(f"argument expected for the {first} option", command)
        prepare()
        runner = _run_module if first[1] == "m" else _run_command
        return _as_main(runner, values[0], values[1:])
    if first == "--" and rest:
        first, *rest = rest
    elif first.startswith("-") and first != "-":
        return _misused(
            f"unknown option {first} (the interpreter's own go before -m oxisock)", command
        )
    prepare()
    return _as_main(_run_stdin if first == "-" else _run_path, first, rest)


# Each with what it does here, the environment variable that has children do it, what its value is,
# and what it is for.
_OPTIONS: "dict[str, tuple[Callable[[str], object], str, str, str]]" = {
    "--keepalive": (
        lambda value: setdefaultkeepalive(*map(int, value.split(","))),
        "OXISOCK_KEEPALIVE",
        "IDLE,INTERVAL,COUNT",
        "have dead peers of TCP noticed, in seconds",
    ),
    "--resolver-timeout": (
        lambda value: setresolvertimeout(float(value)),
        "OXISOCK_RESOLVER_TIMEOUT",
        "SECONDS",
        "the longest time that a name lookup may take",
    ),
    "--deadline-connect": (
        lambda value: setconnecttimeout(float(value)),
        "OXISOCK_CONNECT_TIMEOUT",
        "SECONDS",
        "the longest time of a connect without a timeout",
    ),
}


def _prepare(children: bool) -> None:
    """Install oxisock here, and in each Python that is started from here, or in none."""
    reach_children(children)
    install(rebind=True)


def reach_children(reach: bool) -> None:
    """Have each Python that is started from here begin with ``_children``, or none."""
    from os import environ, path, pathsep

    folder = path.join(path.dirname(__file__), "_children")
    paths = [entry for entry in environ.get("PYTHONPATH", "").split(pathsep) if entry != folder]
    if reach:
        environ["PYTHONPATH"] = pathsep.join([folder, *filter(None, paths)])
    elif any(paths):
        environ["PYTHONPATH"] = pathsep.join(paths)
    else:
        environ.pop("PYTHONPATH", None)


def _take_option(arguments: "list[str]") -> "list[str] | None":
    """Apply the option in front; return what follows it, or None where it has a wrong value."""
    name, equals, value = arguments[0].partition("=")
    rest = arguments[1:]
    if not equals:
        if not rest:
            return None
        value, *rest = rest
    apply, variable, _, _ = _OPTIONS[name]
    try:
        apply(value)
    except (TypeError, ValueError, OverflowError):
        return None
    from os import environ

    environ[variable] = value
    return rest


def _misused(message: str, command: str = "run") -> int:
    usage = USAGE.replace(" run ", f" {command} ")
    sys.stderr.write(f"{usage}python -m oxisock {command}: {message}\n")
    return 2


def _as_main(start: "Any", target: str, arguments: list[str]) -> int:
    """Call ``start`` with a fresh ``__main__`` module, and keep our frames out of its traceback."""
    # The module has to be in place for pickle, multiprocessing, dataclasses … to find it.
    sys.modules["__main__"] = module = ModuleType("__main__")
    module.__dict__["__builtins__"] = sys.modules["builtins"]
    # Later interpreters make it when it is asked for, PEP 649.
    if sys.version_info < (3, 14):
        module.__dict__.update(__annotations__={})
    try:
        status: int = start(module, target, arguments)
    except SystemExit:
        raise
    except BaseException as exc:
        _report_without_our_frames(exc)
        raise
    return status


def _report_without_our_frames(exc: BaseException) -> None:
    """Have the interpreter's report of an exception begin with the program's frames.

    The interpreter does all the rest: ``sys.excepthook`` of the program, the exit status,
    the death by SIGINT after a KeyboardInterrupt.
    """
    trace = exc.__traceback__
    while trace is not None and _is_ours(trace):
        trace = trace.tb_next
    hook = sys.excepthook

    def report(kind: "Any", value: "Any", _: "TracebackType | None") -> None:
        sys.excepthook = hook
        if value is not None:
            value.__traceback__ = trace
        hook(kind, value, trace)  # pyright: ignore[reportArgumentType]

    sys.excepthook = report


def _is_ours(trace: "TracebackType") -> bool:
    scope = trace.tb_frame.f_globals
    # Not by the file's name: what runpy and importlib do for `-m` is frozen.
    return scope is globals() or scope.get("__name__") == "runpy"


def _set_first_path(path: str) -> None:
    """Replace what ``python -m oxisock`` has put at the head of ``sys.path``."""
    if not sys.flags.safe_path:
        sys.path[0] = path


def _locate(module: ModuleType, filename: str) -> None:
    module.__file__ = filename
    # Gone from later interpreters.
    if sys.version_info < (3, 15):
        module.__dict__.update(__cached__=None)


def _execute(code: "CodeType", module: ModuleType) -> int:
    exec(code, module.__dict__)
    return 0


def _run_module(module: ModuleType, name: str, arguments: list[str]) -> int:
    import runpy

    # What `python -m` itself calls. sys.path begins with the current directory already.
    sys.argv = ["-m", *arguments]
    runpy._run_module_as_main(name)  # type: ignore[attr-defined]
    return 0


def _run_command(module: ModuleType, command: str, arguments: list[str]) -> int:
    import linecache
    from importlib.machinery import BuiltinImporter

    sys.argv = ["-c", *arguments]
    _set_first_path("")
    module.__dict__["__loader__"] = BuiltinImporter
    # For tracebacks that show the lines, where the interpreter takes them from here.
    linecache.cache["<string>"] = (len(command), None, command.splitlines(True), "<string>")
    return _execute(compile(command, "<string>", "exec", dont_inherit=True), module)


def _run_stdin(module: ModuleType, name: str, arguments: list[str]) -> int:
    from importlib.machinery import BuiltinImporter

    sys.argv = [name, *arguments]
    _set_first_path("")
    module.__dict__["__loader__"] = BuiltinImporter
    _locate(module, "<stdin>")
    source = sys.stdin.buffer.read()
    return _execute(compile(source, "<stdin>", "exec", dont_inherit=True), module)


def _run_path(module: ModuleType, name: str, arguments: list[str]) -> int:
    from importlib.machinery import SourceFileLoader, SourcelessFileLoader
    from io import open_code
    from os import getcwd, path
    from pkgutil import get_importer

    sys.argv = [name, *arguments]
    if get_importer(name) is not None:
        # A directory or an archive goes to the head of sys.path, even where nothing else does.
        sys.path[: 0 if sys.flags.safe_path else 1] = [path.abspath(name)]
        import runpy

        runpy._run_module_as_main("__main__", alter_argv=False)  # type: ignore[attr-defined]
        return 0
    filename = path.join(getcwd(), name)
    try:
        with open_code(filename) as file:
            source = file.read()
    except OSError as exc:
        sys.stderr.write(
            f"{sys.executable}: can't open file {filename!r}: [Errno {exc.errno}] {exc.strerror}\n"
        )
        return 2
    _set_first_path(path.dirname(path.realpath(filename)))
    _locate(module, filename)

    from importlib.util import MAGIC_NUMBER

    if source.startswith(MAGIC_NUMBER):
        loader = SourcelessFileLoader("__main__", filename)
        module.__dict__["__loader__"] = loader
        code = loader.get_code("__main__")
        assert code is not None
    else:
        module.__dict__["__loader__"] = SourceFileLoader("__main__", filename)
        code = compile(source, filename, "exec", dont_inherit=True)
    return _execute(code, module)
