"""Images are compared by the vectors that services answer: by an index of the extension vector, and without it."""

import random
from collections.abc import AsyncIterator, Sequence

import orjson
import pytest

from tests.integration.fleet import Fleet, unavailable
from tests.integration.test_search import fill, index, made_row
from windmill.core.errors import WindmillError
from windmill.core.services import load_fleet
from windmill.core.settings import Settings
from windmill.derive.stage_feeds import register_stage_feeds
from windmill.kernels.indexing.vectors import Vector, vectors_of
from windmill.operate.search.similar import find_similar
from windmill.storage import database
from windmill.storage.database import Pool
from windmill.storage.search import alike
from windmill.storage.search.alike import find_near
from windmill.storage.search.vectors import VectorChange, write_vectors
from windmill.storage.transactions import transaction

pytestmark = pytest.mark.database

NUMBERS = 16
IMAGES = 300
INDEX = (
    f"CREATE INDEX image_vectors_clip ON image_vectors USING hnsw ((numbers::vector({NUMBERS})) vector_cosine_ops)"
    f" WHERE service = 'clip' AND cardinality(numbers) = {NUMBERS}"
)


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    async with database.pool(settings, "test", max_size=4) as opened:
        yield opened


def drawn(dice: random.Random) -> Vector:
    (made,) = vectors_of([{"embedding": [dice.gauss(0, 1) for _ in range(NUMBERS)]}])
    return made


def nearest(vectors: dict[int, Sequence[Vector]], image_id: int, limit: int) -> list[int]:
    """Compared with all, in plain Python."""
    far = {
        other: min(1 - sum(a * b for a, b in zip(one, two, strict=True))
                   for one in vectors[image_id] for two in theirs)
        for other, theirs in vectors.items() if other != image_id
    }  # fmt: skip
    return sorted(far, key=lambda other: far[other])[:limit]


async def write(pool: Pool, settings: Settings, service: str, vectors: dict[int, Sequence[Vector]]) -> None:
    async with transaction(pool, settings) as connection:
        await write_vectors(connection, {one: VectorChange.between({}, {service: v}) for one, v in vectors.items()})


async def by_vectors(pool: Pool, settings: Settings, image_id: int, service: str, limit: int) -> list[int]:
    found = await find_similar(pool, settings, image_id, 3, limit, service)
    assert (found.by, found.complete) == (service, True)
    return [hit.image.image_id for hit, _ in found.hits]


