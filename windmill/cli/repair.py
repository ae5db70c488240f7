"""python -m windmill repair: republish submitted jobs that were lost."""

import argparse
import asyncio
import sys
from collections.abc import Mapping
from functools import partial

from tqdm import tqdm

from windmill import broker
from windmill.cli.options import Commands, add_json, add_services, say, until_stopped, whole
from windmill.cli.recompute import mark_all
from windmill.core.services import load_fleet
from windmill.core.setting_parts import DatabaseSettings
from windmill.core.settings import Settings
from windmill.core.stages import STAGES
from windmill.derive.sweep import SweepFilter
from windmill.kernels.text.tables import render_table
from windmill.operate.queued_images import Waiting
from windmill.operate.repair import Repair, Scope, UnansweredJobs, declare_absent
from windmill.process.runner import DONE, INTERRUPTED
from windmill.storage import database
from windmill.storage.queries import queries
from windmill.submit.backpressure import QueueBackpressure
from windmill.submit.publishing import PagePublisher
from windmill.submit.runs import RunProgress, Runs, take_producer_lock
from windmill.submit.selection import RegisteredImages

DESCRIPTION = """\
Republishes jobs that were submitted according to the table `runs` but have neither a row in `results` nor a message in
any queue. Use it after the broker lost its data. It also declares missing queues.

To find waiting jobs it reads the queues, some thousand jobs a second; empty queues cost nothing. Each job is moved to
the end once, so the order stays. Unacknowledged jobs cannot be read. Just before republishing a job it checks
`results`, but a job that a worker holds for longer is done twice, which changes no result. To avoid that, stop the
workers first.

Submissions with --image-ids are not recorded in `runs`: submit them again.

Then it finds images whose merged boxes, enrichment or consensus do not match the current rows, and marks them for the
post-processors. This finds something only if rows were written with triggers disabled, or truncated. It skips stages
that no post-processor has ever run.
"""
EXAMPLES = """\
exit codes: 0 done, 1 failed, 2 wrong usage, 70 a bug of Windmill, 75 busy (a producer is running, or a queue is too
long), 130 interrupted (run it again to continue)
"""


def add_to(commands: Commands) -> None:
    add = commands.add_parser(
        "repair",
        help="republish lost jobs, for example after the broker lost its data",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_services(add)
    add.add_argument("--run", type=whole(), metavar="ID", help="only jobs of this run (see the table runs)")
    add.add_argument("--group", metavar="G", help="only images of this group")
    add.add_argument(
        "--scan",
        type=whole(),
        default=1_000_000,
        metavar="N",
        help="refuse to read a queue of more than N jobs (default: %(default)s)",
    )
    add.add_argument("--force", action="store_true", help="accept longer queues, and republish the jobs in them too")
    add.add_argument(
        "--max-queued",
        type=whole(),
        default=1_000_000,
        metavar="N",
        help="wait while a queue holds N jobs (%(default)s)",
    )
    part = add.add_mutually_exclusive_group()
    part.add_argument("--only-jobs", action="store_true", help="do not check derived rows")
    part.add_argument("--only-derived", action="store_true", help="do not check jobs and queues")
    add.add_argument("--dry-run", action="store_true", help="read and count; publish and mark nothing")
    add_json(add)
    add.set_defaults(start=until_stopped(run_repair))


async def run_repair(settings: Settings, stop: asyncio.Event, arguments: argparse.Namespace) -> int:
    fleet = load_fleet(settings.service_config)
    services = tuple(service.name for service in fleet.select(arguments.services))
    scope = Scope(services, arguments.run, arguments.group)
    repair: Repair | None = None
    marked: dict[str, int] = {}
    async with database.connection(settings, "windmill repair") as connection:
        await _must_exist(connection, settings, scope)
        if not arguments.only_derived:
            if not arguments.dry_run:
                await take_producer_lock(connection, settings, other="a producer or another repair")
            repair = await _repair(settings, UnansweredJobs(connection, settings, scope), scope, stop, arguments)
        if not arguments.only_jobs and arguments.run is None:
            marked = await _derived(connection, settings, stop, arguments)
    _report(repair, marked, arguments, interrupted=stop.is_set())
    return INTERRUPTED if stop.is_set() else DONE


async def _must_exist(connection: database.Connection, settings: DatabaseSettings, scope: Scope) -> None:
    """A misspelt group or run would look like one that needs no repair."""
    if scope.run_id is not None:
        await Runs(connection, settings).require_run(scope.run_id)
    if scope.image_group:
        await RegisteredImages(connection, settings).require_group(scope.image_group)


async def _derived(
    connection: database.Connection, settings: DatabaseSettings, stop: asyncio.Event, arguments: argparse.Namespace
) -> dict[str, int]:
    """How many images are stale without a mark, by stage."""
    wanted = SweepFilter(image_group=arguments.group)
    marked = {}
    for row in await connection.fetch(queries()["list_stages"], list(STAGES)):
        _, count = await mark_all(connection, settings, row["stage"], wanted, stop, dry=arguments.dry_run)
        marked[row["stage"]] = count
    return marked


async def _repair(
    settings: Settings, unanswered: UnansweredJobs, scope: Scope, stop: asyncio.Event, arguments: argparse.Namespace
) -> Repair:
    first, last = await unanswered.span()  # both 0 when nothing was ever submitted
    name = "windmill repair"
    async with broker.connection(settings, name) as opened, broker.connection(settings, f"{name} publishing") as other:
        if not arguments.dry_run:
            for service in await declare_absent(opened, settings, scope.services):
                sys.stderr.write(f"a queue of {service} was not there, and is made\n")
        with tqdm(unit=" jobs read", disable=None, dynamic_ncols=True) as bar:
            waiting = Waiting(settings, scope.services, stop, bar.update)
            await waiting.read(opened, most=arguments.scan, force=arguments.force)
        async with broker.publisher(other, settings) as publisher:
            target = None if arguments.dry_run else publisher
            room = QueueBackpressure(partial(broker.depths, opened, settings, scope.services), arguments.max_queued)
            walk = PagePublisher(RunProgress(None, last, first), window=settings.publish_window)
            repair = Repair(waiting.images, target, room, walk, stop)
            with tqdm(total=last - first, unit=" images", disable=None, dynamic_ncols=True) as bar:
                repair.on_image = lambda reached: bar.update(reached - first - bar.n)
                if not stop.is_set():
                    await repair.run(unanswered, first, last)
    return repair


def _report(
    repair: Repair | None, marked: Mapping[str, int], arguments: argparse.Namespace, *, interrupted: bool
) -> None:
    summary: dict[str, object] = {"dry_run": arguments.dry_run, "interrupted": interrupted, "stale_images": marked}
    text = ""
    if repair:
        walk, by_service = repair.walk, repair.walk.jobs_by_service
        jobs = by_service.total()
        summary |= {
            "images": walk.images,
            "jobs": jobs,
            "jobs_by_service": dict(by_service),
            "waiting_by_service": {service: len(images) for service, images in repair.waiting.items()},
        }
        rows = [[service, count, len(repair.waiting[service])] for service, count in sorted(by_service.items())]
        text += render_table(["service", "jobs", "waiting before"], rows) if rows else ""
        verb = "would publish" if arguments.dry_run else "published"
        text += f"{verb} {jobs:,} jobs for {walk.images:,} images\n"
    for stage, count in marked.items():
        text += f"{stage}: {count:,} images were stale without a mark\n"
    text += "interrupted; the same command does the rest\n" if interrupted else ""
    say(summary, text, as_json=arguments.json)
