"""What all steps on videos have in common: they block in a thread, beside children that end with their task."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from windmill.core.errors import WindmillError
from windmill.core.settings import load_settings
from windmill.engines.outputs import must_have_room
from windmill.jobs.step import RunningTask, StepLimits
from windmill.kernels.text.json_readers import DocumentInvalid
from windmill.media.ffmpeg.bounded_child import Children
from windmill.media.video.running import VideoTools, open_tools
from windmill.pipelines.values import ValueSpec, read_values

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


def values_of(form: HasParameters, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a step with their defaults."""
    try:
        return read_values(form.parameters, given)
    except DocumentInvalid as error:
        raise WindmillError("USAGE", f"{form.name}: {error}") from error


def folder_of(task: RunningTask, name: str) -> Path:
    folder = task.scratch / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
