"""The broker edge: takes a delivery, asks the handler for an outcome, and is the only one to act on it.

A delivery is acknowledged only when what became of it is safe: its row committed, or its copy confirmed in
another queue. Whatever goes wrong before that leaves it unacknowledged, and the broker hands it out again.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol, assert_never

from windmill.broker import Delivery, Headers, acknowledge, hand_back
from windmill.errors import Code, DataRefused, WindmillError
from windmill.messages import ATTEMPT_HEADER, Job, attempt_of, decode, headers_to_keep
from windmill.outcomes import Failed, Outcome, RetryLater, Stored, Unavailable, Unreadable
from windmill.results import ResultRow
from windmill.services import Service
from windmill.settings import Settings
from workers.handler import Handler

logger = logging.getLogger(__name__)


class Writer(Protocol):
    """Where rows go; returns when they are committed."""

    async def write(self, row: ResultRow) -> None: ...


class Republisher(Protocol):
    """Where jobs go that are not done; returns when the broker has them."""

    async def to_retry(self, delay: float, service: str, body: bytes, headers: Headers) -> None: ...

    async def to_failed(self, service: str, body: bytes, headers: Headers) -> None: ...


class Edge:
    """One service's deliveries of one broker session."""

    def __init__(
        self,
        service: Service,
        settings: Settings,
        handler: Handler,
        writer: Writer,
        republisher: Republisher,
        slots: asyncio.Semaphore,
        *,
        on_unavailable: Callable[[WindmillError], None],
        on_answer: Callable[[], None],
        on_broken: Callable[[WindmillError], None],
    ) -> None:
        self._service = service
        self._settings = settings
        self._handler = handler
        self._writer = writer
        self._republisher = republisher
        self._on_unavailable = on_unavailable
        self._on_answer = on_answer
        self._on_broken = on_broken
        self._worker_id = settings.worker_name()
        self._slots = slots
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing = False
        self.in_progress = 0
        self.counts: Counter[str] = Counter()

    def close(self) -> None:
        """From now on deliveries that have not been started go back to the queue."""
        self._closing = True

    async def drained(self) -> None:
        """Return when every delivery that was taken is settled."""
        await self._idle.wait()

    async def take(self, delivery: Delivery) -> None:
        """See one delivery through to its end."""
        self.in_progress += 1
        self._idle.clear()
        try:
            async with self._slots:
                if self._closing:
                    await hand_back(delivery)
                    return
                job, outcome = await self._outcome(delivery)
            await self._act(delivery, job, outcome)
            await acknowledge(delivery)
        except WindmillError as error:
            # The broker took neither the copy nor a refusal: only a new session helps, and it brings this job back.
            self._on_broken(error)
        except Exception as error:
            # A fault of ours; a delivery that nobody settles would be held for as long as the session lasts.
            logger.exception("unexpected fault", extra={"service": self._service.name})
            self._on_broken(WindmillError("BROKER_UNAVAILABLE", f"unexpected fault in the worker: {error!r}"))
        finally:
            self.in_progress -= 1
            if not self.in_progress:
                self._idle.set()

    async def _outcome(self, delivery: Delivery) -> tuple[Job | None, Outcome]:
        try:
            job = decode(delivery.body, datetime.now(UTC))
        except WindmillError as error:
            return None, Unreadable(error.message)
        return job, await self._handler.handle(self._service, job, attempt_of(delivery.headers))

    async def _act(self, delivery: Delivery, job: Job | None, outcome: Outcome) -> None:
        self.counts[type(outcome).__name__] += 1
        match outcome:
            case Stored():
                self._on_answer()
                await self._store(delivery, _known(job), outcome)
            case RetryLater():
                await self._retry(delivery, job, outcome)
            case Failed():
                await self._fail(delivery, _known(job), outcome.code, outcome.message)
            case Unavailable():
                await self._keep_for_later(delivery, outcome)
            case Unreadable():
                await self._park(delivery, None, "BAD_MESSAGE", outcome.message)
            case _:
                assert_never(outcome)

    async def _store(self, delivery: Delivery, job: Job, stored: Stored) -> None:
        try:
            await self._writer.write(self._row(delivery, job, stored.data, stored.processing_time))
        except DataRefused as error:
            await self._fail(delivery, job, "BAD_RESPONSE", f"PostgreSQL does not take the reply: {error}")

    async def _fail(self, delivery: Delivery, job: Job, code: Code, message: str) -> None:
        try:
            await self._writer.write(self._row(delivery, job, None, None, code, message))
        except DataRefused as error:
            message = f"{message} (and PostgreSQL does not take the error: {error})"
        await self._park(delivery, job, code, message)

    async def _park(self, delivery: Delivery, job: Job | None, code: Code, message: str) -> None:
        logger.warning("job failed", extra=self._context(delivery, job) | {"code": code, "reason": message})
        reason = {
            "windmill-code": code,
            "windmill-reason": message[:500],
            "windmill-worker": self._worker_id,
            "windmill-failed-at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        headers = headers_to_keep(delivery.headers) | reason
        await self._republisher.to_failed(self._service.name, delivery.body, headers)

    def _context(self, delivery: Delivery, job: Job | None) -> dict[str, object]:
        """What a log line says of the job it is about."""
        known = {"image_id": job.image_id, "image": job.location, "trace_id": job.trace_id} if job else {}
        return {"service": self._service.name, "attempt": attempt_of(delivery.headers), **known}

    async def _retry(self, delivery: Delivery, job: Job | None, outcome: RetryLater) -> None:
        attempt = attempt_of(delivery.headers)
        delays = self._settings.retry_delays
        delay = delays[min(attempt, len(delays)) - 1]
        context = self._context(delivery, job)
        logger.debug("will retry", extra=context | {"code": outcome.code, "reason": outcome.message})
        headers = headers_to_keep(delivery.headers) | {ATTEMPT_HEADER: attempt + 1}
        await self._republisher.to_retry(delay, self._service.name, delivery.body, headers)

    async def _keep_for_later(self, delivery: Delivery, outcome: Unavailable) -> None:
        """No attempt is counted. A copy in the first retry tier, and not a requeue: that would use up the number of
        deliveries which the broker allows a message."""
        self._on_unavailable(WindmillError(outcome.code, outcome.message, outcome.remedy))
        delay = self._settings.retry_delays[0]
        headers = headers_to_keep(delivery.headers)
        await self._republisher.to_retry(delay, self._service.name, delivery.body, headers)

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
            service=self._service.name,
            data=data,
            error_code=code,
            error_message=message,
            processing_time=processing_time,
            worker_id=self._worker_id,
            attempt=attempt_of(delivery.headers),
            trace_id=job.trace_id,
            submitted_at=job.submitted_at,
        )


def _known(job: Job | None) -> Job:
    """Only an Unreadable outcome comes without a job."""
    assert job is not None
    return job
