"""The fleet's command line, `windmill COMMAND` or `python -m windmill COMMAND`: each module here adds its commands."""

import argparse
import sys

from windmill.cli import (
    artifacts,
    calibrate,
    doctor,
    engines,
    export,
    failed,
    jobs,
    keys,
    learn,
    open_page,
    partitions,
    plan,
    presets,
    queues,
    recompute,
    repair,
    run,
    search,
    services,
    sessions,
    setup,
    show,
    status,
)
from windmill.cli.parsing import MISUSED, command_parser, start

GROUPS = (
    setup,
    run,
    status,
    open_page,
    show,
    search,
    export,
    queues,
    services,
    failed,
    jobs,
    artifacts,
    sessions,
    keys,
    repair,
    recompute,
    calibrate,
    learn,
    partitions,
    plan,
    presets,
    engines,
    doctor,
)


def parser() -> argparse.ArgumentParser:
    return command_parser(GROUPS)


def main() -> int:
    if len(sys.argv) == 1:
        parser().print_help(sys.stderr)
        return MISUSED
    return start(parser())
