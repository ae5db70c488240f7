"""The condition of a worker, as its log, health and metrics report it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from windmill.calling.service_state import ServiceState
from windmill.core.measures import Commits
from windmill.core.outages import Outage
from windmill.process.health import Ping
from windmill.process.heartbeat import Presence
from windmill.process.metrics import Sample, of_commits, of_reconnects, of_services

TOLD = ("Stored", "Failed", "RetryLater", "Unavailable", "Unreadable")


@dataclass(frozen=True)
class Condition:
    """What the parts of a worker know, put together whenever somebody asks."""

    states: Sequence[ServiceState]
    presence: Presence
    commits: Commits
    broker: Outage = field(default_factory=lambda: Outage("the broker"))
    database: Outage = field(default_factory=lambda: Outage("the database"))

    def in_progress(self) -> int:
        """Jobs that were delivered and are not settled yet."""
        return sum(state.in_progress for state in self.states)

    def ready(self) -> Mapping[str, Ping]:
        """What the worker may have to wait for."""
        return {"broker": lambda: self.broker.trouble, "database": self._database_trouble}

    def _database_trouble(self) -> str | None:
        """While it has no rows to write, a worker sees by its heartbeats that the database is away."""
        return self.database.trouble or ("takes no heartbeat" if self.presence.silent else None)

    async def samples(self) -> list[Sample]:
        reconnects = {"broker": self.broker.ended, "database": self.database.ended}
        return [*of_services(self.states), *of_commits(self.commits), *of_reconnects(reconnects)]


def counts_of(states: Iterable[ServiceState]) -> dict[str, int]:
    """What became of jobs, whichever service they were for."""
    counts = sum((state.counts for state in states), Counter[str]())
    return {name.lower(): counts[name] for name in TOLD}
