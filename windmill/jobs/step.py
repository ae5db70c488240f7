"""What a step is: it plans tasks out of what the step before made, and runs one of them. The steps themselves are
elsewhere; here they are only looked up by name and version."""

import asyncio
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from windmill.storage.jobs.rows import Document, TaskKey

ShardInput = Document
"""What one task of a step is given; whatever is large stands in an artifact instead."""
InputFiles = Mapping[str, Sequence[Path]]
"""The files that a task is given, by the names of its inputs, each in their order."""


@dataclass(frozen=True)
class JobView:
    """What a step sees of its job."""

    public_id: uuid.UUID
    kind: str
    inputs: Document
    parameters: Document
    principal: str


@dataclass(frozen=True)
class StepInputs:
    """What a step plans from: its own parameters, and what the shards of the step before have made, by shard."""

    parameters: Document
    outputs: Mapping[int, Document]


@dataclass(frozen=True)
class StepLimits:
    """How many tasks of the step a process runs at once, how long one may take, and how often it is tried. One that
    runs `in_child`, a process of its own, can be stopped whatever it does. `retry_seconds` is how long it rests before
    each try after the first; without them that doubles from try to try."""

    concurrency: int = 1
    timeout_seconds: float = 3_600
    tries: int = 3
    in_child: bool = False
    retry_seconds: Sequence[float] = ()


class MadeFile(Protocol):
    """A file that a task has made."""

    @property
    def name(self) -> str: ...

    @property
    def path(self) -> Path: ...

    @property
    def media_type(self) -> str: ...


@dataclass(frozen=True)
class TaskResult:
    """What a task has made: a small document, and files. `warnings` are shown with the job."""

    output: Document
    artifacts: Sequence[MadeFile] = ()
    timings: Mapping[str, float] = field(default_factory=dict)
    warnings: Sequence[str] = ()


@dataclass(frozen=True)
class Suspended:
    """The task waits for something outside, and holds neither a slot nor a lease meanwhile. It runs again when that is
    there, or after so many seconds at the latest, and is given `state` then, and its files only if it needs them. So
    much of it is `done`, in 0..1."""

    state: Document
    seconds: float
    done: float = 0.0
    needs_files: bool = True


class RunningTask(Protocol):
    """A task as its step sees it while it runs."""

    @property
    def key(self) -> TaskKey:
        """What wakes a task that is suspended names it by this."""
        ...

    @property
    def resumed(self) -> Document | None:
        """The state with which it was suspended; None for one that begins."""
        ...

    @property
    def name(self) -> str:
        """Unlike that of every other task, the same in each try, and safe in names of files."""
        ...

    @property
    def job(self) -> JobView: ...

    @property
    def input(self) -> ShardInput: ...

    @property
    def parameters(self) -> Document: ...

    @property
    def files(self) -> InputFiles:
        """Those that "files" in the parameters of its step names."""
        ...

    @property
    def scratch(self) -> Path:
        """A folder that is empty when the task begins, and that no other task has meanwhile."""
        ...

    @property
    def cancelled(self) -> asyncio.Event: ...

    def progress(self, done: float) -> None:
        """Note the share that is done, in 0..1. It only rises."""
        ...


class Step(Protocol):
    """One kind of work."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> int: ...

    @property
    def deterministic(self) -> bool:
        """Equal inputs give equal outputs, so what was made once may be used again."""
        ...

    @property
    def streams(self) -> bool:
        """Its shard i needs only shard i of the step before."""
        ...

    @property
    def limits(self) -> StepLimits: ...

    def plan(self, job: JobView, inputs: StepInputs) -> Iterable[ShardInput]:
        """The tasks of the step in order. Pure: it may be called again, and must then give the same. A step that
        streams is asked for each shard of the step before, and gives one task or none."""
        ...

    async def run(self, task: RunningTask) -> TaskResult | Suspended:
        """Do one task, or as much of it as can be done now; raises WindmillError."""
        ...


class StepCatalog:
    """The steps that this version of the code has, by name and version; new jobs get `versions`. `source` is where a
    child process finds this catalog, as `module:name`."""

    def __init__(self, steps: Iterable[Step], source: str = "") -> None:
        self._steps = {(step.name, step.version): step for step in steps}
        self.versions: Mapping[str, int] = {name: version for name, version in self._steps}
        self.source = source

    def find(self, name: str, version: int) -> Step | None:
        return self._steps.get((name, version))

    def __iter__(self) -> Iterator[Step]:
        return iter(self._steps.values())
