"""A stage that waits for another one is woken when that has ended its work, and not before it waits for nothing."""

import asyncpg
import pytest

from windmill.core.stages import STAGES
from windmill.derive.waiting_stages import waiting_for, wake_waiting_stages

pytestmark = pytest.mark.database

PUT_OFF = """
INSERT INTO stages (stage) VALUES ('merge'), ('enrich'), ('consensus'), ('index') ON CONFLICT DO NOTHING;
INSERT INTO feeds (stage, service) VALUES ('consensus', 'clip') ON CONFLICT DO NOTHING;
INSERT INTO stale (stage, image_id, due, deferred)
SELECT 'consensus', n, now() + interval '1 hour', true FROM generate_series(1, 5) AS n
"""
DUE = "SELECT stage, image_id FROM stale WHERE due <= now() AND NOT deferred ORDER BY stage, image_id"


async def test_images_that_wait_for_nothing_else_are_looked_at_once(rows: asyncpg.Connection) -> None:
    await rows.execute("DELETE FROM stale")
    await rows.execute(PUT_OFF)
    await rows.execute("INSERT INTO stale (stage, image_id) VALUES ('merge', 2)")
    await rows.execute(
        "INSERT INTO runs (services, selection, first_image_id, until_image_id, last_image_id)"
        " VALUES ('{clip}', 'all', 2, 3, 3)"
    )
    await rows.execute("UPDATE stale SET tries = 1 WHERE image_id = 4")
    await wake_waiting_stages(rows, "enrich", [1, 2, 3, 4])
    woken = [tuple(row) for row in await rows.fetch(DUE)]
    assert woken == [("consensus", 1), ("merge", 2)], "2 is to be merged, 3 awaits an answer, 4 failed, 5 was not asked"
    await wake_waiting_stages(rows, "enrich", [1])
    assert [tuple(row) for row in await rows.fetch(DUE)] == woken, "once is enough"


def test_the_stages_that_wait_for_another_are_those_that_depend_on_it() -> None:
    waiting = {stage: list(waiting_for(stage)) for stage in STAGES}
    assert waiting == {
        "merge": ["enrich", "consensus", "index"],
        "enrich": ["consensus", "index"],
        "consensus": ["index"],
        "hash": [],
        "index": [],
    }
