"""python -m windmill recompute: have post-processors recompute derived rows."""

import argparse
import asyncio
import sys

from tqdm import tqdm

from windmill.cli.options import Commands, add_json, image_ids, say, until_stopped, whole
from windmill.core.errors import WindmillError
from windmill.core.setting_parts import DatabaseSettings, DerivationSettings
from windmill.core.settings import Settings
from windmill.core.stages import STAGES, Stage
from windmill.derive.sweep import SweepFilter, sweep
from windmill.process.runner import DONE, INTERRUPTED
from windmill.storage import database
from windmill.storage.queries import queries

DESCRIPTION = """\
Marks images so that the post-processors recompute them. Rows that come out the same are not rewritten. Marks are added
only as fast as the post-processors process them. Each derived row records the version of the algorithm and the
calibration, so after a change you can recompute only the outdated rows:

    python -m windmill recompute --stage merge --older-than-version 2
    python -m windmill recompute --stage consensus --other-calibration

Where something changes, dependent stages are marked automatically. The stage enrich deletes its present rows and calls
the services again.
"""
EXAMPLES = """\
exit codes: 0 done, 1 failed, 2 wrong usage, 70 a bug of Windmill, 130 interrupted (images marked so far are recomputed;
run it again for the rest)
"""


def _stages_told() -> str:
    """What each stage computes."""
    return "; ".join(f"{stage}: {spec.summary}" for stage, spec in STAGES.items())


def add_to(commands: Commands) -> None:
    add = commands.add_parser(
        "recompute",
        help="recompute merged boxes, enrichment or consensus",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add.add_argument("--stage", required=True, choices=tuple(STAGES), help=_stages_told())
    which = add.add_mutually_exclusive_group()
    which.add_argument("--group", metavar="G", help="only images of this group")
    which.add_argument("--image-ids", type=image_ids, metavar="IDS", help="ids separated by commas, or a file of ids")
    add.add_argument("--older-than-version", type=whole(), metavar="V", help="only rows with a version before V")
    add.add_argument(
        "--other-calibration", action="store_true", help="only rows made with another calibration than CALIBRATION"
    )
    add.add_argument("--dry-run", action="store_true", help="count the images; mark nothing")
    add_json(add)
    add.set_defaults(start=until_stopped(run_recompute))


async def run_recompute(settings: Settings, stop: asyncio.Event, arguments: argparse.Namespace) -> int:
    stage: Stage = arguments.stage
    wanted = _wanted(settings, arguments)
    async with database.connection(settings, "windmill recompute") as connection:
        await _must_exist(connection, stage, arguments)
        looked_at, marked = await mark_all(connection, settings, stage, wanted, stop, dry=arguments.dry_run)
    interrupted = stop.is_set()
    verb = "would look" if arguments.dry_run else "looks"
    text = f"{stage}: {verb} again at {marked:,} of {looked_at:,} images\n" + ("interrupted\n" if interrupted else "")
    document = {"stage": stage, "images": looked_at, "marked": marked, "dry_run": arguments.dry_run}
    say(document | {"interrupted": interrupted}, text, as_json=arguments.json)
    return INTERRUPTED if interrupted else DONE


def _wanted(settings: DerivationSettings, arguments: argparse.Namespace) -> SweepFilter:
    stage: Stage = arguments.stage
    if arguments.other_calibration and not STAGES[stage].calibrated:
        raise WindmillError("USAGE", f"no calibration enters into the stage {stage}", "leave --other-calibration away")
    other = _calibration(settings) if arguments.other_calibration else None
    ids = tuple(sorted(arguments.image_ids)) if arguments.image_ids is not None else None
    everything = other is None and arguments.older_than_version is None
    return SweepFilter(arguments.group, ids, everything, arguments.older_than_version, other)


def _calibration(settings: DerivationSettings) -> str:
    # Here, because numpy is a burden to all other commands.
    from windmill.derive.calibration import load_calibration

    return load_calibration(settings.calibration).version


async def _must_exist(connection: database.Connection, stage: Stage, arguments: argparse.Namespace) -> None:
    """Marks of a stage that nobody runs would lie there for ever, and a misspelt group would look like one without
    images."""
    stages = [row["stage"] for row in await connection.fetch(queries()["list_stages"], list(STAGES))]
    if stage not in stages:
        raise WindmillError(
            "NOT_FOUND",
            f"no post-processor of the stage {stage} has ever run",
            "start one: python -m postprocessors.all",
        )
    if arguments.group and not await connection.fetchval(queries()["group_exists"], arguments.group):
        raise WindmillError("NOT_FOUND", f"no image has the group {arguments.group!r}", "correct --group")


async def mark_all(
    connection: database.Connection,
    settings: DatabaseSettings,
    stage: Stage,
    wanted: SweepFilter,
    stop: asyncio.Event,
    *,
    dry: bool,
) -> tuple[int, int]:
    """The whole walk with its progress; returns how many images were looked at and how many are marked."""
    looked_at = marked = 0
    with tqdm(desc=stage, unit=" images", disable=None, dynamic_ncols=True, file=sys.stderr) as bar:
        async for page in sweep(connection, settings, stage, wanted, stop, dry=dry):
            looked_at, marked = looked_at + page.looked_at, marked + page.marked
            bar.update(page.looked_at)
    return looked_at, marked
