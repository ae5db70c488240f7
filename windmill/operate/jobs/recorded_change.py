"""What else is done in the transaction that somebody changes a job in: the audit log, quotas, and whether the job is
still as they saw it."""

from dataclasses import dataclass
from typing import Any

from windmill.core.errors import WindmillError
from windmill.storage.api_keys import ApiKey
from windmill.storage.audit_log import Actor, write_audit
from windmill.storage.database import Connection
from windmill.storage.jobs.rows import JobRow
from windmill.storage.queries import queries


@dataclass(frozen=True)
class RecordedChange:
    """A ChangeWitness. `version` is that of the job as the one who asks has seen it, None for any; a job that is new is
    counted against the quota of `key`."""

    actor: Actor
    action: str
    version: int | None = None
    key: ApiKey | None = None

    def opened(self, job: JobRow) -> None:
        if self.version not in (None, job.last_event):
            said = "the job has changed since you read it"
            raise WindmillError("PRECONDITION_FAILED", said)

    async def closing(self, connection: Connection, before: JobRow, after: JobRow) -> None:
        new = before.last_event == 0
        subject = str(after.public_id)
        await write_audit(connection, self.actor, self.action, subject, None if new else _told(before), _told(after))
        if new and self.key:
            await charge(connection, self.key)


def _told(job: JobRow) -> dict[str, Any]:
    """What people can change of a job."""
    return {"status": job.status, "priority": job.priority, "attempt": job.attempt, "ends_as": job.ends_as}


async def charge(connection: Connection, key: ApiKey) -> None:
    """Count a job that is made with the key; raises INSUFFICIENT_FUNDS if one of its quotas is spent. Others who make
    one with the key wait until this transaction ends, so charge last."""
    if key.quota_seconds is not None:
        left = await connection.fetchval(queries()["read_seconds_left"], key.prefix)
        if left is not None and left <= 0:
            raise WindmillError("INSUFFICIENT_FUNDS", f"the quota of {key.quota_seconds:g} seconds is spent")
    made = await connection.fetchval(queries()["charge_key"], key.prefix)
    if made is not None:
        key.jobs_made = made
    elif key.quota_jobs is not None:
        key.jobs_made = max(key.jobs_made, key.quota_jobs)
        raise WindmillError("INSUFFICIENT_FUNDS", f"the quota of {key.quota_jobs:,} jobs is spent")
