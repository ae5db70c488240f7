"""The private servers of tests keep their data in memory where there is enough.

Each test makes a database of six hundred files and queues that are written to the disk before anything else happens,
and deletes them. Before ext4 gives an inode to a new file it looks at all that were deleted within the last minute: a
third of the CPU of a run. In memory the queues of all services are declared in a third of the time.
"""

import hashlib
import shutil
from pathlib import Path

from dev.servers import ALL

MEMORY = Path("/dev/shm")
ROOM = 2 * 1024**3
"""The slow tests take 730 MB."""


def begin(state: Path) -> None:
    """Let the servers of this state begin anew in memory. They must not run, nor anybody be about to start them."""
    end(state)
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < ROOM:
        return
    for server in ALL:
        home, kept = state / server, _folder(state) / server
        if home.exists():
            shutil.rmtree(home)
        kept.mkdir(parents=True)
        home.symlink_to(kept)


def end(state: Path) -> None:
    """Delete what is in memory but for the logs, also what a killed run has left. The servers must not run."""
    for log in _folder(state).rglob("*.log"):
        (state / "logs").mkdir(exist_ok=True)
        shutil.copy(log, state / "logs")
    for home in (state / server for server in ALL):
        if home.is_symlink():
            home.unlink()
    shutil.rmtree(_folder(state), ignore_errors=True)


def _folder(state: Path) -> Path:
    """Of this checkout's servers alone."""
    return MEMORY / f"windmill-{hashlib.sha256(str(state.resolve()).encode()).hexdigest()[:12]}"
