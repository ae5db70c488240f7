"""Runs one command, and leaves nothing of it behind: started as a program of its own, with the standard library alone.

It is the subreaper of the command: a process that the command starts stays among the descendants of this one, even if
it calls setsid and its parent ends. All of them get SIGTERM, and half a second later SIGKILL, when the command ends,
when the other side of the control socket is closed (so also when the worker is killed), or when together they take more
memory than they may.

    child_runner.py CONTROL_FD MEMORY_BYTES COMMAND [ARGUMENT ...]

It writes one line of JSON to the control socket when all are gone. MEMORY_BYTES 0 is no limit.
"""

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

GRACE_SECONDS = 0.5
LOOK_SECONDS = 0.25
_SET_CHILD_SUBREAPER = 36
_PAGE = resource.getpagesize()
_PROC = Path("/proc")


def main(arguments: list[str]) -> int:
    control, memory, command = int(arguments[0]), int(arguments[1]), arguments[2:]
    os.set_inheritable(control, False)
    _become_subreaper()
    wake = _wake_on_signals()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    kills = _kernel_kills()
    try:
        child = _start(command)
    except OSError as error:
        return _report(control, {"not_started": error.strerror or str(error)})
    status, killed_for, peak = _watch(child, control, wake, memory)
    status = _end_all(child, status)
    document: dict[str, object] = {
        "status": status,
        "killed_for": killed_for,
        "peak_bytes": peak,
        "kernel_kills": _kernel_kills() - kills,
    }
    return _report(control, document)


def _report(control: int, document: dict[str, object]) -> int:
    try:
        os.write(control, json.dumps(document).encode() + b"\n")
    except OSError:
        return 1  # the worker is gone, and nobody listens
    return 0


def _become_subreaper() -> None:
    try:
        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    except (OSError, AttributeError):
        return  # not Linux: the group of the command is all that can be found


def _wake_on_signals() -> int:
    """A descriptor that becomes readable when a child ends or when this process is told to stop."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _note)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    return reading


_told_to_stop: list[int] = []


def _note(number: int, _frame: object) -> None:
    if number != signal.SIGCHLD:
        _told_to_stop.append(number)


def _start(command: list[str]) -> int:
    child = os.posix_spawnp(
        command[0],
        command,
        os.environ,
        setsid=True,
        setsigmask=(),
        setsigdef=(signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD),
    )
    with contextlib.suppress(OSError):
        # The kernel, if it has to choose, ends the command and not the worker.
        (_PROC / str(child) / "oom_score_adj").write_text("800")
    return child


def _watch(child: int, control: int, wake: int, memory: int) -> tuple[int | None, str | None, int]:
    """Wait until the command ends, somebody wants its end, or it takes too much."""
    peak = 0
    while True:
        ready, _, _ = select.select([control, wake], [], [], LOOK_SECONDS if memory else None)
        if wake in ready:
            os.read(wake, 4096)
        status = _reap(child)
        if status is not None:
            return status, None, peak
        if control in ready or _told_to_stop:
            return None, "request", peak
        if memory:
            taken = _memory_of(_family())
            peak = max(peak, taken)
            if taken > memory:
                return None, "memory", peak


def _reap(child: int) -> int | None:
    """Reap all that have ended; the status of the command itself if it is one of them."""
    status = None
    while True:
        try:
            pid, ended = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status
        if not pid:
            return status
        if pid == child:
            status = ended


def _end_all(child: int, status: int | None) -> int | None:
    """End every descendant; new ones may appear until the last has gone, so this looks again and again."""
    patient_until = time.monotonic() + GRACE_SECONDS
    _send(signal.SIGTERM)
    while _has_children():
        if time.monotonic() >= patient_until:
            _send(signal.SIGKILL)
        time.sleep(0.01)
        ended = _reap(child)
        status = status if ended is None else ended
    return status


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _send(number: signal.Signals) -> None:
    for pid in _descendants():
        try:
            os.kill(pid, number)
            if number == signal.SIGTERM:
                os.kill(pid, signal.SIGCONT)  # who is stopped would not notice
        except (ProcessLookupError, PermissionError):
            continue


def _descendants() -> list[int]:
    parents = _parents()
    found: list[int] = []
    fresh = {os.getpid()}
    while fresh:
        fresh = {pid for pid, parent in parents.items() if parent in fresh}
        found += fresh
    return found


def _parents() -> dict[int, int]:
    """The parent of each process of the machine."""
    parents = {}
    for folder in _PROC.iterdir() if _PROC.is_dir() else ():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
            except OSError:
                continue  # it has ended
            parents[int(folder.name)] = int(fields[1])
    return parents


def _family() -> list[int]:
    """The descendants of this process by the kernel's lists of children, so that looking costs the same however many
    other processes the machine has. A child may be missing from one look, if another ends meanwhile; so whoever must
    miss none asks for `_descendants`, and so does a kernel without such lists."""
    if not list(_lists_of_children(os.getpid())):
        return _descendants()
    found: list[int] = []
    fresh = [os.getpid()]
    while fresh:
        fresh = [child for pid in fresh for child in _children(pid)]
        found += fresh
    return found


def _lists_of_children(pid: int) -> Iterator[Path]:
    """One for each thread."""
    return (_PROC / str(pid) / "task").glob("*/children")


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):  # it has ended
        for path in _lists_of_children(pid):
            found += [int(child) for child in path.read_text().split()]
    return found


def _memory_of(pids: list[int]) -> int:
    """Bytes of their own: what they share with files costs nothing that cannot be had back."""
    total = 0
    for pid in pids:
        try:
            fields = (_PROC / str(pid) / "statm").read_text().split()
        except OSError:
            continue
        total += max(0, int(fields[1]) - int(fields[2])) * _PAGE
    return total


def _kernel_kills() -> int:
    """How often the kernel has ended a process of this control group because memory was used up."""
    try:
        group = next(line for line in (_PROC / "self/cgroup").read_text().splitlines() if line.startswith("0::"))
        events = Path("/sys/fs/cgroup", group[3:].lstrip("/"), "memory.events").read_text().split()
        return int(events[events.index("oom_kill") + 1])
    except (OSError, StopIteration, ValueError):
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
