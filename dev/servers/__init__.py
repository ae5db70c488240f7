"""Private servers for this machine: PostgreSQL and RabbitMQ on loopback, each instance in its own directory.

variables = up(Path("var/test"), named={}, report=print)
down(Path("var/test"))
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from dev.servers import postgres, rabbitmq
from dev.servers.instance import Instance, Status
from dev.servers.server import ReportLine

__all__ = ["ALL", "Status", "are_kept", "down", "instance", "keep", "up"]

ALL = ("postgres", "rabbitmq")


def instance(state: Path) -> Instance:
    """The private servers whose data is in this directory."""
    return Instance(state.resolve(), {"postgres": postgres, "rabbitmq": rabbitmq})


def up(state: Path, named: Mapping[str, str], *, report: ReportLine, only: Sequence[str] = ALL) -> dict[str, str]:
    """Start what is not running and is not in `named`, the user's own variables; the variables to reach it."""
    return instance(state).up(only, named, report)


def keep(state: Path) -> None:
    """Whoever started them, the servers run until `down` is asked for."""
    instance(state).kept_file.touch()


def are_kept(state: Path) -> bool:
    """Whether somebody wants them to go on when those that have used them end."""
    return instance(state).kept_file.exists()


def down(state: Path, *, report: ReportLine = lambda _: None, wipe: bool = False, only: Sequence[str] = ALL) -> None:
    """Stop the servers; their data stays unless it is wiped."""
    instance(state).down(only, report, wipe=wipe)
