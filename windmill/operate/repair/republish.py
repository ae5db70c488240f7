"""Finding jobs that were submitted and are neither answered nor queued, and publishing them again."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from windmill import broker
from windmill.broker.management import limit_deliveries
from windmill.core.errors import WindmillError
from windmill.core.setting_parts import BrokerSettings, DatabaseSettings
from windmill.kernels.flow.id_ranges import IdRanges
from windmill.storage import database
from windmill.storage.queries import queries
from windmill.submit.backpressure import QueueBackpressure
from windmill.submit.publishing import JobTarget, PagePublisher
from windmill.submit.selection import ImageJobs, ImagePage, RegisteredImages, image_jobs

PAGE_IMAGES = 2000
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RepairScope:
    """Which submissions are repaired."""

    services: tuple[str, ...]
    run_id: int | None
    image_group: str | None


class UnansweredJobs:
    """Jobs that were submitted according to the table `runs` and have no row in `results`."""

    def __init__(self, connection: database.Connection, settings: DatabaseSettings, scope: RepairScope) -> None:
        self._connection = connection
        self._settings = settings
        self._scope = scope
        self._images = RegisteredImages(connection, settings)
        self._sql = queries()

    async def span(self) -> tuple[int, int]:
        """The range of image ids that were submitted: above the first, up to the second; both 0 without any."""
        statement = self._sql["submitted_range"]
        row = await self._connection.fetchrow(statement, list(self._scope.services), self._scope.run_id)
        assert row is not None
        return row["first_image_id"], row["last_image_id"]

    async def pages(self, first: int, last: int) -> AsyncGenerator[ImagePage, None]:
        """The unanswered jobs, one page of images after the other."""
        while ids := await self._images.next_ids(first, last, self._scope.image_group, PAGE_IMAGES):
            first = ids[-1]
            yield ImagePage(first, await self._unanswered(ids))

    async def _unanswered(self, ids: Sequence[int]) -> list[ImageJobs]:
        statement = self._sql["unanswered_jobs_for_images"]
        with database.translate_errors(self._settings):
            rows = await self._connection.fetch(statement, list(ids), list(self._scope.services), self._scope.run_id)
        return image_jobs(rows)


def lost_jobs(unanswered: Iterable[ImageJobs], queued: Mapping[str, IdRanges]) -> list[ImageJobs]:
    """The unanswered jobs that are in no queue."""
    found = []
    for image in unanswered:
        services = tuple(service for service in image.services if image.job.image_id not in queued[service])
        if services:
            found.append(replace(image, services=services))
    return found


@dataclass
class LostJobPublisher:
    """One walk over the unanswered jobs that publishes the lost ones; without a target it only counts them."""

    queued: Mapping[str, IdRanges]
    target: JobTarget | None
    room: QueueBackpressure
    walk: PagePublisher
    stop: asyncio.Event
    on_image: Callable[[int], object] = lambda _: None

    async def run(self, unanswered: UnansweredJobs, first: int, last: int) -> None:
        """Page after page by image id. It may stop anywhere, because the next repair starts again."""
        async with aclosing(unanswered.pages(first, last)) as pages:
            async for page in pages:
                lost = lost_jobs(page.images, self.queued)
                if self.target and lost:
                    await self.room.wait_for_room(len(lost), self.stop)
                await self.walk.publish(ImagePage(page.last, lost), self.target, self.stop)
                self.on_image(page.last)
                if self.stop.is_set():
                    return


async def declare_missing(opened: broker.Connection, settings: BrokerSettings, services: Sequence[str]) -> list[str]:
    """Make missing queues, with their limits; returns the services that they belong to."""
    kinds = (broker.work_queue, broker.urgent_queue, broker.failed_queue)
    queues = {queue(settings, service): service for service in services for queue in kinds}
    counted = await broker.count_messages(opened, settings, queues)
    absent = sorted({queues[queue] for queue, found in counted.items() if found is None})
    await broker.declare(opened, settings, services)
    if absent:
        try:
            await asyncio.to_thread(limit_deliveries, settings, absent)
        except WindmillError as error:
            logger.warning("queues are made, but their limits are not set: %s", error)
    return absent
