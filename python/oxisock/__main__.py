"""The command line: ``python -m oxisock run …`` and ``python -m oxisock bench …``."""

import sys


def main(arguments: list[str]) -> int:
    """Carry out the command in *arguments* and return the exit status."""
    if arguments[:1] == ["run"]:
        # All that follows the program's name is the program's, so argparse must not see it. This
        # also keeps the modules that it imports out of the program's process.
        from ._run import main as run

        return run(arguments[1:])

    from argparse import ArgumentParser

    parser = ArgumentParser(
        prog="python -m oxisock", description="The socket module with its engine in Rust."
    )
    parser.add_argument("--version", action="store_true", help="show the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("run", help="run a program with oxisock as its socket module")
    bench = commands.add_parser("bench", help="measure oxisock against the standard library")
    if arguments[:1] != ["bench"]:
        options = parser.parse_args(arguments)
        if options.version:
            from . import __version__

            print("oxisock", __version__)
        else:
            parser.print_help()
        return 0
    try:
        from ._bench import cli

        cli.add_arguments(bench)
        return cli.main(parser.parse_args(arguments))
    except ModuleNotFoundError as exc:
        if exc.name is None or exc.name.partition(".")[0] == "oxisock":
            raise
        print(
            f"python -m oxisock bench needs {exc.name}: pip install 'oxisock[bench]'",
            file=sys.stderr,
        )
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
