"""The fleet's command line, `windmill COMMAND` or `python -m windmill COMMAND`: a module here adds each command.

Only the module of the command that was typed is loaded: all of them take seconds on a small machine, and `run` goes on
there for months.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence

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


def parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Knows the command that these words begin with, or all where it is none: for help and misspellings."""
    module = MODULES.get(_first(words))
    modules = [module] if module else dict.fromkeys(MODULES.values())
    return command_parser([importlib.import_module(f"windmill.cli.{name}") for name in modules])


def _first(words: Sequence[str]) -> str:
    """The word behind the options of the program itself."""
    place = 0
    while place < len(words) and words[place].startswith(("--url", "--key")):
        place += 1 if "=" in words[place] else 2
    return words[place] if place < len(words) else ""


def main() -> int:
    words = sys.argv[1:]
    if not words:
        parser().print_help(sys.stderr)
        return MISUSED
    return start(parser(words))
