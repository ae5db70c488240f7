"""Command line of the private servers: up, down, status, psql."""

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from types import FrameType

from dev.servers import ALL, down, instance, keep, up
from dev.servers.postgres_programs import newest
from windmill.core.errors import WindmillError
from windmill.core.setting_parts import DatabaseSettings
from windmill.core.settings import ROOT, Settings, environment, named_by_user

EPILOG = """\
The servers listen on 127.0.0.1 only, on free ports, with credentials of their own; a server that you name in
.env or the environment (DB_HOST, QUEUE_HOST) is used instead of a private one. The addresses are written to
STATE/local.env, from where every Windmill command takes them. BROKER=4 in the environment or .env asks for RabbitMQ 4.

exit codes: 0 done, 1 it did not work, 2 wrong usage or configuration
"""


INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if rest and options.run is not _psql:
        parser.error(f"unknown arguments: {' '.join(rest)}")
    options.rest = rest
    try:
        return int(options.run(options))
    except WindmillError as error:
        return _fail(str(error), error.exit_code)
    except OSError as error:
        return _fail(f"{error}. Remedy: see that {options.state} is yours and its disk is not full", 1)
    except KeyboardInterrupt:
        return _fail("interrupted; an `up` has stopped again what it had started", 130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m dev.servers",
        description="A private PostgreSQL and RabbitMQ for this machine, without root and beside any that run here.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    starts = _command(commands, "up", _up, "start them, or say that they run already")
    stops = _command(commands, "down", _down, "stop them; their data stays")
    shows = _command(commands, "status", _status, "which of them run, and where")
    _command(commands, "psql", _psql, "open psql on Windmill's database; all else goes to psql", add_help=False)
    stops.add_argument("--wipe", action="store_true", help="delete their data and credentials too")
    for command in (starts, stops):
        command.add_argument("--only", type=_names, default=ALL, metavar="NAMES", help=f"of {','.join(ALL)}")
    for command in (starts, shows):
        command.add_argument("--json", action="store_true", help="print one JSON value on standard output")
    return parser


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    run: Callable[[argparse.Namespace], int],
    text: str,
    *,
    add_help: bool = True,
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=text, add_help=add_help, allow_abbrev=False)
    command.set_defaults(run=run)
    command.add_argument(
        "--state", type=Path, default=ROOT / "var" / "local", metavar="DIR", help="the instance (%(default)s)"
    )
    return command


def _names(text: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(","))
    if unknown := [name for name in names if name not in ALL]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(ALL)}")
    return names


def _up(options: argparse.Namespace) -> int:
    named = named_by_user()
    variables = up(options.state, named, report=_say, only=options.only)
    keep(options.state)
    if options.json:
        sys.stdout.write(json.dumps(variables) + "\n")
    elif variables:
        _say(f"addresses and credentials are in {instance(options.state).variables_file}")
    return 0


def _down(options: argparse.Namespace) -> int:
    if not any(one.running for one in instance(options.state).status()):
        _say("no private server runs here")
    down(options.state, report=_say, wipe=options.wipe, only=options.only)
    return 0


def _status(options: argparse.Namespace) -> int:
    found = instance(options.state).status()
    if options.json:
        sys.stdout.write(json.dumps([asdict(each) for each in found]) + "\n")
        return 0
    for each in found:
        line = f"running on {each.host}:{each.port}, process {each.pid}" if each.running else "not running"
        sys.stdout.write(f"{each.server:<11} {line}, log {each.log}\n")
    return 0


def _psql(options: argparse.Namespace) -> int:
    local = instance(options.state)
    private = local.variables_file
    # After a crash or a restart of the machine the file is still there.
    runs = private.is_file() and any(one.running for one in local.status() if one.server == "postgres")
    if not runs and "DB_HOST" not in named_by_user():
        raise WindmillError("NOT_FOUND", "no private PostgreSQL runs here and DB_HOST names none", "make up")
    settings = Settings.from_env(environment(private))
    psql = newest().path("psql")
    env = dict(os.environ) | client_environment(settings)
    os.execve(psql, [psql, *options.rest], env)  # noqa: S606 - psql takes this process's place and terminal


def client_environment(settings: DatabaseSettings) -> dict[str, str]:
    """The environment variables of libpq."""
    servers = settings.db_servers()
    found = {
        "PGHOST": ",".join(server.host for server in servers),
        "PGPORT": ",".join(str(server.port) for server in servers),
        "PGTARGETSESSIONATTRS": settings.db_session_attributes(),
        "PGDATABASE": settings.db_name,
        "PGUSER": settings.db_user,
        "PGPASSWORD": settings.db_password,
        "PGSSLMODE": settings.db_sslmode,
    }
    return {name: value for name, value in found.items() if value}


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """The first signal stops the command; later ones are ignored, so that it can clean up."""
    for number in INTERRUPTS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _say(line: str) -> None:
    """Progress goes to standard error, so that standard output is free for data."""
    sys.stderr.write(line + "\n")


def _fail(text: str, code: int) -> int:
    sys.stderr.write(text + "\n")
    return code


if __name__ == "__main__":
    for interrupt in INTERRUPTS:
        signal.signal(interrupt, _interrupt)
    sys.exit(main())
