"""What a private server is to the instance that owns it; the modules `postgres` and `rabbitmq` are two."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from windmill.core.errors import Code

ReportLine = Callable[[str], None]
"""Takes one line for the user."""

PORT_ATTEMPTS = 5
"""How often to try other ports when somebody takes the chosen one before the server does."""


class Server(Protocol):
    """One kind of private server; all it keeps is under its home directory."""

    title: str
    """Its name on the screen."""
    host_variable: str
    """A user who names this variable has a server of his own."""
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
        """What a client must know, as variables of the settings."""

    def log(self, home: Path) -> Path:
        """Where it says what goes wrong."""
