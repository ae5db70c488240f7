"""python -m windmill jobs: submit, list, show, watch, cancel, pause, resume, rerun, fork, hurry and remove jobs."""

import argparse
import asyncio
import getpass
import uuid
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, get_args

import orjson

from windmill.cli.job_submission import add_submission
from windmill.cli.options import Commands, add_json, age, int_between, print_result, sync_command
from windmill.core.settings import Settings
from windmill.jobs.forking import Changes, fork_job
from windmill.jobs.requests import PRIORITIES, cancel_job, change_priority, pause_job, resume_job
from windmill.jobs.rerunning import rerun_job
from windmill.jobs.states import JobStatus
from windmill.operate.jobs.asking import JobAsk, ask_of_job
from windmill.operate.jobs.reading import list_events, list_jobs, show_job
from windmill.operate.jobs.render import render_events, render_job, render_jobs
from windmill.operate.jobs.retention import remove_jobs
from windmill.process.runner import DONE

DESCRIPTION = """\
Jobs are work that goes through steps. Each has an id, which `list` prints. What is asked of a job is done at once, but
for work that runs: it is stopped by its worker within seconds.
"""


def add_to(commands: Commands) -> None:
    add = commands.add_parser("jobs", help="submit, list, show and steer jobs", description=DESCRIPTION)
    add.set_defaults(remote=True)
    actions = add.add_subparsers(dest="action", required=True, metavar="ACTION")
    add_submission(actions)
    _add_views(actions)
    _add_removal(actions)
    for name, told, request in ASKED:
        action = _add_job_action(actions, name, told)
        action.set_defaults(start=sync_command(_asking(request)))
        if name in OPTIONS:
            OPTIONS[name](action)


def _add_views(actions: Commands) -> None:
    listing = actions.add_parser("list", help="list the newest jobs", description="List the newest jobs.")
    listing.add_argument("--status", action="append", choices=get_args(JobStatus), help="only these; may be repeated")
    listing.add_argument("--limit", type=int_between(1, 10_000), default=50, help="at most so many (default: 50)")
    add_json(listing)
    listing.set_defaults(start=sync_command(run_list))
    _add_job_action(actions, "show", "tell all about a job").set_defaults(start=sync_command(run_show))
    logs = _add_job_action(actions, "logs", "tell what has happened to a job")
    logs.add_argument("--after", type=int_between(0), default=0, metavar="N", help="only what came after event N")
    logs.add_argument("--limit", type=int_between(1, 100_000), default=1_000, help="at most so many (default: 1000)")
    logs.set_defaults(start=sync_command(run_logs))


def _add_job_action(actions: Commands, name: str, told: str) -> argparse.ArgumentParser:
    action: argparse.ArgumentParser = actions.add_parser(name, help=told, description=f"{told.capitalize()}.")
    action.add_argument("job", type=uuid.UUID, metavar="JOB", help="the id of the job")
    add_json(action)
    return action


def run_list(settings: Settings, arguments: argparse.Namespace) -> int:
    jobs = asyncio.run(list_jobs(settings, arguments.status or [], arguments.limit))
    print_result(jobs, render_jobs(jobs), as_json=arguments.json)
    return DONE


def run_show(settings: Settings, arguments: argparse.Namespace) -> int:
    job = asyncio.run(show_job(settings, arguments.job))
    print_result(job, render_job(job), as_json=arguments.json)
    return DONE


def run_logs(settings: Settings, arguments: argparse.Namespace) -> int:
    events = asyncio.run(list_events(settings, arguments.job, arguments.after, arguments.limit))
    print_result(events, render_events(events), as_json=arguments.json)
    return DONE


def _add_removal(actions: Commands) -> None:
    removal = actions.add_parser(
        "rm",
        help="remove jobs that have ended",
        description="Remove jobs that have ended, with their logs and the files that no other job has. Files that are "
        "younger than a day are left to `artifacts sweep`.",
    )
    which = removal.add_mutually_exclusive_group(required=True)
    which.add_argument("job", type=uuid.UUID, nargs="?", metavar="JOB", help="the id of the job")
    which.add_argument("--older-than", type=age, metavar="SPAN", help="all that ended longer ago, such as 30d")
    add_json(removal)
    removal.set_defaults(start=sync_command(run_remove))


