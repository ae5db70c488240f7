"""One job to one outcome: read the image, call the service, judge, and find out whose fault a failure is.

Knows no broker and no database.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

from windmill.calling.service_state import ServiceState
from windmill.core.errors import Code, WindmillError, unexpected
from windmill.core.messages import Past
from windmill.core.outcomes import Failed, Stored, Tried, after_error, after_outage
from windmill.core.services import Service
from windmill.core.throttle import Throttle

logger = logging.getLogger(__name__)

# What services answer for a broken picture, and also when they are broken themselves.
_PERHAPS_THE_IMAGE: tuple[Code, ...] = ("SERVICE_ERROR", "SERVICE_REJECTED")
# Not the service's fault, whatever it says.
_SURELY_THE_IMAGE: tuple[Code, ...] = ("IMAGE_TOO_LARGE", "IMAGE_UNREADABLE", "RESPONSE_TOO_LARGE")

# What is so for everyone who reads the image.
_SEEN_BY_READING: tuple[Code, ...] = ("IMAGE_NOT_FOUND", "IMAGE_UNREADABLE")


class Subject(Protocol):
    """What services are to look at: an image, or a part of one, which has no URL."""

    @property
    def image_id(self) -> int: ...

    @property
    def image_url(self) -> str | None: ...


S = TypeVar("S", bound=Subject)


class Caller(Protocol):
    """What the handler needs of a service client."""

    async def upload(self, service: Service, image: bytes) -> Stored: ...

    async def refer(self, service: Service, image_url: str) -> Stored: ...


class Handler(Generic[S]):
    """Decides what becomes of jobs; everything that fails has a code when it leaves here."""

    def __init__(
        self,
        read: Callable[[S], Awaitable[bytes]],
        client: Caller,
        check: Callable[[bytes], WindmillError | None],
    ) -> None:
        self._read = read
        self._client = client
        self._check = check
        self._throttle = Throttle()

    async def handle(self, state: ServiceState, job: S, past: Past) -> Tried:
        """The outcome of one try of a job with this past."""
        try:
            return await self._try(state, job, past)
        except WindmillError as error:
            return after_error(error, past.attempt, state.tries(past.tries))
        except Exception as error:
            # A fault of ours, which must not stop the worker. If it comes with our own picture as well, it comes with
            # every job, and then no job is to be spent on it.
            if admitted := self._throttle.admit(type(error).__name__):
                said = {"service": state.service.name, "image_id": job.image_id}
                logger.exception("unexpected fault", extra=said | admitted.extra())
            state.defects += 1
            return await self._counted(state, unexpected(error), past)

    async def _try(self, state: ServiceState, job: S, past: Past) -> Tried:
        service = state.service
        by_url = service.transport == "url" and job.image_url
        asked = state.clock()
        image = None if by_url else await self._read(job)
        began, calls = state.clock(), state.slots.taken
        if image is not None:
            state.steps.read(began - asked)
        try:
            if image is None:
                stored = await self._client.refer(service, job.image_url or "")
            else:
                stored = await self._client.upload(service, image)
        except WindmillError as error:
            state.steps.called(state.clock() - began)
            if error.code in ("SERVICE_OVERLOADED", "SERVICE_TIMEOUT"):
                state.too_much()
            if error.retry == "pause" or error.code in _SURELY_THE_IMAGE:
                raise
            return await self._whose_fault(state, job, image, error, past)
        state.answered(began, calls, first_try=past.attempt == 1)
        return stored

    async def _whose_fault(
        self, state: ServiceState, job: S, image: bytes | None, error: WindmillError, past: Past
    ) -> Tried:
        """A status code does not tell the image's fault from the service's, so both are looked at: the image is
        decoded here, and the service has to answer something else."""
        if error.code in _PERHAPS_THE_IMAGE and (fault := await self._fault_of(job, image)):
            return Failed(fault.code, fault.message)
        return await self._counted(state, error, past)

    async def _counted(self, state: ServiceState, error: WindmillError, past: Past) -> Tried:
        """A failure counts as a try of the job when the service is well otherwise."""
        if doubt := await state.doubt(error):
            return after_outage(error, doubt, past.outages)
        state.failed(first_try=past.attempt == 1)
        return after_error(error, past.attempt, state.tries(past.tries))

    async def _fault_of(self, job: S, image: bytes | None) -> WindmillError | None:
        """What is wrong with the image itself, as far as it can be seen from here: a service that fetches images may
        reach what this worker does not."""
        try:
            image = await self._read(job) if image is None else image
        except WindmillError as error:
            return error if error.code in _SEEN_BY_READING and error.retry == "never" else None
        return await asyncio.to_thread(self._check, image)
