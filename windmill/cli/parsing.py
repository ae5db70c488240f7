"""The parser of the command line, with the commands of the modules that it is given."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from windmill.cli.options import Commands, add_gateway, here_alone, is_remote

MISUSED = 2


class CommandGroup(Protocol):
    """A module that adds commands."""

    def add_to(self, commands: Commands) -> None: ...


EPILOG = """\
Images are registered by `python -m producers.images`, submitted by `python -m producers.generic`, and worked on by
`python -m workers.generic`, `python -m workers.jobs` and `python -m postprocessors.all`; each has a --help of its own.
With --url these commands ask a gateway: jobs, artifacts list and fetch, presets list and show, status, queues, failed,
show, search, export.

exit codes: 0 done, 1 it did not work, 2 wrong usage or configuration, 130 interrupted
"""


def command_parser(groups: Iterable[CommandGroup]) -> argparse.ArgumentParser:
    about = "Run, set up, inspect and repair the fleet."
    raw = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser(prog=_program(), description=about, epilog=EPILOG, formatter_class=raw)
    add_gateway(top)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for group in groups:
        group.add_to(commands)
    return top


def start(parser: argparse.ArgumentParser) -> int:
    """Run the command that the user typed; its exit code."""
    arguments = parser.parse_args()
    if arguments.url and not is_remote(arguments):
        sys.stderr.write(f"{here_alone(arguments)}\n")
        return MISUSED
    start = arguments.start
    return int(start(arguments))


def _program() -> str:
    """As it was called: the installed command, or the module."""
    called = Path(sys.argv[0]).name
    return called if called == "windmill" else "python -m windmill"
