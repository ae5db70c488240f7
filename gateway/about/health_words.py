"""The health of the gateway for people: what is up, what is down, and what to do. Pure."""

from dataclasses import dataclass

from windmill.operate.status.condition import alarms_of
from windmill.operate.status.figures import FleetStatus

_WIDTH = 16
NO_WORKER = "start one: STEPS=all python -m workers.jobs"


@dataclass(frozen=True)
class HealthLine:
    """A part of the fleet; `remedy` is empty where it is up, and `up` None where nobody knows."""

    name: str
    up: bool | None
    remedy: str = ""

    def __str__(self) -> str:
        state = {True: "up", False: "down", None: "unknown"}[self.up]
        return f"{state:8} {self.name:{_WIDTH}} {self.remedy}".rstrip()


def health_of(status: FleetStatus, *, worker_running: bool) -> list[HealthLine]:
    """Where the database answers."""
    broken = {one.subject: one.remedy for one in alarms_of(status, []) if one.kind == "server"}
    servers = [HealthLine(name, name not in broken, broken.get(name, "")) for name in ("PostgreSQL", "RabbitMQ")]
    return [*servers, HealthLine("worker of jobs", worker_running, "" if worker_running else NO_WORKER)]


def health_without_database(remedy: str) -> list[HealthLine]:
    """What else is up stands in the database, or is asked for together with it."""
    return [HealthLine("PostgreSQL", up=False, remedy=remedy), HealthLine("RabbitMQ", None),
            HealthLine("worker of jobs", None)]  # fmt: skip


def health_text(version: str, lines: list[HealthLine]) -> str:
    down = [line.name for line in lines if line.up is False]
    said = f"{' and '.join(down)} down" if down else "all is up"
    shown = [
        f"Windmill {version}: the gateway serves, {said}",
        "",
        str(HealthLine("gateway", up=True)),
        *map(str, lines),
    ]
    return "\n".join(shown) + "\n"
