"""The whole examination: all areas at once."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from windmill.core.errors import ConfigInvalid, WindmillError
from windmill.core.services import Fleet, Service, load_fleet
from windmill.core.setting_parts import FleetSettings
from windmill.core.settings import Settings
from windmill.operate.doctor import artifacts, engines, gateway, images, machine, video
from windmill.operate.doctor import settings as configuration
from windmill.operate.doctor.broker import ask as ask_broker
from windmill.operate.doctor.database import ask as ask_database
from windmill.operate.doctor.findings import Area, DoctorFinding, collect, problem, skipped
from windmill.operate.doctor.services import ask as ask_services
from windmill.operate.doctor.settings import LoadedSettings
from windmill.operate.doctor.threads import in_thread
from windmill.operate.doctor.topology import ask as ask_topology

AREA_TIMEOUTS = 10
"""An area runs several tests in turn, each with a timeout; the timeout of the area is so many of them."""

_TOGETHER: tuple[tuple[Area, ...], ...] = (
    ("broker", "topology", "engines"),
    ("database",),
    ("services",),
    ("images",),
    ("artifacts",),
    ("video",),
    ("gateway",),
)
"""Groups that run at once. Those that ask the broker run in turn, because a broker may allow no more than the two
connections that a worker needs."""

AskArea = Callable[[], Coroutine[Any, Any, list[DoctorFinding]]]


@dataclass(frozen=True)
class DoctorRequest:
    """Which services to test (None: those of this machine), seconds for each test, and whether to call /health."""

    services: str | None
    seconds: float
    health: bool = False


@dataclass(frozen=True)
class SelectedServices:
    """The selected services and all of the fleet; none, and problems instead, when the fleet cannot be read."""

    services: Sequence[Service] = ()
    every: Sequence[Service] = ()
    problems: tuple[DoctorFinding, ...] = ()


async def examine(loaded: LoadedSettings, request: DoctorRequest) -> list[DoctorFinding]:
    """Run all tests. Raises only if the request names an unknown service, which is a mistake of the caller."""
    about_machine = asyncio.ensure_future(collect("machine", "machine", request.seconds, in_thread(machine.examine)))
    found = configuration.examine(loaded)
    if settings := loaded.settings:
        chosen = select_services(settings, request.services)
        areas = _areas(settings, chosen, request)
        asking = [_in_turn(loaded, chosen, request, {area: areas[area] for area in group}) for group in _TOGETHER]
        found += [*chosen.problems, *(one for part in await asyncio.gather(*asking) for one in part)]
    return [*found, *await about_machine]


def _areas(settings: Settings, chosen: SelectedServices, request: DoctorRequest) -> dict[Area, AskArea]:
    seconds = request.seconds
    return {
        "broker": lambda: ask_broker.examine(settings, seconds),
        "topology": lambda: ask_topology.examine(settings, chosen.services, chosen.every, seconds),
        "database": lambda: ask_database.examine(settings, seconds),
        "services": lambda: ask_services.examine(settings, chosen.services, seconds, health=request.health),
        "engines": lambda: engines.examine(settings),
        "images": lambda: images.examine(settings, seconds),
        "artifacts": lambda: artifacts.examine(settings, seconds),
        "video": lambda: video.examine(settings),
        "gateway": lambda: gateway.examine(settings, seconds),
    }


async def _in_turn(
    loaded: LoadedSettings, chosen: SelectedServices, request: DoctorRequest, areas: dict[Area, AskArea]
) -> list[DoctorFinding]:
    return [one for area, ask in areas.items() for one in await _area(loaded, chosen, request, area, ask)]


async def _area(
    loaded: LoadedSettings, chosen: SelectedServices, request: DoctorRequest, area: Area, ask: AskArea
) -> list[DoctorFinding]:
    invalid = loaded.invalid_for(area)
    if invalid:
        return [skipped(area, area, f"settings are wrong: {', '.join(invalid)}")]
    if area in ("topology", "services") and chosen.problems:
        return [skipped(area, area, "it is not known which services there are")]
    return await collect(area, area, AREA_TIMEOUTS * request.seconds, ask())


def select_services(settings: FleetSettings, wanted: str | None) -> SelectedServices:
    """The services of the request, else those of SERVICE_NAME, else all."""
    try:
        fleet = load_fleet(settings.service_config)
    except ConfigInvalid as error:
        remedy = "correct the file, or SERVICE_CONFIG"
        broken = tuple(problem("settings", one.name, f"{one.value!r}: {one.allowed}", remedy) for one in error.problems)
        return SelectedServices(problems=broken)
    every = list(fleet.services.values())
    if wanted is not None:
        return SelectedServices(fleet.select(wanted), every)
    return _of_this_machine(fleet, every, settings.service_name)


def _of_this_machine(fleet: Fleet, every: Sequence[Service], names: Sequence[str]) -> SelectedServices:
    try:
        return SelectedServices(fleet.select(names or "all"), every)
    except WindmillError as error:
        return SelectedServices(
            every=every, problems=(problem("settings", "SERVICE_NAME", error.message, error.remedy),)
        )