def run_remove(settings: Settings, arguments: argparse.Namespace) -> int:
    removed = asyncio.run(remove_jobs(settings, arguments.job, arguments.older_than))
    said = f"removed {removed.jobs:,} jobs and {removed.files:,} files of theirs\n"
    print_result(asdict(removed), said, as_json=arguments.json)
    return DONE


def _asking(made: Callable[[argparse.Namespace], JobAsk]) -> Callable[[Settings, argparse.Namespace], int]:
    def run_request(settings: Settings, arguments: argparse.Namespace) -> int:
        job = asyncio.run(ask_of_job(settings, arguments.job, made(arguments)))
        print_result(job, render_job(job), as_json=arguments.json)
        return DONE

    return run_request


def _who() -> str:
    """Who is told to have asked; in a container the account may have no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "the command line"


def _pause(arguments: argparse.Namespace) -> JobAsk:
    until = datetime.now(UTC) + arguments.duration if arguments.duration else None
    body = {"reason": arguments.reason, "until": until.isoformat() if until else None}
    return JobAsk("pause", lambda access, job_id: pause_job(access, job_id, _who(), arguments.reason, until), body)


def _fork(arguments: argparse.Namespace) -> JobAsk:
    changes = Changes(inputs=arguments.inputs, parameters=arguments.parameters)
    body = {"from_step": arguments.from_step, "inputs": arguments.inputs, "parameters": arguments.parameters}
    return JobAsk("fork", lambda access, job_id: fork_job(access, job_id, arguments.from_step, changes), body)


def _retry(arguments: argparse.Namespace) -> JobAsk:
    step = arguments.from_step
    return JobAsk("retry", lambda access, job_id: rerun_job(access, job_id, step), {"from_step": step})


def _priority(arguments: argparse.Namespace) -> JobAsk:
    number = arguments.priority
    return JobAsk("priority", lambda access, job_id: change_priority(access, job_id, number), {"priority": number})


ASKED: list[tuple[str, str, Callable[[argparse.Namespace], JobAsk]]] = [
    ("cancel", "cancel a job", lambda _: JobAsk("cancel", lambda access, job_id: cancel_job(access, job_id, _who()))),
    ("pause", "start nothing more of a job until it is resumed", _pause),
    (
        "resume",
        "let a paused job go on",
        lambda _: JobAsk("resume", lambda access, job_id: resume_job(access, job_id, _who())),
    ),
    ("retry", "run a job again that has ended, from the step that failed", _retry),
    ("fork", "make a new job from the finished steps of another", _fork),
    ("priority", "let a job go before or behind others", _priority),
]


def _document(text: str) -> dict[str, Any]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is not a JSON object")
    return found


def _add_pause_options(action: argparse.ArgumentParser) -> None:
    action.add_argument("--reason", default="", help="why, for others to read")
    action.add_argument(
        "--for", dest="duration", type=age, metavar="SPAN", help="resume by itself after it, such as 12h"
    )


def _add_fork_options(action: argparse.ArgumentParser) -> None:
    action.add_argument("--from-step", required=True, metavar="STEP", help="the first step that runs anew")
    action.add_argument("--inputs", type=_document, metavar="JSON", help="other inputs (default: those of the job)")
    action.add_argument("--parameters", type=_document, metavar="JSON", help="other parameters")


OPTIONS: dict[str, Callable[[argparse.ArgumentParser], Any]] = {
    "pause": _add_pause_options,
    "fork": _add_fork_options,
    "retry": lambda action: action.add_argument(
        "--from-step", metavar="STEP", help="also what had succeeded from this step on"
    ),
    "priority": lambda action: action.add_argument(
        "priority", type=int, choices=PRIORITIES, metavar="N", help="from -9 to 9; higher ones start first"
    ),
}
