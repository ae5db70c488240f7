"""The fleet's command line, `windmill COMMAND` or `python -m windmill COMMAND`: a module here adds each command.

Only the modules of the commands that were typed are loaded: all of them take seconds on a small machine, and `run` goes
on there for months.
"""

import argparse
import importlib
import sys
from collections.abc import Iterable

from windmill.cli.parsing import MISUSED, command_parser, start

MODULES = {
    "migrate": "setup",
    "declare": "setup",
    "run": "run",
    "status": "status",
    "open": "open_page",
    "show": "show",
    "search": "search",
    "export": "export",
    "queues": "queues",
    "services": "services",
    "failed": "failed",
    "jobs": "jobs",
    "artifacts": "artifacts",
    "sessions": "sessions",
    "keys": "keys",
    "repair": "repair",
    "recompute": "recompute",
    "calibrate": "calibrate",
    "learn": "learn",
    "partitions": "partitions",
    "plan": "plan",
    "presets": "presets",
    "engines": "engines",
    "doctor": "doctor",
}


def parser(words: Iterable[str] = ()) -> argparse.ArgumentParser:
    """Knows the commands among the words, or all where there is none, for the help and for what is misspelled."""
    named = [MODULES[word] for word in words if word in MODULES]
    modules = dict.fromkeys(named or MODULES.values())
    return command_parser([importlib.import_module(f"windmill.cli.{name}") for name in modules])


def main() -> int:
    words = sys.argv[1:]
    if not words:
        parser().print_help(sys.stderr)
        return MISUSED
    return start(parser(words))
