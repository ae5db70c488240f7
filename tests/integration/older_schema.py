"""Databases as an older version left them, and what people see of derived rows."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import asyncpg

from windmill.storage.migrations import MIGRATIONS, migrate

# Merged images without a box: with them a database is too large to be converted at once.
TOO_MANY = """
INSERT INTO merges (image_id, source_result_ids, services, awaiting, dropped, boxes, version, calibration)
SELECT n, '{}', '{}', '{}', '{}', 0, 2, 'mine' FROM generate_series(1000001, 1010001) AS n;
DELETE FROM stale;
"""
VIEWS = {
    "merged_boxes": "image_id, merged_id, box_key, source_result_ids, merged_data::text, status, created, anchor, "
    "version, calibration",
    "postprocessing": "image_id, post_id, merged_box_id, box_key, service, data::text, status, error_code, "
    "processing_time, result_created, error_message, attempt, final, version",
    "consensus": "image_id, consensus_data::text, source_result_ids, processing_time, created, source_merged_ids, "
    "source_post_ids, version, calibration",
}
Seen = dict[str, list[asyncpg.Record]]


async def look(rows: asyncpg.Connection) -> Seen:
    """What is seen of each derived row, in each view at one moment."""
    return {view: await rows.fetch(f"SELECT {columns} FROM {view} ORDER BY 1, 2") for view, columns in VIEWS.items()}


async def migrate_anew(rows: asyncpg.Connection, folder: Path, *, before: int) -> None:
    """Empty the database, and apply the migrations that come before this one; `folder` is for their files."""
    older = folder / f"before_{before}"
    shutil.copytree(MIGRATIONS, older)
    for file in older.glob("*.sql"):
        if int(file.name[:4]) >= before:
            file.unlink()
    await rows.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await migrate(rows, older)
    await rows.execute("SELECT pg_advisory_unlock_all()")  # else nobody else could go on


async def turn_back(rows: asyncpg.Connection, folder: Path, tables: Iterable[str], *, before: int) -> None:
    """The same, with what is seen in these tables."""
    kept = {one: await rows.fetchval(f"SELECT json_agg(one)::text FROM {one} AS one") for one in tables}
    await migrate_anew(rows, folder, before=before)
    for table, found in kept.items():
        source = f"json_populate_recordset(NULL::{table}, $1::json)"
        await rows.execute(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM {source}", found)
