"""Commands that talk to a running farm: faults and counts."""

import argparse
import json
import sys
from typing import Any

from dev.farm.addresses import DEFAULT_PORT, LOOPBACK
from dev.farm.faults import parse_changes
from dev.farm.remote import RemoteFarm
from windmill.core.errors import WindmillError
from windmill.core.services import load_fleet
from windmill.core.setting_parts import FleetSettings


def fault_set(arguments: argparse.Namespace, settings: FleetSettings) -> int:
    farm, changes = _farm(arguments, settings), parse_changes(arguments.changes)
    farm.set_faults(_served(arguments.services, farm, settings), changes)
    return _print_faults(farm, as_json=False)


def fault_clear(arguments: argparse.Namespace, settings: FleetSettings) -> int:
    farm = _farm(arguments, settings)
    farm.clear_faults(_served(arguments.services, farm, settings))
    return _print_faults(farm, as_json=False)


def fault_show(arguments: argparse.Namespace, settings: FleetSettings) -> int:
    return _print_faults(_farm(arguments, settings), as_json=arguments.json)


def counts(arguments: argparse.Namespace, settings: FleetSettings) -> int:
    farm = _farm(arguments, settings)
    counted = farm.counts()
    if arguments.reset:
        farm.reset_counts()
    _write(json.dumps(counted) if arguments.json else render_counts(counted))
    return 0


def render_counts(counted: dict[str, dict[str, Any]]) -> str:
    """One line per service, route and status."""
    lines = [f"{'service':14} {'route':24} {'status':>6} {'requests':>9} {'most at once':>13}"]
    for service, found in counted.items():
        for route, statuses in found["requests"].items():
            for status, number in statuses.items():
                lines.append(f"{service:14} {route:24} {status:>6} {number:>9} {found['max_in_flight']:>13}")
    return "\n".join(lines)


def render_faults(faults: dict[str, dict[str, float]]) -> str:
    """One line per service that has faults."""
    lines = [
        f"{service:14} " + " ".join(f"{name}={value:g}" for name, value in knobs.items())
        for service, knobs in faults.items()
        if knobs
    ]
    return "\n".join(lines) or "no faults are on"


def _print_faults(farm: RemoteFarm, *, as_json: bool) -> int:
    faults = farm.faults()
    _write(json.dumps(faults) if as_json else render_faults(faults))
    return 0


def _farm(arguments: argparse.Namespace, settings: FleetSettings) -> RemoteFarm:
    port = arguments.control_port or DEFAULT_PORT + settings.service_port_offset
    return RemoteFarm(f"http://{LOOPBACK}:{port}")


def _served(wanted: str, farm: RemoteFarm, settings: FleetSettings) -> list[str]:
    """The wanted services that this farm serves."""
    running = farm.services()
    named = [service.name for service in load_fleet(settings.service_config).select(wanted)]
    chosen = [name for name in named if name in running]
    if not chosen:
        served = ", ".join(running)
        raise WindmillError("NOT_FOUND", f"this farm does not serve {wanted}", f"it serves: {served}")
    return chosen


def _write(text: str) -> None:
    sys.stdout.write(text + "\n")
