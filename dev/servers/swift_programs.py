"""Where OpenStack Swift is: in a virtual environment of its own.

It is no dependency of the project: it brings a web framework and an XML library, and only tests of stores need it.
"""

from collections.abc import Mapping
from pathlib import Path

from dev.servers import own_environment
from dev.servers.server import ReportLine

LOCK = Path(__file__).with_name("swift.lock")


def python(named: Mapping[str, str], report: ReportLine) -> Path:
    """The interpreter that has Swift, in the versions of the lock file; installed on first use."""
    return own_environment.environment("swift", [LOCK], "80 MB", named, report) / "bin" / "python"
