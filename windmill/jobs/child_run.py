"""A task in a child process of its own, which can be stopped whatever it does. windmill.jobs.child is the child."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from windmill.core.errors import WindmillError
from windmill.core.memory_kills import kernel_kills
from windmill.jobs.step import Step, Suspended, TaskResult
from windmill.jobs.task_run import STOP_SECONDS, TaskWork

MOST_LINE = 64 * 2**20
"""Bytes of a line that the child writes: the output of a task is one."""


@dataclass(frozen=True)
class FileOfChild:
    """A file that a child has made."""

    name: str
    path: Path
    media_type: str


class ChildRun:
    """Runs a task in a child process, the leader of its own group. It is started when the result is awaited."""

    def __init__(
        self, step: Step, source: str, work: TaskWork, memory_bytes: int, *, kills: Callable[[], int] = kernel_kills
    ) -> None:
        self.progress = 0.0
        self._step = step
        self._order = orjson.dumps(
            {
                "source": source,
                "step": step.name,
                "version": step.version,
                "memory_bytes": memory_bytes,
                "name": work.name,
                "job": {**vars(work.job), "public_id": str(work.job.public_id)},
                "input": dict(work.input),
                "parameters": dict(work.parameters),
                "files": {name: [str(path) for path in paths] for name, paths in work.files.items()},
                "scratch": str(work.scratch),
                "key": list(work.key),
                "resumed": work.resumed,
            }
        )
        self._kills, self._kills_before = kills, kills()
        self._running = asyncio.ensure_future(self._run())

    async def result(self) -> TaskResult | Suspended:
        return await asyncio.shield(self._running)

    async def stop(self) -> None:
        """End the whole group: politely first, and then by force."""
        self._running.cancel()
        await asyncio.wait([self._running])

    async def _run(self) -> TaskResult | Suspended:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "windmill.jobs.child"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=MOST_LINE,
            start_new_session=True,
        )
        try:
            return await self._follow(child)
        finally:
            await _end_group(child)

    async def _follow(self, child: asyncio.subprocess.Process) -> TaskResult | Suspended:
        """Read what the child says until it has said what became of the task."""
        assert child.stdin
        assert child.stdout
        with contextlib.suppress(ConnectionError):  # its end says more
            child.stdin.write(self._order + b"\n")
            await child.stdin.drain()
        while line := await child.stdout.readline():
            said = orjson.loads(line)
            if "progress" in said:
                self.progress = max(self.progress, said["progress"])
            else:
                return _read_end(said)
        raise self._died(await child.wait())

    def _died(self, status: int) -> WindmillError:
        """Why there is no result: the kernel counts what it ended because memory was used up."""
        process = f"the process of a task of {self._step.name}"
        if status == -signal.SIGKILL and self._kills() > self._kills_before:
            said = f"the kernel ended {process}, because the machine or its container had no memory left"
            return WindmillError("OUT_OF_MEMORY", said, "run fewer steps at once, or give the worker more memory")
        how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with exit code {status}"
        return WindmillError("PROCESS_FAILED", f"{process} {how} and said nothing", "read the log of the worker")


def _read_end(said: Mapping[str, Any]) -> TaskResult | Suspended:
    if "error" in said:
        raise WindmillError(**said["error"])
    if "suspended" in said:
        return Suspended(**said["suspended"])
    files = [FileOfChild(one["name"], Path(one["path"]), one["media_type"]) for one in said["artifacts"]]
    return TaskResult(said["output"], files, said["timings"], said["warnings"])


async def _end_group(child: asyncio.subprocess.Process) -> None:
    """Whatever is left of the child and of its children that stayed in its group. The group lives on without its
    leader, so it is killed even if the child has ended."""
    ending = asyncio.ensure_future(child.wait())
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        if number == signal.SIGTERM and not ending.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([ending], timeout=STOP_SECONDS)
    await ending
