"""Helps of the commands: their examples are commands that the program takes."""

import argparse
import re
from collections.abc import Iterator

import pytest

from tests.unit.command_lines import refused
from windmill.cli.main import MODULES, parser


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


def commands_of(top: argparse.ArgumentParser) -> set[str]:
    return {
        name for action in top._actions if isinstance(action, argparse._SubParsersAction) for name in action.choices
    }


def test_the_table_of_modules_names_each_command_that_they_add() -> None:
    assert commands_of(parser()) == set(MODULES)


@pytest.mark.parametrize("words", ["jobs list", "--url http://x jobs show status", "--key=k --url http://x jobs"])
def test_only_the_command_that_was_typed_is_loaded(words: str) -> None:
    assert commands_of(parser(words.split())) == {"jobs"}


@pytest.mark.parametrize("words", ["", "--help status", "stats jobs", "--url", "--url status"])
def test_where_no_command_was_typed_all_are_known(words: str) -> None:
    assert commands_of(parser(words.split())) == set(MODULES)
