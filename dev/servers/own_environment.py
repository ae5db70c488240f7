"""Virtual environments of servers that only tests need: one for each server, shared by all checkouts of this user."""

import hashlib
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from dev.servers import files
from dev.servers.rabbitmq_programs import cache
from dev.servers.server import ReportLine
from windmill.core.errors import WindmillError

INSTALL_SECONDS = 900.0


def environment(
    title: str,
    locks: Sequence[Path],
    room: str,
    named: Mapping[str, str],
    report: ReportLine,
    finish: Callable[[Path], None] = lambda _: None,
) -> Path:
    """The folder of the environment that has what the first lock file names; made on first use, and again when a lock
    file changes. `finish` adds what is no Python package."""
    digest = hashlib.sha256(b"".join(lock.read_bytes() for lock in locks)).hexdigest()[:12]
    home = cache(named) / f"{title}-{digest}"
    ready = home / ".ready"
    with files.locked(home.with_suffix(".lock"), lambda: report(f"waits for another process that installs {title}")):
        if not ready.exists():
            report(f"{title:11} installs itself once, some {room}")
            pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            run(title, [sys.executable, "-m", "venv", "--clear", str(home)])
            run(title, [*pip, "--require-hashes", "--requirement", str(locks[0])])
            finish(home)
            ready.touch()
    return home


def run(title: str, argv: Sequence[str], folder: Path | None = None) -> None:
    """One command of an installation."""
    ways = f"let pip and npm reach a package index; only tests need {title}"
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False, cwd=folder)
    except subprocess.TimeoutExpired as error:
        raise WindmillError("NOT_FOUND", f"{title} is not installed: {error}", ways) from error
    if done.returncode:
        said = " ".join(done.stderr.split())[-300:]
        raise WindmillError("NOT_FOUND", f"{title} cannot be installed: {said}", ways)
