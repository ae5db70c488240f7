"""Bringing the database to the shape that this code expects: sql/migrations/NNNN_name.sql, each applied once."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from windmill.core.errors import WindmillError
from windmill.core.paths import shipped
from windmill.storage.database import Connection
from windmill.storage.queries import queries

# A new column or count of a table with a thousand million rows takes its time.
MIGRATE_SECONDS = 86_400.0

MIGRATIONS = shipped("sql") / "migrations"
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
    """The migrations of this checkout in order."""
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
    """What is still to do, given the digests of what was applied; refuses a history that does not fit."""
    for migration in known:
        if applied.get(migration.version, migration.digest) != migration.digest:
            raise WindmillError(
                "CONFLICT",
                f"migration {migration.version:04} {migration.name} was applied with another text",
                "restore the file as it was applied, and put the change into a new migration",
            )
    strangers = sorted(applied.keys() - {migration.version for migration in known})
    if strangers:
        raise WindmillError(
            "CONFLICT",
            f"the database knows migration {strangers[0]:04}, which this checkout does not have",
            "update this checkout: the database was migrated by a newer one",
        )
    return [migration for migration in known if migration.version not in applied]


async def migrate(connection: Connection, folder: Path = MIGRATIONS) -> list[Migration]:
    """Apply what is pending, each migration in a transaction of its own; returns what was applied."""
    sql = queries()
    await connection.execute(sql["lock_migrations"])
    await connection.execute(sql["create_migration_record"])
    applied = {row["version"]: row["digest"] for row in await connection.fetch(sql["list_applied_migrations"])}
    todo = pending(available(folder), applied)
    for migration in todo:
        async with connection.transaction():
            await connection.execute(migration.script, timeout=MIGRATE_SECONDS)
            await connection.execute(sql["record_migration"], migration.version, migration.name, migration.digest)
    return todo
