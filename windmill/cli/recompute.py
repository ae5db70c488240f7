"""python -m windmill recompute: compute derived rows again."""

import argparse
import asyncio

from windmill.cli.options import Commands, add_command, add_json, async_command, image_ids, int_between, print_result
from windmill.cli.progress import ProgressBars
from windmill.core.settings import Settings
from windmill.core.stages import STAGES
from windmill.operate.recompute import RecomputeRequest, recompute, render_recompute_json, render_recompute_text
from windmill.process.runner import DONE, INTERRUPTED

DESCRIPTION = """\
Marks images so that the post-processors recompute them. Rows that come out the same are not rewritten. Marks are added
only as fast as the post-processors process them. Each derived row records the version of the algorithm and the
calibration, so after a change you can recompute only the outdated rows:

    python -m windmill recompute --stage merge --older-than-version 3
    python -m windmill recompute --stage consensus --other-calibration

Where something changes, dependent stages are marked automatically. The stage enrich deletes its present rows and calls
the services again.
"""
EXAMPLES = """\
exit codes: 0 done, 1 failed, 2 wrong usage, 70 a bug of Windmill, 130 interrupted (images marked so far are recomputed;
run it again for the rest)
"""


def _render_stages() -> str:
    """Each stage with what it makes."""
    return "; ".join(f"{stage}: {spec.summary}" for stage, spec in STAGES.items())


def add_to(commands: Commands) -> None:
    add = add_command(
        commands, "recompute", "recompute merged boxes, enrichment, consensus or search rows", DESCRIPTION, EXAMPLES
    )
    add.add_argument("--stage", required=True, choices=tuple(STAGES), help=_render_stages())
    which = add.add_mutually_exclusive_group()
    which.add_argument("--group", metavar="G", help="only images of this group")
    which.add_argument("--image-ids", type=image_ids, metavar="IDS", help="ids separated by commas, or a file of ids")
    add.add_argument("--older-than-version", type=int_between(), metavar="V", help="only rows with a version before V")
    add.add_argument(
        "--other-calibration", action="store_true", help="only rows made with another calibration than CALIBRATION"
    )
    add.add_argument("--dry-run", action="store_true", help="count the images; mark nothing")
    add_json(add)
    add.set_defaults(start=async_command(run_recompute))


async def run_recompute(settings: Settings, stop: asyncio.Event, arguments: argparse.Namespace) -> int:
    request = RecomputeRequest(
        stage=arguments.stage,
        image_group=arguments.group,
        image_ids=arguments.image_ids,
        older_than_version=arguments.older_than_version,
        other_calibration=arguments.other_calibration,
        dry_run=arguments.dry_run,
    )
    with ProgressBars() as bars:
        outcome = await recompute(settings, request, stop, bars.show)
    print_result(render_recompute_json(outcome), render_recompute_text(outcome), as_json=arguments.json)
    return INTERRUPTED if outcome.interrupted else DONE
