"""Removing a job that has ended. The bytes of its files stay until a sweep finds that no job has them any more."""

from windmill.core.errors import WindmillError
from windmill.jobs.access import JobAccess
from windmill.jobs.locked_job import locked_book
from windmill.storage.queries import queries


async def remove_job(access: JobAccess, job_id: int) -> None:
    """Raises CONFLICT for a job that has not ended."""
    async with locked_book(access, job_id) as (connection, book):
        if not book.ended:
            raise WindmillError("CONFLICT", f"the job is {book.job.status}", "cancel it first, or wait for its end")
        await connection.execute(queries()["remove_job"], job_id)
