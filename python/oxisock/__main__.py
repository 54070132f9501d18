"""The command line: ``oxisock COMMAND …``, and the same as ``python -m oxisock COMMAND …``."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable

STOPPED = 130
"""The exit status after Ctrl-C, as shells have it."""


def main(arguments: "list[str] | None" = None) -> int:
    """Carry out a command and return the exit status.

    Args:
        arguments: those of the command line, without the program's name; without them those that
            the process was started with.
    """
    if arguments is None:
        arguments = sys.argv[1:]
    if arguments[:1] == ["run"] and not {"-h", "--help"} & set(arguments[1:2]):
        # All that follows the program's name is the program's, so argparse must not see it. This
        # also keeps the modules that it imports out of the program's process, and what the
        # program raises is for the interpreter to report.
        from ._run import main as run

        return run(arguments[1:])
    program: Callable[[], int] | None = None
    status = 0
    try:
        if arguments[:1] and arguments[0] in _WATCHING:
            program = _watching(arguments)
        else:
            status = _command(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return STOPPED
    except BrokenPipeError:
        # Whoever read the output has gone; the interpreter must not try to flush it at its end.
        import os

        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    # What a program raises is for the interpreter to report, as under `run`.
    return status if program is None else program()


# Commands that run a program and watch it, and the modules that do it.
_WATCHING = {"report": "_report", "trace": "_trace"}


def _watching(arguments: list[str]) -> "Callable[[], int]":
    """Parse one of those commands; return what runs the program."""
    from functools import partial
    from importlib import import_module

    module = import_module(f".{_WATCHING[arguments[0]]}", __package__)
    parser, commands = _parsers()
    module.add_arguments(commands[arguments[0]])
    return partial(module.main, parser.parse_args(arguments))


def _command(arguments: list[str]) -> int:
    from . import __version__

    parser, commands = _parsers()
    parser.add_argument("--version", action="version", version=f"oxisock {__version__}")
    if arguments[:1] != ["bench"]:
        options = parser.parse_args(arguments)
        if options.command == "info":
            from ._info import main as info

            return info(options.json)
        parser.print_help()
        return 0
    try:
        from oxisock_bench import cli
    except ModuleNotFoundError as exc:
        # Anything else that is missing is missing in the benchmark's own installation.
        if exc.name != "oxisock_bench":
            raise
        print(
            f"{parser.prog} bench needs the package oxisock-bench: pip install 'oxisock[bench]'"
            " (in a checkout of oxisock: pip install ./benches)",
            file=sys.stderr,
        )
        return 2
    cli.add_arguments(commands["bench"])
    return cli.main(parser.parse_args(arguments))


def _parsers() -> "tuple[ArgumentParser, dict[str, ArgumentParser]]":
    """Make the parser of the command line, and those of its commands."""
    from argparse import ArgumentParser

    from ._run import describe

    script = sys.argv[0].rpartition("/")[2]
    parser = ArgumentParser(
        prog="oxisock" if script == "oxisock" else "python -m oxisock",
        description="The socket module with its engine in Rust.",
        epilog="'COMMAND --help' describes a command.",
    )
    adding = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands = {
        name: adding.add_parser(name, help=text)
        for name, text in {
            "run": "run a program with oxisock as its socket module",
            "report": "run a program and tell what it has done with its sockets",
            "trace": "run a program and print its socket calls",
            "info": "show versions, the platform, what is active, and why the rest is not",
            "bench": "measure oxisock against the standard library",
        }.items()
    }
    describe(commands["run"])
    info = commands["info"]
    info.description = "Show versions, the platform, what is active, and why the rest is not."
    info.add_argument("--json", action="store_true", help="as JSON, with the names as keys")
    return parser, commands


if __name__ == "__main__":
    sys.exit(main())
