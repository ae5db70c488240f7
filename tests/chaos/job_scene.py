"""Jobs of many steps and shards, three workers that work on them, and what is done to those and to the servers."""

import asyncio
import contextlib
import math
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import asyncpg

from tests.chaos.effect_worker import CATALOG
from tests.chaos.job_verdict import COUNT_EFFECTS, JobVerdict
from tests.chaos.outages import Outage
from tests.integration.fleet import Command, Fleet
from tests.waiting import until
from windmill import broker
from windmill.core.settings import Settings
from windmill.jobs.access import JobAccess
from windmill.jobs.submitting import NewJob, NewStep, submit_job
from windmill.storage import database

STEPS = [NewStep(step.name, step.version, step.streams) for step in CATALOG]
NAMES = [step.name for step in CATALOG]
SHARDS = 8
LEASE = "5"
STALL_SECONDS = 240
HELD = "SELECT lease::text FROM tasks WHERE status = 'running' AND worker = $1"
LIVE = "SELECT count(*) FROM tasks WHERE lease = ANY ($1::uuid[])"

Fault = Callable[[], Awaitable[None]]


class JobChaos:
    """`rows` may lose its connection with every restart, so each look takes a new one."""

    def __init__(self, fleet: Fleet, settings: Settings) -> None:
        self._fleet, self._settings = fleet, settings
        self._folder = fleet.folder
        self._workers: dict[str, Command] = {}
        self._shards: list[str] = []
        self._frozen: set[str] = set()
        self._turn = 0
        self.jobs = 0
        self.kills = 0
        self.purged = 0

    @contextlib.asynccontextmanager
    async def look(self) -> AsyncIterator[asyncpg.Connection]:
        async with database.connection(self._settings, "test") as rows:
            yield rows

    async def submit(self, jobs: int) -> None:
        async with database.pool(self._settings, "test") as pool:
            access = JobAccess(pool, self._settings, CATALOG)
            for _ in range(jobs):
                new = NewJob("test", STEPS, {"folder": str(self._folder), "shards": SHARDS})
                job = (await submit_job(access, new)).change.public_id
                self._shards += [f"{job} {name} {shard}" for name in NAMES for shard in range(SHARDS)]
        self.jobs += jobs

    async def start_worker(self) -> None:
        self._turn += 1
        name = f"worker-{self._turn}"
        self._workers[name] = self._fleet.start("tests.chaos.effect_worker", STEPS="all", WORKER_ID=name)

    async def effects_reach(self, number: int) -> None:
        """Return once there are so many; fails when none comes for a while, or a worker ends that nobody killed."""
        clock = asyncio.get_running_loop().time
        moved, before = clock(), -1
        async with self.look() as rows:

            async def reached() -> bool:
                nonlocal moved, before
                there = int(await rows.fetchval("SELECT count(*) FROM effects"))
                moved, before = (moved, before) if there == before else (clock(), there)
                assert clock() - moved < STALL_SECONDS, f"{there} of {number}, then no more\n{self._fleet.logs()}"
                for worker in self._workers.values():
                    assert worker.process.poll() is None, f"a worker ended by itself\n{worker.log}"
                await asyncio.sleep(0.1)  # this look is not free
                return there >= number

            await until(reached, math.inf)

    async def through(self, faults: Sequence[Fault], jobs: int) -> None:
        """One fault after the other, each in the middle of jobs that are submitted before it: however long a server
        is away, there is work for the next fault."""
        (self._folder / "runs").touch()
        async with self.look() as rows:
            await rows.execute(COUNT_EFFECTS)
        for turn, fault in enumerate(faults):
            before = len(self._shards)
            await self.submit(jobs // len(faults) + (turn < jobs % len(faults)))
            await self.effects_reach((before + len(self._shards)) // 2)
            await fault()

    async def kill(self) -> None:
        """The worker that has lived longest, in the middle of its tasks."""
        name = next(iter(self._workers))
        await self._workers.pop(name).kill()
        self.kills += 1
        await self.start_worker()

    async def purge(self) -> None:
        """All queues at once."""
        async with broker.connection(self._settings, "test") as opened, opened.channel() as channel:
            for name in NAMES:
                queue = await channel.get_queue(broker.work_queue(self._settings, name), ensure=False)
                self.purged += (await queue.purge()).message_count or 0

    async def freeze(self) -> None:
        """A worker stops in the middle of its tasks, until others have all of them, and then goes on."""
        name = next(iter(self._workers))
        async with self.look() as rows:
            await until(lambda: rows.fetchval(HELD, name), 60, lambda: f"{name} has tasks\n{self._fleet.logs()}")
            self._workers[name].process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(1)  # what was on its way to the server when the worker stopped is written by then
            leases = [row["lease"] for row in await rows.fetch(HELD, name)]

            async def are_lost() -> bool:
                return not await rows.fetchval(LIVE, leases)

            await until(are_lost, 120, self._fleet.logs)
        self._frozen |= set(leases)
        self._workers[name].process.send_signal(signal.SIGCONT)

    @property
    def frozen(self) -> int:
        return len(self._frozen)

    async def finish(self) -> JobVerdict:
        """Let the workers do all that is left, stop them, and look."""
        await self.effects_reach(len(self._shards))
        async with self.look() as rows:
            open_jobs = "SELECT count(*) FROM jobs WHERE ended_at IS NULL"
            await until(lambda: self._is_zero(rows, open_jobs), 60, self._fleet.logs)
            for worker in self._workers.values():
                end = await worker.stop(seconds=60)
                assert end.code == 0, end.err
                assert "Traceback" not in end.err, end.err
            lines = (self._folder / "runs").read_text().splitlines()
            return await JobVerdict.of(rows, self._shards, lines, self._frozen)

    async def _is_zero(self, rows: asyncpg.Connection, statement: str) -> bool:
        return not await rows.fetchval(statement)


def restarted(outage: Outage) -> Fault:
    """A server goes and comes back."""

    async def fault() -> None:
        await outage.begin()
        await outage.end()

    return fault


async def delete_queues(settings: Settings) -> None:
    async with broker.connection(settings, "test") as opened:
        await broker.delete_step_queues(opened, settings, NAMES)
