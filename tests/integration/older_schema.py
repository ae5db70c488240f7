"""Databases as an older version left them."""

import shutil
from pathlib import Path

import asyncpg

from windmill.storage.migrations import MIGRATIONS, migrate


async def migrate_anew(rows: asyncpg.Connection, folder: Path, *, before: int) -> None:
    """Empty the database, and apply the migrations that come before this one; `folder` is for their files."""
    older = folder / f"before_{before}"
    shutil.copytree(MIGRATIONS, older)
    for file in older.glob("*.sql"):
        if int(file.name[:4]) >= before:
            file.unlink()
    await rows.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await migrate(rows, older)
