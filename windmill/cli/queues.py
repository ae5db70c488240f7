"""python -m windmill queues: the length and the rates of each queue."""

import argparse
import asyncio

from windmill.cli.options import Commands, add_json, add_services, print_view, sync_command
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.operate.views import queues_view, view_queues

DESCRIPTION = """\
Per service: waiting jobs (ready), jobs held by workers (unacked), consumers, rates, and parked jobs; then the same of
its urgent queue; then the retry tiers. Unacked and rates come from RabbitMQ's management API and are a few seconds old.
They are omitted without it. Rates are also omitted if RabbitMQ does not collect them; `python -m windmill status` shows
rates in any case.
"""


def add_to(commands: Commands) -> None:
    add = commands.add_parser("queues", help="show the length and the rates of each queue", description=DESCRIPTION)
    add_services(add)
    add.add_argument(
        "--oldest",
        action="store_true",
        help="also print the age of the job at the head of each queue; this takes and returns it, "
        "which counts as a delivery (DELIVERY_LIMIT)",
    )
    add_json(add)
    add.set_defaults(start=sync_command(run_queues), remote=True)


def run_queues(settings: Settings, arguments: argparse.Namespace) -> int:
    if arguments.oldest and settings.windmill_url:
        raise WindmillError("USAGE", "--oldest takes a job of each queue, which works on a machine of the fleet alone")
    made = (
        queues_view(settings, arguments.services, oldest=True)
        if arguments.oldest
        else view_queues(settings, arguments.services)
    )
    return print_view(asyncio.run(made), as_json=arguments.json)
