"""Steps that child processes find: one that ends as its input says."""

import os
import signal
from collections.abc import Iterable
from dataclasses import dataclass, field

from windmill.jobs.step import (
    JobView,
    RunningTask,
    ShardInput,
    StepCatalog,
    StepInputs,
    StepLimits,
    Suspended,
    TaskResult,
)


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

    async def run(self, task: RunningTask) -> TaskResult | Suspended:
        match task.input["end"]:
            case "waits" if task.resumed is None:
                return Suspended({"key": list(task.key)}, 60, 0.5, needs_files=False)
            case "waits":
                return TaskResult(task.resumed or {})
            case "memory":
                bytearray(2**31)
            case "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            case "exit":
                os._exit(3)
        files = {name: [str(path) for path in paths] for name, paths in task.files.items()}
        return TaskResult({"name": task.name, "files": files}, warnings=["told"])


CATALOG = StepCatalog([EndingStep()], "tests.unit.jobs.child_steps:CATALOG")
