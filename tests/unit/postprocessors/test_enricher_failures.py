"""What becomes of boxes that fail, by each reply and each image that cannot be read."""

from collections import Counter
from collections.abc import AsyncIterator

import orjson
import pytest

from tests.unit.loopback import reply
from tests.unit.postprocessors.enricher_scene import (
    ALL,
    DOG,
    HANGS_UP,
    SAYS_500,
    World,
    answering,
    box,
    codes,
    failing,
    picture,
    trip,
    world_of,
)
from windmill.core.errors import Code


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with world_of() as made:
        yield made


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (SAYS_500, "SERVICE_ERROR"),
        (reply(b'{"status": "error", "error": {"message": "no"}, "predictions": []}'), "SERVICE_ERROR"),
        (reply(b"<html>hello"), "BAD_RESPONSE"),
        (reply(b"{}"), "BAD_RESPONSE"),
        (HANGS_UP, "BAD_RESPONSE"),
    ],
)
@pytest.mark.parametrize(("tries", "delay"), [(0, 5), (1, 10), (2, 20), (3, None)])
async def test_a_transient_failure_is_retried_and_final_after_the_last_try(
    world: World, said: bytes, code: str, tries: int, delay: float | None
) -> None:
    world.says["face"] = [said]
    enriched = await world.show(box(tries={"face": tries}))
    found = [(one.service, one.attempt, one.delay, one.error_code) for one in enriched.retries]
    assert found == ([] if delay is None else [("face", tries + 1, delay, code)])
    assert [(row.attempt, row.error_code) for row in enriched.rows] == ([] if delay else [(tries + 1, code)])
    assert (enriched.wait, enriched.unavailable) == (delay, {})


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (reply(b'{"error": "no"}', "400 Bad Request"), "SERVICE_REJECTED"),
        (reply(b"", "413 Too Large"), "IMAGE_TOO_LARGE"),
        (answering([{"x": "y" * 5_000_000}]), "RESPONSE_TOO_LARGE"),
    ],
)
async def test_a_permanent_failure_is_final_at_once(world: World, said: bytes, code: str) -> None:
    world.says["face"] = [said]
    enriched = await world.show(box())
    assert codes(enriched) == {"colors": None, "pose": None, "face": code}
    assert enriched.wait is None


@pytest.mark.parametrize(
    ("predictions", "code"),
    [
        ('[{"a": ' + "[" * 900 + "]" * 900 + "}]", "BAD_RESPONSE"),
        ('[{"a": ' + "[" * 100_000 + "]" * 100_000 + "}]", "BAD_RESPONSE"),
        ('["face"]', "BAD_RESPONSE"),
        ("null", "BAD_RESPONSE"),
        ("{}", "BAD_RESPONSE"),
        ("[{", "BAD_RESPONSE"),
        ('[{"bbox": [NaN, 1, 1, 1]}]', None),
        ('[{"bbox": [1e400, 1, 1, 1], "keypoints": {"a\\u0000": [1e300, 2]}}]', None),
        ('[{"bbox": [' + "9" * 300 + ", 1, 1, 1]}]", None),
        ('[{"bbox": {"x": "1"}, "keypoints": 5, "landmarks": {"nose": "\\ud800"}}]', None),
        ("[" + ",".join(['{"bbox": [1, 1, 1, 1]}'] * 20_000) + "]", None),
    ],
)
async def test_any_reply_becomes_a_row_with_json_or_an_error_code(
    world: World, predictions: str, code: str | None
) -> None:
    world.says["face"] = [reply(b'{"status": "success", "predictions": %s}' % predictions.encode())]
    enriched = await world.show(box(tries={"face": 3}))
    (row,) = enriched.rows
    assert row.error_code == code
    if row.data:
        stored = orjson.loads(row.data)
        assert len(stored["predictions"]) == len(stored["in_image"])


@pytest.mark.parametrize("code", ["IMAGE_NOT_FOUND", "IMAGE_UNREADABLE", "IMAGE_TOO_LARGE", "IMAGE_FORBIDDEN"])
async def test_an_unreadable_image_fails_each_box_for_each_service(world: World, code: Code) -> None:
    world.read_error = failing(code)
    trip(world, "pose")
    enriched = await world.show(box(key="one"), box(DOG, "two", {"colors": 2}), box(key="three", tries={"pose": 0}))
    failed = {(row.box_key, row.service, row.attempt, row.error_code) for row in enriched.rows}
    assert failed == {
        *(("one", name, 1, code) for name in ALL),
        ("two", "colors", 3, code),
        ("three", "pose", 1, code),
    }
    assert (len(enriched.rows), enriched.wait, world.reads, world.calls) == (5, None, 1, Counter())


@pytest.mark.parametrize(
    ("size", "cut", "code"), [((100, 80), 500, "IMAGE_UNREADABLE"), ((4000, 2600), 0, "IMAGE_TOO_LARGE")]
)
async def test_an_image_that_cannot_be_decoded_fails_each_box(
    world: World, size: tuple[int, int], cut: int, code: str
) -> None:
    image = picture(*size)
    world.image = image[: len(image) - cut]
    assert codes(await world.show(box())) == dict.fromkeys(ALL, code)
    assert world.calls == Counter()


async def test_a_transient_disk_error_counts_as_a_try_of_each_box(world: World) -> None:
    world.read_error = failing("IMAGE_UNREADABLE", "later")
    enriched = await world.show(box(tries={"face": 0, "pose": 3}))
    assert [(one.service, one.attempt, one.delay) for one in enriched.retries] == [("face", 1, 5)]
    assert codes(enriched) == {"pose": "IMAGE_UNREADABLE"}


async def test_a_share_that_is_not_mounted_is_waited_for(world: World) -> None:
    world.read_error = failing("IMAGE_NOT_FOUND", "pause")
    first = (await world.show(box())).unavailable
    second = (await world.show(box())).unavailable
    assert set(first) == set(second) == set(ALL)
    assert 0 < first["face"] < second["face"]
    mounted, world.read_error = world.read_error, None
    assert len((await world.show(box())).rows) == 3
    world.read_error = mounted
    assert (await world.show(box())).unavailable["face"] < second["face"], "another outage begins anew"
