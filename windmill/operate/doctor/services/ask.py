"""Probing services: with a request that has no image, so that no model runs; on demand also /health and the canary."""

import asyncio
import http.client
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial

from windmill.calling.canaries import canary_image, predictions_of
from windmill.calling.fleet_slots import fleet_slots
from windmill.calling.service_client import ServiceClient
from windmill.core.errors import ConfigInvalid
from windmill.core.service_access import ServiceAccess, load_access, tls_context
from windmill.core.service_urls import ServiceUrl
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
class AskedAddress:
    """One address of a service, and what it asks of its callers."""

    url: ServiceUrl
    access: ServiceAccess
    tls: ssl.SSLContext | None

    @property
    def where(self) -> str:
        return f"{self.url.host}:{self.url.port}"


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
    try:
        addresses = _addresses(settings, service)
    except ConfigInvalid as error:
        remedy = "set it in .env on the machines that call the service, or correct SERVICE_CONFIG"
        return [problem("services", service.name, str(one), remedy) for one in error.problems]
    asking = [_at_address(settings, service, address, seconds, health=health) for address in addresses]
    found = [one for part in await asyncio.gather(*asking) for one in part]
    # A service may repeat a key in its reply.
    return [replace(one, found=addresses[0].access.hide(one.found)) for one in found]


def _addresses(settings: Settings, service: Service) -> list[AskedAddress]:
    access = load_access([service])[service.name]
    urls = service.addresses(settings.service_host, settings.service_port_offset)
    tls = tls_context(service.name, access) if any(url.tls for url in urls) else None
    return [AskedAddress(url, access, tls if url.tls else None) for url in urls]


async def _at_address(
    settings: Settings, service: Service, address: AskedAddress, seconds: float, *, health: bool
) -> list[DoctorFinding]:
    url = address.url
    try:
        await in_thread(partial(socket.getaddrinfo, url.host, url.port, type=socket.SOCK_STREAM))
        heard = await in_thread(partial(_get, address, url.target, seconds))
    except socket.gaierror as error:
        said = f"the name {url.host} does not resolve: {error.strerror}"
        return [problem("services", service.name, said, "correct host in SERVICE_CONFIG or SERVICE_HOST, or the DNS")]
    except (OSError, http.client.HTTPException) as error:
        return [judge_services.judge_silence(service, address.where, error)]
    return [
        *judge_services.judge_reply(service, str(url), heard),
        *(await _model(settings, service, address, seconds) if health else []),
    ]


def _get(address: AskedAddress, target: str, seconds: float) -> ProbeReply:
    connection = _connection(address, seconds)
    try:
        connection.request("GET", target, headers={**dict(address.access.headers), "Connection": "close"})
        reply = connection.getresponse()
        return ProbeReply(reply.status, reply.getheader("Server", ""), reply.read(MOST_BYTES))
    finally:
        connection.close()


def _connection(address: AskedAddress, seconds: float) -> http.client.HTTPConnection:
    url = address.url
    if address.tls:
        return http.client.HTTPSConnection(url.host, url.port, timeout=seconds, context=address.tls)
    return http.client.HTTPConnection(url.host, url.port, timeout=seconds)


_NewSlot = Callable[[], AbstractAsyncContextManager[None]]


class _NoSlot(Exception):
    """None of the fleet's slots became free."""


async def _model(settings: Settings, service: Service, address: AskedAddress, seconds: float) -> list[DoctorFinding]:
    """Only on demand, as both run the model; each in a slot of the fleet, if the service takes few calls at once."""
    found: list[DoctorFinding] = []
    async with AsyncExitStack() as stack:
        new_slot = await _slots(settings, service, seconds, stack)
        try:
            found += await _health(settings, service, address, new_slot)
            found += await _canary(settings, service, address, new_slot)
        except _NoSlot:
            found.append(judge_services.judge_no_slot(service))
    return found


async def _slots(settings: Settings, service: Service, seconds: float, stack: AsyncExitStack) -> _NewSlot:
    """Slots of the fleet, if the service takes few calls at once."""
    if not service.fleet_concurrency:
        return nullcontext
    pool = await stack.enter_async_context(database.pool(settings, "windmill-doctor", max_size=1))
    slots = fleet_slots(FleetSlotTable(pool, settings), settings, service)
    assert slots
    await stack.enter_async_context(slots)

    @asynccontextmanager
    async def new_slot() -> AsyncIterator[None]:
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(2 * seconds):
                    await held.enter_async_context(slots.slot())
            except TimeoutError:
                raise _NoSlot from None
            yield

    return new_slot


async def _canary(settings: Settings, service: Service, asked: AskedAddress, new_slot: _NewSlot) -> list[DoctorFinding]:
    if not service.canary:
        return []
    async with ServiceClient(settings, {service.name: asked.access}) as client:
        address = next(one for one in client.addresses(service) if one.url == asked.url)
        async with new_slot():
            stored = await client.upload(service, canary_image(service.canary), at=address)
    return [judge_services.judge_canary(service, service.canary, predictions_of(stored))]


async def _health(
    settings: Settings, service: Service, address: AskedAddress, new_slot: _NewSlot
) -> list[DoctorFinding]:
    name = f"{service.name} health"
    target = replace(address.url, path="/health").target
    seconds = settings.request_timeout or service.timeout_seconds  # for which a slot is made
    heard: ProbeReply | Exception
    try:
        async with new_slot():
            heard = await _health_reply(address, target, seconds)
    except TimeoutError as error:
        heard = error
    if isinstance(heard, Exception):
        return [problem("services", name, f"no answer: {heard or type(heard).__name__}", "see the log of the service")]
    if heard.status == 200:
        return [ok("services", name, "says that it is well")]
    return [problem("services", name, f"/health answered {heard.status}", "see the log of the service")]


async def _health_reply(address: AskedAddress, target: str, seconds: float) -> ProbeReply | Exception:
    """Raises TimeoutError, and the slot is kept, as the service may still work on its answer."""
    try:
        return await in_thread(partial(_get, address, target, seconds))
    except TimeoutError:
        raise
    except (OSError, http.client.HTTPException) as error:
        return error
