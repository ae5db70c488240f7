"""Applies the outcome of a job: writes its row, or publishes a copy of it to another queue, or both."""

from typing import Protocol, assert_never

from windmill.core.errors import Code, DataRefused
from windmill.core.outcomes import Failed, RetryLater, Stored, Tried, Unavailable
from windmill.edge.received_messages import ReceivedJob
from windmill.edge.retries_and_dead_letters import JobRepublisher
from windmill.storage.result_writer import ResultRow


class RowWriter(Protocol):
    """Writes rows; returns when they are committed."""

    async def write(self, row: ResultRow) -> None: ...


class OutcomeApplier:
    """Applies outcomes for one queue of a service. When it returns, the job may be acknowledged."""

    def __init__(self, service: str, worker_id: str, writer: RowWriter, republisher: JobRepublisher) -> None:
        self._service = service
        self._worker_id = worker_id
        self._writer = writer
        self._republisher = republisher

    async def apply(self, received: ReceivedJob, tried: Tried) -> Tried:
        """Write or republish the outcome; returns the final one, which differs if PostgreSQL rejects the reply."""
        match tried:
            case Stored():
                return await self._store(received, tried)
            case RetryLater():
                await self._republisher.retry_later(received, tried)
            case Failed():
                await self._fail(received, tried.code, tried.message)
            case Unavailable():
                await self._republisher.return_after_outage(received, tried)
            case _:
                assert_never(tried)
        return tried

    async def _store(self, received: ReceivedJob, stored: Stored) -> Tried:
        try:
            row = self._row(received, stored.data, stored.processing_time)
            row = row._replace(image_sent=stored.image_sent, image_fingerprint=stored.image_fingerprint)
            await self._writer.write(row)
        except DataRefused as error:
            failed = Failed("BAD_RESPONSE", f"PostgreSQL rejects the reply: {error}")
            await self._fail(received, failed.code, failed.message)
            return failed
        return stored

    async def _fail(self, received: ReceivedJob, code: Code, message: str) -> None:
        try:
            await self._writer.write(self._row(received, None, None, code, message))
        except DataRefused as error:
            message = f"{message} (and PostgreSQL rejects the error: {error})"
        await self._republisher.dead_letter(received, code, message)

    def _row(
        self,
        received: ReceivedJob,
        data: str | None,
        processing_time: float | None,
        code: Code | None = None,
        message: str | None = None,
    ) -> ResultRow:
        job = received.job
        return ResultRow(
            image_id=job.image_id,
            service=self._service,
            data=data,
            error_code=code,
            error_message=message,
            processing_time=processing_time,
            worker_id=self._worker_id,
            attempt=received.envelope.past.attempt,
            trace_id=job.trace_id,
            submitted_at=job.submitted_at,
        )
