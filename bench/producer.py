"""Jobs a second: the producer as it is, against one confirmed publish per job to the same queues.

    python bench/producer.py [--images N] [--rounds R]

All ways publish the same images to the same 13 queues, with confirms and mandatory on, and take turns in one run.
"In turn" awaits each confirm before the next publish, as the plain producer does that everyone writes first; "same
window" keeps as many publishes under way as Windmill does. Columns "to 1" say how many times better Windmill is.
"""

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import uvloop

from bench.temporary_fleet import add_images, temporary_fleet
from windmill import broker
from windmill.core.messages import encode
from windmill.core.services import load_fleet
from windmill.core.settings import Settings
from windmill.storage import database
from windmill.submit.batches import batches
from windmill.submit.publishing import PagePublisher, ReconnectingPublisher, publish_all
from windmill.submit.runs import Runs
from windmill.submit.selection import RegisteredImages, Submission

PublishWay = Callable[[Settings, Sequence[str], int], Coroutine[None, None, int]]


async def windmill_producer(settings: Settings, services: Sequence[str], images: int) -> int:
    """Pages from PostgreSQL, one publish per image, progress noted: all that `python -m producers.generic` does."""
    async with database.connection(settings, "bench") as connection:
        runs = Runs(connection, settings)
        submission = Submission(tuple(services), "all", None)
        progress = await runs.resume_or_start(submission, record=True)
        pages = RegisteredImages(connection, settings).pages(submission, progress.last, progress.until)
        walk = PagePublisher(progress, window=settings.publish_window, limit=images)
        jobs = ReconnectingPublisher(settings, services, program="bench", most_queued=10**9)
        await publish_all(pages, lambda: runs.save_progress(progress, finished=False), walk, jobs, asyncio.Event())
        await runs.save_progress(progress, finished=True)
    return progress.jobs


async def publish_per_job(settings: Settings, services: Sequence[str], images: int) -> int:
    """The same window of publishes under way, but each job has its own."""
    return await _per_job(settings, services, images, window=settings.publish_window)


async def publish_per_job_in_turn(settings: Settings, services: Sequence[str], images: int) -> int:
    """Each publish waits for the confirm of the one before, as the simplest producer does."""
    return await _per_job(settings, services, max(images // 10, 1), window=1)


async def _per_job(settings: Settings, services: Sequence[str], images: int, *, window: int) -> int:
    async with (
        database.connection(settings, "bench") as connection,
        broker.connection(settings, "bench") as opened,
        broker.publisher(opened, settings) as target,
    ):
        await broker.declare(opened, settings, services)
        jobs = 0
        submission = Submission(tuple(services), "all", None)
        progress = await Runs(connection, settings).resume_or_start(submission, record=False)
        async for page in RegisteredImages(connection, settings).pages(submission, progress.last, progress.until):
            wanted = [
                (encode(image.job), name)
                for image in page.images[: images - jobs // len(services)]
                for name in services
            ]
            for chunk in batches(wanted, window):
                await asyncio.gather(*(target.to_services(body, [name]) for body, name in chunk))
            jobs += len(wanted)
            if jobs >= images * len(services):
                break
        return jobs


async def _emptied(settings: Settings, services: Sequence[str]) -> None:
    async with broker.connection(settings, "bench") as opened:
        await broker.delete_queues(opened, settings, services)


@dataclass
class Measurement:
    """Rounds of one way: jobs a second, and milliseconds of this process's CPU for a job."""

    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def add(self, jobs: int, seconds: float, cpu_seconds: float) -> None:
        self.rates.append(jobs / seconds)
        self.cpu.append(cpu_seconds / jobs * 1000)


def measure(environ: dict[str, str], images: int, rounds: int) -> dict[str, Measurement]:
    settings = Settings.from_env(environ)
    services = list(load_fleet(settings.service_config).services)
    ways: dict[str, PublishWay] = {
        "windmill: one publish per image": windmill_producer,
        "one publish per job, in turn": publish_per_job_in_turn,
        "one publish per job, same window": publish_per_job,
    }
    measured = {name: Measurement() for name in ways}
    asyncio.run(add_images(settings, images))
    for _ in range(rounds):
        for name, way in ways.items():
            asyncio.run(_emptied(settings, services))
            started, cpu = time.perf_counter(), time.process_time()
            jobs = uvloop.run(way(settings, services, images))
            measured[name].add(jobs, time.perf_counter() - started, time.process_time() - cpu)
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=5000, help="images in each round (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="medians are taken over these (%(default)s)")
    arguments = parser.parse_args()
    with temporary_fleet() as environ:
        measured = measure(environ, arguments.images, arguments.rounds)
    ours = next(iter(measured.values()))
    rate, cpu = statistics.median(ours.rates), statistics.median(ours.cpu)
    print(f"{'':34} {'jobs/s':>8} {'to 1':>6}   {'CPU ms/job':>10} {'to 1':>6}")
    for name, way in measured.items():
        its_rate, its_cpu = statistics.median(way.rates), statistics.median(way.cpu)
        print(f"{name:34} {its_rate:8,.0f} {rate / its_rate:6.1f}   {its_cpu:10.4f} {its_cpu / cpu:6.1f}")


if __name__ == "__main__":
    main()
