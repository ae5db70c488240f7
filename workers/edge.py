"""The broker edge: takes a delivery, asks the handler for an outcome, and is the only one to act on it.

A delivery is acknowledged only when what became of it is safe: its row committed, or its copy confirmed in
another queue. Whatever goes wrong before that leaves it unacknowledged, and the broker hands it out again.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol, assert_never

from windmill.broker import Delivery
from windmill.calling.handler import Handler
from windmill.calling.service_state import ServiceState
from windmill.errors import Code, DataRefused, WindmillError, unexpected
from windmill.messages import Job, decode, handed_out, past_of
from windmill.outcomes import Failed, Outcome, RetryLater, Stored, Unavailable, Unreadable, code_of
from windmill.results import ResultRow
from windmill.settings import Settings
from workers.copies import Copies, Republisher, job_context
from workers.quarantine import Quarantine, suspect

logger = logging.getLogger(__name__)


class Writer(Protocol):
    """Where rows go; returns when they are committed."""

    async def write(self, row: ResultRow) -> None: ...


class Edge:
    """One service's deliveries of one broker session."""

    def __init__(
        self,
        state: ServiceState,
        settings: Settings,
        handler: Handler[Job],
        writer: Writer,
        republisher: Republisher,
        quarantine: Quarantine,
        *,
        on_change: Callable[[], None],
        on_broken: Callable[[WindmillError], None],
    ) -> None:
        self._state = state
        self._name = state.service.name
        self._settings = settings
        self._handler = handler
        self._writer = writer
        self._quarantine = quarantine
        self._copies = Copies(state.service.name, settings, republisher)
        self._on_change = on_change
        self._on_broken = on_broken
        self._worker_id = settings.worker_name()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing = False
        self._in_progress = 0
        # Asked once: most jobs are taken where nobody looks so closely.
        self._tells_steps = logger.isEnabledFor(logging.DEBUG)
        self.deliveries = 0
        self.on_trial = True

    def close(self) -> None:
        """From now on deliveries that have not been started go back to the queue."""
        self._closing = True

    async def drained(self) -> None:
        """Return when every delivery that was taken is settled."""
        await self._idle.wait()

    async def take(self, delivery: Delivery) -> None:
        """See one delivery through to its end."""
        self.deliveries += 1
        self._judge_by_past(delivery)
        self._in_progress += 1
        self._state.in_progress += 1
        self._quarantine.took()
        self._idle.clear()
        try:
            await self._settle(delivery)
        except WindmillError as error:
            # The broker took neither the copy nor a refusal: only a new session helps, and it brings this job back.
            self._on_broken(error)
        except Exception as error:
            # A fault of ours; a delivery that nobody settles would be held for as long as the session lasts.
            defect = unexpected(error)
            logger.exception(
                "unexpected fault", extra={"service": self._name, "code": defect.code, "remedy": defect.remedy}
            )
            self._state.defects += 1
            self._on_broken(defect)
        finally:
            self._quarantine.settled()
            self._state.in_progress -= 1
            self._in_progress -= 1
            if not self._in_progress:
                self._idle.set()

    def _judge_by_past(self, delivery: Delivery) -> None:
        """Jobs that came back from lost workers more than once are tried one at a time: all that a worker holds comes
        back with the one that kills it. At the start it is not known yet whether these are such jobs."""
        on_trial = self._is_suspect(delivery)
        if not on_trial:
            self._quarantine.harmless(self)
        if on_trial != self.on_trial:
            self.on_trial = on_trial
            self._on_change()

    def _is_suspect(self, delivery: Delivery) -> bool:
        return bool(delivery.headers) and suspect(handed_out(delivery.headers), self._settings.delivery_limit)

    async def _settle(self, delivery: Delivery) -> None:
        if delivery.redelivered and "x-delivery-count" not in delivery.headers:
            await self._copies.count_delivery(delivery)
        elif self._is_suspect(delivery):
            async with self._quarantine.alone(self) as granted:
                await (self._do(delivery, alone=True) if granted else self._copies.hand_back(delivery))
        else:
            await self._do(delivery)

    async def _do(self, delivery: Delivery, *, alone: bool = False) -> None:
        async with self._state.slots:
            others_first = self._quarantine.occupied and not alone
            if self._closing or self._state.breaker.state == "open" or others_first:
                await self._copies.hand_back(delivery)
                return
            job, outcome = await self._outcome(delivery)
            # While the slot is still held, so that no job starts between an outage and its notice.
            if self._state.heed(outcome):
                self._on_change()
        if self._tells_steps:
            self._tell("decided", delivery, job, outcome)
        outcome = await self._act(delivery, job, outcome)
        delivery.acknowledge()
        self._state.count(outcome)
        if isinstance(outcome, Stored):
            self._state.steps.ended(_known(job).submitted_at)
        if self._tells_steps:
            self._tell("settled", delivery, job, outcome)

    async def _outcome(self, delivery: Delivery) -> tuple[Job | None, Outcome]:
        now = datetime.now(UTC)
        try:
            job = decode(delivery.body, now)
        except WindmillError as error:
            return None, Unreadable(error.message)
        if self._tells_steps:
            self._tell("begins", delivery, job)
        headers = delivery.headers
        past = past_of(headers)
        if past.attempt == 1:
            self._state.steps.waited(job.submitted_at, now)
        if headers and (times := handed_out(headers)) >= self._settings.delivery_limit:
            return job, Failed("WORKER_LOST", f"handed out {times} times, and each worker was lost before it was done")
        return job, await self._handler.handle(self._state, job, past)

    async def _act(self, delivery: Delivery, job: Job | None, outcome: Outcome) -> Outcome:
        """Make it safe; returns what it came to in the end."""
        match outcome:
            case Stored():
                return await self._store(delivery, _known(job), outcome)
            case RetryLater():
                await self._copies.retry(delivery, job, outcome)
            case Failed():
                await self._fail(delivery, _known(job), outcome.code, outcome.message)
            case Unavailable():
                await self._copies.keep(delivery, outcome)
            case Unreadable():
                await self._copies.park(delivery, None, "BAD_MESSAGE", outcome.message)
            case _:
                assert_never(outcome)
        return outcome

    async def _store(self, delivery: Delivery, job: Job, stored: Stored) -> Outcome:
        try:
            await self._writer.write(self._row(delivery, job, stored.data, stored.processing_time))
        except DataRefused as error:
            failed = Failed("BAD_RESPONSE", f"PostgreSQL does not take the reply: {error}")
            await self._fail(delivery, job, failed.code, failed.message)
            return failed
        return stored

    async def _fail(self, delivery: Delivery, job: Job, code: Code, message: str) -> None:
        try:
            await self._writer.write(self._row(delivery, job, None, None, code, message))
        except DataRefused as error:
            message = f"{message} (and PostgreSQL does not take the error: {error})"
        await self._copies.park(delivery, job, code, message)

    def _tell(self, step: str, delivery: Delivery, job: Job | None, outcome: Outcome | None = None) -> None:
        """One line for a step of a job, for those who look closely."""
        said = {"outcome": type(outcome).__name__, "code": code_of(outcome)} if outcome else {}
        logger.debug(step, extra=job_context(self._name, delivery, job) | said)

    def _row(
        self,
        delivery: Delivery,
        job: Job,
        data: str | None,
        processing_time: float | None,
        code: Code | None = None,
        message: str | None = None,
    ) -> ResultRow:
        return ResultRow(
            image_id=job.image_id,
            service=self._name,
            data=data,
            error_code=code,
            error_message=message,
            processing_time=processing_time,
            worker_id=self._worker_id,
            attempt=past_of(delivery.headers).attempt,
            trace_id=job.trace_id,
            submitted_at=job.submitted_at,
        )


def _known(job: Job | None) -> Job:
    """Only an Unreadable outcome comes without a job."""
    assert job is not None
    return job
