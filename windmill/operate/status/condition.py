"""In which state each part of the fleet is, in a word, and what needs a hand. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from windmill.core.errors import ERROR_CODES
from windmill.core.wanted_states import WantedState
from windmill.operate.status.figures import FleetStatus, ServiceStatus, StepStatus, Worker

PartState = Literal["working", "idle", "waiting", "paused", "trying", "away", "lost", "live"]
BEHIND_SECONDS = 600.0
"""Marks of post-processing that have been due for so long."""
MOST_LOST = 3
"""So many lost workers are told of one by one."""
MANY_FAIL = 0.05
"""Above this share of answers that are failures, something is wrong."""


@dataclass(frozen=True)
class Alarm:
    """What needs a hand: `said` is what is, and what it means, and `remedy` what to do. `kind` and `subject` say where
    to look."""

    kind: Literal["server", "service", "step", "worker", "stage"]
    subject: str
    said: str
    means: str
    remedy: str


def service_state(one: ServiceStatus, pause: WantedState | None = None) -> PartState:
    """What stands in the way comes before what goes on."""
    if pause is not None:
        return "paused"
    if one.breaker == "open":
        return "away"
    if one.breaker == "half-open":
        return "trying"
    if one.in_flight:
        return "working"
    return "waiting" if one.queued else "idle"


def step_state(one: StepStatus, pause: WantedState | None = None) -> PartState:
    if pause is not None or one.paused:
        return "paused"
    if one.running:
        return "working"
    return "waiting" if one.claimable or one.waiting or one.unplanned or one.put_off else "idle"


def worker_state(one: Worker) -> PartState:
    if one.lost:
        return "lost"
    if one.breaker == "open":
        return "paused"
    return "live" if one.in_progress else "idle"


def many_fail(one: ServiceStatus) -> bool:
    """Whether so many answers of the service are failures that somebody should look."""
    return one.failed > MANY_FAIL * (one.done + one.failed)


def alarms_of(status: FleetStatus, workers: Iterable[Worker]) -> list[Alarm]:
    """All that needs a hand now, what matters most first."""
    return [
        *_servers(status),
        *(alarm for one in status.services for alarm in _service(one)),
        *(alarm for one in status.steps for alarm in _step(one)),
        *_lost(list(workers)),
        *_behind(status),
    ]


def _servers(status: FleetStatus) -> Iterator[Alarm]:
    if status.broker:
        yield _server("RabbitMQ", status.broker, ERROR_CODES["BROKER_UNAVAILABLE"].remedy)
    if status.database:
        yield _server("PostgreSQL", status.database, ERROR_CODES["DATABASE_UNAVAILABLE"].remedy)


def _server(name: str, error: str, remedy: str) -> Alarm:
    """One that refuses what the settings say does answer, and its remedy names them."""
    means = "Its numbers are unknown, and nothing is taken or lost meanwhile."
    if not error.startswith("CONFIG_INVALID: "):
        return Alarm("server", name, f"{name} does not answer.", means, remedy)
    own = error.partition(" Remedy: ")[2] or ERROR_CODES["CONFIG_INVALID"].remedy
    return Alarm("server", name, f"{name} refuses this gateway.", means, f"{own}; then start the gateway again")


def _service(one: ServiceStatus) -> Iterator[Alarm]:
    if one.breaker == "open":
        reason, _, remedy = (one.breaker_reason or "").partition(" Remedy: ")
        means = " ".join(part for part in (f"Its breaker is open{_waits(one.queued)}.", reason) if part)
        yield Alarm("service", one.service, f"{one.service} does not answer.", means, remedy)
    elif one.queued and not one.workers:
        means, remedy = _count(one.queued, "job waits", "jobs wait"), f"start a worker with SERVICE_NAME={one.service}"
        yield Alarm("service", one.service, f"Nobody works for {one.service}.", f"{means}.", remedy)


def _waits(queued: int | None) -> str:
    """What an open breaker means to the jobs, if it is known how many there are."""
    if not queued:
        return ""
    return f"; {_count(queued, 'job waits and loses', 'jobs wait and lose')} no try"


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _step(one: StepStatus) -> Iterator[Alarm]:
    work = one.claimable + one.unplanned
    if work and not one.workers:
        means = f"{_count(work, 'task waits', 'tasks wait')}."
        yield Alarm("step", one.step, f"Nobody works for the step {one.step}.", means, ERROR_CODES["NO_WORKER"].remedy)


def _lost(workers: Sequence[Worker]) -> Iterator[Alarm]:
    """One for each process, however many services it served; one for all where many are gone at once."""
    living = {one.process for one in workers if not one.lost}
    gone = list({one.process: one for one in workers if one.lost and one.process not in living}.values())
    if len(gone) > MOST_LOST:
        names = ", ".join(sorted({one.host for one in gone}))
        means = f"They sent no heartbeat from {names:.200}; their jobs went back to their queues."
        yield Alarm("worker", "many", f"{len(gone):,} workers are lost.", means, "see these machines, and their logs")
        return
    for one in gone:
        minutes = max(round(one.silent_seconds / 60), 1)
        means = f"No heartbeat for {minutes} min; its jobs went back to their queues."
        yield Alarm("worker", one.process, f"Worker {one.worker_id} is lost.", means, f"see its log on {one.host}")


def _behind(status: FleetStatus) -> Iterator[Alarm]:
    for one in status.backlog:
        if (one.overdue_seconds or 0) > BEHIND_SECONDS:
            means = f"{one.marks:,} images wait for it, the first for {round((one.overdue_seconds or 0) / 60)} min."
            yield Alarm("stage", one.stage, f"{one.stage} is behind.", means, "start more post-processors")
