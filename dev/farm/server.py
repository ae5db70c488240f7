"""The farm: every stand-in on its own port, in one process and one event loop."""

import asyncio
import errno
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from dev.farm.contract import traits_of
from dev.farm.faults import Faults
from dev.farm.fetching import Downloads
from dev.farm.prediction_pool import PredictionPool
from dev.farm.service_handler import ServiceHandler
from dev.farm.standin import StandIn
from windmill.core.errors import Code, WindmillError

logger = logging.getLogger(__name__)

_LAST_PORT = 65_535
GRACE_SECONDS = 0.5
"""How long replies in progress may take when a port closes."""


@dataclass(frozen=True)
class StandInAddress:
    """The address of one service; port 0 takes any free port."""

    service: str
    port: int
    path: str = "/v3/analyze"


class ListeningPort:
    """A port that can be opened, closed and opened again for the same handler."""

    def __init__(self, name: str, host: str, port: int) -> None:
        self.name = name
        self.host = host
        self.port = port
        self._runner: web.ServerRunner | None = None

    async def open(self, handler: ServiceHandler) -> None:
        """Listen; raises WindmillError if the port cannot be opened."""
        must_be_a_port(self.name, self.host, self.port)
        runner = web.ServerRunner(web.Server(handler, access_log=None), shutdown_timeout=GRACE_SECONDS)
        await runner.setup()
        try:
            await web.TCPSite(runner, self.host, self.port, backlog=512).start()
        except OSError as exc:
            await runner.cleanup()
            raise cannot_open(self.name, self.host, self.port, exc) from exc
        # Opening again must use the same port, also if it was chosen as any free one.
        self.port = runner.addresses[0][1]
        self._runner = runner

    async def close(self) -> None:
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()


def must_be_a_port(name: str, host: str, port: int) -> None:
    # uvloop accepts larger numbers and truncates them to 16 bits.
    if not 0 <= port <= _LAST_PORT:
        raise cannot_open(name, host, port, f"ports end at {_LAST_PORT}")


def cannot_open(name: str, host: str, port: int, cause: OSError | str) -> WindmillError:
    """Why a port cannot be opened, and what to do about it."""
    if isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE:
        code: Code = "BUSY"
        reason = os.strerror(errno.EADDRINUSE).lower()
        remedy = "stop what listens there, or move the whole farm with --port-offset (SERVICE_PORT_OFFSET)"
    else:
        code = "USAGE"
        reason = str(cause)
        remedy = "give --host an address of this machine, and a --port-offset that leaves ports in range"
    return WindmillError(code, f"cannot open port {port} on {host} for {name}: {reason}", remedy)


class Farm:
    """Opens and closes all stand-ins, and changes their faults while they run."""

    def __init__(
        self,
        plots: Sequence[StandInAddress],
        *,
        host: str = "127.0.0.1",
        seed: int = 0,
        keep_alive: bool = False,
        pool: PredictionPool | None = None,
    ) -> None:
        self.host = host
        self._pool = pool or PredictionPool(seed)
        self._downloads = Downloads()
        self.handlers: dict[str, ServiceHandler] = {}
        self.gates: dict[str, ListeningPort] = {}
        for plot in plots:
            name = plot.service
            stand_in = StandIn(name, traits_of(name), self._pool, self._downloads, plot.path)
            self.handlers[name] = ServiceHandler(stand_in, seed, keep_alive=keep_alive)
            self.gates[name] = ListeningPort(name, host, plot.port)

    async def open(self) -> None:
        """Open every port, or none if one fails."""
        try:
            for name, gate in self.gates.items():
                await gate.open(self.handlers[name])
        except WindmillError:
            await self.close()
            raise

    async def close(self) -> None:
        await asyncio.gather(*(gate.close() for gate in self.gates.values()))
        await self._downloads.close()
        self._pool.close()

    async def __aenter__(self) -> "Farm":
        await self.open()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.close()

    def url(self, service: str) -> str:
        return f"http://{self.host}:{self.gates[service].port}"

    async def set_faults(self, services: Sequence[str], changes: Mapping[str, float]) -> None:
        """Set these faults for all of these services, or for none if one refuses."""
        wanted = {name: self.handlers[name].faults.changed(changes) for name in services}
        await asyncio.gather(*(self._misbehave(name, faults) for name, faults in wanted.items()))

    async def clear_faults(self, services: Sequence[str]) -> None:
        await asyncio.gather(*(self._misbehave(name, Faults()) for name in services))

    async def _misbehave(self, service: str, faults: Faults) -> None:
        handler, gate = self.handlers[service], self.gates[service]
        if faults == handler.faults:
            return
        was_down = handler.faults["down"]
        if was_down and not faults["down"]:
            await gate.open(handler)
        handler.misbehave(faults)
        logger.info("faults changed", extra={"service": service, "faults": dict(faults.values)})
        if faults["down"] and not was_down:
            await gate.close()
