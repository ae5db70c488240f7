"""An engine that is a program which stays alive, as loading its model takes long.

It reads requests from its standard input, one line of JSON each, and answers with lines of JSON that repeat the `id`:

    {"id": ..., "progress": 45}     as often as it likes; a line `progress: 45` does as well
    {"id": ..., "frames_path": DIR} when it is done; DIR may be left out
    {"id": ..., "error": TEXT}      when it has failed

A request that is cancelled or takes too long ends the program: the next one starts it anew.
"""

import asyncio
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from windmill.core.errors import WindmillError
from windmill.engines.cancelling import until_cancelled
from windmill.engines.engine import EngineHealth, EngineKind, EngineOutput, EngineRequest, OnProgress
from windmill.engines.entries import ProcessEntry
from windmill.engines.outputs import gather, prepare
from windmill.engines.process.arguments import child_environment, request_line
from windmill.engines.process.child import Child, running
from windmill.engines.process.engine import judge, outputs_folder, program_health, read_lines
from windmill.engines.process.log_tail import LogTail
from windmill.engines.process.output_lines import progress_in, share
from windmill.kernels.text.redaction import redactor

_Answer = dict[str, Any]


@dataclass
class _Asked:
    """A request that the program works on."""

    name: str
    on_progress: OnProgress
    answer: asyncio.Future[_Answer]

    def hear(self, line: str) -> bool:
        """Whether this line belongs to the request."""
        progress, document = progress_in(line), _document(line)
        if progress is None and document.get("id") == self.name:
            progress = _share_in(document)
            if progress is None and not self.answer.done():
                self.answer.set_result(document)
                return True
        if progress is not None:
            self.on_progress(progress)
        return progress is not None


@dataclass
class _Alive:
    """The program while it runs."""

    child: Child
    stack: AsyncExitStack
    log: LogTail
    asked: _Asked | None = None
    listening: asyncio.Task[None] | None = None

    def hear(self, line: str) -> None:
        if not (self.asked and self.asked.hear(line)):
            self.log.add(line)

    async def listen(self) -> None:
        """Read what it writes, until it ends."""
        await asyncio.gather(read_lines(self.child.output(), self.hear), read_lines(self.child.log(), self.log.add))


class LinesEngine:
    """Keeps one process, and gives it one request at a time."""

    kind: EngineKind = "process"

    def __init__(self, name: str, entry: ProcessEntry, environ: dict[str, str]) -> None:
        self.name = name
        self._entry = entry
        self._environ = environ
        self._alive: _Alive | None = None
        self._turn = asyncio.Lock()

    async def check(self) -> EngineHealth:
        """Whether the program is there; it is started by the first request."""
        return await asyncio.to_thread(program_health, self._entry)

    async def run(self, request: EngineRequest, on_progress: OnProgress, cancelled: asyncio.Event) -> EngineOutput:
        return await until_cancelled(self._run(request, on_progress), cancelled)

    async def close(self) -> None:
        """End the process."""
        alive, self._alive = self._alive, None
        if alive:
            await alive.stack.aclose()

    async def _run(self, request: EngineRequest, on_progress: OnProgress) -> EngineOutput:
        async with self._turn:
            await asyncio.to_thread(prepare, request)
            answer = await self._ask(request, on_progress)
        if error := answer.get("error"):
            raise WindmillError(
                "PROCESS_FAILED", f"{self._entry.command[0]} says: {redactor(self._entry.secrets)(str(error))}"
            )
        named = answer.get("frames_path")
        folder = outputs_folder(request, named if isinstance(named, str) else None)
        files = await asyncio.to_thread(gather, folder, request)
        return EngineOutput(files, {"engine": self.name, "kind": self.kind})

    async def _ask(self, request: EngineRequest, on_progress: OnProgress) -> _Answer:
        alive = await self._started()
        asked = _Asked(request.name, on_progress, asyncio.get_running_loop().create_future())
        alive.asked = asked
        ended = asyncio.ensure_future(alive.child.ended())
        try:
            await _send(alive.child, request_line(request))
            await asyncio.wait((asked.answer, ended), return_when=asyncio.FIRST_COMPLETED)
            if asked.answer.done():
                return asked.answer.result()
            if alive.listening:
                await alive.listening  # what it said last
            judge(await ended, self._entry.command[0], alive.log, request.scratch)
            raise WindmillError("PROCESS_FAILED", f"{self._entry.command[0]} ended without an answer\n{alive.log}")
        finally:
            alive.asked = None
            ended.cancel()
            if not asked.answer.done():
                await self.close()

    async def _started(self) -> _Alive:
        """The process, which may have ended since the last request."""
        if self._alive and not self._alive.child.is_running:
            await self.close()
        if self._alive is None:
            self._alive = await self._start()
        return self._alive

    async def _start(self) -> _Alive:
        folder = Path(tempfile.gettempdir())
        environment = child_environment(self._environ, dict(self._entry.environment), folder)
        async with AsyncExitStack() as stack:
            child = await stack.enter_async_context(
                running(
                    self._entry.command,
                    folder=folder,
                    environment=environment,
                    memory_bytes=self._entry.memory_bytes,
                    takes_input=True,
                )
            )
            alive = _Alive(child, stack, LogTail(self._entry.secrets))
            alive.listening = asyncio.create_task(alive.listen())
            stack.callback(alive.listening.cancel)
            alive.stack = stack.pop_all()
        return alive


async def _send(child: Child, line: bytes) -> None:
    try:
        await child.write(line)
    except OSError:
        return  # it has ended, and how is told by that


def _document(line: str) -> _Answer:
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def _share_in(document: _Answer) -> float | None:
    progress = document.get("progress")
    return share(progress) if isinstance(progress, int | float) and not isinstance(progress, bool) else None
