"""One job to one outcome: read the image, call the service, and find out whose fault a failure is.

It knows neither the broker nor the database.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

from windmill.calling.service_state import ServiceState
from windmill.core.errors import Code, WindmillError, unexpected
from windmill.core.log_throttle import Throttle
from windmill.core.messages import History
from windmill.core.outcomes import (
    MAX_OUTAGES,
    Failed,
    SentImage,
    Stored,
    Tried,
    Unavailable,
    after_error,
    after_outage,
    after_refusal,
)
from windmill.core.services import Service
from windmill.kernels.net.artifact_urls import is_artifact_url
from windmill.kernels.net.store_urls import is_store_url

logger = logging.getLogger(__name__)

# Services answer so for a broken image, and also when they are broken themselves.
_MAYBE_IMAGE_FAULT: tuple[Code, ...] = ("SERVICE_ERROR", "SERVICE_REJECTED")
# The image's own fault if the service answers another image. They say nothing about how reliable the service is.
_SIZE_FAULT: tuple[Code, ...] = ("IMAGE_TOO_LARGE", "RESPONSE_TOO_LARGE")

# Every reader of the image gets the same error.
_SAME_FOR_EVERY_READER: tuple[Code, ...] = ("IMAGE_NOT_FOUND", "IMAGE_UNREADABLE")


class Subject(Protocol):
    """The input of a call: an image, or a crop of one, which has no URL."""

    @property
    def image_id(self) -> int: ...

    @property
    def image_url(self) -> str | None: ...


S = TypeVar("S", bound=Subject)


class Caller(Protocol):
    """The part of a service client that the handler needs."""

    async def upload(self, service: Service, image: bytes) -> Stored: ...

    async def refer(self, service: Service, image_url: str) -> Stored: ...


async def send_unchanged(_: Service, image: bytes) -> SentImage:
    """For images that are known to fit: send the bytes as they are."""
    return SentImage(image)


class JobHandler(Generic[S]):
    """Turns jobs into outcomes; every failure gets an error code. `fit` makes of an image what the service takes."""

    def __init__(
        self,
        read: Callable[[S], Awaitable[bytes]],
        client: Caller,
        check: Callable[[bytes], Awaitable[WindmillError | None]],
        fit: Callable[[Service, bytes], Awaitable[SentImage]] = send_unchanged,
    ) -> None:
        self._fit = fit
        self._read = read
        self._client = client
        self._check = check
        self._throttle = Throttle()

    async def handle(self, state: ServiceState, job: S, history: History) -> Tried:
        """The outcome of one try of a job with this history."""
        try:
            return await self._try(state, job, history)
        except WindmillError as error:
            return after_error(error, history.attempt, state.tries(history.tries))
        except Exception as error:
            # A bug of ours must not stop the worker. If it hits the probe image too, it hits every job: then the
            # breaker opens and no job is spent on it.
            if admitted := self._throttle.admit(type(error).__name__):
                said = {"service": state.service.name, "image_id": job.image_id}
                logger.exception("unexpected fault", extra=said | admitted.extra())
            state.defects += 1
            return await self._unless_outage(state, unexpected(error), history)

    async def _try(self, state: ServiceState, job: S, history: History) -> Tried:
        by_url = state.service.transport == "url" and _is_on_the_web(job.image_url)
        started = state.clock()
        image = None if by_url else await self._read(job)
        sent = None if image is None else await self._fit(state.service, image)
        if sent is not None:
            state.steps.read(state.clock() - started)
        try:
            stored = await self._call(state, job, sent, first_try=history.attempt == 1)
        except WindmillError as error:
            if not error.reached:
                raise
            if _is_overload(error, history):
                state.overloaded()
            return await self._after_failure(state, job, image, error, history)
        return stored if sent is None else _noted(stored, sent)

    async def _call(self, state: ServiceState, job: S, sent: SentImage | None, *, first_try: bool) -> Stored:
        """Call the service; the wait for a slot of the fleet does not count as time of the call."""
        service = state.service
        async with state.fleet_slot():
            began, calls = state.clock(), state.slots.taken
            try:
                if sent is None:
                    stored = await self._client.refer(service, job.image_url or "")
                else:
                    stored = await self._client.upload(service, sent.data)
            except WindmillError:
                state.steps.called(state.clock() - began)
                raise
            state.answered(began, calls, first_try=first_try)
        if state.watch:
            state.watch.answered(stored)
        return stored

    async def _after_failure(
        self, state: ServiceState, job: S, image: bytes | None, error: WindmillError, history: History
    ) -> Tried:
        """A status code does not say whether the image or the service is at fault, so check both: decode the image
        here, and see whether the service answers another image."""
        if error.code in _MAYBE_IMAGE_FAULT and (fault := await self._image_fault(job, image)):
            return Failed(fault.code, fault.message)
        if error.retry == "pause":
            return await self._unless_refused(state, error, history)
        return await self._unless_outage(state, error, history)

    async def _unless_outage(self, state: ServiceState, error: WindmillError, history: History) -> Tried:
        """A failure counts as a try of the job only if the service is healthy otherwise."""
        if outage := await state.find_outage(error):
            return after_outage(error, outage, history.outages)
        if error.code not in _SIZE_FAULT:
            state.failed(first_try=history.attempt == 1)
        return after_error(error, history.attempt, state.tries(history.tries))

    async def _unless_refused(self, state: ServiceState, error: WindmillError, history: History) -> Tried:
        """A reply that means "not now" or "not you" may have been meant for this image alone, as that of a web
        application firewall. Only what the service says to another image, its Retry-After too, holds for all."""
        if outage := await state.find_outage(error):
            return Unavailable(outage)
        state.failed(first_try=history.attempt == 1 and not history.outages)
        return after_refusal(error, history.outages, state.tries(max(MAX_OUTAGES, history.tries)))

    async def _image_fault(self, job: S, image: bytes | None) -> WindmillError | None:
        """What is wrong with the image itself, as far as this worker can tell: a service that fetches images may reach
        hosts that this worker does not."""
        try:
            image = await self._read(job) if image is None else image
        except WindmillError as error:
            return error if error.code in _SAME_FOR_EVERY_READER and error.retry == "never" else None
        return await self._check(image)


def _is_on_the_web(image_url: str | None) -> bool:
    """Whether a service could fetch the image itself."""
    return bool(image_url) and not is_store_url(image_url or "") and not is_artifact_url(image_url or "")


def _noted(stored: Stored, sent: SentImage) -> Stored:
    if sent.note is None and sent.fingerprint is None:
        return stored
    return Stored(stored.data, stored.processing_time, sent.note, sent.fingerprint)


def _is_overload(error: WindmillError, history: History) -> bool:
    """Whether an error means too many calls at a time: not when it comes to the same job again and again."""
    return error.code == "SERVICE_TIMEOUT" or (error.code == "SERVICE_OVERLOADED" and not history.outages)
