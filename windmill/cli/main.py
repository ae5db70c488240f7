"""The fleet's command line, `windmill COMMAND` or `python -m windmill COMMAND`: each module here adds its commands."""

import argparse
import sys
from pathlib import Path

from windmill.cli import (
    artifacts,
    calibrate,
    doctor,
    engines,
    failed,
    jobs,
    keys,
    partitions,
    plan,
    presets,
    queues,
    recompute,
    repair,
    setup,
    show,
    status,
)
from windmill.cli.options import add_gateway, here_alone, is_remote

MISUSED = 2
GROUPS = (
    setup,
    status,
    show,
    queues,
    failed,
    jobs,
    artifacts,
    keys,
    repair,
    recompute,
    calibrate,
    partitions,
    plan,
    presets,
    engines,
    doctor,
)


def _program() -> str:
    """As it was called: the installed command, or the module."""
    called = Path(sys.argv[0]).name
    return called if called == "windmill" else "python -m windmill"


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog=_program(), description="Set up, inspect and repair the fleet.")
    add_gateway(top)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for group in GROUPS:
        group.add_to(commands)
    return top


def main() -> int:
    if len(sys.argv) == 1:
        parser().print_help(sys.stderr)
        return MISUSED
    arguments = parser().parse_args()
    if arguments.url and not is_remote(arguments):
        sys.stderr.write(f"{here_alone(arguments)}\n")
        return MISUSED
    start = arguments.start
    return int(start(arguments))
