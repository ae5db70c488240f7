"""python -m windmill migrate | declare: tables and queues."""

import argparse
import asyncio
import sys

from windmill import broker
from windmill.broker.management import limit_deliveries
from windmill.cli.options import Commands, add_services, at_once
from windmill.core.errors import WindmillError
from windmill.core.services import load_fleet
from windmill.core.setting_parts import DatabaseSettings
from windmill.core.settings import Settings
from windmill.process.runner import DONE
from windmill.storage import database
from windmill.storage.migrations import migrate


def add_to(commands: Commands) -> None:
    add = commands.add_parser(
        "migrate", help="create or update the tables; safe to run twice or from two machines at once"
    )
    add.set_defaults(start=at_once(run_migrate))

    add = commands.add_parser("declare", help="declare the queues and set their policies")
    add_services(add)
    add.set_defaults(start=at_once(run_declare))


def run_migrate(settings: DatabaseSettings, arguments: argparse.Namespace) -> int:  # noqa: ARG001 - every command takes both
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
    try:
        limit_deliveries(settings, names)
    except WindmillError as error:
        # The queues are there, and workers count for themselves; the policies are the second line.
        sys.stderr.write(f"no policies could be set, so that only workers park what kills them: {error}\n")
    sys.stdout.write(f"queues are there: {', '.join(names)}\n")
    return DONE
