"""Republishing jobs that are not done: to a retry tier, to the failed queue (the dead letters), or back to their queue.
The broker confirms the copy before the delivery is acknowledged.
"""

import logging
from datetime import UTC, datetime
from typing import Any, Protocol

from windmill.broker import Delivery, Headers
from windmill.core.errors import Code, WindmillError
from windmill.core.log_throttle import Throttle
from windmill.core.messages import (
    ATTEMPT_HEADER,
    CODE_HEADER,
    FAILED_AT_HEADER,
    OUTAGES_HEADER,
    REASON_HEADER,
    TRIES_HEADER,
    URGENT_HEADER,
    WORKER_HEADER,
)
from windmill.core.outcomes import MAX_OUTAGES, RetryLater, Unavailable
from windmill.core.settings import Settings
from windmill.edge.received_messages import ReceivedJob, ReceivedMessage
from windmill.kernels.flow.retry_backoff import retry_delay

logger = logging.getLogger(__name__)


class RepublishTarget(Protocol):
    """Publishes to the queues of a service; each method returns when the broker has confirmed."""

    async def to_services(self, body: bytes, services: list[str], headers: Headers) -> None: ...

    async def to_retry(self, delay: float, service: str, body: bytes, headers: Headers) -> None: ...

    async def to_failed(self, service: str, body: bytes, headers: Headers) -> None: ...


class JobRepublisher:
    """Republishes the jobs of one queue of a service. The caller acknowledges, except after the `requeue_*` methods."""

    def __init__(self, service: str, settings: Settings, target: RepublishTarget, *, urgent: bool = False) -> None:
        self._service = service
        self._settings = settings
        self._target = target
        # A job that others published to the urgent queue without the header stays urgent too.
        self._mark: Headers = {URGENT_HEADER: True} if urgent else {}
        self._worker_id = settings.worker_name()
        self._throttle = Throttle()

    async def dead_letter(self, received: ReceivedMessage, code: Code, message: str) -> None:
        """Park the job in the failed queue with the reason; logged a few times a minute for each code."""
        if admitted := self._throttle.admit(code):
            context = job_context(self._service, received) | {"code": code, "reason": message}
            logger.warning("job failed", extra=context | admitted.extra())
        reason = {
            CODE_HEADER: code,
            REASON_HEADER: message[:500],
            WORKER_HEADER: self._worker_id,
            FAILED_AT_HEADER: datetime.now(UTC).isoformat(timespec="seconds"),
        }
        await self._target.to_failed(self._service, received.body, self._kept(received) | reason)

    async def retry_later(self, received: ReceivedJob, outcome: RetryLater) -> None:
        """Put the job into a retry tier, with its tries counted, or its outages if it was refused."""
        past, usual = received.envelope.past, self._settings.max_retries + 1
        if outcome.refused:
            failures, counted, usual = past.outages + 1, {OUTAGES_HEADER: past.outages + 1}, max(usual, MAX_OUTAGES)
        else:
            failures, counted = past.attempt, {ATTEMPT_HEADER: past.attempt + 1}
        delay = retry_delay(failures, self._settings.retry_delays)
        context = job_context(self._service, received)
        logger.debug("will retry", extra=context | {"code": outcome.code, "reason": outcome.message})
        headers = self._kept(received) | counted
        if outcome.tries > usual:
            headers[TRIES_HEADER] = outcome.tries
        await self._target.to_retry(delay, self._service, received.body, headers)

    async def return_after_outage(self, received: ReceivedJob, outcome: Unavailable) -> None:
        """Put the job back into its queue. The outage counts as no attempt, but is counted for a job that it hit."""
        headers = received.envelope.requeue_headers()
        if outcome.in_hand:
            headers[OUTAGES_HEADER] = received.envelope.past.outages + 1
        await self._republish(received, headers)

    async def requeue_unstarted(self, delivery: Delivery, received: ReceivedMessage) -> None:
        """Put a job that has not begun back into its queue, and acknowledge. A reject would count against the delivery
        limit, so it is used only when publishing fails."""
        try:
            await self._republish(received, received.envelope.requeue_headers())
        except WindmillError:
            await delivery.requeue()
        else:
            delivery.acknowledge()

    async def requeue_counted(self, delivery: Delivery, received: ReceivedMessage) -> None:
        """Put the job back with its delivery count in a header, and acknowledge: classic queues do not count."""
        await self._republish(received, received.envelope.requeue_headers())
        delivery.acknowledge()

    async def _republish(self, received: ReceivedMessage, headers: Headers) -> None:
        await self._target.to_services(received.body, [self._service], {**headers, **self._mark})

    def _kept(self, received: ReceivedMessage) -> dict[str, Any]:
        return {**received.envelope.headers_to_keep(), **self._mark}


def job_context(service: str, received: ReceivedMessage) -> dict[str, object]:
    """The log keys that identify a job."""
    context: dict[str, object] = {"service": service, "attempt": received.envelope.past.attempt}
    if isinstance(received, ReceivedJob):
        job = received.job
        context |= {"image_id": job.image_id, "image": job.location, "trace_id": job.trace_id}
    return context
