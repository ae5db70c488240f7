"""Where the command line begins. `run` goes on for months on small machines, so it loads none of the other commands."""

import sys


def main() -> int:
    if sys.argv[1:2] == ["run"]:
        from windmill.cli import run
        from windmill.cli.parsing import command_parser, start

        return start(command_parser([run]))
    from windmill.cli.main import main

    return main()
