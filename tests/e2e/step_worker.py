"""A worker with steps for tests: `python -m tests.e2e.step_worker`. Each run of a task adds a line to the file `runs`
in the folder that the job's inputs name, so that a test can count them."""

import asyncio
import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.waiting import at_work, until
from windmill.core.errors import WindmillError
from windmill.jobs.step import JobView, RunningTask, ShardInput, StepCatalog, StepInputs, StepLimits, TaskResult
from workers.jobs import start


@dataclass(frozen=True)
class FolderStep:
    """Plans as many shards as the input `shards` says."""

    name: str
    limits: StepLimits = field(default_factory=StepLimits)
    streams: bool = False
    version: int = 1
    deterministic: bool = True

    def plan(self, job: JobView, inputs: StepInputs) -> Iterable[ShardInput]:
        if self.streams:
            return [dict(output) for output in inputs.outputs.values()]
        return [{"shard": number} for number in range(job.inputs["shards"])]

    async def run(self, task: RunningTask) -> TaskResult:
        folder = Path(task.job.inputs["folder"])
        with (folder / "runs").open("a") as runs:
            runs.write(f"{self.name} {task.input['shard']} {os.getpid()}\n")
        await self.act(task, folder)
        return TaskResult({"shard": task.input["shard"]})

    async def act(self, task: RunningTask, folder: Path) -> None:
        """Nothing more."""


class WaitingStep(FolderStep):
    """Is half done at once, and done once there is a file `go`. Its child ignores SIGTERM and has a child itself."""

    async def act(self, task: RunningTask, folder: Path) -> None:
        if self.limits.in_child:
            asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            grandchild = subprocess.Popen(["sleep", "600"])  # noqa: ASYNC220 - it starts at once
            (folder / "processes").write_text(f"{os.getpid()} {grandchild.pid}")
        task.progress(0.5)
        await until((folder / "go").exists, seconds=math.inf)  # another process makes it


class BrokenStep(FolderStep):
    """The last shard fails as long as there is a file `broken`."""

    async def act(self, task: RunningTask, folder: Path) -> None:
        if task.input["shard"] == task.job.inputs["shards"] - 1 and (folder / "broken").exists():
            raise WindmillError("USAGE", "it is broken")


class LongStep(FolderStep):
    """Takes as many seconds as the job says."""

    async def act(self, task: RunningTask, folder: Path) -> None:
        await at_work(task.job.inputs["seconds"])


CATALOG = StepCatalog(
    [
        FolderStep("split", StepLimits(concurrency=4)),
        FolderStep("paint", StepLimits(concurrency=4), streams=True),
        FolderStep("gather", StepLimits(concurrency=2)),
        WaitingStep("wait", StepLimits(concurrency=2)),
        WaitingStep("hang", StepLimits(concurrency=2, in_child=True)),
        BrokenStep("break", StepLimits(concurrency=2)),
        LongStep("long"),
    ],
    "tests.e2e.step_worker:CATALOG",
)

if __name__ == "__main__":
    sys.exit(start(CATALOG))
