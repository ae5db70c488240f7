"""Claims on tasks: taken, renewed and ended. Each names its lease, so a process that has lost it writes nothing."""

import uuid
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from windmill.storage.database import Connection
from windmill.storage.jobs.rows import (
    ClaimedTask,
    JobRow,
    LeasedTask,
    OpenTasks,
    StepRow,
    StoredArtifact,
    TaskKey,
    read_claimed_task,
    read_row,
    read_step_rows,
)
from windmill.storage.queries import queries


async def claim_task(
    connection: Connection, step: str, version: int, *, lease_seconds: float, worker: str
) -> ClaimedTask | None:
    """Lease the best task of the step; None if there is none."""
    record = await connection.fetchrow(queries()["claim_task"], step, version, uuid.uuid4(), lease_seconds, worker)
    return read_claimed_task(record) if record else None


async def renew_leases(
    connection: Connection, tasks: Sequence[ClaimedTask], progress: Sequence[float], lease_seconds: float
) -> Mapping[uuid.UUID, str]:
    """Prolong the leases and note the progress. The leases that are still held, each with the status of its job."""
    keys = [task.job_id for task in tasks], [task.position for task in tasks], [task.shard for task in tasks]
    leases = [task.lease for task in tasks]
    records = await connection.fetch(queries()["renew_leases"], leases, lease_seconds, list(progress), *keys)
    return {record["lease"]: record["job_status"] for record in records}


async def begin_alone(connection: Connection, task: ClaimedTask) -> None:
    """Note that nothing else runs in this process from now on until the task ends."""
    await connection.execute(queries()["begin_alone"], *task.key, task.lease)


class LockedTask(NamedTuple):
    """A running task, with its job and the steps of the job: all of them locked. `others` are the other open tasks of
    the job."""

    task: LeasedTask
    job: JobRow
    steps: list[StepRow]
    others: OpenTasks


async def lock_leased_task(connection: Connection, key: TaskKey, lease: object) -> LockedTask | None:
    """Lock the task and then its job; None if it is no longer ours."""
    record = await connection.fetchrow(queries()["lock_leased_task"], *key, lease)
    if record is None:
        return None
    others = OpenTasks(record["others_running"], record["others_queued"], record["others_waiting"])
    task, job = read_row(LeasedTask, record, "task_"), read_row(JobRow, record)
    return LockedTask(task, job, read_step_rows(record["steps"]), others)


async def lock_lost_task(connection: Connection, key: TaskKey, lease: object) -> LockedTask | None:
    """The same for a task whose lease has expired; None if it was renewed, or if somebody else takes it over."""
    if not await connection.fetchval(queries()["lock_lost_task"], *key, lease):
        return None
    return await lock_leased_task(connection, key, lease)


async def save_artifacts(connection: Connection, key: TaskKey, artifacts: Sequence[StoredArtifact]) -> None:
    """Note what the task has made; the bytes are in the store."""
    if artifacts:
        columns = [
            [getattr(one, name) for one in artifacts] for name in ("name", "media_type", "size", "sha256", "key")
        ]
        await connection.execute(queries()["insert_artifacts"], *key, *columns)
