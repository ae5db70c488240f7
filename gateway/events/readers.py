"""Where a reader is in the events, and what it gets next: from the feed in memory, what is older from the database."""

import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from gateway.events.feed import EventFeed, FedEvent
from gateway.events.frames import body_of, frame
from windmill.jobs.states import ENDED_JOBS
from windmill.operate.jobs.event_stream import JobSeq, StreamedEvent, StreamPlace

MOST = 500
"""Events at a time."""


class FellBehind(Exception):
    """A reader that had caught up is so slow that what it needs is no longer in memory."""


class EventReader(Protocol):
    """One reader; `last` is the id of the event that it has seen last."""

    @property
    def last(self) -> object: ...

    @property
    def is_over(self) -> bool:
        """Whether all was taken, and nothing more is to come."""
        ...

    async def take(self) -> list[bytes]:
        """The frames that come next, perhaps none; raises FellBehind."""
        ...


ReadOlder = Callable[[StreamPlace, StreamPlace], Awaitable[list[StreamedEvent]]]
"""Reads at most MOST events of the reader's jobs after one place, up to another."""


class FleetReader:
    """Follows all jobs of a principal, None for those of everybody. Mutable."""

    is_over = False

    def __init__(self, feed: EventFeed, read_older: ReadOlder, place: StreamPlace, principal: str | None) -> None:
        self._feed, self._read_older, self._principal = feed, read_older, principal
        self.last = place
        self._caught_up = False

    async def take(self) -> list[bytes]:
        while True:
            found = self._feed.after(self.last, MOST)
            if found is None:
                return await self._older()
            self._caught_up = True
            if found:
                self.last = found[-1].place
            own = [one for one in found if self._principal in (None, one.principal)]
            if own or len(found) < MOST:
                return [one.fleet_frame for one in own]

    async def _older(self) -> list[bytes]:
        """What has left the memory, or was never in it."""
        if self._caught_up:
            raise FellBehind
        until = self._feed.last
        events = await self._read_older(self.last, until)
        self.last = events[-1].place if len(events) == MOST else until
        frames = [frame(one.place, body_of(one)) for one in events]
        return frames or await self.take()


ReadLog = Callable[[int], Awaitable[Sequence[dict[str, Any]]]]
"""Reads at most MOST events of the log of a job after a number."""
_LogPage = tuple[StreamPlace, Sequence[dict[str, Any]]]


class JobReader:
    """Follows one job, whose log counts its events without a gap. Mutable.

    Whoever writes later may have begun its transaction earlier, so the feed may have events of a job out of order:
    then the log is read, in which they are in order."""

    def __init__(self, feed: EventFeed, read_log: ReadLog, public_id: uuid.UUID, after: int) -> None:
        self._feed, self._read_log, self._public_id = feed, read_log, public_id
        self.last = after
        self._kind = ""
        self._place: StreamPlace | None = None
        self._ahead: _LogPage | None = None

    async def begin(self) -> None:
        """Read the first page of the log, before anything is sent: who may not see the job is told so. The event that
        the reader has seen last is read again, as it may have been the end of the job."""
        place, rows = await self._read_page(max(self.last - 1, 0))
        further = [row for row in rows if row["seq"] > self.last]
        if further:
            self._ahead = place, further
        else:
            self._place, self._kind = place, rows[-1]["kind"] if rows else ""

    @property
    def is_over(self) -> bool:
        """Whether the log was taken up to the end of the job; if it runs again, there is more of it."""
        return self._place is not None and self._kind in ENDED_JOBS

    async def take(self) -> list[bytes]:
        place = self._feed.last
        found = self._feed.of_job(self._public_id, self._place, MOST) if self._place is not None else None
        if found is None:
            return await self._from_log()
        self._place = place if len(found) < MOST else found[-1].place
        frames = await self._in_order([(one.job.seq, one) for one in found if one.job and one.job.seq > self.last])
        return frames or (await self.take() if len(found) == MOST else frames)

    async def _in_order(self, found: Sequence[tuple[int, FedEvent]]) -> list[bytes]:
        frames: list[bytes] = []
        for seq, one in found:
            if seq != self.last + 1:
                return frames + await self._from_log()
            self.last, self._kind = seq, one.kind
            frames.append(one.job_frame)
        return frames

    async def _from_log(self) -> list[bytes]:
        (place, rows), self._ahead = self._ahead or await self._read_page(self.last), None
        if rows:
            self.last, self._kind = int(rows[-1]["seq"]), rows[-1]["kind"]
        # With a full page there may be more in the log, so the next look is there again. The first has lost an event.
        self._place = place if len(rows) < MOST - 1 else None
        return [frame(row["seq"], self._body(row)) for row in rows]

    async def _read_page(self, after: int) -> "_LogPage":
        """Up to the end of the feed before it was read, there is no event that it lacks."""
        place = self._feed.last
        return place, await self._read_log(after)

    def _body(self, row: dict[str, Any]) -> bytes:
        told = {name: row[name] for name in ("at", "level", "position", "shard", "data")}
        job = JobSeq(self._public_id, row["seq"])
        return body_of(StreamedEvent(StreamPlace(0, 0), job, "", row["kind"], told))
