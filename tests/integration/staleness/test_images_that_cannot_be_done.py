"""Images that cannot be done, read or written again: put off, and nobody waits for them."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from postprocessors import bbox_merger, consensus
from tests.integration.staleness.stale_marks import MARK, STAGE, marks
from windmill.core.services import load_fleet
from windmill.core.settings import Settings
from windmill.core.stages import Stage
from windmill.derive.recompute import RecomputeRunner
from windmill.storage.database import Connection, Pool

pytestmark = pytest.mark.database


class Toy:
    """A stage whose image 3 cannot be done."""

    stage: Stage = STAGE

    def __init__(self, *, computes: bool, writes: bool) -> None:
        self._computes, self._writes = computes, writes

    async def read(self, connection: Connection, image_ids: Sequence[int]) -> Mapping[int, int]:
        return {image_id: image_id for image_id in image_ids}

    def compute(self, source: int) -> str:
        if source == 3 and not self._computes:
            raise RuntimeError("a fault of ours")
        return "\\u0000" if source == 3 and not self._writes else "fine"

    async def write(self, connection: Connection, computed: Mapping[int, str]) -> int:
        await connection.execute(
            "INSERT INTO consensus (image_id, consensus_data, source_result_ids)"
            " SELECT i, ('\"' || said || '\"')::jsonb, '{}' FROM unnest($1::bigint[], $2::text[]) AS one (i, said)",
            list(computed),
            list(computed.values()),
        )
        return len(computed)


@pytest.mark.parametrize(("computes", "writes"), [(False, True), (True, False)])
async def test_an_image_that_cannot_be_done_is_put_off_ever_longer_and_holds_up_no_other(
    pool: Pool, settings: Settings, rows: asyncpg.Connection, computes: bool, writes: bool
) -> None:
    work = RecomputeRunner(Toy(computes=computes, writes=writes), pool, settings)
    await rows.execute(MARK, STAGE, [1, 2, 3, 4, 5])
    never = asyncio.Event()
    waits = []
    for tries in (1, 2, 3):
        while await work.run_round(never):
            pass
        (mark,) = await marks(rows)
        assert (mark["image_id"], mark["tries"], mark["due"]) == (3, tries, False)
        waits.append(mark["seconds"])
        await rows.execute("UPDATE stale SET due = now()")
    done = await rows.fetch("SELECT image_id FROM consensus ORDER BY 1")
    assert [row["image_id"] for row in done] == [1, 2, 4, 5]
    assert waits == sorted(waits)
    assert work.counts["failed"] == 3


class Illegible(Toy):
    """A stage that cannot read what image 3 has."""

    async def read(self, connection: Connection, image_ids: Sequence[int]) -> Mapping[int, int]:
        if 3 in image_ids:
            raise ValueError("what somebody wrote there")
        return await super().read(connection, image_ids)


async def test_an_image_that_cannot_be_read_is_put_off_and_holds_up_no_other(
    pool: Pool, settings: Settings, rows: asyncpg.Connection
) -> None:
    work = RecomputeRunner(Illegible(computes=True, writes=True), pool, settings)
    await rows.execute(MARK, STAGE, [1, 2, 3, 4, 5])
    while await work.run_round(asyncio.Event()):
        pass
    (mark,) = await marks(rows)
    assert (mark["image_id"], mark["tries"], mark["due"]) == (3, 1, False)
    assert await rows.fetchval("SELECT array_agg(image_id ORDER BY 1) FROM consensus") == [1, 2, 4, 5]


DEEP = '{"deep": ' + "[" * 300 + "]" * 300 + "}"
SLOW = pytest.mark.slow(reason="1 to 2 s each: more documents that somebody may have written by hand")
BY_HAND = {
    "merged_boxes": "UPDATE merged_boxes SET merged_data = $1",
    "merges": "UPDATE merges SET dropped = $1",
    "consensus": "UPDATE consensus SET consensus_data = $1",
}


@pytest.mark.parametrize("table", BY_HAND)
@pytest.mark.parametrize(
    "document",
    [
        pytest.param(DEEP, id="deep"),
        pytest.param('{"number": 1e400}', id="huge", marks=SLOW),
        pytest.param("[]", id="list", marks=SLOW),
        pytest.param("null", id="null", marks=SLOW),
    ],
)
async def test_a_derived_row_that_cannot_be_written_again_is_different_and_so_replaced(
    pool: Pool, settings: Settings, rows: asyncpg.Connection, table: str, document: str
) -> None:
    place = {"x": 1, "y": 2, "width": 30, "height": 40}
    predictions = {"predictions": [{"label": "dog", "confidence": 0.9, "bbox": place, "emoji": "🐶"}]}
    await rows.execute(
        "INSERT INTO results (image_id, service, status, data) SELECT i, 'yolov8', 'success', $1"
        " FROM generate_series(1, 3) AS i",
        json.dumps(predictions),
    )
    fleet = load_fleet(settings.service_config)
    at_once = replace(settings, debounce_milliseconds=0, debounce_most_seconds=0)  # nobody runs the enrichment here
    runners = [module.make_runner(pool, at_once, fleet) for module in (bbox_merger, consensus)]

    async def all_done() -> list[asyncpg.Record]:
        for _ in range(3):
            for runner in runners:
                while await runner.run_round(asyncio.Event()):
                    pass
        return list(await rows.fetch("SELECT image_id, merged_data::text, dropped::text, consensus_data::text"
                                     " FROM merged_boxes JOIN merges USING (image_id) JOIN consensus USING (image_id)"
                                     " ORDER BY 1"))  # fmt: skip

    before = await all_done()
    assert len(before) == 3
    await rows.execute(BY_HAND[table] + " WHERE image_id = 2", document)
    after = await all_done()
    assert [_without_key(row) for row in after] == [_without_key(row) for row in before]
    assert await marks(rows) == []


def _without_key(row: asyncpg.Record) -> tuple[Any, ...]:
    """A box that could not be read has no identity that could be kept."""
    boxes = json.loads(row["merged_data"])
    return row["image_id"], boxes | {"cluster_id": None}, row["dropped"], len(row["consensus_data"])
