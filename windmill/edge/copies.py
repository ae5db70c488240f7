"""Copies of jobs: what is not done is published anew, to where it belongs, before the delivery is acknowledged."""

import logging
from datetime import UTC, datetime
from typing import Protocol

from windmill.broker import Delivery, Headers
from windmill.core.errors import Code, WindmillError
from windmill.core.messages import (
    ATTEMPT_HEADER,
    CODE_HEADER,
    FAILED_AT_HEADER,
    OUTAGES_HEADER,
    REASON_HEADER,
    TRIES_HEADER,
    WORKER_HEADER,
)
from windmill.core.outcomes import RetryLater, Unavailable
from windmill.core.settings import Settings
from windmill.core.throttle import Throttle
from windmill.edge.received import AnyReceived, Received
from windmill.kernels.flow.backoff import retry_delay

logger = logging.getLogger(__name__)


class Republisher(Protocol):
    """Where jobs go that are not done; returns when the broker has them."""

    async def to_services(self, body: bytes, services: list[str], headers: Headers) -> None: ...

    async def to_retry(self, delay: float, service: str, body: bytes, headers: Headers) -> None: ...

    async def to_failed(self, service: str, body: bytes, headers: Headers) -> None: ...


class Copies:
    """The copies of one service's jobs. None of its methods acknowledges, but for those that say so."""

    def __init__(self, service: str, settings: Settings, republisher: Republisher) -> None:
        self._name = service
        self._settings = settings
        self._republisher = republisher
        self._worker_id = settings.worker_name()
        self._throttle = Throttle()

    async def park(self, received: AnyReceived, code: Code, message: str) -> None:
        """Into the failed queue, with the reason; said a few times a minute for each code."""
        if admitted := self._throttle.admit(code):
            said = job_context(self._name, received) | {"code": code, "reason": message}
            logger.warning("job failed", extra=said | admitted.extra())
        reason = {
            CODE_HEADER: code,
            REASON_HEADER: message[:500],
            WORKER_HEADER: self._worker_id,
            FAILED_AT_HEADER: datetime.now(UTC).isoformat(timespec="seconds"),
        }
        await self._republisher.to_failed(self._name, received.body, received.envelope.kept() | reason)

    async def retry(self, received: Received, outcome: RetryLater) -> None:
        """Into a retry tier, with one try more."""
        attempt = received.envelope.past.attempt
        delay = retry_delay(attempt, self._settings.retry_delays)
        context = job_context(self._name, received)
        logger.debug("will retry", extra=context | {"code": outcome.code, "reason": outcome.message})
        headers = received.envelope.kept() | {ATTEMPT_HEADER: attempt + 1}
        if outcome.tries > self._settings.max_retries + 1:
            headers[TRIES_HEADER] = outcome.tries
        await self._republisher.to_retry(delay, self._name, received.body, headers)

    async def keep(self, received: Received, outcome: Unavailable) -> None:
        """No try is counted, only that this job was in hand when the service went away."""
        headers = received.envelope.unchanged()
        if outcome.in_hand:
            headers[OUTAGES_HEADER] = received.envelope.past.outages + 1
        await self._republish(received, headers)

    async def hand_back(self, delivery: Delivery, received: AnyReceived) -> None:
        """What was not begun. A copy, as a refusal would use up the times that a job may be handed out; but where no
        copy can be made, a refusal."""
        try:
            await self._republish(received, received.envelope.unchanged())
        except WindmillError:
            await delivery.hand_back()
        else:
            delivery.acknowledge()

    async def count_delivery(self, delivery: Delivery, received: AnyReceived) -> None:
        """Classic queues do not count how often they hand a job out, so the job itself carries the number."""
        await self._republish(received, received.envelope.unchanged())
        delivery.acknowledge()

    async def _republish(self, received: AnyReceived, headers: Headers) -> None:
        await self._republisher.to_services(received.body, [self._name], headers)


def job_context(service: str, received: AnyReceived) -> dict[str, object]:
    """What a log line says of the job it is about."""
    said: dict[str, object] = {"service": service, "attempt": received.envelope.past.attempt}
    if isinstance(received, Received):
        job = received.job
        said |= {"image_id": job.image_id, "image": job.location, "trace_id": job.trace_id}
    return said