async def test_the_nearest_are_found_without_the_extension_and_with_an_index_of_it(
    fleet: Fleet, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(7)
    await fill(fleet, pool, {one: made_row(dice) for one in range(1, IMAGES + 1)})
    vectors: dict[int, Sequence[Vector]] = {one: [drawn(dice)] for one in range(1, IMAGES + 1)}
    faces: dict[int, Sequence[Vector]] = {one: [drawn(dice) for _ in range(one % 4)] for one in range(1, 101)}
    faces = {one: theirs for one, theirs in faces.items() if theirs}
    await write(pool, fleet.settings, "clip", vectors)
    await write(pool, fleet.settings, "face", faces)
    monkeypatch.setattr(alike, "_PAGE", 70)
    for one in (1, 150, IMAGES):
        assert await by_vectors(pool, fleet.settings, one, "clip", 20) == nearest(vectors, one, 20)
    assert await by_vectors(pool, fleet.settings, 3, "face", 20) == nearest(faces, 3, 20)
    await only_the_newest_are_compared_where_there_are_many(fleet, pool, vectors, monkeypatch)
    if not await fleet.rows.fetchval("SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'"):
        unavailable("this PostgreSQL has no extension vector")
    await fleet.rows.execute("CREATE EXTENSION vector")
    await fleet.rows.execute(INDEX)
    await an_index_finds_the_same(fleet, pool, vectors, monkeypatch)
    assert await by_vectors(pool, fleet.settings, 3, "face", 20) == nearest(faces, 3, 20), "of which there is no index"


async def only_the_newest_are_compared_where_there_are_many(
    fleet: Fleet, pool: Pool, vectors: dict[int, Sequence[Vector]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(alike, "MOST_COMPARED", 140)
        found = await find_similar(pool, fleet.settings, 1, 3, 20, "clip")
        newest = {one: theirs for one, theirs in vectors.items() if one > IMAGES - 140 or one == 1}
        assert [hit.image.image_id for hit, _ in found.hits] == nearest(newest, 1, 20)
        assert not found.complete


async def an_index_finds_the_same(
    fleet: Fleet, pool: Pool, vectors: dict[int, Sequence[Vector]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not always all of them: it is approximate."""

    async def compared(*_: object) -> None:
        pytest.fail("it was compared one by one")

    with monkeypatch.context() as patched:
        patched.setattr(alike, "_by_comparing", compared)
        for one in (1, 150, IMAGES):
            found = await by_vectors(pool, fleet.settings, one, "clip", 20)
            assert len(found) == 20
            assert len({*found} & {*nearest(vectors, one, 20)}) >= 18
            assert found[0] == nearest(vectors, one, 1)[0]
    async with transaction(pool, fleet.settings) as connection:
        near = await find_near(connection, 1, "clip", vectors[1], 3)
        plan = await connection.fetch(
            f"EXPLAIN SELECT image_id FROM image_vectors WHERE service = 'clip' AND cardinality(numbers) = {NUMBERS}"
            f" ORDER BY numbers::vector({NUMBERS}) <=> $1::real[]::vector({NUMBERS}) LIMIT 3", list(vectors[1][0]),
        )  # fmt: skip
    assert "image_vectors_clip" in "\n".join(row[0] for row in plan)
    assert list(near.distances.values()) == sorted(near.distances.values())


async def test_vectors_come_out_of_answers_and_follow_them(fleet: Fleet, pool: Pool) -> None:
    settings, rows, dice = fleet.settings, fleet.rows, random.Random(9)
    await register_stage_feeds(pool, settings, load_fleet(settings.service_config), "index")
    one, other = drawn(dice), drawn(dice)
    answers = {
        (1, "clip"): {"predictions": [{"label": "beach", "confidence": 0.6, "embedding": one}]},
        (2, "clip"): {"embedding": one, "predictions": []},
        (3, "clip"): {"embedding": other, "predictions": []},
        (1, "face"): {"predictions": [{"label": "face", "embedding": one}, {"label": "face", "embedding": other}]},
        (3, "face"): {"predictions": [{"label": "face", "embedding": other}]},
        (4, "clip"): {"predictions": [{"label": "beach", "confidence": 0.6}]},
    }
    for (image_id, service), reply in answers.items():
        statement = "INSERT INTO results (image_id, service, status, data) VALUES ($1, $2, 'success', $3)"
        await rows.execute(statement, image_id, service, orjson.dumps(reply).decode())
    await index(pool, settings)
    found = await find_similar(pool, settings, 1, 3, 10)
    assert (found.by, list(found.ways), found.hashed) == ("clip", ["clip", "face", "labels"], False)
    (first, distance), *_ = found.hits
    assert (first.image.image_id, round(distance, 4)) == (2, 0)
    assert [hit.image.image_id for hit, _ in (await find_similar(pool, settings, 1, 3, 10, "face")).hits] == [3]
    with pytest.raises(WindmillError, match="no service 'face' has told a vector of image 4"):
        await find_similar(pool, settings, 4, 3, 10, "face")
    await a_face_in_a_crop_counts_as_one_in_the_picture(fleet, pool, other)
    await rows.execute("UPDATE results SET data = $1 WHERE image_id = 2 AND service = 'clip'", '{"predictions": []}')
    await rows.execute("DELETE FROM results WHERE image_id = 3")
    await index(pool, settings)
    left = await rows.fetch(
        "SELECT image_id, service, count(*) AS vectors FROM image_vectors GROUP BY 1, 2 ORDER BY 1, 2"
    )
    assert [tuple(row) for row in left] == [(1, "clip", 1), (1, "face", 2)]


async def a_face_in_a_crop_counts_as_one_in_the_picture(fleet: Fleet, pool: Pool, face: Vector) -> None:
    said = orjson.dumps({"predictions": [{"label": "face", "embedding": face}]}).decode()
    statement = """INSERT INTO postprocessing (image_id, merged_box_id, box_key, service, data, status)
                   VALUES (4, 1, 'a', 'face', $1, 'success')"""
    await fleet.rows.execute(statement, said)
    await index(pool, fleet.settings)
    found = await find_similar(pool, fleet.settings, 4, 3, 10)
    assert (found.by, sorted(hit.image.image_id for hit, _ in found.hits)) == ("face", [1, 3])
    await fleet.rows.execute("DELETE FROM postprocessing")


async def test_vectors_that_are_as_they_were_are_not_written_again(fleet: Fleet, pool: Pool) -> None:
    settings, rows = fleet.settings, fleet.rows
    await register_stage_feeds(pool, settings, load_fleet(settings.service_config), "index")
    reply = orjson.dumps({"embedding": drawn(random.Random(1))}).decode()
    await rows.execute("INSERT INTO results (image_id, service, status, data) VALUES (1, 'clip', 'success', $1)", reply)
    await index(pool, settings)
    written = "SELECT xmin::text FROM image_vectors"
    before = await rows.fetchval(written)
    await rows.execute("INSERT INTO results (image_id, service, status, data) VALUES (1, 'blip', 'success', '{}')")
    await index(pool, settings)
    assert await rows.fetchval(written) == before
