"""The life of one connection that events are sent over."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from gateway.events.feed import EventFeed
from gateway.events.frames import HEARTBEAT, control, opening
from gateway.events.readers import EventReader, FellBehind
from windmill.core.errors import WindmillError
from windmill.process.gateway_metrics import GATEWAY_STREAMS
from windmill.process.metric import Sample

HEARTBEAT_SECONDS = 15.0
MOST_SECONDS = 600.0
"""Then the reader is asked to reconnect, perhaps to another gateway."""
RETRY_MILLISECONDS = (1_000, 4_000)
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

StillAdmitted = Callable[[], Awaitable[object]]
"""Raises WindmillError once the key of the reader is no longer good."""


async def frames_of(
    feed: EventFeed,
    reader: EventReader,
    still_admitted: StillAdmitted,
    note: bytes = b"",
    *,
    heartbeat: float = HEARTBEAT_SECONDS,
    most_seconds: float = MOST_SECONDS,
) -> AsyncIterator[bytes]:
    """What is sent, piece by piece; it ends with a control frame that says why."""
    yield opening(reader.last, random.randint(*RETRY_MILLISECONDS)) + note
    ends, beat = _now() + most_seconds * random.uniform(0.9, 1.0), _now() + heartbeat
    while not feed.closed:
        news = feed.news
        try:
            frames = await reader.take()
            if frames:
                yield b"".join(frames)
            if _now() >= beat:
                await still_admitted()
                yield HEARTBEAT
                beat = _now() + heartbeat
        except FellBehind:
            yield control("dropped", "you read too slowly; reconnect, and nothing is lost")
            return
        except WindmillError as error:
            yield control("reconnect", error.code)
            return
        if farewell := _farewell(reader, ends):
            yield farewell
            return
        if not frames:
            await _wait(news, beat - _now())
    yield control("reconnect", "the gateway stops")


def _farewell(reader: EventReader, ends: float) -> bytes | None:
    """What is sent last, once it is time."""
    if reader.is_over:
        return control("ended", "the job has ended, and nothing more is to come")
    return control("reconnect", "the connection is old") if _now() >= ends else None


async def _wait(news: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(max(seconds, 0)):
            await news.wait()
    except TimeoutError:
        pass


def _now() -> float:
    return time.monotonic()


class StreamCounts:
    """How many streams each key has open at this process. Mutable."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: Counter[str] = Counter()

    def enter(self, key: str) -> None:
        """One more; raises RATE_LIMIT_EXCEEDED if that is too many."""
        if self._open[key] >= self._most:
            said = f"your key has {self._most:,} streams open at this gateway"
            raise WindmillError("RATE_LIMIT_EXCEEDED", said, "close one of them", retry_after=1)
        self._open[key] += 1

    def leave(self, key: str) -> None:
        self._open[key] -= 1
        self._open += Counter()

    @property
    def total(self) -> int:
        return self._open.total()

    def samples(self) -> Iterator[Sample]:
        yield Sample(GATEWAY_STREAMS, (), self.total)


class EventStreamResponse(StreamingResponse):
    """Sends the frames for as long as the client stays."""

    def __init__(self, frames: AsyncIterator[bytes], leave: Callable[[], None]) -> None:
        super().__init__(frames, media_type="text/event-stream", headers=_HEADERS)
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()
