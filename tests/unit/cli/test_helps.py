"""Helps of the commands: their examples are commands that the program takes."""

import argparse
import re
from collections.abc import Iterator

import pytest

from tests.unit.command_lines import refused
from windmill.cli.main import parser


def helps(top: argparse.ArgumentParser, name: str = "windmill") -> Iterator[tuple[str, str]]:
    """Each command with its help, also those below it."""
    yield name, top.format_help()
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, below in action.choices.items():
                yield from helps(below, f"{name} {word}")


HELPS = dict(helps(parser()))


@pytest.mark.parametrize("command", ["keys", "show", "search", "failed", "export"])
def test_a_help_has_examples_of_its_command(command: str) -> None:
    _, _, examples = HELPS[f"windmill {command}"].partition("\nexamples:\n")
    lines = re.findall(rf"^  python -m windmill (?:--url \S+ )?{command}\b", examples, re.MULTILINE)
    assert len(lines) >= 2


def test_each_command_in_a_help_is_one_that_its_program_takes() -> None:
    lines = set(re.findall(r"^ +python -m (.+)$", "\n".join(HELPS.values()), re.MULTILINE))
    assert "windmill keys rotate wm_abcdefgh --grace 7d" in lines
    assert refused(sorted(lines)) == {}
