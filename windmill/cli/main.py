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
    services,
    setup,
    show,
    status,
)

MISUSED = 2
GROUPS = (
    setup,
    status,
    show,
    queues,
    services,
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
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for group in GROUPS:
        group.add_to(commands)
    return top


def main() -> int:
    if len(sys.argv) == 1:
        parser().print_help(sys.stderr)
        return MISUSED
    arguments = parser().parse_args()
    start = arguments.start
    return int(start(arguments))
