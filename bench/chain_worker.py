"""Windmill's worker with the steps that bench/jobs.py runs, and what submits their jobs.

    python -m bench.chain_worker [submit]

Each of five steps plans one task, which does nothing. The first takes as many at a time as the benchmark says; nothing
limits the others, so a job can go on.
"""

import asyncio
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from bench.chain_environment import STEPS, concurrency, serve_orders_async
from windmill import broker
from windmill.core.settings import Settings
from windmill.jobs.access import JobAccess
from windmill.jobs.step import JobView, RunningTask, ShardInput, StepCatalog, StepInputs, StepLimits, TaskResult
from windmill.jobs.submitting import NewJob, NewStep, submit_job
from windmill.jobs.tokens import publish_tokens
from windmill.storage import database
from workers.jobs import start


@dataclass(frozen=True)
class IdleStep:
    """One task that does nothing."""

    name: str
    limits: StepLimits
    streams: bool = False
    version: int = 1
    deterministic: bool = True

    def plan(self, _job: JobView, _inputs: StepInputs) -> Iterable[ShardInput]:
        return [{}]

    async def run(self, _task: RunningTask) -> TaskResult:
        return TaskResult({})


NAMES = [f"idle_{number}" for number in range(1, STEPS + 1)]


def catalog() -> StepCatalog:
    first, *others = NAMES
    limits = dict.fromkeys(others, StepLimits(STEPS * concurrency())) | {first: StepLimits(concurrency())}
    return StepCatalog([IdleStep(name, limits[name]) for name in NAMES])


async def submit() -> None:
    settings = Settings.from_env(os.environ)
    chain = NewJob("bench", [NewStep(name, 1) for name in NAMES])
    async with (
        database.pool(settings, "bench") as pool,
        broker.connection(settings, "bench") as opened,
        broker.publisher(opened, settings) as publisher,
    ):
        await broker.declare_step_queues(opened, settings, NAMES)
        access = JobAccess(pool, settings, catalog())

        async def one() -> int:
            change = (await submit_job(access, chain)).change
            await publish_tokens(publisher, settings, change.new_tasks)
            return change.job_id

        await serve_orders_async(one)


if __name__ == "__main__":
    if "submit" in sys.argv:
        sys.exit(asyncio.run(submit()))
    sys.exit(start(catalog()))
