"""Options of `windmill jobs` that say which jobs are meant."""

import argparse
import uuid
from typing import get_args

from windmill.cli.options import age, int_between
from windmill.core.errors import WindmillError
from windmill.jobs.states import JobStatus
from windmill.operate.jobs.job_filter import JobFilter

_LISTS = {
    "--kind": ("kinds", "NAME", "only jobs of this kind, which for those of a preset is its id"),
    "--preset": ("presets", "ID", "only jobs of this preset"),
    "--principal": ("principals", "NAME", "only jobs of this principal"),
    "--error-code": ("error_codes", "CODE", "only jobs with this error"),
}


def add_filters(add: argparse.ArgumentParser) -> None:
    """The filters; several values of one are alternatives."""
    group = add.add_argument_group("filters", "Jobs that match all of them; each but --older-than may be repeated.")
    group.add_argument("--status", action="append", dest="statuses", choices=get_args(JobStatus), help="only these")
    for flag, (name, metavar, told) in _LISTS.items():
        group.add_argument(flag, action="append", dest=name, metavar=metavar, help=told)
    told = "only jobs that ended longer ago, such as 30d, or were submitted longer ago if they have not ended"
    group.add_argument("--older-than", type=age, metavar="SPAN", help=told)


def filter_of(arguments: argparse.Namespace) -> JobFilter:
    return JobFilter(
        statuses=arguments.statuses,
        kinds=arguments.kinds,
        presets=arguments.presets,
        principals=arguments.principals,
        error_codes=arguments.error_codes,
        older_than=arguments.older_than,
    )


def add_choice(add: argparse.ArgumentParser) -> None:
    """Jobs by their ids, or all that match."""
    add.add_argument("jobs", type=uuid.UUID, nargs="*", metavar="JOB", help="ids of jobs")
    add.add_argument("--all", action="store_true", help="all that match the filters and of which it can be asked")
    add.add_argument("--yes", action="store_true", help="with --all: do it, instead of saying how many that are")
    add.add_argument("--expect", type=int_between(0), metavar="N", help="with --all: refuse if so many do not match")
    add_filters(add)


def must_be_a_choice(arguments: argparse.Namespace) -> None:
    """Raises USAGE unless ids are given, or --all."""
    if bool(arguments.jobs) == arguments.all:
        raise WindmillError("USAGE", "name the jobs, or all that match by --all", "windmill jobs list prints their ids")
    if arguments.jobs and (filter_of(arguments) != JobFilter() or arguments.expect is not None):
        raise WindmillError("USAGE", "filters and --expect go with --all", "leave them out, or the ids")
