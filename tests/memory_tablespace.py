"""Databases of tests lie in memory where there is enough.

Each test makes and deletes one of six hundred files, and before ext4 gives an inode to a new file it looks at all that
were deleted within the last minute: on a disk that takes a third of the CPU of the whole run.
"""

import asyncio
import hashlib
import os
import shutil
from pathlib import Path

from windmill.core.setting_parts import DatabaseSettings
from windmill.storage import database

NAME = "windmill_tests"
MEMORY = Path("/dev/shm")
ROOM = 1536 * 1024 * 1024

LEFT_OVER = r"SELECT datname FROM pg_database WHERE datname LIKE 'windmill\_%' ORDER BY 1"


def begin(settings: DatabaseSettings, state: Path) -> None:
    """Drop what killed runs left, and make the tablespace anew. For who is alone with the server."""
    end(settings, state)
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < ROOM:
        return
    folder, owner = _folder(state), (state / "postgres" / "data").stat()
    folder.mkdir(mode=0o700)
    os.chown(folder, owner.st_uid, owner.st_gid)
    asyncio.run(_execute(settings, f"CREATE TABLESPACE {NAME} LOCATION '{folder}'"))


def end(settings: DatabaseSettings, state: Path) -> None:
    """Drop the databases and the tablespace."""
    databases = asyncio.run(_names(settings, LEFT_OVER))
    drops = [f'DROP DATABASE "{name}" WITH (FORCE)' for name in databases]
    asyncio.run(_execute(settings, *drops, f"DROP TABLESPACE IF EXISTS {NAME}"))
    shutil.rmtree(_folder(state), ignore_errors=True)


def tablespace(settings: DatabaseSettings) -> str | None:
    """Its name, if there is one."""
    found = asyncio.run(_names(settings, f"SELECT spcname FROM pg_tablespace WHERE spcname = '{NAME}'"))
    return found[0] if found else None


async def _names(settings: DatabaseSettings, query: str) -> list[str]:
    async with database.connection(settings, "tests") as connection:
        return [row[0] for row in await connection.fetch(query)]


async def _execute(settings: DatabaseSettings, *statements: str) -> None:
    async with database.connection(settings, "tests") as connection:
        for statement in statements:
            await connection.execute(statement)


def _folder(state: Path) -> Path:
    """Of this checkout's server alone."""
    return MEMORY / f"{NAME}_{hashlib.sha256(str(state.resolve()).encode()).hexdigest()[:12]}"
