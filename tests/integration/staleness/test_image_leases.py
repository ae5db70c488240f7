"""Leases of images: one at a time, renewed, lost and put off."""

import asyncio

import asyncpg
import pytest

from tests.integration.staleness.stale_marks import MARK, marks
from tests.waiting import until
from windmill.core.settings import Settings
from windmill.core.stages import Stage
from windmill.derive.leases import end_lease, postpone_lease, renew_lease, take_lease
from windmill.storage.database import Pool
from windmill.storage.transactions import transaction

pytestmark = pytest.mark.database


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
