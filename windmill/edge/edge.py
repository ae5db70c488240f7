"""The broker edge: takes a delivery, asks the handler for an outcome, and is the only one to act on it.

A delivery is acknowledged only when what became of it is safe: its row committed, or its copy confirmed in
another queue. Whatever goes wrong before that leaves it unacknowledged, and the broker hands it out again.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, Protocol, assert_never

from windmill.broker import Delivery
from windmill.calling.handler import Handler
from windmill.calling.service_state import ServiceState
from windmill.core.errors import Code, DataRefused, WindmillError, unexpected
from windmill.core.messages import Job
from windmill.core.outcomes import Failed, Outcome, RetryLater, Stored, Tried, Unavailable, Unreadable, code_of
from windmill.core.settings import Settings
from windmill.edge.copies import Copies, Republisher, job_context
from windmill.edge.quarantine import Quarantine, suspect
from windmill.edge.received import AnyReceived, Received, UnreadableMessage, receive
from windmill.storage.results import ResultRow

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
        self._in_progress += 1
        self._state.in_progress += 1
        self._quarantine.took()
        self._idle.clear()
        try:
            received = receive(delivery.body, delivery.headers, delivery.redelivered, datetime.now(UTC))
            self._judge_by_past(received)
            await self._settle(delivery, received)
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

    def _judge_by_past(self, received: AnyReceived) -> None:
        """Jobs that came back from lost workers more than once are tried one at a time: all that a worker holds comes
        back with the one that kills it. At the start it is not known yet whether these are such jobs."""
        on_trial = self._is_suspect(received)
        if not on_trial:
            self._quarantine.harmless(self)
        if on_trial != self.on_trial:
            self.on_trial = on_trial
            self._on_change()

    def _is_suspect(self, received: AnyReceived) -> bool:
        return received.envelope.handed_out > 0 and suspect(received.envelope.handed_out, self._settings.delivery_limit)

    async def _settle(self, delivery: Delivery, received: AnyReceived) -> None:
        if received.envelope.uncounted:
            await self._copies.count_delivery(delivery, received)
        elif self._is_suspect(received):
            async with self._quarantine.alone(self) as granted:
                if granted:
                    await self._doing(delivery, received, alone=True)
                else:
                    await self._copies.hand_back(delivery, received)
        else:
            await self._doing(delivery, received)

    def _doing(self, delivery: Delivery, received: AnyReceived, *, alone: bool = False) -> Coroutine[Any, Any, None]:
        """What is done about it; a plain function, as this is on the way of every job."""
        match received:
            case Received():
                return self._do(delivery, received, alone)
            case UnreadableMessage():
                return self._refuse(delivery, received, alone)
            case _:
                assert_never(received)

    async def _do(self, delivery: Delivery, received: Received, alone: bool) -> None:
        async with self._state.slots:
            if self._must_not_begin(alone):
                await self._copies.hand_back(delivery, received)
                return
            tried = await self._try(received)
            # While the slot is still held, so that no job starts between an outage and its notice.
            if self._state.heed(tried):
                self._on_change()
        if self._tells_steps:
            self._tell("decided", received, tried)
        outcome = await self._act(received, tried)
        self._settled(delivery, received, outcome)
        if isinstance(outcome, Stored):
            self._state.steps.ended(received.job.submitted_at)

    async def _refuse(self, delivery: Delivery, received: UnreadableMessage, alone: bool) -> None:
        """Park what is no job; the service has no part in it, so it takes no slot."""
        if self._must_not_begin(alone):
            await self._copies.hand_back(delivery, received)
            return
        await self._copies.park(received, "BAD_MESSAGE", received.message)
        self._settled(delivery, received, Unreadable(received.message))

    def _must_not_begin(self, alone: bool) -> bool:
        others_first = self._quarantine.occupied and not alone
        return self._closing or self._state.breaker.state == "open" or others_first

    def _settled(self, delivery: Delivery, received: AnyReceived, outcome: Outcome) -> None:
        """What became of it is safe now."""
        delivery.acknowledge()
        self._state.count(outcome)
        if self._tells_steps:
            self._tell("settled", received, outcome)

    async def _try(self, received: Received) -> Tried:
        if self._tells_steps:
            self._tell("begins", received)
        if received.envelope.past.attempt == 1:
            self._state.steps.waited(received.job.submitted_at, datetime.now(UTC))
        if (times := received.envelope.handed_out) >= self._settings.delivery_limit:
            return Failed("WORKER_LOST", f"handed out {times} times, and each worker was lost before it was done")
        return await self._handler.handle(self._state, received.job, received.envelope.past)

    async def _act(self, received: Received, tried: Tried) -> Tried:
        """Make it safe; returns what it came to in the end."""
        match tried:
            case Stored():
                return await self._store(received, tried)
            case RetryLater():
                await self._copies.retry(received, tried)
            case Failed():
                await self._fail(received, tried.code, tried.message)
            case Unavailable():
                await self._copies.keep(received, tried)
            case _:
                assert_never(tried)
        return tried

    async def _store(self, received: Received, stored: Stored) -> Tried:
        try:
            await self._writer.write(self._row(received, stored.data, stored.processing_time))
        except DataRefused as error:
            failed = Failed("BAD_RESPONSE", f"PostgreSQL does not take the reply: {error}")
            await self._fail(received, failed.code, failed.message)
            return failed
        return stored

    async def _fail(self, received: Received, code: Code, message: str) -> None:
        try:
            await self._writer.write(self._row(received, None, None, code, message))
        except DataRefused as error:
            message = f"{message} (and PostgreSQL does not take the error: {error})"
        await self._copies.park(received, code, message)

    def _tell(self, step: str, received: AnyReceived, outcome: Outcome | None = None) -> None:
        """One line for a step of a job, for those who look closely."""
        said = {"outcome": type(outcome).__name__, "code": code_of(outcome)} if outcome else {}
        logger.debug(step, extra=job_context(self._name, received) | said)

    def _row(
        self,
        received: Received,
        data: str | None,
        processing_time: float | None,
        code: Code | None = None,
        message: str | None = None,
    ) -> ResultRow:
        job = received.job
        return ResultRow(
            image_id=job.image_id,
            service=self._name,
            data=data,
            error_code=code,
            error_message=message,
            processing_time=processing_time,
            worker_id=self._worker_id,
            attempt=received.envelope.past.attempt,
            trace_id=job.trace_id,
            submitted_at=job.submitted_at,
        )
