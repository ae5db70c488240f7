"""Publishing a submission page by page, with a window of unconfirmed publishes; reconnects after an outage."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol

from windmill import broker
from windmill.broker import Headers
from windmill.core.errors import WindmillError
from windmill.core.messages import URGENT_HEADER, encode
from windmill.core.outages import Outage
from windmill.core.settings import Settings
from windmill.process.runner import background, pause
from windmill.submit.backpressure import POLL_SECONDS, QueueBackpressure
from windmill.submit.runs import RunProgress
from windmill.submit.selection import ImageJobs, ImagePage

logger = logging.getLogger(__name__)


class JobTarget(Protocol):
    """Publishes a job to the queues of its services; returns when every queue has confirmed."""

    async def to_services(self, body: bytes, services: Sequence[str], headers: Headers) -> None: ...


class Blockable(Protocol):
    """A broker connection that RabbitMQ may block (connection.blocked)."""

    async def blocked(self) -> bool: ...


class _Broker(JobTarget, Blockable, Protocol):
    """A publishing connection."""


class PagePublisher:
    """Publishes the pages of a submission in order, with counters and its limit."""

    def __init__(
        self,
        progress: RunProgress,
        *,
        window: int,
        limit: int | None = None,
        on_images: Callable[[int], object] = lambda _: None,
        urgent: bool = False,
    ) -> None:
        self._urgent = urgent
        self.progress = progress
        self._window = window
        self._remaining = limit
        self._on_images = on_images
        self.jobs_by_service: Counter[str] = Counter()
        self.images = 0
        self.unknown_ids: list[int] = []

    @property
    def limit_reached(self) -> bool:
        return self._remaining == 0

    async def publish(self, page: ImagePage, target: JobTarget | None, stop: asyncio.Event) -> None:
        """Publish the images left in a page; without a target only count them. After an interruption the confirmed
        images are off the page and included in the progress."""
        while page.images and not (stop.is_set() or self.limit_reached):
            chunk = self._next_chunk(page)
            with_jobs = [image for image in chunk if image.services]
            if target:
                publishes = (target.to_services(encode(i.job), i.services, self._headers(i)) for i in with_jobs)
                await asyncio.gather(*publishes)
            del page.images[: len(chunk)]
            self._count(chunk, with_jobs)
        if not page.images:
            self.progress.last = page.last
            self.unknown_ids += page.absent

    def _headers(self, image: ImageJobs) -> Headers:
        return {URGENT_HEADER: True} if self._urgent or image.urgent else {}

    def _next_chunk(self, page: ImagePage) -> list[ImageJobs]:
        """The next images, at most a window; the limit counts only images with jobs."""
        chunk = page.images[: self._window]
        room = len(chunk) if self._remaining is None else self._remaining
        for index, image in enumerate(chunk):
            if image.services and room == 0:
                return chunk[:index]
            room -= bool(image.services)
        return chunk

    def _count(self, chunk: Sequence[ImageJobs], with_jobs: Sequence[ImageJobs]) -> None:
        for image in with_jobs:
            self.jobs_by_service.update(image.services)
        if self._remaining is not None:
            self._remaining -= len(with_jobs)
        images = len({image.job.image_id for image in with_jobs})  # one with urgent and ordinary jobs comes twice
        self.images += images
        self.progress.images += images
        self.progress.jobs += sum(len(image.services) for image in with_jobs)
        self.progress.last = chunk[-1].job.image_id
        self._on_images(len(chunk))


class ReconnectingPublisher:
    """Publishes pages over one broker session, which is opened when needed and again after an outage."""

    def __init__(
        self, settings: Settings, services: Sequence[str], *, program: str, most_queued: int, urgent: bool = False
    ) -> None:
        """`program` names the connections, so that RabbitMQ shows whose they are. Urgent jobs need room in the urgent
        queues only."""
        self._settings = settings
        self._services = services
        self._program = program
        self._most = most_queued
        self._queue = broker.urgent_queue if urgent else broker.work_queue
        self.outage = Outage("the broker")
        self._stack = contextlib.AsyncExitStack()
        self._backpressure: QueueBackpressure | None = None
        self._target: _Broker | None = None
        self._connected_before = False

    def trouble(self) -> str | None:
        """The readiness check of the broker: None while connected, else what is wrong."""
        return None if self._target else self.outage.trouble

    async def aclose(self) -> None:
        self._backpressure = self._target = None
        await self._stack.aclose()

    async def publish(self, page: ImagePage, pages: PagePublisher, stop: asyncio.Event) -> None:
        """Publish the page with back-pressure, retrying through outages of the broker."""
        while not stop.is_set():
            try:
                backpressure, target = await self._session()
                await backpressure.wait_for_room(len(page.images), stop)
                async with background(log_when_blocked(target)):
                    await pages.publish(page, target, stop)
            except WindmillError as error:
                if not self._may_pass(error):
                    raise
                await self.aclose()
                await pause(stop, self.outage.failed(error))
            else:
                self.outage.over()
                return

    def _may_pass(self, error: WindmillError) -> bool:
        """A refused login is fatal at the start only: later the broker may just be restoring its users."""
        return error.code == "BROKER_UNAVAILABLE" or (error.code == "CONFIG_INVALID" and self._connected_before)

    async def _session(self) -> tuple[QueueBackpressure, _Broker]:
        """Two connections, as RabbitMQ blocks one that publishes when it is short of memory."""
        if self._backpressure is None or self._target is None:
            settings, program = self._settings, self._program
            reading = await self._stack.enter_async_context(broker.connection(settings, program))
            publishing = await self._stack.enter_async_context(broker.connection(settings, f"{program} publishing"))
            # Before the first publish: the broker silently drops the copy for a queue that does not exist.
            await broker.declare(reading, self._settings, self._services)
            self._target = await self._stack.enter_async_context(broker.publisher(publishing, self._settings))
            depths = partial(broker.depths, reading, self._settings, self._services, queue=self._queue)
            self._backpressure = QueueBackpressure(depths, self._most)
            self._connected_before = True
        return self._backpressure, self._target


async def log_when_blocked(target: Blockable, poll_seconds: float = POLL_SECONDS) -> None:
    """Log when RabbitMQ blocks publishers because it is short of memory or disk. Publishes time out and are retried
    meanwhile, and the user sees why there is no progress."""
    blocked = False
    while True:
        await asyncio.sleep(poll_seconds)
        if blocked != (blocked := await target.blocked()):
            if blocked:
                logger.warning("RabbitMQ blocks publishers: it is short of memory or disk; waiting")
            else:
                logger.info("RabbitMQ no longer blocks publishers")


async def publish_all(
    pages: AsyncIterator[ImagePage],
    save_progress: Callable[[], Awaitable[bool]],
    publisher: PagePublisher,
    session: ReconnectingPublisher,
    stop: asyncio.Event,
) -> None:
    """Publish all pages, up to the limit, until `stop` is set or the run is cancelled, as saving its progress tells."""
    async with contextlib.aclosing(session):
        async for page in pages:
            await session.publish(page, publisher, stop)
            if await save_progress() or stop.is_set() or publisher.limit_reached:
                return


async def count_all(pages: AsyncIterator[ImagePage], publisher: PagePublisher, stop: asyncio.Event) -> None:
    """Dry run: count what would be published."""
    async for page in pages:
        await publisher.publish(page, None, stop)
        if stop.is_set() or publisher.limit_reached:
            return
