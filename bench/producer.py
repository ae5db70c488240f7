"""Jobs a second: the producer as it is, against one confirmed publish per job to the same queues.

    python bench/producer.py [--images N] [--rounds R]

All ways publish the same images to the same 13 queues, with confirms and mandatory on, and take turns in one run.
"""

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.throwaway import add_images, throwaway_fleet
from producers.publishing import Queues, Walk, publish_all
from producers.runs import Request, Runs, batches
from windmill import broker, database
from windmill.messages import encode
from windmill.services import load_fleet
from windmill.settings import Settings

Way = Callable[[Settings, Sequence[str], int], Coroutine[None, None, int]]


async def windmill_producer(settings: Settings, services: Sequence[str], images: int) -> int:
    """Pages from PostgreSQL, one publish per image, progress noted: all that `python -m producers.generic` does."""
    async with database.connection(settings, "bench") as connection:
        runs = Runs(connection, settings)
        request = Request(tuple(services), "all", None)
        progress = await runs.open(request, record=True)
        walk = Walk(progress, window=settings.publish_window, limit=images, on_images=lambda _: None)
        queues = Queues(settings, services, most_queued=10**9)
        await publish_all(
            runs.pages(request, progress), lambda: runs.note(progress, finished=False), walk, queues, asyncio.Event()
        )
        await runs.note(progress, finished=True)
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
        request = Request(tuple(services), "all", None)
        runs = Runs(connection, settings)
        async for page in runs.pages(request, await runs.open(request, record=False)):
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


async def _drained(settings: Settings, services: Sequence[str]) -> None:
    async with broker.connection(settings, "bench") as opened:
        await broker.delete_queues(opened, settings, services)


def measure(environ: dict[str, str], images: int, rounds: int) -> dict[str, list[float]]:
    settings = Settings.from_env(environ)
    services = list(load_fleet(settings.service_config).services)
    ways: dict[str, Way] = {
        "windmill: one publish per image": windmill_producer,
        "one publish per job, same window": publish_per_job,
        "one publish per job, in turn": publish_per_job_in_turn,
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    asyncio.run(add_images(settings, images))
    for _ in range(rounds):
        for name, way in ways.items():
            asyncio.run(_drained(settings, services))
            started = time.perf_counter()
            jobs = asyncio.run(way(settings, services, images))
            rates[name].append(jobs / (time.perf_counter() - started))
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=3000, help="images in each round (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="medians are taken over these (%(default)s)")
    arguments = parser.parse_args()
    with throwaway_fleet() as environ:
        rates = measure(environ, arguments.images, arguments.rounds)
    ours = statistics.median(next(iter(rates.values())))
    for name, measured in rates.items():
        rate = statistics.median(measured)
        print(f"{name:36} {rate:10,.0f} jobs/s   windmill is {ours / rate:5.1f} times as fast")


if __name__ == "__main__":
    main()
