"""What happens to all jobs, and the ends of runs and batches, as a list or live."""

from typing import Annotated

from fastapi import Query, Request, Response

from gateway.context import Context
from gateway.events.frames import visible
from gateway.events.opening import STREAMS, LastEventId, open_fleet_stream, wants_stream
from gateway.events.shapes import EndEvent, FleetEvent, FleetEventList, FleetEventQuery
from gateway.guard import Viewer, noun_router
from windmill.operate.jobs.event_stream import START, StreamedEvent, parse_place, read_stream

router = noun_router("events")


@router.get("/events", response_model=FleetEventList, responses=STREAMS)
async def list_fleet_events(
    request: Request,
    gateway: Context,
    caller: Viewer,
    query: Annotated[FleetEventQuery, Query()],
    last_event_id: LastEventId = None,
) -> Response | FleetEventList:
    """What has happened to your jobs after the event `after`, and which of your runs and batches have ended. With
    `Accept: text/event-stream` it goes on live, from `Last-Event-ID`, from `after`, or from now."""
    if wants_stream(request):
        return await open_fleet_stream(request, gateway, caller, query.after, last_event_id)
    after = parse_place(query.after) if query.after else None
    begin = START if after is None else after
    found = await read_stream(gateway.access.pool, gateway.settings, begin, query.limit, principal=caller.sees)
    return FleetEventList(
        events=[_shape(event) for event in found], count=len(found), last=str(found[-1].place if found else begin)
    )


def _shape(event: StreamedEvent) -> FleetEvent | EndEvent:
    shape = FleetEvent if event.job else EndEvent
    return shape.model_validate({"id": str(event.place), **visible(event.document)})
