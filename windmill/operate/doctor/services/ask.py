"""Probing services: with a request that has no image, so that no model runs; on demand also /health and the canary."""

import asyncio
import http.client
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from windmill.calling.canaries import canary_image, predictions_of
from windmill.calling.fleet_slots import fleet_slots
from windmill.calling.service_client import ServiceClient
from windmill.core.services import Service
from windmill.core.settings import Settings
from windmill.operate.doctor.findings import DoctorFinding, collect, ok, problem
from windmill.operate.doctor.services import judge as judge_services
from windmill.operate.doctor.services.judge import ProbeReply
from windmill.operate.doctor.threads import in_thread
from windmill.storage import database
from windmill.storage.fleet_slots import FleetSlotTable

MOST_BYTES = 2**16


@dataclass(frozen=True)
class ServiceAddress:
    """Where a service listens."""

    host: str
    port: int
    path: str


async def examine(
    settings: Settings, services: Sequence[Service], seconds: float, *, health: bool
) -> list[DoctorFinding]:
    """All services at once, but one request at a time to each of them."""
    asking = [
        collect("services", service.name, 4 * seconds, _one(settings, service, seconds, health=health))
        for service in services
    ]
    return [finding for part in await asyncio.gather(*asking) for finding in part]


async def _one(settings: Settings, service: Service, seconds: float, *, health: bool) -> list[DoctorFinding]:
    parts = urlsplit(service.url(settings.service_host, settings.service_port_offset))
    address = ServiceAddress(parts.hostname or "", parts.port or 80, parts.path)
    try:
        await in_thread(partial(socket.getaddrinfo, address.host, address.port, type=socket.SOCK_STREAM))
        heard = await in_thread(partial(_get, address, address.path, seconds))
    except socket.gaierror as error:
        said = f"the name {address.host} does not resolve: {error.strerror}"
        return [problem("services", service.name, said, "correct host in SERVICE_CONFIG or SERVICE_HOST, or the DNS")]
    except (OSError, http.client.HTTPException) as error:
        return [judge_services.judge_silence(service, f"{address.host}:{address.port}", error)]
    return [
        *judge_services.judge_reply(service, parts.geturl(), heard),
        *(await _model(settings, service, address, seconds) if health else []),
    ]


def _get(address: ServiceAddress, path: str, seconds: float) -> ProbeReply:
    connection = http.client.HTTPConnection(address.host, address.port, timeout=seconds)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        reply = connection.getresponse()
        return ProbeReply(reply.status, reply.getheader("Server", ""), reply.read(MOST_BYTES))
    finally:
        connection.close()


async def _model(settings: Settings, service: Service, address: ServiceAddress, seconds: float) -> list[DoctorFinding]:
    """Only on demand, as both run the model; for a service that bears few callers in one of the fleet's slots."""
    async with AsyncExitStack() as stack:
        if service.fleet_concurrency:
            pool = await stack.enter_async_context(database.pool(settings, "windmill-doctor", max_size=1))
            slots = fleet_slots(FleetSlotTable(pool, settings), settings, service)
            assert slots
            await stack.enter_async_context(slots)
            try:
                async with asyncio.timeout(2 * seconds):
                    await stack.enter_async_context(slots.slot())
            except TimeoutError:
                return [judge_services.judge_no_slot(service)]
        return [*await _health(service, address), *await _canary(settings, service)]


async def _canary(settings: Settings, service: Service) -> list[DoctorFinding]:
    if not service.canary:
        return []
    async with ServiceClient(settings) as client:
        stored = await client.upload(service, canary_image(service.canary))
    return [judge_services.judge_canary(service, service.canary, predictions_of(stored))]


async def _health(service: Service, address: ServiceAddress) -> list[DoctorFinding]:
    name = f"{service.name} health"
    try:
        heard = await in_thread(partial(_get, address, "/health", service.timeout_seconds))
    except (OSError, http.client.HTTPException) as error:
        return [problem("services", name, f"no answer: {error or type(error).__name__}", "see the log of the service")]
    if heard.status == 200:
        return [ok("services", name, "says that it is well")]
    return [problem("services", name, f"/health answered {heard.status}", "see the log of the service")]
