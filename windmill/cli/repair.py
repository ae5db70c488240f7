"""python -m windmill repair: publish lost jobs again."""

import argparse
import asyncio
import sys

from windmill.cli.options import Commands, add_command, add_json, add_services, async_command, int_between, print_result
from windmill.cli.progress import ProgressBars
from windmill.core.services import load_fleet
from windmill.core.settings import Settings
from windmill.operate.repair.repair import RepairRequest, render_repair_json, render_repair_text, repair
from windmill.process.runner import DONE, INTERRUPTED

DESCRIPTION = """\
Republishes jobs that were submitted according to the table `runs` but have neither a row in `results` nor a message in
any queue. Use it after the broker lost its data. It also declares missing queues. What a run submitted with --urgent is
urgent again.

To find waiting jobs it reads the queues, some thousand jobs a second; empty queues cost nothing. Each job is moved to
the end once, so the order stays. Unacknowledged jobs cannot be read. Just before republishing a job it checks
`results`, but a job that a worker holds for longer is done twice, which changes no result. To avoid that, stop the
workers first.

Submissions with --image-ids are not recorded in `runs`: submit them again.

Then it finds images whose merged boxes, enrichment, consensus or search rows do not match the current rows, and marks
them for the post-processors. This finds something only if rows were written with triggers disabled, or truncated. It
skips stages that no post-processor has ever run.
"""
EXAMPLES = """\
exit codes: 0 done, 1 failed, 2 wrong usage, 70 a bug of Windmill, 75 busy (a producer is running, or a queue is too
long), 130 interrupted (run it again to continue)
"""


def add_to(commands: Commands) -> None:
    add = add_command(
        commands, "repair", "republish lost jobs, for example after the broker lost its data", DESCRIPTION, EXAMPLES
    )
    add_services(add)
    add.add_argument("--run", type=int_between(), metavar="ID", help="only jobs of this run (see the table runs)")
    add.add_argument("--group", metavar="G", help="only images of this group")
    add.add_argument(
        "--scan",
        type=int_between(),
        default=1_000_000,
        metavar="N",
        help="refuse to read a queue of more than N jobs (default: %(default)s)",
    )
    add.add_argument("--force", action="store_true", help="accept longer queues, and republish the jobs in them too")
    add.add_argument(
        "--max-queued",
        type=int_between(),
        default=1_000_000,
        metavar="N",
        help="wait while a queue holds N jobs (%(default)s)",
    )
    part = add.add_mutually_exclusive_group()
    part.add_argument("--only-jobs", action="store_true", help="do not check derived rows")
    part.add_argument("--only-derived", action="store_true", help="do not check jobs and queues")
    add.add_argument("--dry-run", action="store_true", help="read and count; publish and mark nothing")
    add_json(add)
    add.set_defaults(start=async_command(run_repair))


async def run_repair(settings: Settings, stop: asyncio.Event, arguments: argparse.Namespace) -> int:
    services = load_fleet(settings.service_config).select(arguments.services)
    request = RepairRequest(
        services=tuple(service.name for service in services),
        run_id=arguments.run,
        image_group=arguments.group,
        scan=arguments.scan,
        force=arguments.force,
        max_queued=arguments.max_queued,
        jobs=not arguments.only_derived,
        derived=not arguments.only_jobs,
        dry_run=arguments.dry_run,
    )
    with ProgressBars() as bars:
        outcome = await repair(settings, request, stop, on_progress=bars.show, on_declared=_say_declared)
    print_result(render_repair_json(outcome), render_repair_text(outcome), as_json=arguments.json)
    return INTERRUPTED if outcome.interrupted else DONE


def _say_declared(service: str) -> None:
    sys.stderr.write(f"a queue of {service} was not there, and is made\n")
