"""Options that several commands share, and parsing their values."""

import argparse
import asyncio
import getpass
import re
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.process.runner import command, run
from windmill.storage.audit_log import Actor

if TYPE_CHECKING:
    from windmill.operate.view import View

Commands = Any
"""What `add_subparsers` returns; argparse has no public type for it."""

Start = Callable[[argparse.Namespace], int]
"""Set by a command as `start`: runs it and returns the exit code."""

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def sync_command(main: Callable[[Settings, argparse.Namespace], int]) -> Start:
    """A command that needs no orderly stop."""
    return lambda arguments: command(lambda settings: main(with_gateway(settings, arguments), arguments))


def async_command(main: Callable[[Settings, asyncio.Event, argparse.Namespace], Awaitable[int]]) -> Start:
    """A command that stops in an orderly way when it is interrupted."""
    return lambda arguments: run(lambda settings, stop: main(with_gateway(settings, arguments), stop, arguments))


def add_gateway(top: argparse.ArgumentParser) -> None:
    """Options of the program itself, before the command."""
    top.add_argument("--url", metavar="URL", help="ask the gateway there instead of this machine (or WINDMILL_URL)")
    top.add_argument("--key", metavar="KEY", help="the key for it (or WINDMILL_KEY, which no list of processes shows)")


def with_gateway(settings: Settings, arguments: argparse.Namespace) -> Settings:
    """With what the command line says of the gateway; raises USAGE for a command that needs the machine."""
    named = _checked(arguments.url) if arguments.url else ""
    settings = replace(
        settings, windmill_url=named or settings.windmill_url, windmill_key=arguments.key or settings.windmill_key
    )
    if settings.windmill_url and not is_remote(arguments):
        raise here_alone(arguments)
    return settings


def _checked(url: str) -> str:
    """Of the form that the setting has; what is wrong with it is told of the option."""
    try:
        return Settings.from_env({"WINDMILL_URL": url}).windmill_url
    except WindmillError as error:
        raise WindmillError("USAGE", error.message.replace("WINDMILL_URL=", "--url "), error.remedy) from error


def is_remote(arguments: argparse.Namespace) -> bool:
    """Whether the command can ask a gateway."""
    return bool(getattr(arguments, "remote", False))


def here_alone(arguments: argparse.Namespace) -> WindmillError:
    said = f"windmill {arguments.command} works on a machine of the fleet alone"
    return WindmillError("USAGE", said, "run it there, without --url and WINDMILL_URL")


def add_command(commands: Commands, name: str, told: str, description: str, examples: str) -> argparse.ArgumentParser:
    """A command whose help keeps the lines of its description, and ends with examples."""
    keep_lines = argparse.RawDescriptionHelpFormatter
    add: argparse.ArgumentParser = commands.add_parser(
        name, help=told, description=description, epilog=examples, formatter_class=keep_lines
    )
    return add


def add_services(add: argparse.ArgumentParser) -> None:
    add.add_argument(
        "--services", default="all", metavar="LIST", help="services and sets, separated by commas (default: all)"
    )


def add_json(add: argparse.ArgumentParser) -> None:
    add.add_argument("--json", action="store_true", help="print JSON instead of a table")


def int_between(low: int = 1, high: int = 2**63 - 1) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            bound = f"above {low - 1}" if high == 2**63 - 1 else f"from {low} to {high}"
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number {bound}")
        return int(text)

    return parse


def age(text: str) -> timedelta:
    """A span of time such as 30m, 12h or 7d."""
    match = re.fullmatch(r"(\d{1,6})([smhdw])", text, re.ASCII)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is not a span of time such as 30m, 12h or 7d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def image_ids(text: str) -> frozenset[int]:
    """Ids separated by commas, or a file with one on each line."""
    parts = text.split(",")
    named = all(part.strip().isdigit() for part in parts)
    lines = parts if named else _lines(text)
    return frozenset(_id(line.strip(), text) for line in lines if line.strip())


def _lines(name: str) -> list[str]:
    try:
        return (sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8-sig")).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise argparse.ArgumentTypeError(f"{name!r} is neither image ids nor a readable file: {error}") from error


def _id(text: str, source: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:20]) < 2**63:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} in {source[:80]!r} is not an image id")
    return int(text)


def who() -> str:
    """Who is told to have asked; in a container the account may have no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "the command line"


def command_line_actor() -> Actor:
    """The same for the audit log."""
    return Actor(f"command line, {who()}")


def print_view(view: "View", *, as_json: bool) -> int:
    """Print what a command has looked at; its exit code."""
    sys.stderr.write("".join(f"{note}\n" for note in view.notes))
    print_result(view.document, view.text, as_json=as_json)
    return view.exit_code


def print_result(document: object, text: str, *, as_json: bool) -> None:
    """Print the result of a command."""
    if as_json:
        text = orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n"
    sys.stdout.write(text)
