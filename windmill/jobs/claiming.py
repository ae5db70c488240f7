"""Claiming tasks, and keeping the claims alive."""

import uuid
from collections.abc import Mapping, Sequence

from windmill.jobs.access import JobAccess
from windmill.jobs.locked_job import close_book, open_book
from windmill.jobs.progress import DIGITS
from windmill.storage.jobs import claims
from windmill.storage.jobs.rows import ClaimedTask
from windmill.storage.queries import queries
from windmill.storage.transactions import single_statement, transaction


async def register_steps(access: JobAccess) -> None:
    """Write down the steps of this version, so that all can be told of them, also while nobody runs them."""
    async with transaction(access.pool, access.settings) as connection:
        await connection.execute(queries()["register_steps"], [step.name for step in access.catalog])


async def claim_task(access: JobAccess, step: str, version: int, worker: str) -> ClaimedTask | None:
    """Lease the best task of the step; None if there is none to claim."""
    seconds = access.settings.task_lease_seconds
    async with single_statement(access.pool, access.settings) as connection:
        return await claims.claim_task(connection, step, version, lease_seconds=seconds, worker=worker)


async def renew_leases(
    access: JobAccess, tasks: Sequence[ClaimedTask], progress: Sequence[float]
) -> Mapping[uuid.UUID, str]:
    """Prolong the leases of all tasks of a process in one statement. The leases that are still held, each with the
    status of its job: a worker that finds a lease missing has lost the task, and stops it."""
    seconds = access.settings.task_lease_seconds
    async with single_statement(access.pool, access.settings) as connection:
        return await claims.renew_leases(connection, tasks, [round(one, DIGITS) for one in progress], seconds)


async def begin_alone(access: JobAccess, task: ClaimedTask) -> None:
    """Note that the task runs alone in its process from now on."""
    async with single_statement(access.pool, access.settings) as connection:
        await claims.begin_alone(connection, task)


async def note_progress(access: JobAccess, job_ids: Sequence[int]) -> None:
    """Bring the progress of these jobs up to date, and tell it. One that somebody else has locked comes next time."""
    for job_id in job_ids:
        async with transaction(access.pool, access.settings) as connection:
            book = await open_book(connection, job_id, only_idle=True)
            if book and not book.ended:
                await close_book(connection, access, book, tell_progress=True)
