"""The interface of a private server; the modules `postgres` and `rabbitmq` implement it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from windmill.core.errors import Code

ReportLine = Callable[[str], None]
"""Shows a line to the user."""

PORT_ATTEMPTS = 5
"""How often to try other ports when another process takes the chosen one first."""


class Server(Protocol):
    """One kind of private server; its files are all in its home directory."""

    title: str
    """Its name in output."""
    host_variable: str
    """Users set this variable to use a server of their own."""
    port_variable: str
    usual_port: int
    unavailable: Code

    def start(self, home: Path, named: Mapping[str, str], report: ReportLine) -> str:
        """Start it unless it runs, wait until it is ready; its version. `named`: what the user set."""

    def stop(self, home: Path) -> bool:
        """Stop it and all it started; whether it was running."""

    def wipe(self, home: Path) -> None:
        """Delete its data and credentials, once it is stopped."""

    def pid(self, home: Path) -> int | None:
        """Its process, if it runs."""

    def variables(self, home: Path) -> dict[str, str]:
        """Settings that a client needs to reach it."""

    def log(self, home: Path) -> Path:
        """The log file with its errors."""
