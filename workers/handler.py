"""One job to one outcome: read the image, call the service, judge. Knows no broker and no database."""

import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from windmill.errors import WindmillError
from windmill.messages import Job
from windmill.outcomes import Outcome, Stored, after_error
from windmill.services import Service

logger = logging.getLogger(__name__)


class Caller(Protocol):
    """What the handler needs of a service client."""

    async def upload(self, service: Service, image: bytes) -> Stored: ...

    async def refer(self, service: Service, image_url: str) -> Stored: ...


class Handler:
    """Decides what becomes of jobs; everything that fails has a code when it leaves here."""

    def __init__(self, read: Callable[[Job], Awaitable[bytes]], client: Caller, max_retries: int) -> None:
        self._read = read
        self._client = client
        self._max_retries = max_retries

    async def handle(self, service: Service, job: Job, attempt: int) -> Outcome:
        """The outcome of the `attempt`-th try of one job."""
        try:
            return await self._answer(service, job)
        except WindmillError as error:
            return after_error(error, attempt, self._max_retries)
        except Exception as error:
            # A fault of ours must neither stop the worker nor circle for ever: it spends this job's tries and parks.
            logger.exception("unexpected fault", extra={"service": service.name, "image_id": job.image_id})
            known = WindmillError("BAD_RESPONSE", f"unexpected fault in the worker: {error!r}")
            return after_error(known, attempt, self._max_retries)

    async def _answer(self, service: Service, job: Job) -> Stored:
        if service.transport == "url" and job.image_url:
            return await self._client.refer(service, job.image_url)
        return await self._client.upload(service, await self._read(job))
