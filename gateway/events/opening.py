"""From a request to a stream of events."""

import uuid
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Header, Request, Response

from gateway.caller import Caller
from gateway.context import Gateway
from gateway.events.frames import control
from gateway.events.readers import MOST, EventReader, FleetReader, JobReader
from gateway.events.stream import EventStreamResponse, frames_of
from gateway.guard import identify
from windmill.operate.jobs.event_stream import (
    StreamedEvent,
    StreamPlace,
    find_stream_end,
    parse_place,
    read_stream,
)
from windmill.operate.jobs.serving import list_visible_events

EVENT_STREAM = "text/event-stream"
LastEventId = Annotated[
    str | None,
    Header(alias="Last-Event-ID", max_length=100, description="Where a stream goes on; it comes before `after`."),
]
STREAMS: dict[int | str, dict[str, Any]] = {200: {"content": {EVENT_STREAM: {"schema": {"type": "string"}}}}}
"""For `responses` of a route that streams, too."""
JOB_STREAMS = {**STREAMS, 204: {"description": "The job has ended, and you have seen all of it."}}


def wants_stream(request: Request) -> bool:
    """Whether the client asks for a stream rather than for a list."""
    return EVENT_STREAM in request.headers.get("accept", "").lower()


async def open_job_stream(
    request: Request, gateway: Gateway, caller: Caller, public_id: uuid.UUID, after: int, last: str | None
) -> Response:
    """The events of a job; raises NOT_FOUND. Whoever has seen its end gets 204, after which no browser reconnects."""
    known = last is None or (last.isascii() and last.isdigit() and len(last) <= 18)
    begin = int(last) if known and last is not None else after if known else 0

    async def read_log(seq: int) -> list[dict[str, object]]:
        return await gateway.work.reads.read(
            lambda: list_visible_events(gateway.access, public_id, seq, MOST, caller.sees)
        )

    reader = JobReader(gateway.work.feed, read_log, public_id, begin)
    return await _opened(request, gateway, caller, reader, reader.begin, known=known)


async def open_fleet_stream(
    request: Request, gateway: Gateway, caller: Caller, after: str | None, last: str | None
) -> Response:
    """The events of all jobs that the caller sees: after the place that is given, or from now on."""
    given = after if last is None else last
    pool, settings = gateway.access.pool, gateway.settings
    place = parse_place(given) if given is not None else None
    begin = place if place is not None else await find_stream_end(pool, settings)

    async def read_older(begin: StreamPlace, until: StreamPlace) -> list[StreamedEvent]:
        return await gateway.work.reads.read(
            lambda: read_stream(pool, settings, begin, MOST, until=until, principal=caller.sees)
        )

    reader = FleetReader(gateway.work.feed, read_older, begin, caller.sees)
    return await _opened(request, gateway, caller, reader, _nothing_first, known=given is None or place is not None)


async def _nothing_first() -> None:
    """Whoever follows all jobs sees what it may see, perhaps nothing."""


async def _opened(
    request: Request,
    gateway: Gateway,
    caller: Caller,
    reader: EventReader,
    begin: Callable[[], Awaitable[None]],
    *,
    known: bool,
) -> Response:
    """The stream of a reader who has begun; who may not is not counted."""
    key = caller.key.prefix if caller.key else ""

    def leave() -> None:
        gateway.streams.leave(key)
        gateway.work.feed.leave()

    async def still_admitted() -> Caller:
        return await gateway.work.reads.read(lambda: identify(gateway, request))

    gateway.streams.enter(key)
    try:
        await gateway.work.feed.join()
        await begin()
    except BaseException:
        leave()
        raise
    if reader.is_over:
        leave()
        return Response(status_code=204)
    note = b"" if known else control("resync", "the last event id is none of this stream: read anew what you show")
    return EventStreamResponse(frames_of(gateway.work.feed, reader, still_admitted, note), leave)
