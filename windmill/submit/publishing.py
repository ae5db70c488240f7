"""Walking a submission: publish page after page, a window at a time, and note how far it came."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol

from windmill import broker
from windmill.core.errors import WindmillError
from windmill.core.messages import encode
from windmill.core.outages import Outage
from windmill.core.settings import Settings
from windmill.process.runner import background, pause
from windmill.submit.room import ASK_SECONDS, QueueRoom
from windmill.submit.runs import Progress
from windmill.submit.selection import ImageJobs, ImagePage

logger = logging.getLogger(__name__)


class JobTarget(Protocol):
    """Where jobs go: returns when every queue has the message."""

    async def to_services(self, body: bytes, services: Sequence[str]) -> None: ...


class Blockable(Protocol):
    """What can say whether it takes anything at all."""

    async def blocked(self) -> bool: ...


class _Broker(JobTarget, Blockable, Protocol):
    """Both of a session with the broker."""


class Walk:
    """One walk over the images of a submission: what it has published, and whether it is done."""

    def __init__(
        self,
        progress: Progress,
        *,
        window: int,
        limit: int | None = None,
        on_images: Callable[[int], object] = lambda _: None,
    ) -> None:
        self.progress = progress
        self._window = window
        self._left = limit
        self._on_images = on_images
        self.jobs_by_service: Counter[str] = Counter()
        self.images = 0
        self.unknown: list[int] = []

    @property
    def limit_reached(self) -> bool:
        return self._left == 0

    async def publish(self, page: ImagePage, target: JobTarget | None, stop: asyncio.Event) -> None:
        """Publish what is left of a page, or only count it when there is no target. Whatever interrupts this, the
        images that were confirmed are off the page and the progress stands behind them."""
        while page.images and not (stop.is_set() or self.limit_reached):
            chunk = self._next_chunk(page)
            busy = [image for image in chunk if image.services]
            if target:
                await asyncio.gather(*(target.to_services(encode(image.job), image.services) for image in busy))
            del page.images[: len(chunk)]
            self._note(chunk, busy)
        if not page.images:
            self.progress.last = page.last
            self.unknown += page.absent

    def _next_chunk(self, page: ImagePage) -> list[ImageJobs]:
        """As many as may be on their way at once; the limit counts images that have something to publish."""
        chunk = page.images[: self._window]
        room = len(chunk) if self._left is None else self._left
        for place, image in enumerate(chunk):
            if image.services and room == 0:
                return chunk[:place]
            room -= bool(image.services)
        return chunk

    def _note(self, chunk: Sequence[ImageJobs], busy: Sequence[ImageJobs]) -> None:
        for image in busy:
            self.jobs_by_service.update(image.services)
        if self._left is not None:
            self._left -= len(busy)
        self.images += len(busy)
        self.progress.images += len(busy)
        self.progress.jobs += sum(len(image.services) for image in busy)
        self.progress.last = chunk[-1].job.image_id
        self._on_images(len(chunk))


class JobPublisher:
    """The broker as a submission uses it: one session, opened when it is needed and again after it broke."""

    def __init__(self, settings: Settings, services: Sequence[str], *, most_queued: int) -> None:
        self._settings = settings
        self._services = services
        self._most = most_queued
        self.outage = Outage("the broker")
        self._stack = contextlib.AsyncExitStack()
        self._room: QueueRoom | None = None
        self._target: _Broker | None = None

    def trouble(self) -> str | None:
        """What is wrong with the broker; None while there is a session with it."""
        return None if self._target else self.outage.trouble

    async def aclose(self) -> None:
        self._room = self._target = None
        await self._stack.aclose()

    async def publish(self, page: ImagePage, walk: Walk, stop: asyncio.Event) -> None:
        """Publish the page, however often the broker goes away meanwhile."""
        while not stop.is_set():
            try:
                room, target = await self._session()
                await room.wait_for(len(page.images), stop)
                async with background(say_when_blocked(target)):
                    await walk.publish(page, target, stop)
            except WindmillError as error:
                if error.code != "BROKER_UNAVAILABLE":
                    raise
                await self.aclose()
                await pause(stop, self.outage.failed(error))
            else:
                self.outage.over()
                return

    async def _session(self) -> tuple[QueueRoom, _Broker]:
        """One connection to publish and one to ask: RabbitMQ stops listening to a publisher when it is short."""
        if self._room is None or self._target is None:
            name = "windmill-producer"
            watching = await self._stack.enter_async_context(broker.connection(self._settings, name))
            publishing = await self._stack.enter_async_context(broker.connection(self._settings, f"{name} publishing"))
            # Before the first publish: the broker drops in silence what one missing queue among many should get.
            await broker.declare(watching, self._settings, self._services)
            self._target = await self._stack.enter_async_context(broker.publisher(publishing, self._settings))
            self._room = QueueRoom(partial(broker.depths, watching, self._settings, self._services), self._most)
        return self._room, self._target


async def say_when_blocked(target: Blockable, every: float = ASK_SECONDS) -> None:
    """RabbitMQ stops listening to publishers while it is short of memory or disk. Publishes wait, and time out, and are
    tried again; a user who sees no progress is told why."""
    short = False
    while True:
        await asyncio.sleep(every)
        if short != (short := await target.blocked()):
            if short:
                logger.warning("RabbitMQ takes no messages: it is short of memory or disk; waiting until it does")
            else:
                logger.info("RabbitMQ takes messages again")


async def publish_all(
    pages: AsyncIterator[ImagePage],
    note: Callable[[], Awaitable[None]],
    walk: Walk,
    jobs: JobPublisher,
    stop: asyncio.Event,
) -> None:
    """Publish until there are no more pages, the limit is reached or the process is to stop."""
    async with contextlib.aclosing(jobs):
        async for page in pages:
            await jobs.publish(page, walk, stop)
            await note()
            if stop.is_set() or walk.limit_reached:
                return


async def count_all(pages: AsyncIterator[ImagePage], walk: Walk, stop: asyncio.Event) -> None:
    """Count what would be published, and publish nothing."""
    async for page in pages:
        await walk.publish(page, None, stop)
        if stop.is_set() or walk.limit_reached:
            return
