"""python -m windmill migrate | declare: tables and queues."""

import argparse
import asyncio
import sys

from windmill.cli.options import Commands, add_command, add_services, async_command, int_between, sync_command
from windmill.core.errors import WindmillError
from windmill.core.services import load_fleet
from windmill.core.setting_parts import DatabaseSettings
from windmill.core.settings import Settings
from windmill.derive.conversion import ConversionProgress
from windmill.operate.render import render_conversion, render_span
from windmill.operate.setup import apply_migrations, convert_derived_rows, declare_queues, read_open_conversion
from windmill.process.runner import DONE, INTERRUPTED

DESCRIPTION = """\
Applies the migrations that this version of the code has and the database has not. Stop post-processors of an older
version before.

What stands in an older form is converted afterwards, if it is much: post-processors do so beside their work, in small
transactions, and both forms are seen meanwhile. --convert does so now, as fast as it can or with --rate. It may be
killed at any time, and the next run goes on.
"""
EXAMPLES = """\
exit codes: 0 done, 1 failed, 2 wrong usage or settings, 130 interrupted (run it again to continue)
"""


def add_to(commands: Commands) -> None:
    add = add_command(
        commands,
        "migrate",
        "create or update the tables; safe to run twice or from two machines at once",
        DESCRIPTION,
        EXAMPLES,
    )
    add.add_argument("--convert", action="store_true", help="then convert derived rows of an older form, until all are")
    add.add_argument("--rate", type=int_between(1), metavar="N", help="with --convert: at most N images a second")
    add.set_defaults(start=async_command(run_migrate))

    add = commands.add_parser("declare", help="declare the queues and set their policies")
    add_services(add)
    add.set_defaults(start=sync_command(run_declare))


async def run_migrate(settings: DatabaseSettings, stop: asyncio.Event, arguments: argparse.Namespace) -> int:
    if arguments.rate and not arguments.convert:
        raise WindmillError("USAGE", "--rate says how fast --convert is", "add --convert, or leave --rate out")
    applied = await apply_migrations(settings)
    for migration in applied:
        sys.stdout.write(f"applied {migration.version:04} {migration.name}\n")
    if not applied:
        sys.stdout.write("the database is up to date\n")
    left = await read_open_conversion(settings)
    if left and arguments.convert:
        done = await convert_derived_rows(settings, stop, _say_progress, most_per_second=arguments.rate)
        sys.stdout.write("all derived rows are converted\n" if done else "stopped; the next run goes on from here\n")
        return DONE if done else INTERRUPTED
    if left:
        sys.stdout.write(f"{render_conversion(left.share_done)}; --convert does so now\n")
    return DONE


def _say_progress(progress: ConversionProgress) -> None:
    told = [f"{progress.images:,} images converted", f"{100 * progress.share_done:.1f} % done"]
    if progress.images_per_second is not None:
        told.append(f"{progress.images_per_second:,.0f} a second")
    if progress.seconds_left is not None:
        told.append(f"{render_span(progress.seconds_left)} left")
    sys.stderr.write(", ".join(told) + "\n")


def run_declare(settings: Settings, arguments: argparse.Namespace) -> int:
    names = [service.name for service in load_fleet(settings.service_config).select(arguments.services)]
    unlimited = asyncio.run(declare_queues(settings, names))
    if unlimited:
        sys.stderr.write(f"no policies could be set, so that only workers park what kills them: {unlimited}\n")
    sys.stdout.write(f"queues are there: {', '.join(names)}\n")
    return DONE
