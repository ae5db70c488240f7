"""Making, rotating and revoking keys, each with a row in the audit log."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from windmill.core.errors import DataRefused, WindmillError
from windmill.core.setting_parts import DatabaseSettings
from windmill.operate.keys.key_text import KeyText, hash_of, new_key_text
from windmill.storage import database
from windmill.storage.api_keys import ApiKey, KeyScope, find_key, list_keys, lock_good_admin_keys, lock_key
from windmill.storage.audit_log import Actor, write_audit
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

HIDDEN = ("hash", "old_hash")
COMMAND = "python -m windmill keys"
ROTATION_SECONDS = 86_400.0
"""How long the key before stays good, so that its users have time to change it."""


@dataclass(frozen=True)
class NewKey:
    """What is asked for; None is no limit."""

    name: str
    principal: str
    scope: KeyScope
    default_priority: int = 0
    highest_priority: int = 9
    quota_jobs: int | None = None
    quota_seconds: float | None = None
    requests_per_minute: int | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True)
class MadeKey:
    """A key with its text, which is told now and never again."""

    key: ApiKey
    text: str


async def create_key(
    pool: database.Pool, settings: DatabaseSettings, actor: Actor, new: NewKey, *, keep_admin: bool = False
) -> MadeKey:
    """Make a key; raises USAGE if the priorities or limits cannot be, and with `keep_admin` CONFLICT if from then on a
    key were needed and nobody had one that may manage them."""
    made = new_key_text()
    try:
        async with transaction(pool, settings) as connection:
            await _insert(connection, made, new)
            if keep_admin and not await lock_good_admin_keys(connection):
                said = "the first key must be one of the scope admin that has not expired"
                raise _locked_out(said, f"make that first, here or by: {COMMAND} create NAME --scope admin")
            key = await _found(connection, made.prefix)
            await write_audit(connection, actor, "keys.create", key.prefix, None, shown_key(key))
    except DataRefused as error:
        raise WindmillError("USAGE", "a key with these priorities or limits cannot be made") from error
    return MadeKey(key, made.text)


async def _insert(connection: database.Connection, made: KeyText, new: NewKey) -> None:
    await connection.execute(
        queries()["insert_key"],
        *(made.prefix, hash_of(made.text), new.name, new.principal, new.scope, new.default_priority),
        *(new.highest_priority, new.quota_jobs, new.quota_seconds, new.requests_per_minute, new.expires_at),
    )


async def rotate_key(
    pool: database.Pool, settings: DatabaseSettings, actor: Actor, prefix: str, grace_seconds: float = ROTATION_SECONDS
) -> MadeKey:
    """Give the key a new secret; the one before stays good for a while."""
    made = new_key_text(prefix)
    async with transaction(pool, settings) as connection:
        key = await _locked(connection, prefix)
        if key.revoked:
            raise WindmillError("CONFLICT", f"the key {prefix} is revoked", "make a new key")
        await connection.execute(queries()["rotate_key"], prefix, hash_of(made.text), grace_seconds)
        await write_audit(connection, actor, "keys.rotate", prefix, None, {"grace_seconds": grace_seconds})
    return MadeKey(key, made.text)


async def revoke_key(
    pool: database.Pool, settings: DatabaseSettings, actor: Actor, prefix: str, *, keep_admin: bool = False
) -> ApiKey:
    """From now on the key is refused; done again, it changes nothing. With `keep_admin` raises CONFLICT if nobody would
    have a key left that may manage them."""
    async with transaction(pool, settings) as connection:
        if keep_admin and await lock_good_admin_keys(connection) == [prefix]:
            said = f"{prefix} is the last good key of the scope admin"
            raise _locked_out(said, f"make another one first, or revoke it by: {COMMAND} revoke {prefix}")
        before = await _locked(connection, prefix)
        await connection.execute(queries()["revoke_key"], prefix)
        after = await _found(connection, prefix)
        if not before.revoked:
            await write_audit(connection, actor, "keys.revoke", prefix, shown_key(before), shown_key(after))
    return after


async def all_keys(pool: database.Pool, settings: DatabaseSettings) -> list[ApiKey]:
    async with transaction(pool, settings) as connection:
        return await list_keys(connection)


def _locked_out(said: str, remedy: str) -> WindmillError:
    return WindmillError("CONFLICT", f"{said}; nobody could manage keys over HTTP any more", remedy)


async def _found(connection: database.Connection, prefix: str) -> ApiKey:
    key = await find_key(connection, prefix)
    assert key
    return key


async def _locked(connection: database.Connection, prefix: str) -> ApiKey:
    key = await lock_key(connection, prefix)
    if key is None:
        raise WindmillError("NOT_FOUND", f"there is no key {prefix:.40}", "list the keys: python -m windmill keys list")
    return key


def shown_key(key: ApiKey) -> dict[str, Any]:
    """A key as JSON, without its hashes."""
    return {name: _json(value) for name, value in asdict(key).items() if name not in HIDDEN}


def shown_keys(keys: Sequence[ApiKey]) -> list[dict[str, Any]]:
    return [shown_key(key) for key in keys]


def _json(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value
