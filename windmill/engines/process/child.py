"""A process and everything that it starts, which end together.

Between it and us runs child_runner: a subreaper can tell what belongs to one command only if it has no other children,
and it is still there to clean up when a worker is killed.
"""

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from windmill.core.errors import WindmillError
from windmill.engines.cancelling import to_the_end

logger = logging.getLogger(__name__)

RUNNER = Path(__file__).with_name("child_runner.py")
END_SECONDS = 10.0
"""How long processes may take to disappear after SIGKILL: one that waits for a dead disk cannot be ended."""
_PIECE = 65_536


@dataclass(frozen=True)
class Ending:
    """How a command ended: with an exit code, or by a signal."""

    exit_code: int | None = None
    by_signal: int | None = None
    not_started: str = ""
    out_of_memory: bool = False
    peak_bytes: int = 0

    @property
    def says(self) -> str:
        """In words."""
        if self.by_signal is not None:
            known = {number.value: number.name for number in signal.Signals}
            return f"was ended by {known.get(self.by_signal, f'signal {self.by_signal}')}"
        return f"ended with exit code {self.exit_code}"


class Child:
    """A running command."""

    def __init__(self, process: asyncio.subprocess.Process, control: socket.socket) -> None:
        self._process = process
        self._control = control
        self._ending: Ending | None = None

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet, as far as is known."""
        return self._process.returncode is None

    def output(self) -> AsyncIterator[bytes]:
        """Its standard output, in pieces as they come."""
        return _pieces(self._process.stdout)

    def log(self) -> AsyncIterator[bytes]:
        """Its standard error, in pieces as they come."""
        return _pieces(self._process.stderr)

    async def write(self, data: bytes) -> None:
        """To its standard input; raises OSError if it no longer reads."""
        assert self._process.stdin
        self._process.stdin.write(data)
        await self._process.stdin.drain()

    async def ended(self) -> Ending:
        """How it ended, once all that it started is gone."""
        if self._ending is None:
            self._ending = _parse_ending(await _read_all(self._control))
            await self._process.wait()
        return self._ending

    async def end(self) -> None:
        """End it and all that it started; return when they are gone. Cancelling this does not stop it."""
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_WR)
        try:
            await to_the_end(asyncio.ensure_future(self._gone()))
        finally:
            self._control.close()

    async def _gone(self) -> None:
        drained = [asyncio.ensure_future(_drain(pipe)) for pipe in (self._process.stdout, self._process.stderr) if pipe]
        try:
            async with asyncio.timeout(END_SECONDS):
                await self._process.wait()
        except TimeoutError:
            logger.exception("processes of an engine cannot be ended", extra={"pid": self._process.pid})
        for one in drained:
            one.cancel()


@asynccontextmanager
async def running(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    memory_bytes: int = 0,
    takes_input: bool = False,
) -> AsyncIterator[Child]:
    """Run a command in a folder; when the block is left, it and all that it started are gone."""
    # A start that is interrupted may wait for ever (asyncio), or leave a process that nobody knows.
    start = _started(command, folder, environment, memory_bytes, takes_input=takes_input)
    starting = asyncio.ensure_future(start)
    try:
        await to_the_end(starting)
        yield starting.result()
    finally:
        if not starting.exception():
            await starting.result().end()


async def _started(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], memory_bytes: int, *, takes_input: bool
) -> Child:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    try:
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(RUNNER), str(theirs.fileno()), str(memory_bytes), *command),
                stdin=asyncio.subprocess.PIPE if takes_input else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd=folder,
                env=dict(environment),
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
    except (OSError, ValueError) as error:
        ours.close()
        raise not_started(command, str(error)) from error
    except BaseException:
        ours.close()
        raise
    return Child(process, ours)


def not_started(command: Sequence[str], why: str) -> WindmillError:
    """The error for a command that cannot be started."""
    return WindmillError("PROCESS_NOT_STARTED", f"{command[0]} cannot be started: {why}")


async def _pieces(pipe: asyncio.StreamReader | None) -> AsyncIterator[bytes]:
    assert pipe
    while data := await pipe.read(_PIECE):
        yield data


async def _drain(pipe: asyncio.StreamReader) -> None:
    """Read and drop: a process that writes to a full pipe would wait with its end."""
    with contextlib.suppress(RuntimeError):  # somebody else still reads it
        while await pipe.read(_PIECE):
            pass


async def _read_all(control: socket.socket) -> bytes:
    loop, read = asyncio.get_running_loop(), bytearray()
    while data := await loop.sock_recv(control, 4_096):
        read += data
    return bytes(read)


def _parse_ending(report: bytes) -> Ending:
    """The report of child_runner; without one somebody has killed it."""
    if not report:
        return Ending(by_signal=signal.SIGKILL)
    document: dict[str, Any] = orjson.loads(report)
    if reason := document.get("not_started"):
        return Ending(not_started=reason)
    status = document["status"] or 0
    killed = status & 0x7F
    by_kernel = killed == signal.SIGKILL and document["kernel_kills"] > 0 and not document["killed_for"]
    return Ending(
        exit_code=None if killed else status >> 8,
        by_signal=killed or None,
        out_of_memory=document["killed_for"] == "memory" or by_kernel,
        peak_bytes=document["peak_bytes"],
    )
