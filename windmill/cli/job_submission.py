"""python -m windmill jobs submit and watch.

What knows the steps brings numpy and OpenCV along, so it is imported when a job is submitted: other commands start
without.
"""

import argparse
import asyncio
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path

from windmill.cli.options import Commands, add_json, async_command, print_result, sync_command, who
from windmill.core.settings import Settings
from windmill.jobs.requests import PRIORITIES
from windmill.operate.jobs.render import render_events, render_job
from windmill.operate.jobs.shown import Shown
from windmill.operate.jobs.watching import exit_code_of, watch_job
from windmill.process.runner import DONE

SUBMIT = """\
Submit a job. `windmill presets show ID` tells the inputs of a preset. An input of type images takes several values:
repeat the option.
"""
WATCH = "Tell what happens to a job until it has ended. The exit code is 0 if it succeeded, else that of its error."


def add_submission(actions: Commands) -> None:
    add = actions.add_parser("submit", help="submit a job", description=SUBMIT)
    add.add_argument("--preset", required=True, metavar="ID", help="what to make: a preset")
    add_request(add)
    add.add_argument("--priority", type=int, default=0, choices=PRIORITIES, metavar="N", help="from -9 to 9")
    add.add_argument("--key", metavar="TEXT", help="names this request: sent again, it makes no second job")
    add_json(add)
    add.set_defaults(start=sync_command(run_submit))
    watch = actions.add_parser("watch", help="follow a job to its end", description=WATCH)
    watch.add_argument("job", type=uuid.UUID, metavar="JOB", help="the id of the job")
    add_json(watch)
    watch.set_defaults(start=async_command(run_watch))


def add_request(add: argparse.ArgumentParser) -> None:
    """What somebody asks of a preset."""
    add.add_argument("--input", action="append", default=[], type=_pair, metavar="NAME=VALUE", help="an input")
    add.add_argument("--file", action="append", default=[], type=_pair, metavar="NAME=PATH", help="an input: a file")
    add.add_argument("--quality", metavar="LEVEL", help="one of the levels of the preset")
    add.add_argument(
        "--engine", action="append", default=[], metavar="NAME", help="instead of the preset's, the preferred one first"
    )
    add.add_argument("--consent", action="store_true", help="confirm what the preset asks to confirm")


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not name or not sign:
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is not NAME=VALUE")
    return name, value


def grouped(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name, value in pairs:
        groups.setdefault(name, []).append(value)
    return groups


def grouped_paths(pairs: Sequence[tuple[str, str]]) -> dict[str, list[Path]]:
    return {name: [*map(Path, paths)] for name, paths in grouped(pairs).items()}


def run_submit(settings: Settings, arguments: argparse.Namespace) -> int:
    from windmill.operate.jobs.preset_jobs import submit_preset
    from windmill.operate.jobs.preset_orders import PresetOrder

    order = PresetOrder(
        preset=arguments.preset,
        inputs=grouped(arguments.input),
        files=grouped_paths(arguments.file),
        quality=arguments.quality,
        engines=arguments.engine,
        consent=arguments.consent,
        priority=arguments.priority,
        key=arguments.key,
        by=who(),
    )
    job = asyncio.run(submit_preset(settings, order))
    print_result(job, render_job(job), as_json=arguments.json)
    return DONE


async def run_watch(settings: Settings, stop: asyncio.Event, arguments: argparse.Namespace) -> int:
    def tell(events: Sequence[Shown]) -> None:
        if not arguments.json:
            sys.stdout.write(render_events(events))
            sys.stdout.flush()

    job = await watch_job(settings, arguments.job, stop, tell)
    print_result(job, render_job(job), as_json=arguments.json)
    return exit_code_of(job)
