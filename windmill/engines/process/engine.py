"""An engine that is a program: one process for each piece of work.

Its standard output tells the progress (`progress: 45`) and at the end where the files are (`frames_path: DIR`); every
other line, and its standard error, is log.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from windmill.core.errors import WindmillError
from windmill.engines.cancelling import until_cancelled
from windmill.engines.engine import EngineHealth, EngineKind, EngineOutput, EngineRequest, JsonValue, OnProgress
from windmill.engines.entries import ProcessEntry
from windmill.engines.outputs import gather, must_have_room, prepare
from windmill.engines.process.arguments import child_environment, command_line, ignored_parameters
from windmill.engines.process.child import Child, Ending, not_started, running
from windmill.engines.process.log_tail import LogTail
from windmill.engines.process.output_lines import LineSplitter, frames_path_in, progress_in

DEFAULT_FRAMES = "frames"
"""The folder of the outputs if the program names none."""


@dataclass
class Said:
    """What a program has said so far."""

    on_progress: OnProgress
    log: LogTail
    frames_path: str | None = None

    def hear(self, line: str) -> None:
        """A line of its standard output."""
        progress, frames_path = progress_in(line), frames_path_in(line)
        if progress is not None:
            self.on_progress(progress)
        elif frames_path is not None:
            self.frames_path = frames_path
        else:
            self.log.add(line)


class ProcessEngine:
    """Runs a program once for each request."""

    kind: EngineKind = "process"

    def __init__(self, name: str, entry: ProcessEntry, environ: dict[str, str]) -> None:
        self.name = name
        self._entry = entry
        self._environ = environ

    async def check(self) -> EngineHealth:
        """Whether the program is there."""
        return await asyncio.to_thread(program_health, self._entry)

    async def run(self, request: EngineRequest, on_progress: OnProgress, cancelled: asyncio.Event) -> EngineOutput:
        await asyncio.to_thread(prepare, request)
        said = Said(on_progress, LogTail(self._entry.secrets))
        command = command_line(self._entry.command, request, self._entry.parameters)
        environment = child_environment(self._environ, dict(self._entry.environment), request.scratch)
        async with running(
            command, folder=request.scratch, environment=environment, memory_bytes=self._entry.memory_bytes
        ) as child:
            ending = await until_cancelled(_run_to_end(child, said), cancelled)
        judge(ending, command[0], said.log, request.scratch)
        folder = outputs_folder(request, said.frames_path)
        files = await asyncio.to_thread(gather, folder, request)
        facts: dict[str, JsonValue] = {"engine": self.name, "kind": self.kind, "peak_bytes": ending.peak_bytes}
        ignored = ignored_parameters(request, self._entry.parameters)
        return EngineOutput(files, facts | ({"ignored": ignored} if ignored else {}))

    async def close(self) -> None:
        """There is nothing between two requests."""


def program_health(entry: ProcessEntry) -> EngineHealth:
    """Whether a program, and the script that it is given, are there."""
    program = entry.command[0]
    if not shutil.which(program):
        return EngineHealth(False, f"{program} is not a program that can be started")
    script = next((part for part in entry.command[1:] if part.endswith(".py")), None)
    if script and not Path(script).is_file():
        return EngineHealth(False, f"the script {script} does not exist")
    return EngineHealth(True, "the program is there", {"program": program})


async def read_lines(pieces: AsyncIterator[bytes], hear: Callable[[str], None]) -> None:
    """Hand on a stream line by line. It gives way between two pieces: a log of any size must not hold up the loop."""
    splitter = LineSplitter()
    async for piece in pieces:
        for line in splitter.feed(piece):
            hear(line)
        await asyncio.sleep(0)
    for line in splitter.finish():
        hear(line)


def judge(ending: Ending, program: str, log: LogTail, scratch: Path) -> None:
    """Raise the error with which a process ended, if it did not end well."""
    if ending.not_started:
        raise not_started([program], ending.not_started)
    if ending.out_of_memory:
        raise WindmillError("OUT_OF_MEMORY", f"{program} took more memory than it may and was ended\n{log}")
    if ending.exit_code != 0:
        must_have_room(scratch)  # a full disk explains any exit code
        raise WindmillError("PROCESS_FAILED", f"{program} {ending.says}; its last lines:\n{log}")


def outputs_folder(request: EngineRequest, named: str | None) -> Path:
    """The folder that a program names; else `frames`, or all that it wrote."""
    if named is not None:
        return request.scratch / named
    frames = request.out / DEFAULT_FRAMES
    return frames if frames.is_dir() else request.out


async def _run_to_end(child: Child, said: Said) -> Ending:
    async with asyncio.TaskGroup() as group:
        group.create_task(read_lines(child.output(), said.hear))
        group.create_task(read_lines(child.log(), said.log.add))
        ending = group.create_task(child.ended())
    return ending.result()
