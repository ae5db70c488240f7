"""Deleting a job that has ended. Its row says `deleting` first, then its files go, then all rows, its own last; whoever
deletes it again takes up what was left. Files that another job has, too, stay."""

from collections.abc import Awaitable, Callable, Sequence

from windmill.jobs.access import JobAccess
from windmill.jobs.locked_job import close_book, locked_book
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

DeleteFiles = Callable[[Sequence[str]], Awaitable[None]]
"""Deletes the files of these keys from the store; those that are not there are as good as deleted. A task of another
job may be storing the same bytes just now, so a file that is young must be left to the sweep."""

FILES, ROWS = 1_000, 10_000
"""At once."""


async def delete_job(access: JobAccess, job_id: int, delete_files: DeleteFiles) -> None:
    """Delete the job; raises CONFLICT if it has not ended."""
    await _mark(access, job_id)
    await _delete_files(access, job_id, delete_files)
    for statement in (queries()["delete_some_tasks"], queries()["delete_some_events"]):
        while await _delete_rows(access, statement, job_id):
            pass
    async with transaction(access.pool, access.settings) as connection:
        await connection.execute(queries()["delete_job"], job_id)


async def _mark(access: JobAccess, job_id: int) -> None:
    """Under the lock on the job, so that nobody forks it or runs it again meanwhile."""
    async with locked_book(access, job_id) as (connection, book):
        if book.job.status != "deleting":
            book.apply("delete")
            await connection.execute(queries()["forget_job_keys"], job_id)
            await close_book(connection, access, book)


async def _delete_files(access: JobAccess, job_id: int, delete_files: DeleteFiles) -> None:
    """Page by page; the rows of a page go once its files are gone."""
    while True:
        async with transaction(access.pool, access.settings) as connection:
            page = await connection.fetch(queries()["list_artifacts_to_delete"], job_id, FILES)
        if not page:
            return
        await delete_files([row["key"] for row in page if row["sole"]])
        async with transaction(access.pool, access.settings) as connection:
            await connection.execute(queries()["delete_job_artifacts"], job_id, [row["key"] for row in page])


async def _delete_rows(access: JobAccess, statement: str, job_id: int) -> int:
    async with transaction(access.pool, access.settings) as connection:
        return int(await connection.fetchval(statement, job_id, ROWS))
