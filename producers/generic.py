"""Publish jobs for registered images to the services' queues: python -m producers.generic --services all

By default it publishes only jobs that were never submitted and have no result, so you can repeat it, interrupt it and
run it from a timer: it continues where it stopped. --missing and --retry-failed look only at results. Use them when the
queues are empty; otherwise waiting jobs are submitted twice, which costs work but changes no result.
Register images first, with python -m producers.images.
"""

import argparse
import asyncio
import logging
import sys
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import orjson
from tqdm import tqdm

from windmill.core.errors import WindmillError, unreadable_file
from windmill.core.services import Fleet, Service, load_fleet
from windmill.core.setting_parts import ProcessSettings
from windmill.core.settings import Settings
from windmill.kernels.text.tables import table
from windmill.process.health import Health
from windmill.process.metrics import Sample, of_publishing, of_reconnects
from windmill.process.monitoring import monitored
from windmill.process.runner import DONE, INTERRUPTED, run
from windmill.storage import database
from windmill.submit.publishing import JobPublisher, Walk, count_all, publish_all
from windmill.submit.runs import Runs, be_the_only_submitter
from windmill.submit.selection import RegisteredImages, Selection, Submission

logger = logging.getLogger("producers.generic")

EXAMPLES = """\
examples:
  python -m producers.generic --services all
  python -m producers.generic --services detectors,ocr --group holidays --limit 1000
  python -m producers.generic --services yolov8 --retry-failed
  python -m producers.generic --services all --dry-run --json

exit codes: 0 all published, 1 failed, 2 wrong usage, 70 a bug of Windmill, 75 busy (another producer is running),
130 interrupted (run it again to continue)
"""


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m producers.generic",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = top.add_argument
    add("--services", metavar="LIST", help="services and sets, separated by commas: all, detectors, yolov8,ocr ...")
    add("--list-services", action="store_true", help="print the services and sets of service_config.json, and exit")
    add("--group", metavar="G", help="only images of this group")
    add("--limit", type=_count, metavar="N", help="publish at most N images")
    add(
        "--image-ids",
        type=Path,
        metavar="FILE",
        help="only the images in FILE, one id per line (- reads standard input); such a run is not recorded",
    )
    which = top.add_mutually_exclusive_group()
    which.add_argument(
        "--missing", action="store_true", help="also jobs that were submitted before but have no result yet"
    )
    which.add_argument("--retry-failed", action="store_true", help="only jobs whose result has the status error")
    which.add_argument("--reprocess", action="store_true", help="all jobs again, even those with a result")
    add(
        "--max-queued",
        type=_count,
        default=1_000_000,
        metavar="N",
        help="wait while a queue holds N jobs (%(default)s)",
    )
    add("--dry-run", action="store_true", help="count the jobs; publish nothing")
    add("--json", action="store_true", help="print the summary as JSON")
    add("--quiet", action="store_true", help="show no progress bar")
    return top


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def selection(arguments: argparse.Namespace) -> Selection:
    if arguments.reprocess:
        return "all"
    if arguments.retry_failed:
        return "failed"
    return "missing" if arguments.missing else "new"


async def main(settings: Settings, stop: asyncio.Event, arguments: argparse.Namespace) -> int:
    fleet = load_fleet(settings.service_config)
    if arguments.list_services:
        _say(listing(fleet), list_text(fleet), as_json=arguments.json)
        return DONE
    if not arguments.services:
        raise WindmillError("USAGE", "no services named", "add --services all, or see --list-services")
    services = tuple(service.name for service in fleet.select(arguments.services))
    image_ids = read_ids(arguments.image_ids) if arguments.image_ids else None
    submission = Submission(services, selection(arguments), arguments.group, image_ids)
    async with database.connection(settings, "windmill-producer") as connection:
        walk = await _produce(connection, submission, settings, stop, arguments)
    report(walk, arguments, interrupted=stop.is_set())
    return INTERRUPTED if stop.is_set() else DONE


