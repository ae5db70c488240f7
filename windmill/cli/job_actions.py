"""python -m windmill jobs cancel, pause, resume, retry, priority and rm: of jobs by their ids, or of all that match."""

import argparse
import asyncio
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from windmill.cli.job_filters import add_choice, filter_of, must_be_a_choice
from windmill.cli.options import Commands, add_json, age, async_command, print_result, who
from windmill.cli.progress import ProgressBars
from windmill.core.errors import ERROR_CODES
from windmill.core.settings import Settings
from windmill.jobs.requests import PRIORITIES
from windmill.operate.jobs.asking import ask_of_job
from windmill.operate.jobs.chosen_jobs import change_chosen
from windmill.operate.jobs.job_actions import (
    JobAction,
    JobChange,
    cancelling,
    giving_priority,
    pausing,
    resuming,
    retrying,
)
from windmill.operate.jobs.many_jobs import ChosenJobs, ManyJobs
from windmill.operate.jobs.render import render_job, render_many
from windmill.operate.jobs.retention import DeletedFiles, removing
from windmill.process.runner import DONE, INTERRUPTED
from windmill.storage.artifacts.opening import open_artifact_store

MANY = """\
Of one job or several, or with --all of every job that matches the filters and of which it can be asked: without --yes
that only says how many these are. It can be interrupted, and asked for again.
"""
Made = Callable[[argparse.Namespace], JobChange]


def _pausing(given: argparse.Namespace) -> JobChange:
    return pausing(who(), given.reason, datetime.now(UTC) + given.duration if given.duration else None)


CHANGES: list[tuple[str, str, Made]] = [
    ("cancel", "cancel jobs", lambda _: cancelling(who())),
    ("pause", "start nothing more of jobs until they are resumed", _pausing),
    ("resume", "let paused jobs go on", lambda _: resuming(who())),
    ("retry", "run jobs again that have ended, from the step that failed", lambda given: retrying(given.from_step)),
    ("priority", "let jobs go before or behind others", lambda given: giving_priority(given.priority)),
]


def add_actions(actions: Commands) -> None:
    for name, told, made in CHANGES:
        action = _add(actions, name, told, MANY)
        if name in OPTIONS:
            OPTIONS[name](action)
        action.set_defaults(start=async_command(_changing(made)))
    said = f"{MANY}Their logs go, and the files that no other job has; those younger than a day are left to "
    _add(actions, "rm", "remove jobs that have ended", f"{said}`artifacts sweep`.").set_defaults(
        start=async_command(run_remove)
    )


def _add(actions: Commands, name: str, told: str, more: str) -> argparse.ArgumentParser:
    action: argparse.ArgumentParser = actions.add_parser(
        name, help=told, description=f"{told[0].upper()}{told[1:]}. {more}"
    )
    add_choice(action)
    add_json(action)
    return action


def _changing(made: Made) -> Callable[[Settings, asyncio.Event, argparse.Namespace], Any]:
    async def run_change(settings: Settings, stop: asyncio.Event, arguments: argparse.Namespace) -> int:
        must_be_a_choice(arguments)
        change = made(arguments)
        if len(arguments.jobs) == 1:
            job = await ask_of_job(settings, arguments.jobs[0], change)
            print_result(job, render_job(job), as_json=arguments.json)
            return DONE
        return _tell(await _many(settings, stop, arguments, change), arguments)

    return run_change


async def run_remove(settings: Settings, stop: asyncio.Event, arguments: argparse.Namespace) -> int:
    must_be_a_choice(arguments)
    files = DeletedFiles(open_artifact_store(settings))
    report = await _many(settings, stop, arguments, removing(files.delete))
    told = {} if settings.windmill_url else {"files": files.number}
    return _tell(report, arguments, **told)


async def _many(settings: Settings, stop: asyncio.Event, arguments: argparse.Namespace, action: JobAction) -> ManyJobs:
    chosen = ChosenJobs(arguments.jobs, filter_of(arguments), arguments.expect, preview=not arguments.yes)
    with ProgressBars() as bars:
        return await change_chosen(settings, action, chosen, stop, bars.show)


def _tell(report: ManyJobs, arguments: argparse.Namespace, **more: int) -> int:
    """A job that was named must have been changed; one that only matched may have changed meanwhile."""
    print_result(asdict(report) | more, render_many(report, more), as_json=arguments.json)
    if report.interrupted:
        return INTERRUPTED
    return ERROR_CODES[report.told[0].error_code].exit_code if arguments.jobs and report.told else DONE


def _add_pause_options(action: argparse.ArgumentParser) -> None:
    action.add_argument("--reason", default="", help="why, for others to read")
    action.add_argument(
        "--for", dest="duration", type=age, metavar="SPAN", help="resume by itself after it, such as 12h"
    )


OPTIONS: dict[str, Callable[[argparse.ArgumentParser], Any]] = {
    "pause": _add_pause_options,
    "retry": lambda action: action.add_argument(
        "--from-step", metavar="STEP", help="also what had succeeded from this step on"
    ),
    "priority": lambda action: action.add_argument(
        "priority", type=int, choices=PRIORITIES, metavar="N", help="from -9 to 9; higher ones start first"
    ),
}
