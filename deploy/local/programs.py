"""The commands of a fleet as children of this process: some run to their end, some until it is over."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.local import ports
from deploy.local.processes import tail
from windmill.settings import ROOT

READY_SECONDS = 30.0
STOP_SECONDS = 20.0


class ProgramFailed(Exception):
    """A program ended that should run, or ran and failed; the text says what it said."""


class Programs:
    """Starts `python ...` with given variables; on leaving, all that still run are stopped, the last one first."""

    def __init__(self, environ: Mapping[str, str], logs: Path) -> None:
        self._environ = {**os.environ, **environ}
        self._logs = logs
        self._running: dict[str, asyncio.subprocess.Process] = {}

    async def __aenter__(self) -> "Programs":
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in reversed(self._running.values()):
            await _stop(process)

    async def run(self, *arguments: str) -> str:
        """What a command printed; raises with its complaint when it failed."""
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

    async def start(self, name: str, *arguments: str, **variables: str) -> None:
        """Let a program run beside; its output goes to NAME.log. A Ctrl-C meant for this process does not reach it."""
        with self._log(name).open("wb") as log:
            self._running[name] = await asyncio.create_subprocess_exec(
                sys.executable,
                *arguments,
                cwd=ROOT,
                env={**self._environ, **variables},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def until_listening(self, wanted: Sequence[int]) -> None:
        """Wait until something accepts connections on every port."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READY_SECONDS):
                while not all(ports.answers(ports.LOOPBACK, port) for port in wanted):
                    self.check()
                    await asyncio.sleep(0.1)
                return
        raise ProgramFailed(f"nothing listens on some of the ports {wanted} after {READY_SECONDS:.0f} s")

    def check(self) -> None:
        """Raise when a program has ended that should run."""
        for name, process in self._running.items():
            if process.returncode is not None:
                said = tail(self._log(name))
                raise ProgramFailed(f"{name} ended with {process.returncode}; the end of its log:\n{said}")

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"


async def _stop(process: asyncio.subprocess.Process) -> None:
    for number, patience in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, STOP_SECONDS)):
        if process.returncode is None:
            process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), patience)
