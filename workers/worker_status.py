"""The state of a worker for its log, its health checks and its metrics."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from windmill.calling.service_state import ServiceState
from windmill.core.outages import Outage
from windmill.core.timings import CommitTimings
from windmill.jobs.fleet_reaper import FleetReaper
from windmill.process.health import HealthCheck
from windmill.process.heartbeat import Heartbeat
from windmill.process.metric import Sample
from windmill.process.metrics import commit_samples, reconnect_samples, service_samples
from windmill.storage.superseded_rows import SupersededRows

LOGGED_OUTCOMES = ("Stored", "Failed", "RetryLater", "Unavailable", "Unreadable")


@dataclass(frozen=True)
class WorkerStatus:
    """The readiness checks and metric samples of a worker, read from its parts."""

    states: Sequence[ServiceState]
    heartbeat: Heartbeat
    commits: CommitTimings
    reaper: FleetReaper
    broker: Outage = field(default_factory=lambda: Outage("the broker"))
    database: Outage = field(default_factory=lambda: Outage("the database"))
    superseded: SupersededRows = field(default_factory=SupersededRows)

    def in_progress(self) -> int:
        """The number of jobs that are delivered and not yet settled."""
        return sum(state.in_progress for state in self.states)

    def ready(self) -> Mapping[str, HealthCheck]:
        """The readiness checks: broker and database."""
        return {"broker": lambda: self.broker.trouble, "database": self._database_trouble}

    def _database_trouble(self) -> str | None:
        """The heartbeat also detects that the database is away, while there are no rows to write."""
        return self.database.trouble or ("heartbeat not written" if self.heartbeat.failing else None)

    async def samples(self) -> list[Sample]:
        reconnects = {"broker": self.broker.ended, "database": self.database.ended}
        commits = commit_samples(self.commits, self.superseded.count)
        own = [*service_samples(self.states), *commits, *reconnect_samples(reconnects)]
        return [*own, *await self.reaper.samples()]


def counts_of(states: Iterable[ServiceState]) -> dict[str, int]:
    """The outcomes of all services, for the log."""
    counts = sum((state.counts for state in states), Counter[str]())
    return {name.lower(): counts[name] for name in LOGGED_OUTCOMES}
