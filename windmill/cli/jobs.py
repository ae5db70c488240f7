"""python -m windmill jobs: submit, list, show, watch, cancel, pause, resume, rerun, fork, hurry and remove jobs."""

import argparse
import asyncio
import uuid

from windmill.cli.job_actions import add_actions
from windmill.cli.job_filters import add_filters, filter_of
from windmill.cli.job_fork import add_fork
from windmill.cli.job_submission import add_submission
from windmill.cli.options import Commands, add_json, int_between, print_result, sync_command
from windmill.core.settings import Settings
from windmill.operate.jobs.comparing import compare_jobs
from windmill.operate.jobs.details import show_details
from windmill.operate.jobs.reading import list_events, list_jobs
from windmill.operate.jobs.render import render_events, render_jobs
from windmill.operate.jobs.render_details import render_comparison, render_details
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
    add_actions(actions)
    add_fork(actions)


def _add_views(actions: Commands) -> None:
    listing = actions.add_parser("list", help="list jobs", description="List jobs, the newest first.")
    add_filters(listing)
    listing.add_argument("--limit", type=int_between(1, 10_000), default=50, help="at most so many (default: 50)")
    listing.add_argument(
        "--before", type=uuid.UUID, metavar="JOB", help="only jobs submitted before this one: the next page"
    )
    add_json(listing)
    listing.set_defaults(start=sync_command(run_list))
    _add_job_action(actions, "show", "tell all about a job").set_defaults(start=sync_command(run_show))
    compare = _add_job_action(actions, "compare", "tell in what two jobs differ, such as a fork and its original")
    compare.add_argument("other", type=uuid.UUID, metavar="OTHER", help="the id of another job")
    compare.set_defaults(start=sync_command(run_compare))
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
    jobs = asyncio.run(list_jobs(settings, filter_of(arguments), arguments.limit, arguments.before))
    full = len(jobs) == arguments.limit and not settings.windmill_url
    more = f"the next page: --before {jobs[-1]['public_id']}\n" if full else ""
    print_result(jobs, render_jobs(jobs) + more, as_json=arguments.json)
    return DONE


def run_show(settings: Settings, arguments: argparse.Namespace) -> int:
    job = asyncio.run(show_details(settings, arguments.job))
    print_result(job, render_details(job), as_json=arguments.json)
    return DONE


def run_compare(settings: Settings, arguments: argparse.Namespace) -> int:
    found = asyncio.run(compare_jobs(settings, arguments.job, arguments.other))
    print_result(found, render_comparison(found), as_json=arguments.json)
    return DONE


def run_logs(settings: Settings, arguments: argparse.Namespace) -> int:
    events = asyncio.run(list_events(settings, arguments.job, arguments.after, arguments.limit))
    print_result(events, render_events(events), as_json=arguments.json)
    return DONE
