"""The audit log as people read it."""

from dataclasses import dataclass

from windmill.core.setting_parts import DatabaseSettings
from windmill.operate.jobs.reading import shown
from windmill.operate.jobs.shown import Shown
from windmill.storage.database import Pool
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

NEWEST = 2**63 - 1


@dataclass(frozen=True)
class AuditFilter:
    """Whose changes, of what, and which; None is any."""

    principal: str | None = None
    subject: str | None = None
    action: str | None = None


async def page_of_audit(
    pool: Pool, settings: DatabaseSettings, wanted: AuditFilter, before: int | None, limit: int
) -> list[Shown]:
    """The next rows before the one with this id, the newest first."""
    async with transaction(pool, settings) as connection:
        rows = await connection.fetch(
            queries()["page_of_audit"],
            *(wanted.principal, wanted.subject, wanted.action, NEWEST if before is None else before, limit),
        )
    return [shown(row) for row in rows]
