"""The engine `fleet` with a worker that behaves as a test asks, in place of workers and services."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.conformance.engines.rigs import ENVIRON, Behaviour
from tests.integration.fleet import Fleet, running_fleet
from tests.waiting import at_work
from windmill.core.errors import Code
from windmill.core.settings import Settings
from windmill.engines.engine import EngineRequest
from windmill.engines.entries import EngineEntry, FleetEntry
from windmill.storage.queries import queries
from windmill.storage.result_writer import ResultRow

SERVICE = "yolov8"
LOOK_SECONDS = 0.05


@dataclass
class FleetRig:
    """`answers` is what the worker does with its jobs: it stores an answer or a failure, or leaves them alone."""

    fleet: Fleet
    environ: Mapping[str, str]
    kind: str = "fleet"
    makes: str = "application/json"
    waits: bool = True
    behaviours: tuple[Behaviour, ...] = ("paints", "hangs", "dies")
    behaviour: Behaviour = "paints"
    answered: list[int] = field(default_factory=list)
    over: bool = False

    async def entry(self, behaviour: Behaviour, seconds: float) -> EngineEntry:
        self.behaviour = behaviour
        return FleetEntry(timeout_seconds=seconds, services=(SERVICE,))

    async def close(self) -> None: ...

    def left_over(self, request: EngineRequest) -> bool:
        return False

    async def work(self) -> None:
        """As a worker of the service."""
        while not self.over:
            messages = await self.fleet.take_all(SERVICE, "_urgent") if self.behaviour != "hangs" else []
            for message in messages:
                await self._answer(message.image_id, "SERVICE_ERROR" if self.behaviour == "dies" else None)
            await at_work(LOOK_SECONDS)

    async def _answer(self, image_id: int, code: Code | None) -> None:
        data = None if code else '{"predictions": []}'
        soon = datetime.now(UTC) + timedelta(seconds=1)
        row = ResultRow(image_id, SERVICE, data, code, code, 0.1, "rig", 1, None, soon)
        await self.fleet.rows.execute(queries()["save_results"], *([value] for value in row))


@asynccontextmanager
async def fleet_rig(environ: Mapping[str, str], folder: Path) -> AsyncIterator[FleetRig]:
    """With its worker at work."""
    async with running_fleet(environ, Settings.from_env(environ), folder) as fleet:
        rig = FleetRig(fleet, {**ENVIRON, **environ})
        async with asyncio.TaskGroup() as group:
            group.create_task(rig.work())
            yield rig
            rig.over = True  # and not cancelled: the driver would lose the connection amid the closing of a channel
