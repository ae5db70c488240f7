"""Publishing again what was submitted and is neither answered nor in any queue, as after a broker lost everything."""

import asyncio
import logging
import uuid
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from kernels.id_ranges import IdRanges
from windmill import broker, database
from windmill.errors import WindmillError
from windmill.management import limit_deliveries
from windmill.messages import Job, encode
from windmill.queries import queries
from windmill.runner import pause
from windmill.settings import Settings

PAGE_IMAGES = 2000
ASK_SECONDS = 1.0
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scope:
    """Which submissions are looked after."""

    services: tuple[str, ...]
    run_id: int | None
    image_group: str | None


@dataclass(frozen=True, slots=True)
class Lost:
    """An image and the services whose jobs for it are nowhere."""

    job: Job
    services: list[str]


class Target(Protocol):
    """Where jobs go: returns when every queue has the message."""

    async def to_services(self, body: bytes, services: Sequence[str]) -> None: ...


class Submissions:
    """What the tables say was submitted, and has no row in `results`."""

    def __init__(self, connection: database.Connection, settings: Settings, scope: Scope) -> None:
        self._connection = connection
        self._settings = settings
        self._scope = scope
        self._sql = queries()

    async def be_the_only_producer(self) -> None:
        """A producer at work may have published what its run does not say yet."""
        if not await self._connection.fetchval(self._sql["try_to_be_the_only_producer"]):
            raise WindmillError(
                "BUSY",
                f"a producer or another repair is at work on database {self._settings.db_name}",
                "wait until it is done, or stop it: it continues where it stopped",
            )

    async def must_exist(self) -> None:
        """A misspelt group or run would look like one that needs no repair."""
        scope = self._scope
        if scope.run_id is not None and not await self._connection.fetchval(self._sql["run_exists"], scope.run_id):
            raise WindmillError("NOT_FOUND", f"there is no run {scope.run_id}", "see the table runs")
        if scope.image_group and not await self._connection.fetchval(self._sql["group_exists"], scope.image_group):
            raise WindmillError("NOT_FOUND", f"no image has the group {scope.image_group!r}", "correct --group")

    async def span(self) -> tuple[int, int]:
        """The image ids between which something was submitted: above the first, up to the second."""
        statement = self._sql["submitted_range"]
        row = await self._connection.fetchrow(statement, list(self._scope.services), self._scope.run_id)
        assert row is not None
        return row["first_image_id"], row["last_image_id"]

    async def pages(self, first: int, last: int) -> AsyncGenerator[tuple[int, list[Lost]], None]:
        """The unanswered jobs, page by page, each with the last image id it looked at."""
        while ids := await self._next_ids(first, last):
            yield ids[-1], await self._unanswered(ids)
            first = ids[-1]

    async def _next_ids(self, after: int, until: int) -> list[int]:
        with database.converted(self._settings):
            rows = await self._connection.fetch(
                self._sql["next_image_ids"], after, until, self._scope.image_group, PAGE_IMAGES
            )
        return [row["image_id"] for row in rows]

    async def _unanswered(self, ids: Sequence[int]) -> list[Lost]:
        statement = self._sql["unanswered_jobs_for_images"]
        with database.converted(self._settings):
            rows = await self._connection.fetch(statement, list(ids), list(self._scope.services), self._scope.run_id)
        return [Lost(_job(dict(row)), list(row["services"])) for row in rows]


def _job(row: Mapping[str, Any]) -> Job:
    place = (row["image_id"], row["image_filename"], row["image_path"], row["image_url"])
    return Job(*place, datetime.now(UTC), uuid.uuid4().hex)


def nowhere(unanswered: Iterable[Lost], waiting: Mapping[str, IdRanges]) -> list[Lost]:
    """Those of the unanswered jobs that are in no queue."""
    found = []
    for one in unanswered:
        services = [service for service in one.services if one.job.image_id not in waiting[service]]
        if services:
            found.append(Lost(one.job, services))
    return found


class Room:
    """Keeps the work queues from growing without end; asked only when the room seen last is used up."""

    def __init__(self, opened: broker.Connection, settings: Settings, services: Sequence[str], most: int) -> None:
        self._opened = opened
        self._settings = settings
        self._services = services
        self._most = most
        self._room = 0

    async def wait_for(self, count: int, stop: asyncio.Event) -> None:
        """Return when `count` more may come, or the process is to stop."""
        said = False
        while self._room <= 0 and not stop.is_set():
            deepest = max((await broker.depths(self._opened, self._settings, self._services)).values())
            self._room = self._most - deepest
            if self._room <= 0:
                if not said:
                    logger.info("waiting for the queues to drain", extra={"queued": deepest, "most": self._most})
                said = True
                await pause(stop, ASK_SECONDS)
        self._room -= count


@dataclass
class Repair:
    """One walk over the submissions, and what it has published; without a target it only counts."""

    waiting: Mapping[str, IdRanges]
    target: Target | None
    room: Room
    window: int
    stop: asyncio.Event
    on_image: Callable[[int], object] = lambda _: None
    jobs: Counter[str] = field(default_factory=Counter)
    images: int = 0

    async def run(self, submissions: Submissions, first: int, last: int) -> None:
        """Page after page by image id; where it is stopped does not matter, as the next walk starts anew."""
        async with aclosing(submissions.pages(first, last)) as pages:
            async for reached, unanswered in pages:
                await self._publish(nowhere(unanswered, self.waiting))
                self.on_image(reached)
                if self.stop.is_set():
                    return

    async def _publish(self, lost: Sequence[Lost]) -> None:
        if self.target and lost:
            await self.room.wait_for(len(lost), self.stop)
        for start in range(0, len(lost), self.window):
            if self.stop.is_set():
                return
            chunk = lost[start : start + self.window]
            if self.target:
                await asyncio.gather(*(self.target.to_services(encode(one.job), one.services) for one in chunk))
            self.images += len(chunk)
            for one in chunk:
                self.jobs.update(one.services)


async def declare_absent(opened: broker.Connection, settings: Settings, services: Sequence[str]) -> list[str]:
    """Make the queues that are not there, with their limits; returns whose they were."""
    queues = {broker.work_queue(settings, service): service for service in services}
    queues |= {broker.failed_queue(settings, service): service for service in services}
    counted = await broker.count(opened, settings, queues)
    absent = sorted({queues[queue] for queue, found in counted.items() if found is None})
    await broker.declare(opened, settings, services)
    if absent:
        try:
            await asyncio.to_thread(limit_deliveries, settings, absent)
        except WindmillError as error:
            logger.warning("queues are made, but their limits are not set: %s", error)
    return absent
