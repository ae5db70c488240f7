"""python -m windmill artifacts: list, fetch, verify and sweep the files of jobs."""

import argparse
import asyncio
import uuid
from dataclasses import asdict
from pathlib import Path

from windmill.cli.options import Commands, add_json, age, print_result, sync_command
from windmill.core.settings import Settings
from windmill.operate import artifacts as operate
from windmill.process.runner import DONE, FAILED
from windmill.storage.artifacts.sweep import LEFT_OVER

DESCRIPTION = """\
The files that jobs make and use lie in ARTIFACTS_URL: a folder, or a bucket (s3://, gs://, az://). Each has an id, its
SHA-256, by which a new job can use it: jobs submit --input NAME=ID
"""


def add_to(commands: Commands) -> None:
    group = commands.add_parser("artifacts", help="fetch, verify and sweep files of jobs", description=DESCRIPTION)
    actions = group.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add(actions, "list", "list the files of a job").set_defaults(start=sync_command(run_list), remote=True)
    fetch = _add(actions, "fetch", "copy what a job has made into a folder")
    fetch.add_argument("--to", type=Path, default=Path(), metavar="DIR", help="the folder (default: the current one)")
    fetch.add_argument("--step", metavar="NAME", help="what this step has made (default: the last that made files)")
    fetch.set_defaults(start=sync_command(run_fetch), remote=True)
    verify = actions.add_parser("verify", help="compare the files with their rows; exit code 1 if one is not right")
    verify.add_argument("--quick", action="store_true", help="only whether they are there, and their sizes")
    add_json(verify)
    verify.set_defaults(start=sync_command(run_verify))
    _add_sweep(actions)


def _add(actions: Commands, name: str, told: str) -> argparse.ArgumentParser:
    action: argparse.ArgumentParser = actions.add_parser(name, help=told, description=f"{told.capitalize()}.")
    action.add_argument("job", type=uuid.UUID, metavar="JOB", help="the id of the job")
    add_json(action)
    return action


def _add_sweep(actions: Commands) -> None:
    add = actions.add_parser("sweep", help="delete the files that belong to no job")
    add.add_argument("--older-than", type=age, default=LEFT_OVER, metavar="SPAN", help="only those (default: 1d)")
    add.add_argument("--dry-run", action="store_true", help="delete nothing")
    add_json(add)
    add.set_defaults(start=sync_command(run_sweep))


def run_list(settings: Settings, arguments: argparse.Namespace) -> int:
    files = asyncio.run(operate.list_artifacts(settings, arguments.job))
    print_result(files, operate.render_artifacts(files), as_json=arguments.json)
    return DONE


def run_fetch(settings: Settings, arguments: argparse.Namespace) -> int:
    paths = asyncio.run(operate.fetch_artifacts(settings, arguments.job, arguments.step, arguments.to))
    names = [str(path) for path in paths]
    print_result(names, "".join(f"{name}\n" for name in names), as_json=arguments.json)
    return DONE


def run_verify(settings: Settings, arguments: argparse.Namespace) -> int:
    faults = asyncio.run(operate.verify_artifacts(settings, content=not arguments.quick))
    print_result(operate.render_faults_json(faults), operate.render_faults(faults), as_json=arguments.json)
    return FAILED if faults else DONE


def run_sweep(settings: Settings, arguments: argparse.Namespace) -> int:
    delete = not arguments.dry_run
    report = asyncio.run(operate.sweep_artifacts(settings, arguments.older_than, delete=delete))
    print_result(asdict(report), operate.render_sweep(report, deleted=delete), as_json=arguments.json)
    return DONE
