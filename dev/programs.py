"""Running the programs of a fleet on this machine, in the foreground or in the background."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from dev.servers import ports, processes
from windmill.core.settings import ROOT

READY_SECONDS = 30.0


class ProgramFailed(Exception):
    """A program failed, or ended although it should run on; the text has its output."""


class Interrupted(Exception):
    """The user wants to stop."""


class ProgramRunner:
    """Runs `python ...` with these variables, and on leaving stops what it started, the last one first.

    Programs are recorded under `home`, so that the next runner stops what a killed one left.
    """

    def __init__(self, environ: Mapping[str, str], home: Path, stop: asyncio.Event) -> None:
        self._environ = environ
        self._stop = stop
        self._home = home
        self._started: list[str] = []

    async def __aenter__(self) -> "ProgramRunner":
        self._home.mkdir(parents=True, exist_ok=True)
        for record in self._home.glob("*.json"):
            await asyncio.to_thread(processes.stop, record)
        return self

    async def __aexit__(self, *_: object) -> None:
        for name in reversed(self._started):
            await asyncio.to_thread(processes.stop, self._record(name))

    async def run(self, *arguments: str) -> str:
        """The output of a command; raises with its error output when it fails."""
        self.check()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            cwd=ROOT,
            env=self._environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, complaint = await process.communicate()
        if process.returncode:
            said = complaint.decode(errors="replace").strip()
            raise ProgramFailed(f"{' '.join(arguments)} failed: {said}")
        return output.decode().strip()

    def start(self, name: str, *arguments: str, **variables: str) -> None:
        """Start a program in the background, where Ctrl-C does not reach it; its output goes to NAME.log."""
        self.check()
        processes.spawn(
            [sys.executable, *arguments],
            record=self._record(name),
            log=self._log(name),
            env={**self._environ, **variables},
            cwd=ROOT,
        )
        self._started.append(name)

    async def until_listening(self, name: str, wanted: Sequence[int]) -> None:
        """Wait until the program accepts connections on every port."""

        def listens() -> bool:
            pid = processes.running(self._record(name))
            return pid is not None and all(ports.listens(pid, port) for port in wanted)

        try:
            await asyncio.to_thread(processes.wait_ready, self._record(name), self._log(name), listens, READY_SECONDS)
        except processes.Died as error:
            raise ProgramFailed(f"{name} {error}") from error

    def check(self) -> None:
        """Raise if the user wants to stop, or a program has ended."""
        if self._stop.is_set():
            raise Interrupted
        for name in self._started:
            if processes.running(self._record(name)) is None:
                raise ProgramFailed(f"{name} ended; the end of its log:\n{processes.tail(self._log(name))}")

    def _record(self, name: str) -> Path:
        return self._home / f"{name}.json"

    def _log(self, name: str) -> Path:
        return self._home / f"{name}.log"
