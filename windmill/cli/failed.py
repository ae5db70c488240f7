"""python -m windmill failed list | show | redrive | purge: the jobs in queue_<service>.failed."""

import argparse
import asyncio
import difflib
import sys
from collections.abc import Iterable
from datetime import UTC, datetime

from tqdm import tqdm

from windmill import broker
from windmill.cli.options import Commands, add_json, add_services, age, image_ids, say, until_stopped, whole
from windmill.core.errors import ERROR_CODES, WindmillError
from windmill.core.services import load_fleet
from windmill.core.setting_parts import FleetSettings
from windmill.core.settings import Settings
from windmill.operate.failed import render as failed_text
from windmill.operate.failed.failed_queues import Limit, Pace, Survey, Sweep, survey
from windmill.operate.failed.parked import Wanted
from windmill.process.runner import DONE, FAILED, INTERRUPTED
from windmill.storage import database
from windmill.storage.queries import queries

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
    top = commands.add_parser(
        "failed",
        help="list, show, redrive and purge parked jobs",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = top.add_subparsers(dest="action", required=True, metavar="ACTION")

    add = actions.add_parser("list", help="list parked jobs, with a summary")
    _add_filters(add, limit=1000)
    _add_scan(add)
    add.add_argument("--summary", action="store_true", help="only the numbers by service and code")
    add.set_defaults(start=until_stopped(run_list))

    add = actions.add_parser("show", help="show everything about one image's parked jobs")
    add.add_argument("image_id", type=whole(), metavar="IMAGE_ID")
    add_services(add)
    _add_scan(add)
    add_json(add)
    add.set_defaults(start=until_stopped(run_show))

    add = actions.add_parser("redrive", help="move jobs back to the work queues; their attempts start from 1")
    _add_filters(add, limit=None)
    _add_scan(add)
    add.add_argument("--rate", type=whole(1, 1_000_000), metavar="N", help="at most N jobs per second")
    add.add_argument("--dry-run", action="store_true", help="count what would be redriven, and change nothing")
    add.set_defaults(start=until_stopped(run_redrive))

    add = actions.add_parser("purge", help="delete parked jobs; their rows in `results` stay")
    _add_filters(add, limit=None)
    _add_scan(add)
    add.add_argument("--yes", action="store_true", help="confirm the deletion")
    add.add_argument("--dry-run", action="store_true", help="count what would be purged, and change nothing")
    add.set_defaults(start=until_stopped(run_purge), rate=None)


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
    add.add_argument("--limit", type=whole(), default=limit, metavar="N", help=said)
    add_json(add)


def _add_scan(add: argparse.ArgumentParser) -> None:
    add.add_argument(
        "--scan",
        type=whole(1, broker.MAX_UNACKNOWLEDGED),
        default=10_000,
        metavar="N",
        help="without changes: read the first N messages of each queue (default: %(default)s)",
    )


def codes(text: str) -> frozenset[str]:
    """Error codes out of windmill/core/errors.py."""
    names = [part.strip().upper() for part in text.split(",") if part.strip()]
    for name in names:
        if name not in ERROR_CODES:
            nearest = difflib.get_close_matches(name, ERROR_CODES, n=1)
            hint = f"; did you mean {nearest[0]}?" if nearest else f"; known: {', '.join(ERROR_CODES)}"
            raise argparse.ArgumentTypeError(f"{name!r} is not an error code{hint}")
    if not names:
        raise argparse.ArgumentTypeError("no code is named")
    return frozenset(names)


def wanted(arguments: argparse.Namespace, now: datetime) -> Wanted:
    return Wanted(
        codes=arguments.code,
        image_ids=arguments.image_ids,
        failed_before=now - arguments.older_than if arguments.older_than else None,
        failed_after=now - arguments.newer_than if arguments.newer_than else None,
    )


async def run_list(settings: Settings, stop: asyncio.Event, arguments: argparse.Namespace) -> int:
    found = await _look(settings, stop, arguments, wanted(arguments, datetime.now(UTC)), arguments.limit)
    jobs = [] if arguments.summary else found.jobs
    say(failed_text.survey_json(found, jobs), failed_text.survey_text(found, jobs), as_json=arguments.json)
    return INTERRUPTED if stop.is_set() else DONE


async def run_show(settings: Settings, stop: asyncio.Event, arguments: argparse.Namespace) -> int:
    one_image = Wanted(image_ids=frozenset([arguments.image_id]))
    found = await _look(settings, stop, arguments, one_image, broker.MAX_UNACKNOWLEDGED)
    async with database.connection(settings, "windmill failed") as connection:
        rows = await connection.fetch(queries()["results_of_image"], arguments.image_id)
    entries = failed_text.job_entries(found.jobs, [dict(row) for row in rows])
    if not entries:
        sys.stderr.write(f"no job of image {arguments.image_id} is parked for --services {arguments.services}\n")
        return FAILED
    say(entries, failed_text.entries_text(entries), as_json=arguments.json)
    return DONE


async def run_redrive(settings: Settings, stop: asyncio.Event, arguments: argparse.Namespace) -> int:
    return await _change(settings, stop, arguments, "redrive")


async def run_purge(settings: Settings, stop: asyncio.Event, arguments: argparse.Namespace) -> int:
    if not (arguments.yes or arguments.dry_run):
        raise WindmillError(
            "USAGE", "purge throws messages away for good", "add --yes, or see with --dry-run what it would be"
        )
    return await _change(settings, stop, arguments, "purge")


async def _look(
    settings: Settings,
    stop: asyncio.Event,
    arguments: argparse.Namespace,
    which: Wanted,
    keep: int,
    limit: int | None = None,
) -> Survey:
    services = _services(settings, arguments)
    async with broker.connection(settings, "windmill failed") as opened:
        found = await survey(
            opened, settings, services, which, stop, scan=arguments.scan, keep=keep, limit=Limit(limit)
        )
    for service in services:
        if found.held[service] > found.looked_at[service]:
            queue, held = broker.failed_queue(settings, service), found.held[service]
            sys.stderr.write(f"{queue} holds {held:,}; looked at the first {found.looked_at[service]:,} (--scan)\n")
    return found


async def _change(settings: Settings, stop: asyncio.Event, arguments: argparse.Namespace, verb: str) -> int:
    which = wanted(arguments, datetime.now(UTC))
    if arguments.dry_run:
        counts = (await _look(settings, stop, arguments, which, 0, arguments.limit)).counts
        kept = None
    else:
        sweep = Sweep(settings, which, Limit(arguments.limit), Pace(arguments.rate), stop)
        await _sweep(sweep, _services(settings, arguments), verb)
        counts, kept = sweep.done, sweep.passed - sweep.done.total()
    outcome = failed_text.Outcome(verb, counts, kept, dry_run=arguments.dry_run, interrupted=stop.is_set())
    say(failed_text.outcome_json(outcome), failed_text.outcome_text(outcome), as_json=arguments.json)
    return INTERRUPTED if stop.is_set() else DONE


async def _sweep(sweep: Sweep, services: Iterable[str], verb: str) -> None:
    """Leaves empty queues alone."""
    settings = sweep.settings
    async with broker.connection(settings, "windmill failed") as opened:
        held = await broker.depths(opened, settings, services, queue=broker.failed_queue)
        busy = [service for service, count in held.items() if count]
        await broker.declare(opened, settings, busy)
        with tqdm(total=sum(held.values()), unit=" jobs", disable=None, dynamic_ncols=True) as bar:
            sweep.on_passed = bar.update
            for service in busy:
                if sweep.stop.is_set() or sweep.limit.reached():
                    return
                await (sweep.redrive if verb == "redrive" else sweep.purge)(opened, service)


def _services(settings: FleetSettings, arguments: argparse.Namespace) -> list[str]:
    return [service.name for service in load_fleet(settings.service_config).select(arguments.services)]
