"""The state of a worker of steps for its log, its health checks and its metrics."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from windmill.core.settings import Settings
from windmill.jobs.fleet_reaper import step_work_reader
from windmill.jobs.step_worker import StepWorker
from windmill.process.health import HealthCheck
from windmill.process.heartbeat import Heartbeat
from windmill.process.metric import Sample
from windmill.process.metrics import reconnect_samples
from windmill.process.step_metrics import lost_lease_samples, published_token_samples, step_samples
from windmill.storage.database import Pool


class StepWorkerStatus:
    """Read from the parts of the process. `further` are the samples of what its steps use."""

    def __init__(
        self,
        worker: StepWorker,
        heartbeat: Heartbeat,
        settings: Settings,
        pool: Pool,
        further: Callable[[], Iterable[Sample]] = tuple,
    ) -> None:
        self._worker, self._heartbeat, self._pool, self._further = worker, heartbeat, pool, further
        self._work = step_work_reader(settings)

    def ready(self) -> Mapping[str, HealthCheck]:
        """The readiness checks: the database, without which nothing goes on, and the broker, without which it does so
        more slowly."""
        return {"database": self._database_trouble, "broker": lambda: self._worker.broker.trouble}

    def _database_trouble(self) -> str | None:
        """The heartbeat also detects that the database is away while all slots are taken."""
        return self._worker.held.database.trouble or ("heartbeat not written" if self._heartbeat.failing else None)

    async def samples(self) -> list[Sample]:
        worker = self._worker
        reconnects = reconnect_samples({"broker": worker.broker.ended, "database": worker.held.database.ended})
        own = [sample for state in worker.states for sample in step_samples(state)]
        fleet = await self._work.samples(self._pool)
        tokens = [*published_token_samples(worker.published), *lost_lease_samples(worker.lost)]
        return [*own, *tokens, *reconnects, *fleet, *self._further()]

    def counts(self) -> dict[str, int]:
        """The outcomes of all steps, for the log."""
        found: Counter[str] = Counter()
        for state in self._worker.states:
            for (outcome, _), count in state.outcomes.items():
                found[outcome] += count
        return {name: found[name] for name in ("succeeded", "failed", "retried", "returned", "lost")}
