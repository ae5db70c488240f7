"""What all steps on videos have in common: they block in a thread, beside children that end with their task."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from windmill.core.errors import WindmillError
from windmill.core.settings import load_settings
from windmill.engines.outputs import must_have_room
from windmill.jobs.step import RunningTask, StepLimits
from windmill.kernels.text.json_readers import DocumentInvalid
from windmill.media.ffmpeg.bounded_child import Children
from windmill.media.ffmpeg.programs import version_of
from windmill.media.video.running import VideoTools, open_tools
from windmill.pipelines.values import ValueSpec, read_values
from windmill.storage.jobs.rows import Document

V = TypeVar("V")


class HasParameters(Protocol):
    """The form of a step, as far as its parameters go."""

    @property
    def name(self) -> str: ...

    @property
    def parameters(self) -> Mapping[str, ValueSpec]: ...


class EndsChildren(Protocol):
    """Tools whose children end together."""

    @property
    def children(self) -> Children: ...


T = TypeVar("T", bound=EndsChildren)
LIMITS = StepLimits(concurrency=1, timeout_seconds=86_400)
OpenTools = Callable[[], VideoTools]


def configured_tools() -> VideoTools:
    return open_tools(load_settings())


@dataclass(frozen=True)
class RepeatableVideoStep:
    """What steps have in common that make the same of the same, so that what they made is found and used again."""

    tools: OpenTools = configured_tools
    limits: StepLimits = LIMITS
    deterministic: bool = True
    streams: bool = False

    def made_with(self, _: Document) -> list[str]:
        return versions_of(self.tools)


async def work_on(task: RunningTask, open_them: Callable[[], T], work: Callable[[T], V]) -> V:
    """Do blocking work in a thread; when the task is cancelled, all its children are killed and it has ended."""
    must_have_room(task.scratch)
    tools = open_them()
    running = asyncio.ensure_future(asyncio.to_thread(work, tools))
    told = asyncio.ensure_future(task.cancelled.wait())
    try:
        await asyncio.wait((running, told), return_when=asyncio.FIRST_COMPLETED)
    finally:
        told.cancel()
        if not running.done():
            tools.children.end()
            await asyncio.wait((running,))
    return running.result()


def versions_of(tools: OpenTools) -> list[str]:
    """What a step that only ffmpeg works on is made with."""
    return [f"ffmpeg {version_of(tools().program)}"]


def values_of(form: HasParameters, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a step with their defaults."""
    try:
        return read_values(form.parameters, given)
    except DocumentInvalid as error:
        raise WindmillError("USAGE", f"{form.name}: {error}") from error


def progress_between(task: RunningTask, begin: float, end: float, total: int) -> Callable[[int], None]:
    """Tells how many of `total` frames are done as progress of the task from one share to another."""
    return lambda count: task.progress(begin + (end - begin) * count / total)


def folder_of(task: RunningTask, name: str) -> Path:
    folder = task.scratch / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
