"""A task in a child process of its own, which can be stopped whatever it does. windmill.jobs.child is the child."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from windmill.core.errors import WindmillError
from windmill.jobs.step import JobView, ShardInput, Step, TaskResult
from windmill.jobs.task_run import STOP_SECONDS
from windmill.storage.jobs.rows import Document

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
        self, step: Step, source: str, job: JobView, shard: ShardInput, parameters: Document, scratch: Path
    ) -> None:
        self.progress = 0.0
        self._order = orjson.dumps(
            {
                "source": source,
                "step": step.name,
                "version": step.version,
                "job": {**vars(job), "public_id": str(job.public_id)},
                "input": dict(shard),
                "parameters": dict(parameters),
                "scratch": str(scratch),
            }
        )
        self._running = asyncio.ensure_future(self._run())

    async def result(self) -> TaskResult:
        return await asyncio.shield(self._running)

    async def stop(self) -> None:
        """End the whole group: politely first, and then by force."""
        self._running.cancel()
        await asyncio.wait([self._running])

    async def _run(self) -> TaskResult:
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

    async def _follow(self, child: asyncio.subprocess.Process) -> TaskResult:
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
        raise WindmillError("DEFECT", f"the process of the task ended with {await child.wait()} and said nothing")


def _read_end(said: Mapping[str, Any]) -> TaskResult:
    if "error" in said:
        raise WindmillError(**said["error"])
    files = [FileOfChild(one["name"], Path(one["path"]), one["media_type"]) for one in said["artifacts"]]
    return TaskResult(said["output"], files, said["timings"])


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
