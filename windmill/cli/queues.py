"""python -m windmill queues: the length and the rates of each queue."""

import argparse
import asyncio
import sys

from windmill.cli.options import Commands, add_json, add_services, print_result, sync_command
from windmill.core.services import load_fleet
from windmill.core.settings import Settings
from windmill.operate.queues import read_queues, render_queues_json, render_queues_table
from windmill.process.runner import DONE

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
    add.set_defaults(start=sync_command(run_queues))


def run_queues(settings: Settings, arguments: argparse.Namespace) -> int:
    services = [service.name for service in load_fleet(settings.service_config).select(arguments.services)]
    report = asyncio.run(read_queues(settings, services, oldest=arguments.oldest))
    if report.management:
        sys.stderr.write(f"without unacked and rates, because of {report.management}\n")
    elif report.without_rates:
        sys.stderr.write("without rates, because this RabbitMQ does not collect them; see python -m windmill status\n")
    print_result(render_queues_json(report), render_queues_table(report), as_json=arguments.json)
    return DONE
