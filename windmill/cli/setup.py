"""python -m windmill migrate | declare: tables and queues."""

import argparse
import asyncio
import sys

from windmill.cli.options import Commands, add_services, sync_command
from windmill.core.services import load_fleet
from windmill.core.setting_parts import DatabaseSettings
from windmill.core.settings import Settings
from windmill.operate.setup import apply_migrations, declare_queues
from windmill.process.runner import DONE


def add_to(commands: Commands) -> None:
    add = commands.add_parser(
        "migrate", help="create or update the tables; safe to run twice or from two machines at once"
    )
    add.set_defaults(start=sync_command(run_migrate))

    add = commands.add_parser("declare", help="declare the queues and set their policies")
    add_services(add)
    add.set_defaults(start=sync_command(run_declare))


def run_migrate(settings: DatabaseSettings, arguments: argparse.Namespace) -> int:  # noqa: ARG001 - every command takes both
    applied = asyncio.run(apply_migrations(settings))
    for migration in applied:
        sys.stdout.write(f"applied {migration.version:04} {migration.name}\n")
    if not applied:
        sys.stdout.write("the database is up to date\n")
    return DONE


def run_declare(settings: Settings, arguments: argparse.Namespace) -> int:
    names = [service.name for service in load_fleet(settings.service_config).select(arguments.services)]
    unlimited = asyncio.run(declare_queues(settings, names))
    if unlimited:
        sys.stderr.write(f"no policies could be set, so that only workers park what kills them: {unlimited}\n")
    sys.stdout.write(f"queues are there: {', '.join(names)}\n")
    return DONE
