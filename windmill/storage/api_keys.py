"""Keys of the gateway as rows. The key itself is stored nowhere: a row has its SHA-256."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal

from windmill.storage.database import Connection
from windmill.storage.queries import queries

KeyScope = Literal["viewer", "operator", "admin"]
"""viewer reads its own, operator also makes and steers its own, admin does all to all."""


@dataclass
class ApiKey:
    """A row of `api_keys`; `old_hash` is that of the key before, while it is still good. Mutable: `jobs_made` rises
    with each job that is made with it here, also where the row is not read again."""

    prefix: str
    name: str
    principal: str
    scope: KeyScope
    default_priority: int
    highest_priority: int
    quota_jobs: int | None
    quota_seconds: float | None
    jobs_made: int
    requests_per_minute: int | None
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None
    revoked: bool
    expired: bool
    hash: bytes
    old_hash: bytes | None


def _key(record: Any) -> ApiKey:  # noqa: ANN401 - the driver's record
    return ApiKey(**{one.name: record[one.name] for one in fields(ApiKey)})


async def find_key(connection: Connection, prefix: str) -> ApiKey | None:
    record = await connection.fetchrow(queries()["find_key"], prefix)
    return _key(record) if record else None


async def lock_key(connection: Connection, prefix: str) -> ApiKey | None:
    """The same, locked until the transaction ends."""
    record = await connection.fetchrow(queries()["lock_key"], prefix)
    return _key(record) if record else None


async def lock_good_admin_keys(connection: Connection) -> list[str]:
    """Their prefixes; until the transaction ends nobody else takes one of them away."""
    return [record["prefix"] for record in await connection.fetch(queries()["lock_good_admin_keys"])]


async def list_keys(connection: Connection) -> list[ApiKey]:
    """All that were ever made, the oldest first."""
    return [_key(record) for record in await connection.fetch(queries()["list_keys"])]


async def is_there_any_key(connection: Connection) -> bool:
    """Whether one was ever made, also if it is revoked."""
    return bool(await connection.fetchval(queries()["is_there_any_key"]))


async def note_key_use(connection: Connection, prefix: str) -> None:
    await connection.execute(queries()["note_key_use"], prefix)


async def read_gateway_secret(connection: Connection) -> bytes:
    """What all gateways of this database sign with."""
    return bytes(await connection.fetchval(queries()["read_gateway_secret"]))


def gateway_tables() -> str:
    """A statement that fails if the gateway's tables are not there."""
    return queries()["gateway_tables_are_there"]
