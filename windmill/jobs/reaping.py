"""What nobody ended is ended: lost leases, deadlines, pauses, delays that are over, planners that were killed. Any
number of processes do this at any time; each change is made by whoever locks the row."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from windmill.jobs.access import Change, JobAccess
from windmill.jobs.ending import end_task
from windmill.jobs.locked_job import close_book, open_book
from windmill.jobs.outcomes import TaskLost
from windmill.jobs.planning import is_unplanned
from windmill.jobs.requests import expire_job, resume_job
from windmill.jobs.waking import wake_answered_tasks, wake_overdue_tasks
from windmill.storage.jobs.rows import TaskKey
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction


async def reap(access: JobAccess, *, grace_seconds: float, lost: Counter[str] | None = None) -> Counter[str]:
    """One round. The number of tasks that can be claimed since, by step. For so long after an outage of the database
    nothing is taken over, so that those who hold leases renew them first. `lost` counts what was taken over, by
    step."""
    new_tasks: Counter[str] = Counter()
    new_tasks += await let_go_due_tasks(access)
    ended = await take_over_lost_tasks(access, grace_seconds, Counter() if lost is None else lost)
    woken = [*await wake_answered_tasks(access), *await wake_overdue_tasks(access)]
    for change in [*ended, *await end_what_is_due(access), *woken]:
        new_tasks.update(change.new_tasks)
    for job_id in await _find_unplanned(access):
        new_tasks.update(await plan_further(access, job_id))
    return new_tasks


async def take_over_lost_tasks(access: JobAccess, grace_seconds: float, lost: Counter[str]) -> list[Change]:
    """End the claims of workers that have not renewed them."""
    async with transaction(access.pool, access.settings) as connection:
        rows = await connection.fetch(queries()["find_lost_leases"], grace_seconds)
    ended = []
    for row in rows:
        key = TaskKey(row["job_id"], row["position"], row["shard"])
        if change := await end_task(access, key, row["lease"], TaskLost()):
            lost[row["step"]] += 1
            ended.append(change)
    return ended


async def end_what_is_due(access: JobAccess) -> list[Change]:
    """Expire jobs whose deadline has passed, and resume those that were paused until now."""
    async with transaction(access.pool, access.settings) as connection:
        overdue = _ids(await connection.fetch(queries()["find_overdue_jobs"]))
        paused = _ids(await connection.fetch(queries()["find_expired_pauses"]))
    changes = [await expire_job(access, job_id) for job_id in overdue]
    return changes + [await resume_job(access, job_id, "expiry") for job_id in paused if job_id not in overdue]


async def let_go_due_tasks(access: JobAccess) -> Counter[str]:
    """Tasks that were put off and are due can be claimed again."""
    async with transaction(access.pool, access.settings) as connection:
        rows = await connection.fetch(queries()["let_go_due_tasks"])
        steps = [step.name for step in access.catalog]
        await connection.execute(queries()["advance_virtual_times"], steps)
    return Counter(row["step"] for row in rows)


async def plan_further(access: JobAccess, job_id: int) -> Counter[str]:
    """Plan what is left to plan of a job, piece by piece."""
    new_tasks: Counter[str] = Counter()
    unplanned = True
    while unplanned:
        change = await _plan_pieces(access, job_id)
        new_tasks.update(change.new_tasks if change else {})
        unplanned = bool(change and change.unplanned)
    return new_tasks


async def _plan_pieces(access: JobAccess, job_id: int) -> Change | None:
    async with transaction(access.pool, access.settings) as connection:
        book = await open_book(connection, job_id)
        if book is None or book.ended:
            return None
        book.to_plan += [step.position for step in book.steps if is_unplanned(book, step)]
        return await close_book(connection, access, book)


async def _find_unplanned(access: JobAccess) -> list[int]:
    steps = list(access.catalog)
    async with transaction(access.pool, access.settings) as connection:
        names, versions = [step.name for step in steps], [step.version for step in steps]
        return _ids(await connection.fetch(queries()["find_unplanned_jobs"], names, versions))


def _ids(rows: Iterable[Any]) -> list[int]:
    return [row["job_id"] for row in rows]
