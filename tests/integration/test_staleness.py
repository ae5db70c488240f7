"""Who looks at a stale image, and when: claims, leases and put-offs on a real PostgreSQL."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from postprocessors import bbox_merger, consensus
from tests.integration.fleet import Fleet, waits_for_a_lock
from tests.waiting import until
from windmill.core.jsonb import parse_object, render_jsonb
from windmill.core.services import load_fleet
from windmill.core.settings import Settings
from windmill.core.stages import Stage
from windmill.derive.claims import claim_stale_images
from windmill.derive.clock_steps import LOOK_SECONDS, ClockStepGuard
from windmill.derive.leases import end_lease, postpone_lease, renew_lease, take_lease
from windmill.derive.recompute import RecomputeRunner
from windmill.derive.stage_feeds import register_stage_feeds
from windmill.storage import database
from windmill.storage.database import Connection, Pool
from windmill.storage.transactions import transaction

pytestmark = pytest.mark.database

STAGE: Stage = "consensus"
MARK = "INSERT INTO stale (stage, image_id) SELECT $1, unnest($2::bigint[])"
ANSWER = "INSERT INTO results (image_id, service, status, data) VALUES ($1, $2, 'success', '{}')"
ASK = (
    "INSERT INTO runs (services, selection, first_image_id, until_image_id, last_image_id)"
    " VALUES ('{clip,blip,yolov8}', 'new', 0, 100, 100)"
)


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    async with database.pool(settings, "test", max_size=16) as opened:
        for stage in ("merge", "enrich", "consensus"):
            await register_stage_feeds(opened, settings, load_fleet(settings.service_config), stage)
        yield opened


@pytest.fixture
def rows(fleet: Fleet) -> asyncpg.Connection:
    return fleet.rows


async def marks(rows: asyncpg.Connection, stage: str = STAGE) -> list[dict[str, Any]]:
    found = await rows.fetch(
        "SELECT image_id, due <= now() AS due, extract(epoch FROM due - now())::float8 AS seconds, deferred,"
        " lease IS NOT NULL AS leased, tries FROM stale WHERE stage = $1 ORDER BY image_id, id",
        stage,
    )
    return [dict(row) for row in found]


async def claimed(pool: Pool, settings: Settings, most: int = 50) -> list[int]:
    async with claim_stale_images(pool, settings, STAGE, most) as one:
        return one.image_ids


async def test_all_marks_of_an_image_are_answered_by_one_look(
    pool: Pool, settings: Settings, rows: asyncpg.Connection
) -> None:
    await rows.execute(MARK, STAGE, [2, 1, 2, 1, 3])
    assert await claimed(pool, settings, most=1) == [2]
    assert await claimed(pool, settings) == [1, 3]
    assert await marks(rows) == []


async def test_what_a_crash_leaves_unfinished_is_still_marked(
    pool: Pool, settings: Settings, rows: asyncpg.Connection
) -> None:
    await rows.execute(MARK, STAGE, [1, 1])

    async def crash() -> None:
        async with claim_stale_images(pool, settings, STAGE, 50) as one:
            assert one.image_ids == [1]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await crash()
    assert [mark["image_id"] for mark in await marks(rows)] == [1, 1]


async def test_who_comes_second_to_an_image_waits_and_then_sees_what_the_first_has_done(
    pool: Pool, settings: Settings, rows: asyncpg.Connection
) -> None:
    await rows.execute(MARK, STAGE, [1])

    async def second() -> int:
        async with claim_stale_images(pool, settings, STAGE, 50) as one:
            return int(await one.connection.fetchval("SELECT count(*) FROM merges"))

    async with claim_stale_images(pool, settings, STAGE, 50) as first:
        await rows.execute(MARK, STAGE, [1])
        other = asyncio.create_task(second())
        await until(lambda: waits_for_a_lock(rows))
        assert not other.done()
        await first.connection.execute(
            "INSERT INTO merges (image_id, source_result_ids, services, awaiting, dropped, boxes, version, calibration)"
            " VALUES (1, '{}', '{}', '{}', '{}', 0, 1, '')"
        )
    assert await other == 1


async def test_an_image_of_which_more_is_expected_is_put_off_once_and_then_done_whatever_came(
    pool: Pool, settings: Settings, rows: asyncpg.Connection
) -> None:
    patient = replace(settings, debounce_milliseconds=60_000, debounce_most_seconds=90)  # however slow the machine is
    await rows.execute(ASK)
    await rows.execute(ANSWER, 7, "clip")
    assert await claimed(pool, patient) == []
    (mark,) = await marks(rows)
    assert (mark["deferred"], mark["due"]) == (True, False)
    assert 0 < mark["seconds"] <= 60
    await rows.execute(ANSWER, 7, "blip")
    assert await claimed(pool, patient) == []
    assert len(await marks(rows)) == 1  # somebody looks soon anyway
    await rows.execute("UPDATE stale SET due = now()")
    assert await claimed(pool, patient) == [7]
    assert await marks(rows) == []


async def test_an_image_is_done_at_once_when_the_last_answer_is_there(
    pool: Pool, settings: Settings, rows: asyncpg.Connection
) -> None:
    patient = replace(settings, debounce_milliseconds=60_000, debounce_most_seconds=60)  # however slow the machine is
    await rows.execute(ASK)
    await rows.execute(ANSWER, 7, "clip")
    await rows.execute(ANSWER, 7, "blip")
    assert await claimed(pool, patient) == []
    await rows.execute("DELETE FROM stale WHERE stage = 'merge'")
    await rows.execute(
        "INSERT INTO results (image_id, service, status, error_code) VALUES (7, 'yolov8', 'error', 'SERVICE_ERROR')"
    )
    assert await claimed(pool, patient) == []  # the boxes are still to be merged
    await rows.execute("DELETE FROM stale WHERE stage = 'merge'")
    await rows.execute(MARK, STAGE, [7])
    assert await claimed(pool, patient) == [7]


async def test_what_was_asked_of_another_group_or_of_failed_images_only_is_not_expected(
    pool: Pool, settings: Settings, rows: asyncpg.Connection
) -> None:
    await rows.execute(
        "INSERT INTO images (image_id, image_filename, image_path, image_group) VALUES (7, 'a', '/a', 'g')"
    )
    awaited = "SELECT coalesce(array_agg(a ORDER BY a), '{}') FROM awaited_services(7, 'consensus') AS a"
    for group, selection, expected in (("other", "new", []), (None, "failed", []), ("g", "new", ["blip", "clip"])):
        await rows.execute(
            "INSERT INTO runs (services, selection, image_group, first_image_id, until_image_id, last_image_id)"
            " VALUES ('{clip,blip,colors}', $1, $2, 0, 100, 100)",
            selection,
            group,
        )
        assert await rows.fetchval(awaited) == expected
    await rows.execute(ANSWER, 7, "clip")
    assert await rows.fetchval(awaited) == ["blip"]


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
BY_HAND = {
    "merged_boxes": "UPDATE merged_boxes SET merged_data = $1",
    "merges": "UPDATE merges SET dropped = $1",
    "consensus": "UPDATE consensus SET consensus_data = $1",
}


@pytest.mark.parametrize("table", BY_HAND)
@pytest.mark.parametrize("document", [DEEP, '{"number": 1e400}', "[]", "null"], ids=["deep", "huge", "list", "null"])
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


@pytest.mark.parametrize(
    ("stage", "columns", "seconds", "comes_forward"),
    [
        ("merge", "", 600, True),
        ("merge", "", 5, False),
        ("merge", "deferred", 600, True),
        ("merge", "deferred", 15, False),
        ("enrich", "deferred", 800, False),
        ("enrich", "deferred", 7_200, True),
        ("enrich", "lease", 50, False),
        ("enrich", "lease", 600, True),
        ("consensus", "failed", 4_000, False),
        ("consensus", "failed", 7_200, True),
    ],
)
async def test_a_mark_that_lies_further_ahead_than_anybody_puts_one_off_comes_due_at_once(
    pool: Pool,
    settings: Settings,
    rows: asyncpg.Connection,
    stage: Stage,
    columns: str,
    seconds: float,
    comes_forward: bool,
) -> None:
    """As after the clock of the database was set back."""
    await rows.execute(
        "INSERT INTO stale (stage, image_id, due, deferred, lease, tries) VALUES ($1, 1,"
        " now() + make_interval(secs => $2), $3, CASE WHEN $4 THEN gen_random_uuid() END, $5)",
        stage,
        seconds,
        columns in {"deferred", "failed"},
        columns == "lease",
        2 if columns == "failed" else 0,
    )
    moments = iter([0.0, LOOK_SECONDS - 1, LOOK_SECONDS + 1, LOOK_SECONDS + 1])
    guard = ClockStepGuard(pool, settings, stage, clock=lambda: next(moments))
    await guard.look()
    (mark,) = await marks(rows, stage)
    assert not mark["due"], "it was not yet time to look"
    await guard.look()
    (mark,) = await marks(rows, stage)
    assert mark["due"] == comes_forward


LEASED: Stage = "enrich"


async def test_an_image_is_leased_to_one_however_many_ask_at_once(
    pool: Pool, settings: Settings, rows: asyncpg.Connection
) -> None:
    images = list(range(1, 41))
    for _ in range(5):
        await rows.execute(MARK, LEASED, images)
    got = await asyncio.gather(*(take_lease(pool, settings, LEASED, 30) for _ in range(12)))
    taken = [image_id for one in got for image_id in one.tries]
    assert len(taken) == len(set(taken)) > 0


async def test_what_changes_while_an_image_is_leased_is_looked_at_when_the_lease_ends(
    pool: Pool, settings: Settings, rows: asyncpg.Connection
) -> None:
    await rows.execute(MARK, LEASED, [1])
    held = await take_lease(pool, settings, LEASED, 10)
    assert list(held.tries) == [1]
    await rows.execute(MARK, LEASED, [1])
    assert (await take_lease(pool, settings, LEASED, 10)).tries == {}
    assert (await take_lease(pool, settings, LEASED, 10)).found == 0  # it is put off, and asked for no more
    async with transaction(pool, settings) as connection:
        await end_lease(connection, LEASED, 1, held.token)
    (left,) = await marks(rows, LEASED)
    assert (left["leased"], left["due"]) == (False, True)
    again = await take_lease(pool, settings, LEASED, 10)
    async with transaction(pool, settings) as connection:
        await end_lease(connection, LEASED, 1, again.token)
    assert await marks(rows, LEASED) == []


async def test_a_lease_that_is_renewed_lasts_and_one_that_is_not_goes_to_another(
    pool: Pool, settings: Settings, rows: asyncpg.Connection, environ: dict[str, str]
) -> None:
    short = Settings.from_env({**environ, "LEASE_SECONDS": "1"})
    await rows.execute(MARK, LEASED, [1])
    first = await take_lease(pool, short, LEASED, 10)
    taken = await rows.fetchval("SELECT now()")

    async def renewed_past_its_first_end() -> bool:
        await renew_lease(pool, short, LEASED, first.token, [1])
        assert (await take_lease(pool, short, LEASED, 10)).tries == {}
        return bool(await rows.fetchval("SELECT now() > $1::timestamptz + interval '1.5 s'", taken))

    await until(renewed_past_its_first_end)
    got: list[dict[int, int]] = []

    async def another() -> bool:
        got.append((await take_lease(pool, short, LEASED, 10)).tries)
        return bool(got[-1])

    await until(another, 10)
    assert got[-1] == {1: 1}  # it is counted that somebody was lost with it
    async with transaction(pool, settings) as connection:  # the first one was only slow
        await end_lease(connection, LEASED, 1, first.token)
    assert [mark["leased"] for mark in await marks(rows, LEASED)] == [True]


async def test_an_image_that_is_put_off_comes_due_again_and_says_how_often_it_failed(
    pool: Pool, settings: Settings, rows: asyncpg.Connection
) -> None:
    await rows.execute(MARK, LEASED, [1])
    held = await take_lease(pool, settings, LEASED, 10)
    async with transaction(pool, settings) as connection:
        await postpone_lease(connection, LEASED, 1, held.token, 0.0, failed=True)
    again = await take_lease(pool, settings, LEASED, 10)
    assert again.tries == {1: 1}
    async with transaction(pool, settings) as connection:
        await postpone_lease(connection, LEASED, 1, again.token, 30.0)
    (mark,) = await marks(rows, LEASED)
    assert (mark["leased"], mark["due"], mark["tries"]) == (False, False, 1)


async def test_an_answer_that_is_no_json_object_counts_as_nothing_said(rows: asyncpg.Connection) -> None:
    for text in (None, "", "[1]", "nonsense", '"text"', '{"a": 1'):
        assert parse_object(text) == {}
    for value in ("\x00", "\\u0000", "\\\x00", "\\\\\x00", 'a"\x00\\u0000'):
        taken = json.loads(await rows.fetchval("SELECT $1::jsonb", render_jsonb({"said": value})))
        assert taken == {"said": value.replace("\x00", "\ufffd")}
