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
from windmill.kernels.text.tables import render_table
from windmill.process.health import Health
from windmill.process.metric import Sample
from windmill.process.metrics import publishing_samples, reconnect_samples
from windmill.process.metrics_and_health_server import serve_metrics_and_health
from windmill.process.runner import DONE, INTERRUPTED, run
from windmill.storage import database
from windmill.submit.publishing import PagePublisher, ReconnectingPublisher, count_all, publish_all
from windmill.submit.runs import ProducerLock, Runs, take_producer_lock
from windmill.submit.selection import RegisteredImages, Selection, Submission

logger = logging.getLogger("producers.generic")

NAME = "windmill-producer"
"""The name of its connections."""

EXAMPLES = """\
examples:
  python -m producers.generic --services all
  python -m producers.generic --services detectors,ocr --group holidays --limit 1000
  python -m producers.generic --services yolov8 --retry-failed
  python -m producers.generic --services all --group today --urgent
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
    add(
        "--urgent",
        action="store_true",
        help="these jobs overtake all others; for a part of the images (--group, --image-ids, --limit); may run beside "
        "a producer of other jobs",
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
        _print(services_document(fleet), render_services(fleet), as_json=arguments.json)
        return DONE
    if not arguments.services:
        raise WindmillError("USAGE", "no services named", "add --services all, or see --list-services")
    services = tuple(service.name for service in fleet.select(arguments.services))
    image_ids = read_ids(arguments.image_ids) if arguments.image_ids else None
    submission = Submission(services, selection(arguments), arguments.group, image_ids, arguments.urgent)
    async with database.connection(settings, NAME) as connection:
        publisher = await _produce(connection, submission, settings, stop, arguments)
    print_summary(publisher, arguments, interrupted=stop.is_set())
    return INTERRUPTED if stop.is_set() else DONE


async def _produce(
    connection: database.Connection,
    submission: Submission,
    settings: Settings,
    stop: asyncio.Event,
    arguments: argparse.Namespace,
) -> PagePublisher:
    images, runs = RegisteredImages(connection, settings), Runs(connection, settings)
    if arguments.group:
        await images.require_group(arguments.group)
    if not arguments.dry_run:
        await take_producer_lock(connection, settings, _lock(submission))
    progress = await runs.resume_or_start(submission, record=not arguments.dry_run)
    total = None if arguments.image_ids else progress.until - progress.last
    disable_bar = arguments.quiet or None  # None lets tqdm show the bar on a terminal only
    with tqdm(total=total, unit=" images", disable=disable_bar, dynamic_ncols=True) as bar:
        publisher = PagePublisher(
            progress,
            window=settings.publish_window,
            limit=arguments.limit,
            on_images=bar.update,
            urgent=submission.urgent,
        )
        pages = images.pages(submission, progress.last, progress.until)
        if arguments.dry_run:
            await count_all(pages, publisher, stop)
        else:
            session = ReconnectingPublisher(
                settings,
                submission.services,
                program=NAME,
                most_queued=arguments.max_queued,
                urgent=submission.urgent,
            )
            async with _serve_metrics(settings, publisher, session):
                await publish_all(pages, lambda: runs.save_progress(progress, finished=False), publisher, session, stop)
            await runs.save_progress(progress, finished=not stop.is_set())
    return publisher


def _lock(submission: Submission) -> ProducerLock:
    return "windmill urgent producer" if submission.urgent else "windmill producer"


def _serve_metrics(
    settings: ProcessSettings, publisher: PagePublisher, session: ReconnectingPublisher
) -> AbstractAsyncContextManager[None]:
    """Serve metrics and health while the producer publishes."""

    async def read_samples() -> list[Sample]:
        return [
            *publishing_samples(publisher.images, publisher.jobs_by_service),
            *reconnect_samples({"broker": session.outage.ended}),
        ]

    health = Health(alive={}, ready={"broker": session.trouble})
    return serve_metrics_and_health(settings, "producers.generic", health, read_samples)


def print_summary(publisher: PagePublisher, arguments: argparse.Namespace, *, interrupted: bool) -> None:
    """Print the summary on standard output."""
    if publisher.unknown_ids:
        logger.warning(
            "no such images", extra={"count": len(publisher.unknown_ids), "first": publisher.unknown_ids[:5]}
        )
    summary = {
        "run_id": publisher.progress.run_id,
        "images": publisher.images,
        "jobs": sum(publisher.jobs_by_service.values()),
        "jobs_by_service": dict(publisher.jobs_by_service),
        "unknown_images": len(publisher.unknown_ids),
        "dry_run": arguments.dry_run,
        "interrupted": interrupted,
    }
    text = render_summary(publisher, dry_run=arguments.dry_run, interrupted=interrupted)
    _print(summary, text, as_json=arguments.json)


def render_summary(publisher: PagePublisher, *, dry_run: bool, interrupted: bool) -> str:
    """The summary as text: jobs for each service, and what to do next."""
    rows = [[name, count] for name, count in publisher.jobs_by_service.items()]
    text = render_table(["service", "jobs"], rows) if rows else ""
    jobs = sum(publisher.jobs_by_service.values())
    text += f"{'would publish' if dry_run else 'published'} {jobs:,} jobs for {publisher.images:,} images\n"
    if not publisher.images and not interrupted:
        text += "nothing is left to submit: register images, or see --missing, --retry-failed and --reprocess\n"
    if interrupted:
        text += f"stopped at image {publisher.progress.last}; the same command continues from there\n"
    return text


def read_ids(file: Path) -> Iterator[int]:
    """The image ids of a file, read lazily."""
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


def services_document(fleet: Fleet) -> dict[str, object]:
    services = [{"name": s.name, "port": s.port, "category": s.category} for s in fleet.services.values()]
    return {"services": services, "sets": fleet.sets}


def render_services(fleet: Fleet) -> str:
    services = [_service_row(service) for service in fleet.services.values()]
    sets = [[name, ",".join(members), fleet.set_notes[name]] for name, members in fleet.sets.items()]
    return (
        render_table(["service", "port", "category", "concurrency", "timeout s"], services)
        + "\n"
        + "".join(f"{name:14} {note}\n{'':14} {members}\n" for name, members, note in sets)
    )


def _service_row(service: Service) -> list[object]:
    return [service.name, str(service.port), service.category, service.concurrency, service.timeout_seconds]


def _print(document: object, text: str, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    parsed = parser().parse_args()
    sys.exit(run(lambda settings, stop: main(settings, stop, parsed)))
