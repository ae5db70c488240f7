"""One fault test's fleet: its pictures, its workers, and what is true of it while and after servers come and go."""

import asyncio
import contextlib
import math
import os
import signal
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from tests.chaos.pictures import Pictures, registered
from tests.chaos.verdict import Verdict
from tests.e2e.conftest import Farm
from tests.integration.fleet import Command, Fleet, running_fleet
from tests.integration.proxy import Proxy
from tests.waiting import until
from windmill import broker
from windmill.storage import database

TICKS = os.sysconf("SC_CLK_TCK")
STALL_SECONDS = 240
"""Longer than anything takes to come back. The longest is a job that RabbitMQ was moving from a retry tier to its queue
when it stopped: it waits three minutes for the confirmation that went missing, then moves the job again."""


@dataclass
class Scene:
    """`fleet` starts commands and may have lost its own connections; looks are taken through fresh ones."""

    fleet: Fleet
    farm: Farm
    services: tuple[str, ...]
    pictures: Pictures
    worker_environ: dict[str, str] = field(default_factory=dict)
    workers: list[Command] = field(default_factory=list)

    @property
    def pairs(self) -> int:
        return (len(self.pictures.good) + len(self.pictures.bad)) * len(self.services)

    def go_through(self, queues: Proxy, rows: Proxy) -> None:
        """Let workers find their servers only by these."""
        self.worker_environ |= {"QUEUE_PORT": str(queues.port), "DB_PORT": str(rows.port)}

    async def start_worker(self) -> Command:
        """One process for all services; returns when it consumes."""
        command = await self.fleet.worker(",".join(self.services), **self.worker_environ)
        self.workers.append(command)
        return command

    async def start_workers(self) -> None:
        """One process for each service, in their order."""
        starting = (self.fleet.worker(service, **self.worker_environ) for service in self.services)
        self.workers += await asyncio.gather(*starting)

    def worker_of(self, service: str) -> Command:
        return self.workers[self.services.index(service)]

    @contextlib.asynccontextmanager
    async def look(self) -> AsyncIterator[Fleet]:
        """Eyes of our own, past any proxy."""
        async with running_fleet(self.fleet.environ, self.fleet.settings, self.fleet.folder) as eyes:
            yield eyes

    async def rows_reach(self, number: int, condition: str = "true") -> None:
        """Return once there are so many rows; fails when none comes for a while. The database has to be there."""
        clock = asyncio.get_running_loop().time
        moved, before = clock(), -1
        async with database.connection(self.fleet.settings, "test") as rows:
            statement = f"SELECT count(*) FROM results WHERE {condition}"

            async def reached() -> bool:
                nonlocal moved, before
                there = int(await rows.fetchval(statement))
                self.none_has_ended()
                moved, before = (moved, before) if there == before else (clock(), there)
                assert clock() - moved < STALL_SECONDS, f"{there} of {number} rows, then no more\n{self.fleet.logs()}"
                return there >= number

            await until(reached, math.inf)

    def none_has_ended(self) -> None:
        """Fails when a worker is gone that nobody killed."""
        for worker in self.workers:
            assert worker.process.poll() in (None, -signal.SIGKILL), f"a worker ended by itself\n{worker.log}"

    async def is_unfinished(self, service: str | None = None) -> None:
        """Fails when the work was done before its fault came: such a run proves nothing."""
        async with self.look() as eyes:
            rows = await eyes.count(f"service = '{service}'" if service else "true")
        expected = self.pairs // len(self.services) if service else self.pairs
        assert rows < expected, f"all {expected} rows were there before the fault"

    async def seconds_to_next_row(self, moment: datetime, service: str | None = None) -> float:
        """From that moment until a row was committed."""
        later = "SELECT min(result_created) FROM results WHERE result_created > $1"
        statement = f"{later} AND service = coalesce($2, service)"
        async with database.connection(self.fleet.settings, "test") as rows:

            async def came() -> bool:
                return await rows.fetchval(statement, moment, service) is not None

            await until(came, 120, lambda: f"a row after {moment:%T}\n{self.fleet.logs()}")
            first: datetime = await rows.fetchval(statement, moment, service)
        return (first - moment).total_seconds()

    async def finish(self) -> Verdict:
        """Let the workers do all there is, stop them as a user does, and look at everything."""
        await self.rows_reach(self.pairs)
        async with self.look() as eyes:
            await self._drain_and_stop(eyes)
            while not await self._all_taken(eyes):  # the broker moved a job again after all were done: a copy
                await self.start_worker()
                await self._drain_and_stop(eyes)
            return await self._verdict(eyes)

    async def _drain_and_stop(self, eyes: Fleet) -> None:
        await until(lambda: self._all_taken(eyes), 60, lambda: f"empty queues\n{self.fleet.logs()}")
        await self._stop_workers()

    async def _all_taken(self, eyes: Fleet) -> bool:
        """Nothing waits to be handed out; retries come back from their tiers until they are settled."""
        return not any((await self._waiting(eyes)).values())

    async def _waiting(self, eyes: Fleet) -> dict[str, int]:
        waiting = {service: await eyes.depth(service) for service in self.services}
        async with broker.connection(self.fleet.settings, "test") as opened:
            return waiting | {"tiers": await broker.count_waiting_retries(opened, self.fleet.settings)}

    async def _stop_workers(self) -> None:
        for worker in self.workers:
            if worker.process.poll() is None:
                end = await worker.stop(seconds=60)
                assert end.code == 0, end.err
                assert "Traceback" not in end.err, end.err

    async def _verdict(self, eyes: Fleet) -> Verdict:
        waiting = await self._waiting(eyes)
        parked = {service: await eyes.take_all(service, ".failed") for service in self.services}
        rows = await eyes.results()
        counts = self.farm.control.counts()
        replies = [counts[service]["requests"] for service in self.services]
        calls = sum(sum(by_status.values()) for routes in replies for by_status in routes.values())
        answers = sum(by_status.get("200", 0) for routes in replies for by_status in routes.values())
        return Verdict.of(self.pictures, self.services, rows, parked, sum(waiting.values()), calls, answers)


async def scene(fleet: Fleet, farm: Farm, good: int, services: Sequence[str], **worker_environ: str) -> Scene:
    """Pictures that are registered and submitted; no worker yet."""
    pictures = await registered(fleet.rows, fleet.folder / "pictures", good)
    end = await fleet.produce("--services", ",".join(services), "--quiet")
    assert end.code == 0, end.err
    return Scene(fleet, farm, tuple(services), pictures, worker_environ)


def cpu_seconds(command: Command) -> float:
    """What a process has used of a core so far."""
    fields = Path(f"/proc/{command.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
