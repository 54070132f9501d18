"""The command line: ``python -m oxisock run …`` and ``python -m oxisock bench …``."""

import sys


def main(arguments: list[str]) -> int:
    """Carry out the command in ``arguments`` and return the exit status."""
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
        from oxisock_bench import cli
    except ModuleNotFoundError as exc:
        # Anything else that is missing is missing in the benchmark's own installation.
        if exc.name != "oxisock_bench":
            raise
        print(
            "python -m oxisock bench needs the package oxisock-bench: pip install 'oxisock[bench]'"
            " (in a checkout of oxisock: pip install ./benches)",
            file=sys.stderr,
        )
        return 2
    cli.add_arguments(bench)
    return cli.main(parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
