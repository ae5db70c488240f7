"""Failures that somebody knows of: muted until then, and listed apart from those that need a hand. Also what was thrown
away lately, and by whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from windmill.core.errors import WindmillError
from windmill.core.setting_parts import DatabaseSettings
from windmill.storage.audit_log import Actor, write_audit
from windmill.storage.database import Pool
from windmill.storage.queries import queries
from windmill.storage.transactions import single_statement, transaction


@dataclass(frozen=True)
class MutedFailure:
    """The failures of one service with one code, empty for messages without; muted for good where there is no
    `muted_until`."""

    service: str
    code: str
    muted_until: datetime | None
    reason: str
    principal: str
    muted_at: datetime


@dataclass(frozen=True)
class ResolvedFailures:
    """So many parked jobs that somebody has thrown away; without a code they were all of the service."""

    at: datetime
    principal: str
    service: str
    jobs: int
    code: str


@dataclass(frozen=True)
class Muting:
    """What is to be muted, why, and until when."""

    service: str
    code: str
    reason: str = ""
    until: datetime | None = None


async def mute_failure(pool: Pool, settings: DatabaseSettings, actor: Actor, wanted: Muting) -> None:
    """From now on; what was said of it before gives way."""
    told = {
        "code": wanted.code,
        "reason": wanted.reason,
        "until": wanted.until.isoformat() if wanted.until else None,
    }
    async with transaction(pool, settings) as rows:
        await write_audit(rows, actor, "failed.mute", wanted.service, None, told)
        await rows.execute(
            queries()["mute_failure"], wanted.service, wanted.code, wanted.until, wanted.reason, actor.principal
        )


async def hear_failure(pool: Pool, settings: DatabaseSettings, actor: Actor, service: str, code: str) -> None:
    """Raises NOT_FOUND if it is not muted."""
    async with transaction(pool, settings) as rows:
        found = await rows.fetchrow(queries()["hear_failure"], service, code)
        if found is None:
            said = f"{code or 'what has no code'} is not muted at {service}"
            raise WindmillError("NOT_FOUND", said, "look at the failures again")
        before = {"code": code, "reason": found["reason"], "by": found["principal"]}
        await write_audit(rows, actor, "failed.hear", service, before, None)


async def read_muted(pool: Pool, settings: DatabaseSettings) -> list[MutedFailure]:
    """Those that are muted now, the newest first."""
    async with single_statement(pool, settings) as rows:
        return [MutedFailure(**row) for row in await rows.fetch(queries()["list_muted_failures"])]


async def read_resolved(
    pool: Pool, settings: DatabaseSettings, services: Sequence[str], limit: int
) -> list[ResolvedFailures]:
    """What was thrown away last."""
    async with single_statement(pool, settings) as rows:
        found = await rows.fetch(queries()["list_resolved_failures"], list(services), limit)
    return [ResolvedFailures(**row) for row in found]
