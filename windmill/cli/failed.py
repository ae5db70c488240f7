"""python -m windmill failed list | show | redrive | purge: the jobs in queue_<service>.failed."""

import argparse
import asyncio
import sys
from datetime import UTC, datetime

from windmill import broker
from windmill.cli.options import (
    Commands,
    add_command,
    add_json,
    add_services,
    age,
    async_command,
    image_ids,
    int_between,
    print_result,
    print_view,
)
from windmill.cli.progress import ProgressBars
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.operate.dead_letters.codes import checked_codes
from windmill.operate.dead_letters.dead_letter import DeadLetterFilter
from windmill.operate.dead_letters.render import render_sweep_json, render_sweep_text, render_unread
from windmill.operate.dead_letters.serving_commands import (
    FailedAsk,
    ListForm,
    SweepAsk,
    sweep_failed,
    view_failed,
    view_failed_image,
)
from windmill.operate.dead_letters.sweep import SweepAction
from windmill.process.runner import DONE, INTERRUPTED

DESCRIPTION = """\
Jobs that Windmill gave up are parked in queue_<service>.failed with the reason in their headers.

  list     list parked jobs, with a summary
  show     show everything about one image's parked jobs
  redrive  move jobs back to the work queues; their attempts start from 1
  purge    delete parked jobs; their rows in `results` stay

list, show and --dry-run take up to --scan messages from each queue for a moment and return them in their order. redrive
and purge walk each queue once, of any length, in constant memory, and move jobs that do not match to the end. If they
are interrupted, no job is lost; at most a few hundred are duplicated, which changes no result.
"""
EXAMPLES = """\
examples:
  python -m windmill failed list --services yolov8,ocr --newer-than 12h
  python -m windmill failed redrive --code SERVICE_ERROR,SERVICE_TIMEOUT --rate 50
  python -m windmill failed purge --code IMAGE_NOT_FOUND --older-than 30d --dry-run

exit codes: 0 done, 1 failed, 2 wrong usage, 70 a bug of Windmill, 130 interrupted (run it again to continue)
"""


def add_to(commands: Commands) -> None:
    top = add_command(commands, "failed", "list, show, redrive and purge parked jobs", DESCRIPTION, EXAMPLES)
    actions = top.add_subparsers(dest="action", required=True, metavar="ACTION")

    add = actions.add_parser("list", help="list parked jobs, with a summary")
    _add_filters(add, limit=1000)
    _add_scan(add)
    shape = add.add_mutually_exclusive_group()
    shape.add_argument("--summary", action="store_true", help="only the numbers by service and code")
    shape.add_argument("--by-image", action="store_true", help="one line per image instead of one per job")
    add.set_defaults(start=async_command(run_list), remote=True)

    add = actions.add_parser("show", help="show everything about one image's parked jobs")
    add.add_argument("image_id", type=int_between(), metavar="IMAGE_ID")
    add_services(add)
    _add_scan(add)
    add_json(add)
    add.set_defaults(start=async_command(run_show), remote=True)

    add = actions.add_parser("redrive", help="move jobs back to the work queues; their attempts start from 1")
    _add_filters(add, limit=None)
    _add_scan(add)
    add.add_argument("--rate", type=int_between(1, 1_000_000), metavar="N", help="at most N jobs per second")
    add.add_argument("--dry-run", action="store_true", help="count what would be redriven, and change nothing")
    add.set_defaults(start=async_command(run_redrive), remote=True)

    add = actions.add_parser("purge", help="delete parked jobs; their rows in `results` stay")
    _add_filters(add, limit=None)
    _add_scan(add)
    add.add_argument("--yes", action="store_true", help="confirm the deletion")
    add.add_argument("--dry-run", action="store_true", help="count what would be purged, and change nothing")
    add.set_defaults(start=async_command(run_purge), rate=None, remote=True)


def _add_filters(add: argparse.ArgumentParser, *, limit: int | None) -> None:
    add_services(add)
    add.add_argument("--code", type=codes, metavar="LIST", help="only these error codes, separated by commas")
    add.add_argument("--older-than", type=age, metavar="AGE", help="only jobs that failed longer ago: 30m, 12h, 7d")
    add.add_argument("--newer-than", type=age, metavar="AGE", help="only jobs that failed since")
    add.add_argument(
        "--image-ids",
        type=image_ids,
        metavar="IDS|FILE",
        help="only these images: 7,8,9 or a file of ids (- for standard input)",
    )
    said = f"at most N jobs (default: {limit:,})" if limit else "at most N jobs"
    add.add_argument("--limit", type=int_between(), default=limit, metavar="N", help=said)
    add_json(add)


def _add_scan(add: argparse.ArgumentParser) -> None:
    add.add_argument(
        "--scan",
        type=int_between(1, broker.MAX_UNACKNOWLEDGED),
        default=10_000,
        metavar="N",
        help="without changes: read the first N messages of each queue (default: %(default)s)",
    )


def codes(text: str) -> frozenset[str]:
    """Error codes of windmill/core/errors.py."""
    try:
        return checked_codes(text.split(","))
    except WindmillError as error:
        raise argparse.ArgumentTypeError(error.message) from error


def selection(arguments: argparse.Namespace, now: datetime) -> DeadLetterFilter:
    return DeadLetterFilter(
        codes=arguments.code,
        image_ids=arguments.image_ids,
        failed_before=now - arguments.older_than if arguments.older_than else None,
        failed_after=now - arguments.newer_than if arguments.newer_than else None,
    )


async def run_list(settings: Settings, stop: asyncio.Event, arguments: argparse.Namespace) -> int:
    form: ListForm = "summary" if arguments.summary else "images" if arguments.by_image else "jobs"
    selected = selection(arguments, datetime.now(UTC))
    ask = FailedAsk(arguments.services, selected, arguments.scan, arguments.limit, form)
    return print_view(await view_failed(settings, ask, stop), as_json=arguments.json)


async def run_show(settings: Settings, stop: asyncio.Event, arguments: argparse.Namespace) -> int:
    view = await view_failed_image(settings, arguments.services, arguments.image_id, arguments.scan, stop)
    if view.exit_code:
        sys.stderr.write("".join(f"{note}\n" for note in view.notes))
        return view.exit_code
    return print_view(view, as_json=arguments.json)


async def run_redrive(settings: Settings, stop: asyncio.Event, arguments: argparse.Namespace) -> int:
    return await _sweep(settings, stop, arguments, "redrive")


async def run_purge(settings: Settings, stop: asyncio.Event, arguments: argparse.Namespace) -> int:
    if not (arguments.yes or arguments.dry_run):
        raise WindmillError(
            "USAGE", "purge throws messages away for good", "add --yes, or see with --dry-run what it would be"
        )
    return await _sweep(settings, stop, arguments, "purge")


async def _sweep(settings: Settings, stop: asyncio.Event, arguments: argparse.Namespace, action: SweepAction) -> int:
    ask = SweepAsk(
        action,
        arguments.services,
        selection(arguments, datetime.now(UTC)),
        arguments.scan,
        arguments.limit,
        arguments.rate,
        arguments.dry_run,
    )
    with ProgressBars() as bars:
        outcome = await sweep_failed(settings, ask, stop, bars.show)
    if outcome.listing:
        sys.stderr.write("".join(f"{line}\n" for line in render_unread(settings, outcome.listing)))
    print_result(render_sweep_json(outcome), render_sweep_text(outcome), as_json=arguments.json)
    return INTERRUPTED if outcome.interrupted else DONE
