"""Where OpenStack Swift is: in a virtual environment of its own, shared by all checkouts of this user.

It is no dependency of the project: it brings a web framework and an XML library, and only tests of stores need it.
"""

import hashlib
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from dev.servers import files
from dev.servers.rabbitmq_programs import cache
from dev.servers.server import ReportLine
from windmill.core.errors import WindmillError

LOCK = Path(__file__).with_name("swift.lock")
INSTALL_SECONDS = 600.0
WAYS = "let pip reach a package index; only tests of s3:// images need this server"


def python(named: Mapping[str, str], report: ReportLine) -> Path:
    """The interpreter that has Swift, in the versions of the lock file; installed on first use."""
    home = cache(named) / f"swift-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]}"
    ready = home / ".ready"
    with files.locked(home.with_suffix(".lock"), lambda: report("waits for another process that installs Swift")):
        if not ready.exists():
            report("swift       installs itself once, some 80 MB")
            _install(home)
            ready.touch()
    return home / "bin" / "python"


def _install(home: Path) -> None:
    pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for argv in (
        [sys.executable, "-m", "venv", "--clear", str(home)],
        [*pip, "--require-hashes", "--requirement", str(LOCK)],
    ):
        try:
            done = subprocess.run(argv, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise WindmillError("NOT_FOUND", f"Swift is not installed: {error}", WAYS) from error
        if done.returncode:
            said = " ".join(done.stderr.split())[-300:]
            raise WindmillError("NOT_FOUND", f"Swift cannot be installed: {said}", WAYS)
