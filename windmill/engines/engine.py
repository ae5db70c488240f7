"""What an engine is: something that makes files out of files and parameters, and tells how far it is."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from windmill.storage.jobs.rows import TaskKey

JsonValue: TypeAlias = bool | int | float | str | Sequence["JsonValue"] | Mapping[str, "JsonValue"] | None
"""What JSON can hold."""

EngineKind = Literal["process", "http", "comfyui", "fleet", "audio", "builtin"]
OnProgress = Callable[[float], None]
"""Told a share of the work, from 0 to 1."""


@dataclass(frozen=True)
class EngineRequest:
    """One piece of work. `name` is unique and safe in names of files: it names the job, the step and the shard.

    `scratch` is a folder of its own; what the engine makes goes below `scratch/out`. `graph` is for engines that take
    one. `task` and `group` (of the images that it registers) are for engines that make their task wait, and `resumed`
    is the state with which it waited, for a request that goes on."""

    name: str
    inputs: Mapping[str, Path]
    parameters: Mapping[str, JsonValue]
    scratch: Path
    graph: Mapping[str, JsonValue] | None = None
    task: TaskKey | None = None
    group: str = ""
    resumed: Mapping[str, JsonValue] | None = None

    @property
    def out(self) -> Path:
        """The folder of what the engine makes."""
        return self.scratch / "out"

    @property
    def main_input(self) -> Path | None:
        """The input that engines with room for a single one take: `input`, or else the first."""
        return self.inputs.get("input") or next(iter(self.inputs.values()), None)


@dataclass(frozen=True)
class ProducedFile:
    """A file that an engine made. `name` is relative to the folder of outputs."""

    name: str
    path: Path
    media_type: str


@dataclass(frozen=True)
class EngineOutput:
    """What an engine made, in order, and what it says about it."""

    files: Sequence[ProducedFile]
    facts: Mapping[str, JsonValue] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    """What is shown with the job."""


@dataclass(frozen=True)
class EngineWaits:
    """The engine has done what it can do now. The same request comes again with `state` once the task of the request is
    woken, or after so many seconds; its inputs are not needed again. So much of it is `done`, in 0..1."""

    state: Mapping[str, JsonValue]
    seconds: float
    done: float


EngineResult = EngineOutput | EngineWaits


@dataclass(frozen=True)
class EngineHealth:
    """Whether an engine can work now, and in words why not."""

    ok: bool
    says: str
    facts: Mapping[str, JsonValue] = field(default_factory=dict)


class Engine(Protocol):
    """A way to make something of something. `run` raises WindmillError: CANCELLED once `cancelled` is set, another code
    for a failure. Cancelling the task that runs it ends what it has started, too."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> EngineKind: ...

    async def check(self) -> EngineHealth: ...

    async def run(self, request: EngineRequest, on_progress: OnProgress, cancelled: asyncio.Event) -> EngineResult: ...


class OwnedEngine(Engine, Protocol):
    """An engine as its owner sees it, who closes it: it may hold connections, or a process that stays alive."""

    async def close(self) -> None: ...


@runtime_checkable
class HasAddresses(Protocol):
    """An engine that may have several addresses."""

    @property
    def addresses_away(self) -> int:
        """How many of them get no requests now."""
        ...


@runtime_checkable
class ListsModels(Protocol):
    """An engine that knows which models its server has."""

    async def models(self, folder: str) -> list[str]: ...
