"""Processing a delivery: the handler turns the job into an outcome, which is written or republished here.

A delivery is acknowledged only after its row is committed or its copy is confirmed in another queue. After any failure
before that it stays unacknowledged, and the broker redelivers it.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, assert_never

from windmill.broker import Delivery
from windmill.calling.job_handler import JobHandler
from windmill.calling.service_state import ServiceState
from windmill.core.errors import WindmillError, unexpected
from windmill.core.log_throttle import Throttle
from windmill.core.messages import Job
from windmill.core.outcomes import (
    Failed,
    Outcome,
    RetryLater,
    Stored,
    Tried,
    Unreadable,
    after_error,
    code_of,
)
from windmill.core.settings import Settings
from windmill.edge.outcome_applier import OutcomeApplier, RowWriter
from windmill.edge.quarantine import Quarantine, suspect, suspect_from
from windmill.edge.received_messages import (
    NO_ENVELOPE,
    ReceivedJob,
    ReceivedMessage,
    UnreadableMessage,
    read_delivery,
)
from windmill.edge.retries_and_dead_letters import JobRepublisher, RepublishTarget, job_context
from windmill.edge.session_losses import SessionLosses

logger = logging.getLogger(__name__)


class DeliveryProcessor:
    """Processes the deliveries of one queue of a service, the ordinary or the urgent one, in one broker session."""

    def __init__(
        self,
        state: ServiceState,
        settings: Settings,
        handler: JobHandler[Job],
        writer: RowWriter,
        target: RepublishTarget,
        quarantine: Quarantine,
        losses: SessionLosses,
        *,
        urgent: bool = False,
        on_change: Callable[[], None],
        on_broken: Callable[[WindmillError], None],
    ) -> None:
        self._state = state
        self._name = state.service.name
        self._settings = settings
        self._handler = handler
        self._quarantine = quarantine
        self._losses = losses
        self._urgent = urgent
        self._slots = state.slots.urgent if urgent else state.slots
        self._republisher = JobRepublisher(state.service.name, settings, target, urgent=urgent)
        self._applier = OutcomeApplier(self._name, settings.worker_name(), writer, self._republisher)
        self._on_change = on_change
        self._on_broken = on_broken
        self._throttle = Throttle()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing = False
        self._in_hand: dict[int, bytes] = {}
        # Checked once, as every job passes here.
        self._logs_steps = logger.isEnabledFor(logging.DEBUG)
        self.deliveries = 0
        self.settled = 0
        self.has_suspects = True

    @property
    def in_progress(self) -> int:
        """The number of deliveries that are not settled yet."""
        return len(self._in_hand)

    def close(self) -> None:
        """From now on deliveries that have not begun go back to the queue. The others may be redelivered, although no
        worker was lost with them."""
        self._closing = True
        for body in self._in_hand.values():
            self._losses.note(self._name, body)

    async def drained(self) -> None:
        """Return when every delivery is settled."""
        await self._idle.wait()

    async def process(self, delivery: Delivery) -> None:
        """Process one delivery until it is settled."""
        self.deliveries += 1
        self._in_hand[id(delivery)] = delivery.body
        if self._closing:
            self._losses.note(self._name, delivery.body)
        self._state.in_progress += 1
        self._quarantine.started()
        self._idle.clear()
        received: ReceivedMessage = UnreadableMessage(delivery.body, NO_ENVELOPE, "not read")
        try:
            received = read_delivery(delivery.body, delivery.headers, delivery.redelivered, datetime.now(UTC))
            if received.envelope.handed_out or received.envelope.uncounted:
                await self._settle_redelivered(delivery, received)
            else:
                await self._settle(delivery, received)
            self.settled += 1
        except WindmillError as error:
            # The broker confirmed neither a copy nor a reject: reconnect, and it redelivers the job.
            self._broke(delivery, error)
        except Exception as error:  # noqa: BLE001 - logged
            await self._charge_defect(delivery, received, self._defect(error))
        finally:
            self._quarantine.settled()
            self._state.in_progress -= 1
            del self._in_hand[id(delivery)]
            if not self._in_hand:
                self._idle.set()

    def _defect(self, error: Exception) -> WindmillError:
        """Log a bug of Windmill, with its trace; a few times a minute if many jobs meet it."""
        defect = unexpected(error)
        if admitted := self._throttle.admit(type(error).__name__):
            context: dict[str, object] = {"service": self._name, "code": defect.code, "remedy": defect.remedy}
            logger.error("unexpected fault", exc_info=error, extra=context | admitted.extra())
        self._state.defects += 1
        return defect

    async def _charge_defect(self, delivery: Delivery, received: ReceivedMessage, defect: WindmillError) -> None:
        """Charge a bug of Windmill to the job that met it: a new session would meet it again with the same job, and all
        others would wait. Reconnect only if nothing at all can be published, or this delivery would stay unsettled."""
        try:
            self._settled(delivery, received, await self._retry_or_dead_letter(received, defect))
            self.settled += 1
        except WindmillError as error:
            self._broke(delivery, error)
        except Exception as error:  # noqa: BLE001 - logged
            self._broke(delivery, self._defect(error))

    async def _retry_or_dead_letter(self, received: ReceivedMessage, defect: WindmillError) -> Outcome:
        if isinstance(received, UnreadableMessage):
            await self._republisher.dead_letter(received, defect.code, defect.message)
            return Unreadable(defect.message)
        past = received.envelope.past
        self._state.failed(first_try=past.attempt == 1)
        outcome = after_error(defect, past.attempt, self._state.tries(past.tries))
        if not isinstance(outcome, RetryLater):
            # Its row may be what cannot be written.
            await self._republisher.dead_letter(received, defect.code, defect.message)
            return outcome
        await self._republisher.retry_later(received, outcome)
        return outcome

    def _broke(self, delivery: Delivery, error: WindmillError) -> None:
        if not self._closing:
            self._losses.note(self._name, delivery.body)
        self._on_broken(error)

    async def _settle_redelivered(self, delivery: Delivery, received: ReceivedMessage) -> None:
        """Settle a delivery after leaving lost sessions out of its count. Long before the broker's own count reaches
        the limit, a copy starts that count again."""
        corrected = self._losses.without_losses(self._name, received.body, received.envelope)
        looks_deadly = received.envelope.handed_out >= suspect_from(self._settings.delivery_limit)
        if corrected is not received.envelope and looks_deadly:
            await self._republisher.requeue_counted(delivery, replace(received, envelope=corrected))
        else:
            await self._settle(delivery, replace(received, envelope=corrected))
        if not self._closing:
            self._losses.forget(self._name, received.body)

    def _note_suspects(self, received: ReceivedMessage) -> None:
        """Suspected poison jobs come one at a time, because a crash redelivers every job that the worker holds. A new
        processor assumes suspects until its first job."""
        has_suspects = self._is_suspect(received)
        if not has_suspects:
            self._quarantine.release(self)
        if has_suspects != self.has_suspects:
            self.has_suspects = has_suspects
            self._on_change()

    def _is_suspect(self, received: ReceivedMessage) -> bool:
        return received.envelope.handed_out > 0 and suspect(received.envelope.handed_out, self._settings.delivery_limit)

    async def _settle(self, delivery: Delivery, received: ReceivedMessage) -> None:
        self._note_suspects(received)
        if received.envelope.uncounted:
            await self._republisher.requeue_counted(delivery, received)
        elif self._is_suspect(received):
            async with self._quarantine.alone(self) as granted:
                if granted:
                    await self._process_received(delivery, received, alone=True)
                else:
                    await self._republisher.requeue_unstarted(delivery, received)
        else:
            await self._process_received(delivery, received)

    def _process_received(
        self, delivery: Delivery, received: ReceivedMessage, *, alone: bool = False
    ) -> Coroutine[Any, Any, None]:
        """A plain function that returns the coroutine, as every job passes here."""
        match received:
            case ReceivedJob():
                return self._run_job(delivery, received, alone)
            case UnreadableMessage():
                return self._dead_letter_unreadable(delivery, received, alone)
            case _:
                assert_never(received)

    async def _run_job(self, delivery: Delivery, received: ReceivedJob, alone: bool) -> None:
        async with self._slots:
            if self._must_requeue(alone):
                await self._republisher.requeue_unstarted(delivery, received)
                return
            tried = await self._attempt(received)
            # While the slot is still held, so that no job starts before the breaker knows of the outage.
            if self._state.update_breaker(tried):
                self._on_change()
        if self._logs_steps:
            self._log_step("decided", received, tried)
        outcome = await self._applier.apply(received, tried)
        self._settled(delivery, received, outcome)
        if isinstance(outcome, Stored):
            self._state.steps.ended(received.job.submitted_at)

    async def _dead_letter_unreadable(self, delivery: Delivery, received: UnreadableMessage, alone: bool) -> None:
        """Park a body that is no job. It needs no slot, as the service is not called."""
        if self._must_requeue(alone):
            await self._republisher.requeue_unstarted(delivery, received)
            return
        await self._republisher.dead_letter(received, "BAD_MESSAGE", received.message)
        self._settled(delivery, received, Unreadable(received.message))

    def _must_requeue(self, alone: bool) -> bool:
        others_first = self._quarantine.occupied and not alone
        return self._closing or self._state.breaker.state == "open" or others_first

    def _settled(self, delivery: Delivery, received: ReceivedMessage, outcome: Outcome) -> None:
        """Acknowledge: the outcome is stored."""
        delivery.acknowledge()
        self._state.count(outcome)
        self._state.urgent_jobs += self._urgent
        if self._logs_steps:
            self._log_step("settled", received, outcome)

    async def _attempt(self, received: ReceivedJob) -> Tried:
        if self._logs_steps:
            self._log_step("begins", received)
        if received.envelope.past.attempt == 1:
            self._state.steps.waited(received.job.submitted_at, datetime.now(UTC))
        if (times := received.envelope.handed_out) >= self._settings.delivery_limit:
            return Failed("WORKER_LOST", f"handed out {times} times, and each worker was lost before it was done")
        return await self._handler.handle(self._state, received.job, received.envelope.past)

    def _log_step(self, step: str, received: ReceivedMessage, outcome: Outcome | None = None) -> None:
        """One debug line for a step of a job."""
        result = {"outcome": type(outcome).__name__, "code": code_of(outcome)} if outcome else {}
        logger.debug(step, extra=job_context(self._name, received) | result)
