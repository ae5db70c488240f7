"""Claims on tasks: taken, renewed and ended. Each names its lease, so a process that has lost it writes nothing."""

import uuid
from collections.abc import Mapping, Sequence

from windmill.storage.database import Connection
from windmill.storage.jobs.rows import ClaimedTask, LeasedTask, StoredArtifact, TaskKey, read_row
from windmill.storage.queries import queries


async def claim_task(
    connection: Connection, step: str, version: int, *, lease_seconds: float, worker: str
) -> ClaimedTask | None:
    """Lease the best task of the step; None if there is none."""
    record = await connection.fetchrow(queries()["claim_task"], step, version, uuid.uuid4(), lease_seconds, worker)
    return read_row(ClaimedTask, record) if record else None


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


async def lock_leased_task(connection: Connection, key: TaskKey, lease: object) -> LeasedTask | None:
    """Lock the task; None if it is no longer ours."""
    record = await connection.fetchrow(queries()["lock_leased_task"], *key, lease)
    return read_row(LeasedTask, record) if record else None


async def lock_lost_task(connection: Connection, key: TaskKey, lease: object) -> LeasedTask | None:
    """Lock a task whose lease has expired; None if it was renewed, or if somebody else takes it over."""
    record = await connection.fetchrow(queries()["lock_lost_task"], *key, lease)
    return read_row(LeasedTask, record) if record else None


async def end_claim(
    connection: Connection,
    task: LeasedTask,
    *,
    status: str,
    output: str,
    code: str | None,
    message: str | None,
    delay: float,
    held: bool,
    tries: int,
    lost: int,
    done: float = 0.0,
) -> None:
    """Write what has become of a task whose row is locked. So much is done of one that waits."""
    changes = (status, output, code, message, delay, held, tries, lost, task.ran, done)
    await connection.execute(queries()["end_task"], *task.key, *changes)


async def save_artifacts(connection: Connection, key: TaskKey, artifacts: Sequence[StoredArtifact]) -> None:
    """Note what the task has made; the bytes are in the store."""
    if artifacts:
        columns = [
            [getattr(one, name) for one in artifacts] for name in ("name", "media_type", "size", "sha256", "key")
        ]
        await connection.execute(queries()["insert_artifacts"], *key, *columns)
