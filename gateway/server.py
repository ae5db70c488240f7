"""The life of the gateway: as that of the other programs, with uvicorn inside."""

import asyncio
import contextlib
import ipaddress
import logging
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import uvicorn

from gateway.app import create_app
from gateway.border import Border
from gateway.context import Gateway
from gateway.cursors import Cursors
from gateway.events.stream import StreamCounts
from gateway.image_fleet import ImageFleet
from gateway.key_ring import KeyRing
from gateway.metrics import RequestCounts
from gateway.pages.form_tokens import FormTokens
from gateway.presence import GatewayPresence
from gateway.preset_shelf import PresetShelf
from gateway.rate_limits import RateLimits
from gateway.request_state import NamesRequest
from gateway.server_work import server_work
from windmill.core.errors import ConfigInvalid, Problem, WindmillError
from windmill.core.outages import Outage
from windmill.core.settings import Settings
from windmill.jobs.access import JobAccess
from windmill.jobs.fleet_reaper import FleetReaper
from windmill.pipelines.job_steps.catalog import STEPS
from windmill.process.heartbeat import Heartbeat, statement_executor
from windmill.process.lifecycle import Program, wait_for_database
from windmill.process.metric import Sample
from windmill.process.parts import Part, run_alone
from windmill.process.runner import background
from windmill.storage import database
from windmill.storage.api_keys import gateway_tables, read_gateway_secret
from windmill.storage.artifacts.opening import open_artifact_store
from windmill.storage.transactions import transaction
from windmill.submit.run_publisher import RunPublisher

logger = logging.getLogger("gateway")

CONNECTIONS = 10
WATCH_SECONDS = 5.0
SLOW_SECONDS = 30.0
"""A client that takes nothing of what is sent to it for so long is cut off, by the kernel."""


async def main(settings: Settings, stop: asyncio.Event) -> int:
    return await run_alone(part(settings), settings, stop)


def part(settings: Settings, names: Sequence[str] = ("on",)) -> Part:  # noqa: ARG001 - all parts are made alike
    """The gateway."""
    return Part("gateway", "windmill-gateway", "gateway", serve)


async def serve(program: Program) -> None:
    """Serve until the program stops."""
    settings, outage = program.settings, Outage("the database")
    opened = bound_socket(settings)
    with contextlib.closing(opened):
        async with database.pool(settings, program.title, max_size=CONNECTIONS) as pool:
            reaper, counts = FleetReaper(program, pool), RequestCounts()
            streams = StreamCounts(settings.gateway_streams_per_key)

            async def samples() -> list[Sample]:
                return [*await reaper.samples(), *counts.samples(), *streams.samples()]

            checks: Mapping[str, Callable[[], str | None]] = {"database": lambda: outage.trouble}
            async with program.monitoring(checks, samples):
                if not await wait_for_database(program, pool, outage, gateway_tables()):
                    return
                gateway = replace(await open_gateway(program, pool), streams=streams, counts=counts)
                await refuse_an_open_door(gateway)
                if trouble := gateway.image_fleet.uploads.trouble():
                    logger.warning("no images can be sent in", extra={"reason": str(trouble)})
                presence = GatewayPresence(counts, streams, settings.gateway_streams_per_key)
                heartbeat = Heartbeat([presence], settings, statement_executor(pool, settings))
                async with (
                    gateway.image_fleet,
                    background(heartbeat.run()),
                    background(RunPublisher(program, pool, urgent=False).publish_for_ever()),
                    background(RunPublisher(program, pool, urgent=True).publish_for_ever()),
                    background(_watch_database(settings, pool, outage)),
                    background(reaper.reap_for_ever()),
                    background(reaper.top_up_for_ever()),
                ):
                    await _listen(program, gateway, opened)


async def open_gateway(program: Program, pool: database.Pool) -> Gateway:
    # With WINDMILL_URL it would ask itself for what it is asked.
    settings = replace(program.settings, windmill_url="")
    async with transaction(pool, settings) as connection:
        secret = await read_gateway_secret(connection)
    access, store, presets, images = (
        JobAccess(pool, settings, STEPS),
        open_artifact_store(settings),
        PresetShelf(settings),
        ImageFleet(settings, pool, program.title),
    )
    return Gateway(
        settings,
        access,
        store,
        KeyRing(pool, settings),
        Cursors(secret),
        RateLimits(settings.gateway_requests_per_minute),
        RateLimits(settings.gateway_generates_per_minute, "generate"),
        presets,
        images,
        StreamCounts(settings.gateway_streams_per_key),
        server_work(settings, access, store, presets.library, images.sender),
        FormTokens(secret),
        is_loopback(settings.gateway_host),
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


async def refuse_an_open_door(gateway: Gateway) -> None:
    """Without keys, only this machine is served."""
    if await gateway.keys.required():
        return
    if not gateway.local:
        host = gateway.settings.gateway_host
        allowed = "is reached from elsewhere, so make a key first: python -m windmill keys create NAME --scope admin"
        raise ConfigInvalid([Problem("GATEWAY_HOST", host, allowed)])
    logger.warning(
        "no keys: everybody on this machine may do all; to ask for keys, make one: "
        "python -m windmill keys create NAME --scope admin"
    )


def bound_socket(settings: Settings) -> socket.socket:
    """Listen; raises CONFIG_INVALID or BUSY."""
    host, port = settings.gateway_host.strip("[]"), settings.gateway_port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        opened = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        said = f"GATEWAY_HOST={host} GATEWAY_PORT={port}: {error.strerror or error}"
        raise WindmillError("BUSY", said, "stop what listens there, or set another GATEWAY_PORT") from error
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; connections inherit it
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(SLOW_SECONDS * 1000))
    return opened


async def _listen(program: Program, gateway: Gateway, opened: socket.socket) -> None:
    for handler in logging.getLogger().handlers:
        handler.addFilter(NamesRequest())
    config = uvicorn.Config(
        Border(create_app(gateway), gateway),
        loop="none",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=int(program.settings.shutdown_grace_seconds) or 1,
    )
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    server = _Server(config, program, opened.getsockname()[1])
    async with background(_stop(program.stop, server, gateway)), gateway.work.going_on():
        await server.serve([opened])


async def _stop(stop: asyncio.Event, server: uvicorn.Server, gateway: Gateway) -> None:
    await stop.wait()
    gateway.work.feed.close()
    server.should_exit = True


async def _watch_database(settings: Settings, pool: database.Pool, outage: Outage) -> None:
    """For /readyz: requests may be rare."""
    while True:
        wait = WATCH_SECONDS
        try:
            await database.check(pool, settings, gateway_tables())
        except WindmillError as error:
            wait = outage.failed(error)
        else:
            outage.over()
        await asyncio.sleep(wait)


class _Server(uvicorn.Server):
    """Leaves signals to the runner, and tells systemd that the loop goes round."""

    def __init__(self, config: uvicorn.Config, program: Program, port: int) -> None:
        super().__init__(config)
        self._program, self._port = program, port

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        host = self._program.settings.gateway_host
        address = f"http://{f'[{host}]' if ':' in host else host}:{self._port}"
        self._program.announce(logger, "listening", f"listens on {address}", address=address)

    async def on_tick(self, counter: int) -> bool:
        self._program.notifier.tick()
        return await super().on_tick(counter)
