"""Schema migrations: sql/migrations/NNNN_name.sql, each applied once."""

import asyncio
import hashlib
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from windmill.core.errors import WindmillError
from windmill.core.paths import packaged_file
from windmill.core.setting_parts import DatabaseSettings
from windmill.storage.database import CONNECT_SECONDS, LOCKED, Connection, Pool, check, translate_errors
from windmill.storage.queries import queries

logger = logging.getLogger(__name__)

# A migration may have to rewrite a table with a billion rows.
MIGRATE_SECONDS = 86_400.0
LOCK_SECONDS = 5.0

MIGRATIONS = packaged_file("sql") / "migrations"
_FILE = re.compile(r"(\d{4})_(\w+)\.sql")


@dataclass(frozen=True)
class Migration:
    """One file of sql/migrations."""

    version: int
    name: str
    script: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.script.encode()).hexdigest()


def available(folder: Path = MIGRATIONS) -> list[Migration]:
    """The migrations of this version of the code, in order."""
    found: list[Migration] = []
    for file in sorted(folder.glob("*.sql")):
        match = _FILE.fullmatch(file.name)
        if not match:
            raise WindmillError("CONFLICT", f"{file} is not named NNNN_name.sql", "rename or remove it")
        if found and found[-1].version == int(match[1]):
            raise WindmillError("CONFLICT", f"two migrations have the number {match[1]}", "renumber one of them")
        found.append(Migration(int(match[1]), match[2], file.read_text(encoding="utf-8")))
    return found


def pending(known: Sequence[Migration], applied: Mapping[int, str]) -> list[Migration]:
    """The migrations still to apply, given the digests of those applied; raises CONFLICT if the two do not match."""
    for migration in known:
        if applied.get(migration.version, migration.digest) != migration.digest:
            raise WindmillError(
                "CONFLICT",
                f"migration {migration.version:04} {migration.name} was applied with different text",
                "restore the file as it was applied, and write a new migration for the change",
            )
    refuse_newer_schema(known, applied)
    return [migration for migration in known if migration.version not in applied]


def refuse_newer_schema(known: Sequence[Migration], applied: Iterable[int]) -> None:
    """Raise CONFLICT if the database has a migration that this version of the code does not know."""
    unknown = sorted(set(applied) - {migration.version for migration in known})
    if unknown:
        raise WindmillError(
            "CONFLICT",
            f"the database knows migration {unknown[0]:04}, which this version of the code does not have",
            "update the code: a newer version migrated the database",
        )


async def check_schema(opened: Pool, settings: DatabaseSettings, statement: str) -> None:
    """Raise if the tables that the statement names are missing, or if the schema is newer than this code, which may not
    know what it has to write there. An account that may not read the record of migrations is believed."""
    await check(opened, settings, statement)
    sql = queries()
    with translate_errors(settings):
        async with opened.acquire(timeout=CONNECT_SECONDS) as one:
            may_read = await one.fetchval(sql["may_read_migrations"])
            rows = await one.fetch(sql["list_applied_migrations"]) if may_read else []
    refuse_newer_schema(available(), (row["version"] for row in rows))


async def migrate(
    connection: Connection, folder: Path = MIGRATIONS, *, lock_seconds: float = LOCK_SECONDS
) -> list[Migration]:
    """Apply the pending migrations, each in its own transaction; returns them."""
    sql = queries()
    await connection.execute(sql["lock_migrations"])
    await connection.execute(sql["create_migration_record"])
    applied = {row["version"]: row["digest"] for row in await connection.fetch(sql["list_applied_migrations"])}
    todo = pending(available(folder), applied)
    for migration in todo:
        await _apply(connection, migration, lock_seconds)
    return todo


async def _apply(connection: Connection, migration: Migration, lock_seconds: float) -> None:
    """Tries again while others use what it changes: whoever waits for a lock makes all wait that come later."""
    sql = queries()
    while True:
        try:
            async with connection.transaction():
                await connection.execute(sql["limit_waiting_for_locks"], lock_seconds)
                await connection.execute(migration.script, timeout=MIGRATE_SECONDS)
                await connection.execute(sql["record_migration"], migration.version, migration.name, migration.digest)
        except LOCKED as error:
            context = {"version": migration.version, "migration": migration.name, "reason": str(error)}
            logger.warning("others use what a migration changes; it tries again", extra=context)
            await asyncio.sleep(lock_seconds)
        else:
            return
