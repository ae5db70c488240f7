"""One contender through its chains: all of them at once, then one after the other on an idle fleet."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from bench import meter
from bench.chain_contenders import WINDMILL, WORKERS, ChainContender
from bench.chain_environment import STEPS
from bench.contenders import Servers, python
from bench.floor import FloorMeter
from bench.rounds import ContenderFailed
from bench.worker_process import Process, environment, started
from windmill.core.settings import ROOT
from windmill.storage import database

POLL_SECONDS, LOOK_SECONDS = 0.05, 0.001
MOST_SECONDS = 300.0
SETTLE_SECONDS = 1.0
WARM_CHAINS = 3

Finished = Mapping[str, str]


@dataclass(frozen=True)
class ChainRound:
    """What one contender did in one round. CPU is that of its workers, and of the servers meanwhile."""

    steps_per_second: float
    cpu_ms_per_step: float
    server_cpu_ms_per_step: float
    p50_ms: float
    p99_ms: float

    @property
    def cpu(self) -> float:
        """Of all processes, in ms a step."""
        return self.cpu_ms_per_step + self.server_cpu_ms_per_step


class Submitter:
    """The program that submits chains of one contender."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def submit(self, number: int) -> list[tuple[float, str]]:
        """When each was submitted, and its id."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(b"%d\n" % number)
        lines = [await self._process.stdout.readline() for _ in range(number)]
        if not all(lines):
            raise ContenderFailed("its client could not submit")
        return [(float(before), chain) for before, chain in (line.decode().split() for line in lines)]


@dataclass(frozen=True)
class ChainCourse:
    """What the contenders run on, and a connection to watch their rows."""

    place: Servers
    chains: int
    idle_chains: int
    logs: Path
    rows: database.Connection
    servers: Sequence[int]
    meter: FloorMeter

    async def run(self, way: ChainContender) -> ChainRound:
        await self.clear(way)
        async with self.submitter(way) as submitter:
            await submitter.submit(self.chains)
            with self.workers(way) as workers:
                rate, cpu, of_servers = await self._race(way, workers)
                latencies = await self._idle(way, submitter)
        p50, p99 = statistics.median(latencies), statistics.quantiles(latencies, n=100, method="inclusive")[98]
        return ChainRound(rate, cpu, of_servers, p50, p99)

    async def clear(self, way: ChainContender) -> None:
        try:
            await self.rows.execute(way.rows.clear)
        except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
            return  # its own program creates them

    @asynccontextmanager
    async def submitter(self, way: ChainContender) -> AsyncIterator[Submitter]:
        pipe = asyncio.subprocess.PIPE
        with self.log(way).open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                python(),
                *("-m", way.submitter, "submit"),
                cwd=ROOT,
                env=environment(way.variables(self.place, 0)),
                stdin=pipe,
                stdout=pipe,
                stderr=log,
            )
        try:
            yield Submitter(process)
        finally:
            assert process.stdin
            process.stdin.close()
            await process.wait()

    def workers(self, way: ChainContender) -> "Workers":
        return Workers(self, way)

    def log(self, way: ChainContender) -> Path:
        return self.logs / f"chains-{way.name}.log"

    async def _race(self, way: ChainContender, workers: Sequence[Process]) -> tuple[float, float, float]:
        """Steps a second, and CPU in ms a step, from the first fifth of the steps to the last one."""
        total = self.chains * STEPS
        first = await self.until(way, workers, total // 5)
        began, cpu, of_servers = time.monotonic(), _cpu(workers), self._server_cpu()
        last = await self.until(way, workers, total)
        seconds, steps = time.monotonic() - began, last - first
        spent, of_servers = _cpu(workers) - cpu, self._server_cpu() - of_servers
        return steps / seconds, spent / steps * 1000, of_servers / steps * 1000

    def _server_cpu(self) -> float:
        return sum(map(meter.cpu_seconds, self.servers))

    async def until(self, way: ChainContender, workers: Sequence[Process], wanted: int) -> int:
        """Wait for so many finished steps; how many there are then."""
        deadline = time.monotonic() + MOST_SECONDS
        while (count := await self._count(way)) < wanted:
            if dead := [one.returncode for one in workers if one.poll() is not None]:
                raise self._failed(way, f"ended with {dead[0]} after {count} steps")
            if time.monotonic() > deadline:
                raise self._failed(way, f"was too slow: {count} of {wanted} steps")
            await asyncio.sleep(POLL_SECONDS)
        return count

    async def _count(self, way: ChainContender) -> int:
        try:
            return int(await self.rows.fetchval(f"SELECT count(*) FROM ({way.rows.finished}) AS found"))
        except asyncpg.UndefinedTableError:
            return 0

    async def finished(self, way: ChainContender) -> Finished:
        """The rows of finished steps, each with the time when it was written."""
        return {row["key"]: row["at"] for row in await self.rows.fetch(way.rows.finished)}

    async def _idle(self, way: ChainContender, submitter: Submitter) -> list[float]:
        """Milliseconds from before a chain is submitted to when its end can be seen, one chain after the other."""
        await self.clear(way)
        await asyncio.sleep(SETTLE_SECONDS)
        for _ in range(WARM_CHAINS):
            await self._one(way, submitter)
        if way.name != WINDMILL:
            return [await self._one(way, submitter) for _ in range(self.idle_chains)]
        latencies = []
        async with self.meter.ready() as take_floor:
            for _ in range(self.idle_chains):
                latencies.append(await self._one(way, submitter))
                await take_floor()
        return latencies

    async def _one(self, way: ChainContender, submitter: Submitter) -> float:
        [(before, chain)] = await submitter.submit(1)
        while not await self.rows.fetchval(way.rows.ended, chain):
            if time.monotonic() - before > MOST_SECONDS:
                raise self._failed(way, "did not end a chain on an idle fleet")
            await asyncio.sleep(LOOK_SECONDS)
        milliseconds = (time.monotonic() - before) * 1000
        await asyncio.sleep(POLL_SECONDS)
        return milliseconds

    def _failed(self, way: ChainContender, what: str) -> ContenderFailed:
        return ContenderFailed(f"{way.name} {what}; its log: {self.log(way)}")


class Workers:
    """The processes of a contender, until the block ends."""

    def __init__(self, course: ChainCourse, way: ChainContender) -> None:
        self._course, self._way = course, way
        self._stack = ExitStack()

    def __enter__(self) -> list[Process]:
        return [self._start(number) for number in range(WORKERS)]

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self, number: int) -> Process:
        way, place = self._way, self._course.place
        command = [python(), *way.worker(number)]
        return self._stack.enter_context(started(command, way.variables(place, number), self._course.log(way)))


def _cpu(workers: Sequence[Process]) -> float:
    return sum(meter.cpu_seconds(one.pid) for one in workers)
