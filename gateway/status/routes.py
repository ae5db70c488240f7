"""The status of the fleet, and its workers."""

from dataclasses import asdict

from gateway.context import Context
from gateway.guard import Viewer, noun_router
from gateway.hiding import hide_paths_within
from gateway.status.shapes import StatusAnswer, WorkerList, WorkerShape
from windmill.operate.status.reading import read_all_workers
from windmill.operate.status.render import render_status_json

router = noun_router("status")
AWAY = "the broker does not answer"


@router.get("/status")
async def show_status(gateway: Context, _: Viewer) -> StatusAnswer:
    """All that `windmill status --json` tells, at most a second old."""
    document = render_status_json(await gateway.image_fleet.status())
    told = {**document, "broker": AWAY if document["broker"] else None}
    return StatusAnswer.model_validate(hide_paths_within(told))


@router.get("/workers")
async def list_workers(gateway: Context, _: Viewer) -> WorkerList:
    """Processes that serve services and steps; one that fell silent is `lost`, and is told of for an hour."""
    services = list((await gateway.image_fleet.fleet()).services)
    found = await read_all_workers(gateway.access.pool, gateway.settings, services)
    workers = [WorkerShape.model_validate(hide_paths_within(asdict(one))) for one in found]
    return WorkerList(workers=workers, count=len(workers))
