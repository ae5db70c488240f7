"""Tasks that wait for something outside hold no lease. When it is there, or when they have waited to their limit, they
go back to the queue and see what became of it."""

from windmill.jobs.access import Change, JobAccess
from windmill.jobs.locked_job import close_book, locked_book
from windmill.storage.jobs.result_waits import find_answered_waits, forget_left_over_waits
from windmill.storage.jobs.rows import TaskKey
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction


async def wake_task(access: JobAccess, key: TaskKey) -> Change:
    """What the task waited for is there."""
    return await _wake(access, key.job_id, key.position, key.shard)


async def wake_overdue_tasks(access: JobAccess) -> list[Change]:
    """Wake what has waited to its limit."""
    async with transaction(access.pool, access.settings) as connection:
        rows = await connection.fetch(queries()["find_overdue_waits"])
    return [await _wake(access, row["job_id"], None, None) for row in rows]


async def wake_answered_tasks(access: JobAccess) -> list[Change]:
    """Wake tasks whose answers came while somebody else had their jobs locked; and forget what ended tasks waited
    for."""
    async with transaction(access.pool, access.settings) as connection:
        answered = await find_answered_waits(connection)
        await forget_left_over_waits(connection)
    return [await wake_task(access, key) for key in answered]


async def _wake(access: JobAccess, job_id: int, position: int | None, shard: int | None) -> Change:
    """Under the lock on the job, so that a pause at the same moment holds the task."""
    async with locked_book(access, job_id) as (connection, book):
        rows = await connection.fetch(queries()["wake_tasks"], job_id, position, shard, book.held)
        if not book.held:
            book.new_tasks.update(row["step"] for row in rows)
        return await close_book(connection, access, book)
