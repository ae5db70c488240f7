"""CPU and memory of a process and its descendants, from /proc."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")

# Places in /proc/PID/stat after the name of the program.
PARENT, SESSION = 1, 3
CPU = slice(11, 15)  # user and system time, and the same of children that ended and were waited for

_CPU_CLOCK = 2
"""With the id of a process, as clock_getcpuclockid(3) of Linux makes it."""

Stat = Sequence[str]


def cpu_seconds(pid: int) -> float:
    """User and system time so far."""
    return sum(int(field) for fields in tree(pid).values() for field in fields[CPU]) / TICKS


def own_cpu_seconds(pid: int) -> float:
    """The same of the process without descendants, to the nanosecond: what a short time costs is less than a tick."""
    return time.clock_gettime((~pid << 3) | _CPU_CLOCK)


def megabytes(pid: int) -> float:
    """Memory now: PSS, where a page that n processes share counts 1/n in each."""
    return sum(map(_pss, tree(pid))) / 1024


def tree(pid: int) -> dict[int, Stat]:
    """The process and its descendants, each with its fields of /proc/PID/stat."""
    stats = _stats()
    found = [pid] if pid in stats else []
    for parent in found:
        found += [child for child, fields in stats.items() if int(fields[PARENT]) == parent]
    return {each: stats[each] for each in found}


def session(leader: int) -> set[int]:
    """The processes of a session; they stay in it when their parents are gone."""
    return {pid for pid, fields in _stats().items() if int(fields[SESSION]) == leader}


def _stats() -> Mapping[int, Stat]:
    found = {int(entry.name): _stat(entry) for entry in PROC.iterdir() if entry.name.isdigit()}
    return {pid: fields for pid, fields in found.items() if fields}


def _stat(entry: Path) -> Stat:
    try:
        return (entry / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ()


def _pss(pid: int) -> int:
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
