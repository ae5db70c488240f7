"""Puts together what a process needs to call one service: its addresses, the fleet's slots, and the canary."""

import time
from collections.abc import Callable
from contextlib import nullcontext

from windmill.calling.canary_watch import CanaryTable, CanaryWatch
from windmill.calling.fleet_slots import SlotTable, fleet_slots
from windmill.calling.service_client import ServiceClient
from windmill.calling.service_state import ServiceState
from windmill.core.services import Service
from windmill.core.settings import Settings


def new_service_state(
    service: Service,
    settings: Settings,
    client: ServiceClient,
    slot_table: SlotTable,
    canary_table: CanaryTable,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> ServiceState:
    """The state of a service that nothing has happened to yet. Leave it with `async with`: it frees slots."""
    addresses = client.addresses(service)
    slots = fleet_slots(slot_table, settings, service)
    watch = CanaryWatch(
        service,
        client,
        canary_table,
        settings.canary_seconds,
        addresses=addresses,
        slot=slots.slot if slots else nullcontext,
        clock=clock,
    )
    return ServiceState(
        service,
        settings,
        watch.probe,
        connect=client.connect,
        addresses=addresses,
        fleet_slots=slots,
        watch=watch,
        clock=clock,
    )
