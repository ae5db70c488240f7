"""A worker of a contender as a process: started, watched, stopped, or killed."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from bench import meter
from windmill.core.settings import ROOT

STOP_SECONDS = 30.0

Process = subprocess.Popen[bytes]


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Nothing of ours but what every program needs."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, **variables}


def start(command: Sequence[str], variables: Mapping[str, str], log: Path, cwd: Path = ROOT) -> Process:
    """Start the command in a session of its own."""
    with log.open("ab") as file:
        return subprocess.Popen(
            command,
            cwd=cwd,
            env=environment(variables),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )


def stop(process: Process) -> None:
    """Ask it to stop; processes that remain are killed."""
    if process.poll() is not None:
        return
    family = meter.tree(process.pid)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _kill_all(family.keys() & meter.session(process.pid))


def kill(process: Process) -> None:
    """SIGKILL to the process and all its children at once."""
    _kill_all(meter.session(process.pid) | {process.pid})
    process.wait()


def _kill_all(pids: set[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@contextmanager
def started(command: Sequence[str], variables: Mapping[str, str], log: Path) -> Iterator[Process]:
    """The worker until the block ends."""
    process = start(command, variables, log)
    try:
        yield process
    finally:
        stop(process)
