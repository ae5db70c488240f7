"""Enrichment: what it leases, and how its answers take the place of others."""

import asyncio
import json
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import asyncpg
import pytest

from postprocessors.box_answers import BoxNumbers, open_answers, replace_answers
from postprocessors.box_calls import EnrichmentResult, EnrichmentRow, PendingBox
from postprocessors.box_enricher import Enricher
from postprocessors.spatial_enrichment import EnrichRunner
from tests.integration.staleness.stale_marks import MARK, marks
from tests.waiting import until
from windmill.core.messages import Job
from windmill.core.settings import Settings
from windmill.core.stages import Stage
from windmill.derive.leases import take_lease
from windmill.derive.stored_answers import read_answers
from windmill.media.image.change import KnownImage
from windmill.storage.database import Pool
from windmill.storage.transactions import transaction

pytestmark = pytest.mark.database

LEASED: Stage = "enrich"
BOX = {"merged_id": 7, "box_key": "dog", "anchor": [0, 0, 9, 9], "data": {"label": "dog", "merged_bbox": [0, 0, 9, 9]}}
MERGED = """
INSERT INTO merges (image_id, source_result_ids, services, awaiting, failed, dropped, boxes, box_rows, version,
                    calibration)
SELECT n, '{}', '{}', '{}', '{}', '{}', 1, $2::json, 1, '' FROM unnest($1::bigint[]) AS n
"""
REGISTERED = """
INSERT INTO images (image_id, image_filename, image_path)
OVERRIDING SYSTEM VALUE SELECT n, n || '.jpg', '/' || n || '.jpg' FROM unnest($1::bigint[]) AS n
"""


async def merge(rows: asyncpg.Connection, *image_ids: int) -> None:
    """Each of these images has one box."""
    await rows.execute(REGISTERED, image_ids)
    await rows.execute(MERGED, image_ids, json.dumps([BOX]))
    await rows.execute("DELETE FROM stale")


class Held:
    """An enricher that does not answer for an image before that is let go."""

    def __init__(self) -> None:
        self.states: dict[str, Any] = {}
        self.asked: dict[int, asyncio.Event] = {}
        self.known: dict[int, tuple[PendingBox, ...]] = {}

    def services_for(self, _: object) -> tuple[str, ...]:
        return ("colors",)

    def seconds_until_any_available(self) -> float:
        return 0.0

    async def enrich(self, job: Job, boxes: Sequence[PendingBox], _: KnownImage) -> EnrichmentResult:
        self.known[job.image_id] = tuple(boxes)
        self.asked[job.image_id] = asyncio.Event()
        await self.asked[job.image_id].wait()
        return EnrichmentResult([EnrichmentRow(one.box_key, "colors", 1, '{"predictions":[]}') for one in boxes])


async def test_images_are_leased_together_once_half_of_the_room_is_free(
    pool: Pool, settings: Settings, rows: asyncpg.Connection
) -> None:
    await merge(rows, 1, 2, 3, 4, 5, 6)
    await rows.execute(MARK, LEASED, [1, 2, 3, 4, 5, 6])
    held, never = Held(), asyncio.Event()
    runner = EnrichRunner(pool, replace(settings, enrich_images=4), cast("Enricher", held), parts=())

    async def asked(count: int) -> None:
        async def so_many() -> bool:
            await runner.run_round(never)
            return len(held.asked) >= count

        await until(so_many)

    async with runner:
        await asked(4)
        held.asked[1].set()
        await until(lambda: _is_done(rows, 1))
        for _ in range(3):
            await runner.run_round(never)
        assert sorted(held.asked) == [1, 2, 3, 4], "one place is free, and another transaction for one image is dear"
        held.asked[2].set()
        await asked(6)
        for one in held.asked.values():
            one.set()
        await until(lambda: _is_done(rows, 6))
    assert held.known[6] == (PendingBox("dog", BOX["data"], {"colors": 0}),)
    assert [mark["image_id"] for mark in await marks(rows, "consensus")] == [1, 2, 3, 4, 5, 6], "one mark for each"


async def _is_done(rows: asyncpg.Connection, image_id: int) -> bool:
    return bool(await rows.fetchval("SELECT 1 FROM enrichments WHERE image_id = $1", image_id))


async def test_answers_take_the_place_of_others_only_under_the_lease(
    pool: Pool, settings: Settings, rows: asyncpg.Connection
) -> None:
    await merge(rows, 1)
    await rows.execute(MARK, LEASED, [1])
    lease = await take_lease(pool, settings, LEASED, 10)
    answer = EnrichmentRow("dog", "colors", 1, '{"predictions":[]}')
    of_no_box = EnrichmentRow("cat", "colors", 1, '{"predictions":[]}')
    async with transaction(pool, settings) as connection:
        assert await open_answers(connection, LEASED, 1, uuid.uuid4(), 2) is None
    async with transaction(pool, settings) as connection:
        opened = await open_answers(connection, LEASED, 1, lease.token, 2)
        assert opened
        assert opened.boxes.by_key == {"dog": 7}
        # Nobody takes the lease over meanwhile, and triggers know who writes.
        assert not await rows.fetch("SELECT 1 FROM stale WHERE stage = $1 FOR UPDATE SKIP LOCKED", LEASED)
        assert await connection.fetchval("SELECT current_setting('windmill.stage')") == LEASED
        assert await replace_answers(connection, 1, opened, [answer, of_no_box])
        (stored,) = (await read_answers(connection, [1]))[1]
    assert (stored.box_key, stored.merged_box_id, stored.post_id) == ("dog", 7, opened.numbers[0])
    async with transaction(pool, settings) as connection:
        again = await open_answers(connection, LEASED, 1, lease.token, 0)
        assert again
        assert again.before == [stored]
        # Somebody else's answer could be undone by ours, which are written with it.
        assert not await rows.fetch("SELECT 1 FROM enrichments FOR NO KEY UPDATE SKIP LOCKED")
        assert not await replace_answers(connection, 1, again, [])
    assert [mark["stage"] for mark in await rows.fetch("SELECT stage FROM stale WHERE lease IS NULL")] == ["consensus"]


async def test_boxes_are_read_again_only_if_they_were_merged_since(
    pool: Pool, settings: Settings, rows: asyncpg.Connection
) -> None:
    await merge(rows, 1)
    await rows.execute(MARK, LEASED, [1])
    lease = await take_lease(pool, settings, LEASED, 10)
    version = await rows.fetchval("SELECT xmin::text FROM merges")
    known = BoxNumbers({"as": 1, "told": 2}, version)

    async def boxes() -> BoxNumbers:
        async with transaction(pool, settings) as connection:
            opened = await open_answers(connection, LEASED, 1, lease.token, 0, known)
        assert opened
        return opened.boxes

    assert await boxes() is known
    await rows.execute("UPDATE merges SET box_rows = $1", json.dumps([BOX, BOX | {"merged_id": 8, "box_key": "cat"}]))
    assert await boxes() == BoxNumbers({"dog": 7, "cat": 8})
    await rows.execute("DELETE FROM merges")
    assert await boxes() == BoxNumbers({})
