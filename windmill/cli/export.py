"""python -m windmill export: what a query finds, as files.

What knows the steps brings numpy and OpenCV along, so it is imported when a job is submitted.
"""

import argparse
import asyncio
import sys
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from windmill.cli.options import Commands, add_command, add_json, async_command, int_between, print_result, who
from windmill.core.settings import Settings
from windmill.operate.jobs.render import render_events, render_job
from windmill.operate.jobs.shown import Shown
from windmill.process.runner import DONE

FORMATS = ("jsonl", "csv", "parquet", "coco", "webdataset", "labelstudio")
DESCRIPTION = """\
Exports the images that a query finds, with labels, boxes and votes, as a job: a file for each range of image ids. With
--to it waits for the end, and fetches the files: into a folder, or joined into one file if the name has a suffix.
Without --to, look at the job with `windmill jobs watch` and fetch with `windmill artifacts fetch`.
"""
EXAMPLES = """\
examples:
  python -m windmill export 'label:dog -person' --format coco --to dogs.json
  python -m windmill export '' --format parquet --to images/ --since 2026-11-01

A worker of the step export has to run: STEPS=export python -m workers.jobs

exit codes: 0 done, 1 failed, 2 a query that cannot be read, 70 a bug of Windmill, 130 interrupted (the job goes on)
"""


def add_to(commands: Commands) -> None:
    add = add_command(commands, "export", "export what a query finds, as files", DESCRIPTION, EXAMPLES)
    add.add_argument("query", metavar="QUERY", help="as for search; '' is everything")
    add.add_argument("--format", required=True, choices=FORMATS, help="what the files are")
    add.add_argument("--to", type=Path, metavar="PATH", help="wait, and fetch the files to this folder or file")
    said = "only what was indexed from this time on; of Parquet whole files, which take the place of older ones"
    add.add_argument("--since", type=_time, metavar="TIME", help=said)
    add.add_argument(
        "--shard-images", type=int_between(1, 10_000_000), metavar="N", help="image ids of each file (default: 100000)"
    )
    add.add_argument("--min-confidence", type=_share, metavar="P", help="boxes from this confidence on (default: 0.5)")
    add_json(add)
    add.set_defaults(start=async_command(run_export), remote=True)


def _time(text: str) -> datetime:
    """A time without a zone is one of UTC."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 2026-11-01 or 2026-11-01T12:00") from error
    return time.replace(tzinfo=time.tzinfo or UTC)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 1")
    return value


async def run_export(settings: Settings, stop: asyncio.Event, arguments: argparse.Namespace) -> int:
    from windmill.operate.jobs.watching import exit_code_of
    from windmill.operate.search.exporting import ExportRequest, begin_export, finish_export

    def tell(events: Sequence[Shown]) -> None:
        if not arguments.json:
            sys.stdout.write(render_events(events))
            sys.stdout.flush()

    request = ExportRequest(
        arguments.query, arguments.format, arguments.since, arguments.shard_images, arguments.min_confidence
    )
    job = await begin_export(settings, request, who())
    if not arguments.to:
        print_result(job, render_job(job), as_json=arguments.json)
        return DONE
    job_id = uuid.UUID(str(job["public_id"]))
    job, files = await finish_export(settings, job_id, arguments.format, arguments.to, stop, tell)
    names = [str(one) for one in files]
    print_result({"job": job, "files": names}, "".join(f"{one}\n" for one in names), as_json=arguments.json)
    return exit_code_of(job)
