"""Detached processes that outlive the command that started them.

A record file identifies a process by pid and start time, because the kernel may give the pid to another program.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dev.servers import files

PROC = Path("/proc")
LOG_LIMIT = 10 * 1024 * 1024

# The shell waits for a line before it execs the program. The starter writes the record first, so a program never runs
# unrecorded, even if its starter is killed.
GATE = 'read -r word || exit 1; exec "$@" </dev/null'

Signals = Sequence[tuple[signal.Signals, float]]
GENTLE: Signals = ((signal.SIGTERM, 20.0), (signal.SIGKILL, 5.0))


class Detached(subprocess.Popen[bytes]):
    """A child that is meant to outlive this process."""

    def __del__(self) -> None:
        """Suppresses Python's warning that the process still runs."""


# This process must reap its own children, or they stay as zombies.
_children: dict[tuple[int, str | None], Detached] = {}


class Died(Exception):
    """A process ended, or was not ready in time; `log` is where it says why."""

    def __init__(self, reason: str, log: Path, *, slow: bool = False) -> None:
        said = tail(log) if log.exists() and log.stat().st_size else ""
        super().__init__(f"{reason}; the end of {log}:\n{said}" if said else reason)
        self.log, self.slow = log, slow


@dataclass(frozen=True)
class Identity:
    """The user that a program runs as: a prefix to its command, a user and group to switch to, or neither."""

    prefix: tuple[str, ...] = ()
    user: int | None = None
    group: int | None = None

    def run(self, argv: Sequence[str], *, timeout: float, cwd: Path) -> "subprocess.CompletedProcess[str]":
        """Run a short command to its end."""
        return subprocess.run(
            [*self.prefix, *argv],
            user=self.user,
            group=self.group,
            extra_groups=self._extra_groups(),
            cwd=cwd,
            env=plain_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start(self, argv: Sequence[str], *, log: Path, env: Mapping[str, str] | None, cwd: Path) -> Detached:
        """Start a program behind the gate: it waits for a line on its standard input."""
        with open(log, "ab", opener=files.private_opener) as output:
            return Detached(
                ["/bin/sh", "-c", GATE, argv[0], *self.prefix, *argv],
                user=self.user,
                group=self.group,
                extra_groups=self._extra_groups(),
                cwd=cwd,
                env=env,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                umask=0o077,
                start_new_session=True,
            )

    def _extra_groups(self) -> list[int] | None:
        return None if self.user is None else []


MYSELF = Identity()


def plain_environment() -> dict[str, str]:
    """An environment without the user's variables, which could change a server."""
    return {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


def spawn(
    argv: Sequence[str],
    *,
    record: Path,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    identity: Identity = MYSELF,
) -> int:
    """Start a detached process that writes to `log`, note it in `record`, return its pid.

    Without `env` it inherits this process's environment.
    """
    for path in (record, log):
        path.parent.mkdir(parents=True, exist_ok=True)
    _rotate(log)
    child = identity.start(argv, log=log, env=env, cwd=cwd or record.parent)
    assert child.stdin is not None
    born = birth(child.pid)
    _children[child.pid, born] = child
    with child.stdin as gate:
        files.write_json(record, {"pid": child.pid, "birth": born, "argv": list(argv)})
        with contextlib.suppress(BrokenPipeError):  # it died at once; wait_ready reports that
            gate.write(b"go\n")
    return child.pid


def birth(pid: int) -> str | None:
    """The boot and start time of the process, unique on this machine; None if it is gone."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    if fields[0] in "ZX":
        return None
    return f"{_boot()}/{fields[19]}"


def command(pid: int) -> str:
    """The command line of a process, empty if it is gone."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def running(record: Path) -> int | None:
    """The pid of the recorded process, if that process still runs."""
    note = files.read_json(record)
    pid = note.get("pid")
    if not isinstance(pid, int):
        return None
    born = note.get("birth")
    if child := _children.get((pid, born)):
        if child.poll() is None:
            # A process looks dead in /proc as soon as its main thread has ended, although other threads still run.
            return pid
        del _children[pid, born]
    return pid if born is not None and born == birth(pid) else None


def stop(record: Path, signals: Signals = GENTLE) -> bool:
    """Stop the recorded process, harder with each signal; True if it was running. The record is removed."""
    pid = running(record)
    for number, patience in signals if pid else ():
        assert pid is not None
        _signal(pid, number)
        if wait_until(lambda: running(record) is None, patience):
            break
    if pid and running(record):
        raise TimeoutError(f"process {pid} ({record}) does not stop")
    record.unlink(missing_ok=True)
    return pid is not None


def wait_ready(record: Path, log: Path, is_ready: Callable[[], bool], timeout: float) -> None:
    """Wait until the recorded process is ready; raises Died if it ends first or takes too long."""
    if wait_until(lambda: running(record) is None or is_ready(), timeout) and running(record):
        return
    if running(record):
        raise Died(f"is not ready after {timeout:.0f} s", log, slow=True)
    raise Died("ended while starting", log)


def wait_until(condition: Callable[[], bool], timeout: float, every: float = 0.05) -> bool:
    """Poll a condition; False if it did not come true in time."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True


def marked(variable: str, value: str) -> list[int]:
    """The processes that have this environment variable."""
    mark = f"{variable}={value}".encode()
    return [
        int(entry.name)
        for entry in PROC.iterdir()
        if entry.name.isdigit() and mark in _environment(entry) and birth(int(entry.name)) is not None
    ]


def working_in(directory: Path) -> list[int]:
    """The visible processes that have this working directory, whatever links lead to it."""
    place = directory.resolve()
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit() and _link(entry / "cwd") == place]


def kill_marked(variable: str, value: str) -> list[int]:
    """Kill the processes that `marked` finds; returns their pids."""
    pids = marked(variable, value)
    for pid in pids:
        _signal(pid, signal.SIGKILL)
    return pids


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log file."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 8192))
            text = file.read().decode(errors="replace")
    except OSError:
        return "  (no log)"
    return "\n".join("  " + line for line in text.strip().splitlines()[-lines:]) or "  (empty)"


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _environment(entry: Path) -> list[bytes]:
    try:
        return (entry / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _link(path: Path) -> Path | None:
    try:
        return path.readlink()
    except OSError:
        return None


def _boot() -> str:
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_suffix(".old.log"))
