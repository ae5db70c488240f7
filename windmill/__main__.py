"""The fleet's command line: python -m windmill migrate | declare | status"""

import argparse
import asyncio
import sys
from collections.abc import Callable

import orjson

from windmill import broker, database
from windmill.management import limit_deliveries
from windmill.migrations import migrate
from windmill.runner import DONE, command
from windmill.services import load_fleet
from windmill.settings import Settings
from windmill.status import as_json, as_table, read_status

Command = Callable[[Settings, argparse.Namespace], int]


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m windmill", description="Look after the fleet.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    add = commands.add_parser("migrate", help="create or update the tables; safe to run twice and from two machines")
    add.set_defaults(run=run_migrate)

    add = commands.add_parser("declare", help="make the queues, and set the limits that park what kills workers")
    add.add_argument("--services", default="all", help="a service, a comma list or a set (default: all)")
    add.set_defaults(run=run_declare)

    add = commands.add_parser("status", help="per service: results, failures, jobs that wait or are parked")
    add.add_argument("--services", default="all", help="a service, a comma list or a set (default: all)")
    add.add_argument("--json", action="store_true", help="print JSON instead of a table")
    add.set_defaults(run=run_status)
    return top


def run_migrate(settings: Settings, arguments: argparse.Namespace) -> int:  # noqa: ARG001 - every command takes both
    async def apply() -> None:
        async with database.connection(settings, "windmill migrate") as connection:
            applied = await migrate(connection)
        for migration in applied:
            sys.stdout.write(f"applied {migration.version:04} {migration.name}\n")
        if not applied:
            sys.stdout.write("the database is up to date\n")

    asyncio.run(apply())
    return DONE


def run_declare(settings: Settings, arguments: argparse.Namespace) -> int:
    names = [service.name for service in load_fleet(settings.service_config).select(arguments.services)]

    async def declare() -> None:
        async with broker.connection(settings, "windmill declare") as opened:
            await broker.declare(opened, settings, names)

    asyncio.run(declare())
    limit_deliveries(settings, names)
    sys.stdout.write(f"{len(names)} services have their queues\n")
    return DONE


def run_status(settings: Settings, arguments: argparse.Namespace) -> int:
    services = load_fleet(settings.service_config).select(arguments.services)
    status = asyncio.run(read_status(settings, services))
    if status.broker:
        sys.stderr.write(f"the queues cannot be seen: {status.broker}\n")
    if arguments.json:
        sys.stdout.buffer.write(orjson.dumps(as_json(status), option=orjson.OPT_INDENT_2) + b"\n")
    else:
        sys.stdout.write(as_table(status))
    return DONE


def main() -> int:
    arguments = parser().parse_args()
    return command(lambda settings: arguments.run(settings, arguments))


if __name__ == "__main__":
    sys.exit(main())
