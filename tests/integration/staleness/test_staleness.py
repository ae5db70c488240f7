"""Who looks at a stale image, and when: marks, claims and what is waited for."""

import asyncio
import json
from dataclasses import replace

import asyncpg
import pytest

from tests.integration.fleet import waits_for_a_lock
from tests.integration.staleness.stale_marks import MARK, STAGE, marks
from tests.waiting import until
from windmill.core.jsonb import parse_object, render_jsonb
from windmill.core.settings import Settings
from windmill.core.stages import Stage
from windmill.derive.claims import claim_stale_images
from windmill.derive.clock_steps import LOOK_SECONDS, ClockStepGuard
from windmill.storage.database import Pool

pytestmark = pytest.mark.database
ANSWER = "INSERT INTO results (image_id, service, status, data) VALUES ($1, $2, 'success', '{}')"
ASK = (
    "INSERT INTO runs (services, selection, first_image_id, until_image_id, last_image_id)"
    " VALUES ('{clip,blip,yolov8}', 'new', 0, 100, 100)"
)


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
    assert await claimed(pool, patient) == [7], "it has no vote yet, so it does not wait for boxes"
    await rows.execute("INSERT INTO consensus (image_id, consensus_data, source_result_ids) VALUES (7, '{}', '{}')")
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


async def test_an_answer_that_is_no_json_object_counts_as_nothing_said(rows: asyncpg.Connection) -> None:
    for text in (None, "", "[1]", "nonsense", '"text"', '{"a": 1'):
        assert parse_object(text) == {}
    for value in ("\x00", "\\u0000", "\\\x00", "\\\\\x00", 'a"\x00\\u0000'):
        taken = json.loads(await rows.fetchval("SELECT $1::jsonb", render_jsonb({"said": value})))
        assert taken == {"said": value.replace("\x00", "\ufffd")}