async def _produce(
    connection: database.Connection,
    submission: Submission,
    settings: Settings,
    stop: asyncio.Event,
    arguments: argparse.Namespace,
) -> Walk:
    images, runs = RegisteredImages(connection, settings), Runs(connection, settings)
    if arguments.group:
        await images.must_have(arguments.group)
    if not arguments.dry_run:
        await be_the_only_submitter(connection, settings)
    progress = await runs.open(submission, record=not arguments.dry_run)
    total = None if arguments.image_ids else progress.until - progress.last
    hide = arguments.quiet or None  # None lets tqdm show the bar on a terminal only
    with tqdm(total=total, unit=" images", disable=hide, dynamic_ncols=True) as bar:
        walk = Walk(progress, window=settings.publish_window, limit=arguments.limit, on_images=bar.update)
        pages = images.pages(submission, progress.last, progress.until)
        if arguments.dry_run:
            await count_all(pages, walk, stop)
        else:
            jobs = JobPublisher(settings, submission.services, most_queued=arguments.max_queued)
            async with _told(settings, walk, jobs):
                await publish_all(pages, lambda: runs.note(progress, finished=False), walk, jobs, stop)
            await runs.note(progress, finished=not stop.is_set())
    return walk


def _told(settings: ProcessSettings, walk: Walk, jobs: JobPublisher) -> AbstractAsyncContextManager[None]:
    """Metrics and health of a producer while it publishes."""

    async def samples() -> list[Sample]:
        return [*of_publishing(walk.images, walk.jobs_by_service), *of_reconnects({"broker": jobs.outage.ended})]

    return monitored(settings, "producers.generic", Health(alive={}, ready={"broker": jobs.trouble}), samples)


def report(walk: Walk, arguments: argparse.Namespace, *, interrupted: bool) -> None:
    """The summary, on standard output."""
    if walk.unknown:
        logger.warning("no such images", extra={"count": len(walk.unknown), "first": walk.unknown[:5]})
    summary = {
        "run_id": walk.progress.run_id,
        "images": walk.images,
        "jobs": sum(walk.jobs_by_service.values()),
        "jobs_by_service": dict(walk.jobs_by_service),
        "unknown_images": len(walk.unknown),
        "dry_run": arguments.dry_run,
        "interrupted": interrupted,
    }
    verb = "would publish" if arguments.dry_run else "published"
    rows = [[name, count] for name, count in walk.jobs_by_service.items()]
    text = table(["service", "jobs"], rows) if rows else ""
    text += f"{verb} {summary['jobs']:,} jobs for {walk.images:,} images\n"
    if not walk.images and not interrupted:
        text += "nothing is left to submit: register images, or see --missing, --retry-failed and --reprocess\n"
    if interrupted:
        text += f"stopped at image {walk.progress.last}; the same command goes on from there\n"
    _say(summary, text, as_json=arguments.json)


def read_ids(file: Path) -> Iterator[int]:
    """The image ids of a file, read as they are needed."""
    try:
        with sys.stdin if str(file) == "-" else file.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield _id(line.strip(), file, number)
    except (OSError, UnicodeDecodeError) as error:
        code = unreadable_file(error)
        raise WindmillError(code, f"--image-ids {file}: {error}", "name a readable text file") from error


def _id(text: str, file: Path, number: int) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 19 or int(text) >= 2**63:
        raise WindmillError(
            "USAGE",
            f"{file}, line {number}: {text[:40]!r} is not an image id",
            "put one whole number on each line",
        )
    return int(text)


def listing(fleet: Fleet) -> dict[str, object]:
    services = [{"name": s.name, "port": s.port, "category": s.category} for s in fleet.services.values()]
    return {"services": services, "sets": fleet.sets}


def list_text(fleet: Fleet) -> str:
    services = [_service_line(service) for service in fleet.services.values()]
    sets = [[name, ",".join(members), fleet.set_notes[name]] for name, members in fleet.sets.items()]
    return (
        table(["service", "port", "category", "concurrency", "timeout s"], services)
        + "\n"
        + "".join(f"{name:14} {note}\n{'':14} {members}\n" for name, members, note in sets)
    )


def _service_line(service: Service) -> list[object]:
    return [service.name, str(service.port), service.category, service.concurrency, service.timeout_seconds]


def _say(document: object, text: str, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    parsed = parser().parse_args()
    sys.exit(run(lambda settings, stop: main(settings, stop, parsed)))
