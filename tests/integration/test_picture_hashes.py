"""Every registered picture that can be read is found by what it looks like, whatever services have said of it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from postprocessors import picture_hashes
from tests.integration.fleet import Fleet
from tests.integration.test_search import index
from tests.unit.kernels.pictures.test_perceptual_hash import drawn
from tests.unit.kernels.test_fingerprint import saved
from windmill.core.messages import Job
from windmill.core.services import load_fleet
from windmill.core.settings import Settings
from windmill.core.stages import Stage
from windmill.derive.stage_feeds import register_stage_feeds
from windmill.derive.sweep import SweepFilter, mark_page
from windmill.media.image.decoder import ImageDecoder
from windmill.operate.search.similar import find_similar
from windmill.storage import database
from windmill.storage.database import Pool
from windmill.storage.transactions import transaction

pytestmark = pytest.mark.database

FILES = {
    1: ("dog.png", saved(drawn(1), "PNG")),
    2: ("dog-small.jpg", saved(drawn(1).resize((320, 240)), "JPEG", quality=60)),
    3: ("cat.jpg", saved(drawn(2), "JPEG")),
    4: ("cut.jpg", saved(drawn(2), "JPEG")[:2_000]),
}
GONE = 5
STAGES: tuple[Stage, ...] = ("hash", "index")


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    async with database.pool(settings, "test", max_size=4) as opened:
        yield opened


@pytest.fixture
def reading(settings: Settings, tmp_path: Path) -> Settings:
    """Where the pictures are."""
    for name, data in FILES.values():
        (tmp_path / name).write_bytes(data)
    return replace(settings, image_root=tmp_path, debounce_milliseconds=0, debounce_most_seconds=0)


async def register(fleet: Fleet, folder: Path) -> None:
    files = {one: name for one, (name, _) in FILES.items()} | {GONE: "gone.jpg"}
    rows = [(one, name, str(folder / name)) for one, name in files.items()]
    statement = "INSERT INTO images (image_id, image_filename, image_path) VALUES ($1, $2, $3)"
    await fleet.rows.executemany(statement, rows)
    await fleet.rows.execute(
        "INSERT INTO images (image_id, image_filename, image_path, original_id) VALUES (6, 'copy.png', '/copy.png', 1)"
    )


async def hash_all(pool: Pool, settings: Settings) -> int:
    async with picture_hashes.make_runner(pool, settings, load_fleet(settings.service_config)) as runner:
        done = 0
        while some := await runner.run_round(asyncio.Event()):
            done += some
    return done


async def told(fleet: Fleet, statement: str) -> dict[int, object]:
    return {row[0]: row[1] for row in await fleet.rows.fetch(statement)}


async def looked_alike(pool: Pool, settings: Settings, image_id: int) -> list[int]:
    return [hit.image.image_id for hit, _ in (await find_similar(pool, settings, image_id, 3, 10)).hits]


async def test_pictures_that_no_service_has_seen_are_found_by_their_likeness(
    fleet: Fleet, pool: Pool, reading: Settings, tmp_path: Path
) -> None:
    for stage in STAGES:
        await register_stage_feeds(pool, reading, load_fleet(reading.service_config), stage)
    await register(fleet, tmp_path)
    assert await hash_all(pool, reading) == 5, "and no copy"
    codes = await told(fleet, "SELECT image_id, error_code FROM picture_hashes")
    assert codes == {1: None, 2: None, 3: None, 4: "IMAGE_UNREADABLE", GONE: "IMAGE_NOT_FOUND"}
    await index(pool, reading)
    assert await looked_alike(pool, reading, 1) == [2]
    assert await looked_alike(pool, reading, 2) == [1]
    assert await looked_alike(pool, reading, 3) == []
    sizes = await fleet.rows.fetch("SELECT image_id, width, height FROM image_search ORDER BY 1")
    assert [tuple(row) for row in sizes] == [(1, 640, 480), (2, 320, 240), (3, 640, 480)]
    async with transaction(pool, reading) as connection:
        assert (await mark_page(connection, "hash", SweepFilter(), 0)).marked == 0
    await a_picture_that_moves_is_looked_at_again(fleet, pool, reading, tmp_path)
    await of_an_image_that_is_deleted_nothing_is_left(fleet, pool, reading)


async def a_picture_that_moves_is_looked_at_again(fleet: Fleet, pool: Pool, settings: Settings, folder: Path) -> None:
    there = folder / "another-cat.jpg"
    there.write_bytes(FILES[3][1])
    await fleet.rows.execute("UPDATE images SET image_path = $1 WHERE image_id = 2", str(there))
    assert await hash_all(pool, settings) == 1
    await index(pool, settings)
    assert await looked_alike(pool, settings, 1) == []
    assert await looked_alike(pool, settings, 3) == [2]


async def of_an_image_that_is_deleted_nothing_is_left(fleet: Fleet, pool: Pool, settings: Settings) -> None:
    await fleet.rows.execute("DELETE FROM images WHERE image_id = 2")
    await hash_all(pool, settings)
    await index(pool, settings)
    for table in ("picture_hashes", "image_search"):
        assert await fleet.rows.fetch(f"SELECT FROM {table} WHERE image_id = 2") == [], table


async def test_a_service_that_tells_a_hash_does_not_override_that_of_the_picture_and_stands_in_where_there_is_none(
    fleet: Fleet, pool: Pool, reading: Settings, tmp_path: Path
) -> None:
    for stage in STAGES:
        await register_stage_feeds(pool, reading, load_fleet(reading.service_config), stage)
    await register(fleet, tmp_path)
    for image_id in (1, GONE):
        await fleet.rows.execute(
            "INSERT INTO results (image_id, service, status, data) VALUES ($1, 'metadata', 'success',"
            ' \'{"predictions": [{"phash": "0000000000000007"}]}\')',
            image_id,
        )
    await hash_all(pool, reading)
    await index(pool, reading)
    hashes = await told(fleet, "SELECT image_id, phash FROM image_search")
    assert hashes[GONE] == 7
    assert hashes[1] == await fleet.rows.fetchval("SELECT phash FROM picture_hashes WHERE image_id = 1") != 7


async def test_pictures_that_are_not_read_when_it_has_to_stop_are_given_back_at_once(
    fleet: Fleet, pool: Pool, reading: Settings, tmp_path: Path
) -> None:
    await register_stage_feeds(pool, reading, load_fleet(reading.service_config), "hash")
    await register(fleet, tmp_path)
    stop = asyncio.Event()

    async def hangs(_: Job) -> bytes:
        stop.set()
        return await asyncio.Future()

    async with ImageDecoder(reading) as decoder, picture_hashes.HashRunner(pool, reading, hangs, decoder) as runner:
        assert await runner.run_round(stop) == 5
    waiting = await fleet.rows.fetch("SELECT tries, lease, due <= clock_timestamp() AS due FROM stale")
    assert {tuple(row) for row in waiting} == {(0, None, True)}


async def test_a_store_that_is_away_costs_a_picture_no_try_and_one_that_kills_its_process_is_given_up(
    fleet: Fleet, pool: Pool, reading: Settings, tmp_path: Path
) -> None:
    await register_stage_feeds(pool, reading, load_fleet(reading.service_config), "hash")
    await register(fleet, tmp_path)
    away = replace(reading, image_root=tmp_path / "not-mounted")
    await hash_all(pool, away)
    waiting = await fleet.rows.fetch("SELECT image_id, tries, due > now() AS later FROM stale WHERE stage = 'hash'")
    assert {(row["tries"], row["later"]) for row in waiting} == {(0, True)}
    assert await fleet.rows.fetch("SELECT FROM picture_hashes") == []
    await fleet.rows.execute("UPDATE stale SET due = now(), tries = $1 WHERE image_id = 1", reading.delivery_limit)
    await hash_all(pool, reading)
    assert await fleet.rows.fetchval("SELECT error_code FROM picture_hashes WHERE image_id = 1") == "WORKER_LOST"
