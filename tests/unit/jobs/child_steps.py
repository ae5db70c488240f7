"""Steps that child processes find: one that ends as its input says."""

import os
import signal
from collections.abc import Iterable
from dataclasses import dataclass, field

from windmill.jobs.step import JobView, RunningTask, ShardInput, StepCatalog, StepInputs, StepLimits, TaskResult


@dataclass(frozen=True)
class EndingStep:
    """Returns what it was given, takes memory, is killed, or exits without a word."""

    name: str = "ending"
    version: int = 1
    deterministic: bool = True
    streams: bool = False
    limits: StepLimits = field(default_factory=lambda: StepLimits(in_child=True))

    def plan(self, job: JobView, inputs: StepInputs) -> Iterable[ShardInput]:
        return []

    async def run(self, task: RunningTask) -> TaskResult:
        match task.input["end"]:
            case "memory":
                bytearray(2**31)
            case "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            case "exit":
                os._exit(3)
        files = {name: [str(path) for path in paths] for name, paths in task.files.items()}
        return TaskResult({"name": task.name, "files": files}, warnings=["told"])


CATALOG = StepCatalog([EndingStep()], "tests.unit.jobs.child_steps:CATALOG")
