"""Services: how they are, paused and changed while the fleet runs. Workers follow within seconds."""

from fastapi import Request, Response

from gateway.conditions import answer, required_version
from gateway.context import Context, Gateway, Who
from gateway.errors import PRECONDITIONS
from gateway.guard import Operator, Viewer, noun_router
from gateway.hiding import hide_paths_within
from gateway.services.shapes import (
    OneService,
    ServiceList,
    ServiceName,
    ServicePatch,
    ServicePauseBody,
    ServiceShape,
)
from gateway.status.routes import AWAY
from windmill.operate.services import describe_services, find_service
from windmill.operate.wanted_states import Pause, WantedChanges, read_wanted

router = noun_router("services")


@router.get("/services")
async def list_services(gateway: Context, _: Viewer) -> ServiceList:
    """All services, in the order of their file."""
    services = [one for one, _ in await _described(gateway)]
    away = (await gateway.image_fleet.status()).broker
    return ServiceList(services=services, count=len(services), broker=AWAY if away else None)


@router.get("/services/{name}", response_model=OneService, responses={304: {"description": "It is as you know it."}})
async def show_service(request: Request, gateway: Context, _: Viewer, name: ServiceName) -> Response:
    """One service. Its ETag counts what people have wanted of it."""
    return await _answer(request, gateway, name)


@router.post("/services/{name}/pause", response_model=OneService)
async def pause(
    request: Request, gateway: Context, _: Operator, who: Who, name: ServiceName, body: ServicePauseBody | None = None
) -> Response:
    """Begin no more of its jobs; what is begun is finished, and the rest waits in the queue."""
    given = body or ServicePauseBody()
    names = [find_service(await gateway.image_fleet.fleet(), name).name]
    await _changes(gateway, who).pause(names, Pause(given.reason, given.until))
    return await _answer(request, gateway, name)


@router.post("/services/{name}/resume", response_model=OneService)
async def resume(request: Request, gateway: Context, _: Operator, who: Who, name: ServiceName) -> Response:
    """Let it go on. A pause of everything lasts until everything is let go on."""
    names = [find_service(await gateway.image_fleet.fleet(), name).name]
    await _changes(gateway, who).resume(names)
    return await _answer(request, gateway, name)


@router.patch("/services/{name}", response_model=OneService, responses=PRECONDITIONS)
async def change(
    request: Request, gateway: Context, _: Operator, who: Who, name: ServiceName, body: ServicePatch
) -> Response:
    """Make more or fewer calls at once."""
    names = [find_service(await gateway.image_fleet.fleet(), name).name]
    version = required_version(request)
    await _changes(gateway, who, version).set_concurrency(names, body.concurrency)
    return await _answer(request, gateway, name)


def _changes(gateway: Gateway, who: Who, version: int | None = None) -> WantedChanges:
    return WantedChanges(gateway.access.pool, gateway.settings, who, version)


async def _answer(request: Request, gateway: Gateway, name: str) -> Response:
    find_service(await gateway.image_fleet.fleet(), name)
    if request.method != "GET":
        gateway.image_fleet.forget_status()
    [(service, version)] = [one for one in await _described(gateway) if one[0].name == name]
    return answer(request, OneService(service=service), version)


async def _described(gateway: Gateway) -> list[tuple[ServiceShape, int]]:
    """Each service with its version."""
    status, fleet = await gateway.image_fleet.status(), await gateway.image_fleet.fleet()
    wanted = await read_wanted(gateway.access.pool, gateway.settings)
    return [
        (ServiceShape.model_validate(hide_paths_within(one)), wanted.own(one["name"]).version)
        for one in describe_services(fleet, status, wanted)
    ]
