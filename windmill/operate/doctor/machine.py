"""This machine: Python, open files, memory, disk and clock."""

import platform
import resource
import shutil
import subprocess
import sys
from pathlib import Path

from windmill.core.settings import ROOT
from windmill.operate.doctor import disk_space
from windmill.operate.doctor.findings import DoctorFinding, ok, problem, warning
from windmill.operate.render import render_bytes

OLDEST_PYTHON = (3, 11)
FEW_FILES = 1024
LITTLE_MEMORY = 200 * 2**20
CLOCK_SECONDS = 3.0
_MEMORY = Path("/proc/meminfo")


def examine(state: Path = ROOT / "var", memory: Path = _MEMORY) -> list[DoctorFinding]:
    usage = shutil.disk_usage(state if state.exists() else state.parent)
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return [
        python(sys.version_info[:2]),
        open_files(soft),
        *(available_memory(memory.read_text()) if memory.exists() else []),
        disk_space.judge_free_space("machine", "disk", usage.free, str(state), total=usage.total),
        *clock(_synchronised()),
    ]


def python(version: tuple[int, ...]) -> DoctorFinding:
    if version >= OLDEST_PYTHON:
        return ok("machine", "python", platform.python_version())
    return problem("machine", "python", ".".join(map(str, version)), "make the environment with Python 3.11 or newer")


def open_files(soft: int) -> DoctorFinding:
    """A worker needs a socket and a file for each concurrent call."""
    if soft in (resource.RLIM_INFINITY, -1):
        return ok("machine", "open files", "without limit")
    if soft >= FEW_FILES:
        return ok("machine", "open files", f"up to {soft:,}")
    remedy = "ulimit -n 4096, or LimitNOFILE=4096 in the systemd unit"
    return warning("machine", "open files", f"only {soft:,} at a time", remedy)


def available_memory(meminfo: str) -> list[DoctorFinding]:
    """The kernel's estimate of memory that is available without swapping."""
    kilobytes = [int(line.split()[1]) for line in meminfo.splitlines() if line.startswith("MemAvailable:")]
    return [_memory(one * 1024) for one in kilobytes]


def _memory(available: int) -> DoctorFinding:
    said = f"{render_bytes(available)} available"
    if available >= LITTLE_MEMORY:
        return ok("machine", "memory", said)
    return warning("machine", "memory", said, "a worker takes about 60 MiB: stop something, or run fewer workers")


def _synchronised() -> str:
    """yes, no, or empty where systemd does not know."""
    try:
        asked = subprocess.run(
            ["timedatectl", "show", "--property=NTPSynchronized", "--value"],
            capture_output=True,
            text=True,
            timeout=CLOCK_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout.strip() if asked.returncode == 0 else ""


def clock(synchronised: str) -> list[DoctorFinding]:
    if synchronised == "yes":
        return [ok("machine", "clock", "is synchronised")]
    if synchronised == "no":
        return [warning("machine", "clock", "is not synchronised", "timedatectl set-ntp true, or install chrony")]
    return []
