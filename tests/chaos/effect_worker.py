"""A worker of five steps, each run of which leaves a line with its fencing token: python -m tests.chaos.effect_worker

The lines are in the file `runs` of the folder that the job's inputs name.
"""

import os
import sys
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.waiting import at_work
from windmill.jobs import step_worker
from windmill.jobs.held_tasks import HeldTask, HeldTasks
from windmill.jobs.step import JobView, RunningTask, ShardInput, StepCatalog, StepInputs, StepLimits, TaskResult
from windmill.storage.jobs.rows import ClaimedTask, TaskKey
from workers.jobs import start

SECONDS = 0.1
LEASES: dict[TaskKey, uuid.UUID] = {}
"""Of the tasks that this process has claimed."""


class NotedTasks(HeldTasks):
    """Notes each lease before its task runs; steps are not told of leases."""

    def add(self, task: ClaimedTask, claimed_at: float) -> HeldTask:
        LEASES[task.key] = task.lease
        return super().add(task, claimed_at)


@dataclass(frozen=True)
class EffectStep:
    """Plans as many shards as the input `shards` says, or streams."""

    name: str
    streams: bool = False
    version: int = 1
    deterministic: bool = True
    limits: StepLimits = field(default_factory=lambda: StepLimits(concurrency=4))

    def plan(self, job: JobView, inputs: StepInputs) -> Iterable[ShardInput]:
        if self.streams:
            return [dict(output) for output in inputs.outputs.values()]
        return [{"shard": number} for number in range(job.inputs["shards"])]

    async def run(self, task: RunningTask) -> TaskResult:
        lease = LEASES[task.key]
        line = f"{task.job.public_id} {self.name} {task.input['shard']} {lease} {time.time()}\n"
        runs = os.open(Path(task.job.inputs["folder"]) / "runs", os.O_WRONLY | os.O_APPEND)
        os.write(runs, line.encode())  # at once, so that a process that is killed leaves a whole line or none
        os.close(runs)
        await at_work(SECONDS)
        return TaskResult({"shard": task.input["shard"]})


CATALOG = StepCatalog(
    [
        EffectStep("cut"),
        EffectStep("draw", streams=True),
        EffectStep("mix"),
        EffectStep("tint", streams=True),
        EffectStep("join"),
    ],
    "tests.chaos.effect_worker:CATALOG",
)

if __name__ == "__main__":
    step_worker.HeldTasks = NotedTasks  # type: ignore[attr-defined]
    sys.exit(start(CATALOG))
