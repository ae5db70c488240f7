"""One worker through all its jobs: fill its queue, start it, watch the rows arrive, stop it."""

import asyncio
import subprocess
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench import meter
from bench.contenders import Contender, Testbed, python
from bench.worker_process import Process, environment, started
from windmill import broker
from windmill.core.messages import Job, encode
from windmill.core.settings import ROOT
from windmill.storage import database
from windmill.submit.batches import batches

POLL_SECONDS = 0.1
SETTLE_SECONDS = 0.3
START_SECONDS = 60.0
MOST_SECONDS_PER_JOB = 0.02

# From the first row to the last: what a worker needs to start is left out.
RATE = """
SELECT (count(*) - 1) / extract(epoch FROM max(result_created) - min(result_created))::float8 AS rate,
       count(DISTINCT image_id) AS images FROM results WHERE status = 'success'
"""


class ContenderFailed(Exception):
    """A worker did not finish its jobs; the text has the rest and the path of its log."""


@dataclass(frozen=True)
class Round:
    """What one worker cost in one round."""

    cpu_ms_per_job: float
    jobs_per_second: float
    megabytes: float


@dataclass(frozen=True)
class Course:
    """The jobs, and the connections to fill queues and to watch rows."""

    place: Testbed
    bodies: Sequence[bytes]
    logs: Path
    rows: database.Connection
    queues: broker.Connection

    async def run(self, way: Contender) -> Round:
        await self._fill(way)
        with self._started(way) as process:
            measured = await self._watch(way, process)
        if left := await self._ready(way):
            raise self._failed(way, f"did not acknowledge {left} jobs")
        return measured

    async def _fill(self, way: Contender) -> None:
        """An empty table and a full queue."""
        await self.rows.execute("TRUNCATE results")
        await broker.delete_queues(self.queues, self.place.settings, [way.service])
        if way.publisher:
            await asyncio.to_thread(self._publish_by_its_client, way)
        else:
            await self._publish(way)
        if (ready := await self._ready(way)) != len(self.bodies):
            raise ContenderFailed(f"{way.name}: {ready} of {len(self.bodies)} jobs are in its queue")

    async def _publish(self, way: Contender) -> None:
        settings = self.place.settings
        await broker.declare(self.queues, settings, [way.service])
        async with broker.publisher(self.queues, settings) as publisher:
            for some in batches(self.bodies, settings.publish_window):
                await asyncio.gather(*(publisher.to_services(body, [way.service]) for body in some))

    def _publish_by_its_client(self, way: Contender) -> None:
        command = [python(), "-m", way.publisher]
        lines = b"\n".join(self.bodies)
        variables = environment(way.variables(self.place, way.service))
        done = subprocess.run(command, input=lines, cwd=ROOT, env=variables, capture_output=True, check=False)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines()[-5:]
            raise ContenderFailed(f"{way.name}: its client could not publish: {' | '.join(said)}")

    def _started(self, way: Contender) -> AbstractContextManager[Process]:
        self._log(way).unlink(missing_ok=True)
        return started([python(), *way.command(self.place)], way.variables(self.place, way.service), self._log(way))

    def _log(self, way: Contender) -> Path:
        return self.logs / f"{way.name}.log"

    async def _watch(self, way: Contender, process: Process) -> Round:
        """CPU is counted between two moments of work under way, and to the last acknowledgement."""
        deadline = time.monotonic() + START_SECONDS + MOST_SECONDS_PER_JOB * len(self.bodies)
        first = await self._until(len(self.bodies) // 10, way, process, deadline)
        before = meter.cpu_seconds(process.pid)
        await self._until(len(self.bodies), way, process, deadline)
        await asyncio.sleep(SETTLE_SECONDS)
        spent = meter.cpu_seconds(process.pid) - before
        found = await self.rows.fetchrow(RATE)
        if found is None or found["images"] != len(self.bodies):
            raise self._failed(way, f"stored {found and found['images']} of {len(self.bodies)} images")
        return Round(spent / (len(self.bodies) - first) * 1000, found["rate"], meter.megabytes(process.pid))

    async def _until(self, wanted: int, way: Contender, process: Process, deadline: float) -> int:
        while (count := await self.rows.fetchval("SELECT count(*) FROM results")) < wanted:
            if process.poll() is not None:
                raise self._failed(way, f"ended with {process.returncode} after {count} jobs")
            if time.monotonic() > deadline:
                raise self._failed(way, f"was too slow: {count} of {len(self.bodies)} jobs")
            await asyncio.sleep(POLL_SECONDS)
        return int(count)

    async def _ready(self, way: Contender) -> int:
        """The ready jobs in its queue; once the worker has ended, all that it did not acknowledge."""
        await asyncio.sleep(SETTLE_SECONDS)
        return (await broker.depths(self.queues, self.place.settings, [way.service]))[way.service]

    def _failed(self, way: Contender, what: str) -> ContenderFailed:
        return ContenderFailed(f"{way.name} {what}; its log: {self._log(way)}")


def bodies(count: int, pictures: Sequence[Path]) -> list[bytes]:
    """The messages, one for each image, as the producer makes them."""
    now = datetime.now(UTC)
    return [
        encode(Job(number, f"{number}.jpg", str(pictures[number % len(pictures)]), None, now))
        for number in range(1, count + 1)
    ]
