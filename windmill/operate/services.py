"""The services of the fleet: how they are configured, how they are, and what people want of them."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from windmill.core.errors import WindmillError
from windmill.core.services import Fleet, Service
from windmill.core.wanted_states import WantedState, WantedStates
from windmill.operate.status.figures import FleetStatus, ServiceStatus


def describe_services(fleet: Fleet, status: FleetStatus, wanted: WantedStates) -> list[dict[str, Any]]:
    """All of them, in the order of the file."""
    known = {one.service: one for one in status.services}
    services = list(fleet.services.values())
    return [_described(one, fleet, known.get(one.name, ServiceStatus(one.name)), wanted) for one in services]


def _described(service: Service, fleet: Fleet, status: ServiceStatus, wanted: WantedStates) -> dict[str, Any]:
    figures = {name: value for name, value in asdict(status).items() if name != "service"}
    pause, own = wanted.pause_of(service.name), wanted.own(service.name)
    return {
        "name": service.name,
        "category": service.category,
        "sets": [name for name, members in fleet.sets.items() if service.name in members],
        "configured_concurrency": service.concurrency,
        "fleet_concurrency": service.fleet_concurrency,
        "wanted_concurrency": own.concurrency,
        "paused": pause is not None,
        "pause": asdict(pause) if pause else None,
        **figures,
    }


def find_service(fleet: Fleet, name: str) -> Service:
    """Raises NOT_FOUND, for a set as well."""
    if name not in fleet.services:
        raise WindmillError("NOT_FOUND", f"there is no service {name:.100}", "list the services")
    return fleet.services[name]


def wanted_of(states: Sequence[WantedState]) -> WantedState:
    """The one state that was asked for."""
    [state] = states
    return state
