"""Jobs for tests: steps that plan as many shards as the job's inputs say, and short ways to claim and to end tasks."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from windmill.core.errors import Code, WindmillError
from windmill.core.setting_parts import JobSettings
from windmill.jobs.access import Change, JobAccess
from windmill.jobs.claiming import claim_task
from windmill.jobs.ending import end_claim
from windmill.jobs.going_on import GoingOn
from windmill.jobs.outcomes import TaskOutcome, TaskRaised, TaskReturned, TaskSucceeded
from windmill.jobs.step import JobView, RunningTask, ShardInput, StepCatalog, StepInputs, StepLimits, TaskResult
from windmill.jobs.submitting import NewJob, NewStep, submit_job
from windmill.storage.database import Pool
from windmill.storage.jobs.rows import ClaimedTask


@dataclass(frozen=True)
class CountedStep:
    """Plans as many shards as the job's input of its name says, or one for each shard of the step before."""

    name: str
    streams: bool = False
    version: int = 1
    deterministic: bool = True
    limits: StepLimits = field(default_factory=StepLimits)

    def plan(self, job: JobView, inputs: StepInputs) -> Iterable[ShardInput]:
        if job.inputs.get("unplannable") == self.name:
            raise WindmillError("USAGE", "this cannot be planned")
        if self.streams or self.name not in job.inputs:
            return [{"from": output} for output in inputs.outputs.values()]
        return ({"number": number} for number in range(job.inputs[self.name]))

    async def run(self, task: RunningTask) -> TaskResult:
        return TaskResult({})


@dataclass(frozen=True)
class FreeProcess:
    """A process that can go on with any number of tasks of these steps."""

    steps: Sequence[str]
    worker: str = "worker"

    def keep_slot(self, step: str, version: int) -> bool:
        return step in self.steps and version == 1


CUT, DRAW, JOIN = CountedStep("cut"), CountedStep("draw", streams=True), CountedStep("join")
CATALOG = StepCatalog([CUT, DRAW, JOIN])
CHAIN = (NewStep("cut", 1), NewStep("join", 1))
STREAM = (NewStep("cut", 1), NewStep("draw", 1, streams=True), NewStep("join", 1))


class JobScene:
    """The jobs of one test's database, and a look at its rows."""

    def __init__(
        self, pool: Pool, settings: JobSettings, rows: asyncpg.Connection, catalog: StepCatalog = CATALOG
    ) -> None:
        self.access = JobAccess(pool, settings, catalog)
        self.rows = rows

    async def submit(self, cut: int = 1, **given: Any) -> int:  # noqa: ANN401 - fields of NewJob
        """A job that cuts into so many shards and joins what comes of each; its id."""
        inputs = {"cut": cut, "join": 1, **given.pop("inputs", {})}
        new = NewJob(**{"kind": "test", "steps": CHAIN, "inputs": inputs, **given})
        return (await submit_job(self.access, new)).change.job_id

    async def claim(self, step: str = "cut", worker: str = "worker") -> ClaimedTask | None:
        return await claim_task(self.access, step, 1, worker)

    async def claimed(self, step: str = "cut") -> ClaimedTask:
        """The same where there must be one."""
        task = await self.claim(step)
        assert task, f"there is nothing to claim for {step}"
        return task

    async def end(self, task: ClaimedTask, outcome: TaskOutcome, going_on: GoingOn | None = None) -> Change | None:
        return await end_claim(self.access, task, outcome, 1.0, going_on)

    async def go_on(self, task: ClaimedTask, *steps: str) -> Change:
        """Succeed, in a process that has slots of these steps free."""
        change = await self.end(task, TaskSucceeded({}), FreeProcess(steps))
        assert change, "the lease was lost"
        return change

    async def succeed(self, task: ClaimedTask, **output: object) -> Change | None:
        return await self.end(task, TaskSucceeded(output))

    async def fail(self, task: ClaimedTask, code: Code = "USAGE", message: str = "no") -> Change | None:
        return await self.end(task, TaskRaised(WindmillError(code, message)))

    async def give_back(self, task: ClaimedTask) -> Change | None:
        return await self.end(task, TaskReturned())

    async def run_step(self, step: str) -> int:
        """Claim and succeed until there is nothing left; how many there were."""
        number = 0
        while task := await self.claim(step):
            await self.succeed(task, shard=task.shard)
            number += 1
        return number

    async def status(self, job_id: int) -> str:
        return str(await self.rows.fetchval("SELECT status FROM jobs WHERE job_id = $1", job_id))

    async def job(self, job_id: int) -> asyncpg.Record:
        found = await self.rows.fetchrow("SELECT * FROM jobs WHERE job_id = $1", job_id)
        assert found
        return found

    async def step_statuses(self, job_id: int) -> list[str]:
        rows = await self.rows.fetch("SELECT status FROM steps WHERE job_id = $1 ORDER BY position", job_id)
        return [row["status"] for row in rows]

    async def tasks(self, job_id: int) -> dict[tuple[int, int], str]:
        """The status of each task, by position and shard."""
        rows = await self.rows.fetch(
            "SELECT position, shard, status FROM tasks WHERE job_id = $1 ORDER BY 1, 2", job_id
        )
        return {(row["position"], row["shard"]): row["status"] for row in rows}

    async def events(self, job_id: int) -> list[str]:
        rows = await self.rows.fetch("SELECT kind FROM job_events WHERE job_id = $1 ORDER BY seq", job_id)
        return [row["kind"] for row in rows]

    async def expire_leases(self) -> None:
        await self.rows.execute("UPDATE tasks SET lease_until = '-infinity' WHERE status = 'running'")

    async def public_id(self, job_id: int) -> uuid.UUID:
        return uuid.UUID(str((await self.job(job_id))["public_id"]))
