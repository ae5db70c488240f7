"""The newest events of all jobs, read once for all readers of this process, however many they are."""

import asyncio
import bisect
import logging
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from gateway.events.frames import body_of, frame
from windmill.core.errors import WindmillError
from windmill.core.outages import Outage
from windmill.core.setting_parts import DatabaseSettings
from windmill.operate.jobs.event_stream import START, JobSeq, StreamedEvent, StreamPlace, find_stream_end, read_stream
from windmill.storage.database import Pool

logger = logging.getLogger("gateway")

POLL_SECONDS = 0.25
KEPT = 10_000
PAGE = 1_000


@dataclass(frozen=True, slots=True)
class FedEvent:
    """An event with its frames, which are made once for all readers: of the stream of all, and of its job's."""

    place: StreamPlace
    job: JobSeq | None
    principal: str
    kind: str
    fleet_frame: bytes
    job_frame: bytes


ReadMore = Callable[[StreamPlace, int], Awaitable[list[StreamedEvent]]]
FindEnd = Callable[[], Awaitable[StreamPlace]]


class EventFeed:
    """Keeps the last events in memory, while anybody reads. Mutable.

    `news` is set, and replaced by a new one, whenever events have come."""

    def __init__(self, read_more: ReadMore, find_end: FindEnd, *, kept: int = KEPT, poll: float = POLL_SECONDS) -> None:
        self._read_more, self._find_end = read_more, find_end
        self._kept, self._poll = kept, poll
        self._events: list[FedEvent] = []
        self._of_job: dict[uuid.UUID, list[FedEvent]] = {}
        self._base = self.last = START
        self._begun = asyncio.Event()
        self._readers = 0
        self._wanted = asyncio.Event()
        self.news = asyncio.Event()
        self.closed = False

    def close(self) -> None:
        """The process stops: all readers are told, and leave."""
        self.closed = True
        self._tell()

    async def join(self) -> None:
        """One more reader; returns once the feed has begun."""
        self._readers += 1
        self._wanted.set()
        await self._begun.wait()

    def leave(self) -> None:
        self._readers -= 1

    def after(self, place: StreamPlace, most: int) -> Sequence[FedEvent] | None:
        """The next events after a place; None if some of them are no longer in memory."""
        return None if place < self._base else _after(self._events, place, most)

    def of_job(self, public_id: uuid.UUID, place: StreamPlace, most: int) -> Sequence[FedEvent] | None:
        """The same of one job."""
        return None if place < self._base else _after(self._of_job.get(public_id, ()), place, most)

    async def run(self) -> None:
        """Read for ever, at most so many times a second, and only while there are readers."""
        outage = Outage("the database")
        while True:
            await self._wanted.wait()
            wait = self._poll
            try:
                if await self._look():
                    wait = 0.0
            except WindmillError as error:
                wait = outage.failed(error)
            else:
                outage.over()
            await asyncio.sleep(wait)
            if not self._readers:
                self._rest()

    async def _look(self) -> bool:
        """Whether there is probably more at once."""
        if not self._begun.is_set():
            self._base = self.last = await self._find_end()
            self._begun.set()
        found = await self._read_more(self.last, PAGE)
        if found:
            self._take(found)
        return len(found) == PAGE

    def _take(self, found: Sequence[StreamedEvent]) -> None:
        for fed in map(_fed, found):
            self._events.append(fed)
            if fed.job:
                self._of_job.setdefault(fed.job.public_id, []).append(fed)
        self.last = found[-1].place
        surplus = len(self._events) - self._kept
        if surplus > 0:
            self._forget(surplus)
        self._tell()

    def _forget(self, number: int) -> None:
        """The oldest, of all jobs and of each."""
        self._base = self._events[number - 1].place
        for public_id, gone in Counter(fed.job.public_id for fed in self._events[:number] if fed.job).items():
            del self._of_job[public_id][:gone]
            if not self._of_job[public_id]:
                del self._of_job[public_id]
        del self._events[:number]

    def _tell(self) -> None:
        told, self.news = self.news, asyncio.Event()
        told.set()

    def _rest(self) -> None:
        """Nobody reads: what is kept would grow old."""
        self._wanted.clear()
        self._begun.clear()
        self._events.clear()
        self._of_job.clear()


def _fed(event: StreamedEvent) -> FedEvent:
    body = body_of(event)
    in_log = frame(event.job.seq, body) if event.job else b""
    return FedEvent(event.place, event.job, event.principal, event.kind, frame(event.place, body), in_log)


def _after(events: Sequence[FedEvent], place: StreamPlace, most: int) -> Sequence[FedEvent]:
    first = bisect.bisect_right(events, place, key=lambda fed: fed.place)
    return events[first : first + most]


def database_feed(pool: Pool, settings: DatabaseSettings) -> EventFeed:
    """A feed of all jobs in the database."""
    return EventFeed(partial(read_stream, pool, settings), partial(find_stream_end, pool, settings))
