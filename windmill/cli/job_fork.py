"""python -m windmill jobs fork: a new job from the finished steps of another."""

import argparse
import asyncio
import uuid
from typing import Any

import orjson

from windmill.cli.job_submission import add_request, grouped, grouped_paths
from windmill.cli.options import Commands, add_json, print_result, sync_command, who
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.jobs.forking import Changes
from windmill.operate.jobs.asking import ask_of_job
from windmill.operate.jobs.job_actions import forking
from windmill.operate.jobs.reading import show_job
from windmill.operate.jobs.render import render_job
from windmill.operate.jobs.shown import Shown
from windmill.process.runner import DONE

DESCRIPTION = """\
Make a new job from the finished steps of another. For a job of a preset the inputs that are given take the place of
those of the job, and its steps from STEP on are worked out anew; a step before that one cannot change.
"""


def add_fork(actions: Commands) -> None:
    add = actions.add_parser("fork", help="make a new job from the finished steps of another", description=DESCRIPTION)
    add.add_argument("job", type=uuid.UUID, metavar="JOB", help="the id of the job")
    add.add_argument("--from-step", required=True, metavar="STEP", help="the first step that runs anew")
    add_request(add)
    add.add_argument("--inputs", type=_document, metavar="JSON", help="other inputs, as one object")
    add.add_argument("--parameters", type=_document, metavar="JSON", help="other parameters of a job without a preset")
    add_json(add)
    add.set_defaults(start=sync_command(run_fork))


def run_fork(settings: Settings, arguments: argparse.Namespace) -> int:
    job = asyncio.run(_fork(settings, arguments))
    print_result(job, render_job(job), as_json=arguments.json)
    return DONE


async def _fork(settings: Settings, given: argparse.Namespace) -> Shown:
    typed = given.input or given.file or given.quality or given.engine or given.consent
    changed = typed or given.inputs is not None or given.parameters is not None
    if changed and (await show_job(settings, given.job))["preset"]:
        return await _fork_of_preset(settings, given)
    if typed:
        said = "the job was not made of a preset, so its inputs have no types"
        raise WindmillError("USAGE", said, "give all of them as JSON: --inputs, --parameters")
    changes = Changes(inputs=given.inputs, parameters=given.parameters)
    return await ask_of_job(settings, given.job, forking(given.from_step, changes))


async def _fork_of_preset(settings: Settings, given: argparse.Namespace) -> Shown:
    from windmill.operate.jobs.preset_forks import ForkOrder, fork_preset_job

    if given.parameters is not None:
        said = "a job of a preset has no parameters but its quality and its engines"
        raise WindmillError("USAGE", said, "give --quality and --engine")
    order = ForkOrder(
        from_step=given.from_step,
        values=given.inputs or {},
        inputs=grouped(given.input),
        files=grouped_paths(given.file),
        quality=given.quality,
        engines=given.engine,
        consent=given.consent,
        by=who(),
    )
    return await fork_preset_job(settings, given.job, order)


def _document(text: str) -> dict[str, Any]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is not a JSON object")
    return found
