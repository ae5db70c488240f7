"""Sending boxes to services over HTTP: which are sent, and how often an image is read."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import orjson
import pytest

from postprocessors.box_calls import EnrichmentResult
from tests.unit.postprocessors.enricher_scene import (
    ALL,
    DOG,
    FLEET,
    JOB,
    PERSON,
    PREDICTIONS,
    SAYS_500,
    Counting,
    World,
    box,
    codes,
    world_of,
)
from tests.waiting import until
from windmill.media.image.change import KnownImage

BESIDE = {"label": "person", "merged_bbox": {"x": 900, "y": 0, "width": 30, "height": 30}}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with world_of() as made:
        yield made


async def test_a_person_is_sent_to_three_services_and_their_replies_are_located_in_the_image(world: World) -> None:
    enriched = await world.show(box())
    assert sorted(world.sizes) == [(name, (40, 60)) for name in ALL]
    assert (enriched.retries, enriched.unavailable, enriched.wait) == ([], {}, None)
    rows = {row.service: row for row in enriched.rows}
    assert set(rows) == set(ALL)
    crop = {"x": 20, "y": 10, "width": 40, "height": 60}
    places: dict[str, dict[str, Any]] = {
        "colors": {},
        "face": {"bbox": {"x": 21, "y": 12, "width": 3, "height": 4}, "keypoints": {"nose_tip": [25, 16]}},
        "pose": {"landmarks": {"nose": {"x": 40.0, "y": 40.0, "visibility": 0.9}}},
    }
    for name, row in rows.items():
        assert (row.box_key, row.attempt, row.processing_time, row.error_code) == ("one", 1, 0.25, None)
        assert row.data
        assert orjson.loads(row.data) == {
            "predictions": PREDICTIONS[name],
            "crop": crop,
            "in_image": [places[name]],
        }
        assert world.enricher.states[name].counts == {"Stored": 1}


async def test_the_service_entries_decide_which_services_get_a_box(world: World) -> None:
    assert world.enricher.services_for(PERSON) == ALL
    assert world.enricher.services_for(DOG) == ("colors",)
    assert set(world.enricher.states) == set(ALL), "a detector sees no crops"


async def test_an_image_is_read_and_decoded_once_for_all_its_boxes(world: World) -> None:
    enriched = await world.show(*(box(key=str(number)) for number in range(20)))
    assert (world.reads, world.crops.decoded) == (1, 1)
    assert len({(row.box_key, row.service) for row in enriched.rows}) == len(enriched.rows) == 60


async def test_an_image_without_boxes_is_not_read(world: World) -> None:
    assert await world.show() == await world.show(box(tries={})) == EnrichmentResult()
    assert world.reads == 0


async def test_crops_that_are_too_large_together_are_cut_in_turns_and_each_is_sent_once() -> None:
    async with world_of(crops=Counting(most_bytes=1)) as world:
        enriched = await world.show(*(box(DOG, str(number), {"colors": 0}) for number in range(5)))
        assert sorted(row.box_key for row in enriched.rows) == ["0", "1", "2", "3", "4"]
        assert (world.reads, world.crops.decoded, world.calls["colors"]) == (1, 5, 5)


async def test_pose_gets_one_call_at_a_time_and_colors_four_however_many_images_there_are(world: World) -> None:
    world.seconds = 0.02
    await asyncio.gather(*(world.show(box(key="one"), box(key="two")) for _ in range(4)))
    assert (world.calls, world.most_under_way) == (
        dict.fromkeys(ALL, 8),
        {name: FLEET[name].concurrency for name in ALL},
    )
    assert FLEET["pose"].concurrency == 1


async def test_the_canary_respects_the_concurrency_of_pose(world: World) -> None:
    world.seconds = 0.01
    world.says["pose"] = [SAYS_500]
    await asyncio.gather(*(world.show(box(tries={"pose": 0})) for _ in range(4)))
    assert world.canaries["pose"] > 0
    assert world.most_under_way["pose"] == 1


async def test_a_box_outside_the_image_is_sent_to_no_service_and_fails(world: World) -> None:
    enriched = await world.show(box(BESIDE), box(DOG, "two", {"colors": 0}), box("no box", "three", {"colors": 1}))
    assert {(row.box_key, row.service, row.error_code) for row in enriched.rows} == {
        *(("one", name, "BAD_RESPONSE") for name in ALL),
        ("two", "colors", None),
        ("three", "colors", "BAD_RESPONSE"),
    }
    assert world.calls == {"colors": 1}


async def test_a_crop_is_sent_even_to_a_service_that_fetches_images_itself() -> None:
    async with world_of(lambda one: replace(one, transport="url")) as world:
        await world.enricher.enrich(replace(JOB, image_path=None, image_url="http://elsewhere/17.png"), [box()])
        assert sorted(world.sizes) == [(name, (40, 60)) for name in ALL]


async def test_cancelling_ends_all_calls(world: World) -> None:
    world.seconds = 5
    working = asyncio.create_task(world.show(box(key="one"), box(key="two")))
    await until(lambda: world.under_way["pose"] == 1)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    assert {state.slots.taken for state in world.enricher.states.values()} == {0}
    assert {state.in_progress for state in world.enricher.states.values()} == {0}


async def test_an_image_that_is_another_than_the_services_saw_is_not_cut(world: World) -> None:
    enriched = await world.show(box(), known=KnownImage((100, 80), (17,)))
    assert codes(enriched) == dict.fromkeys(ALL, "IMAGE_CHANGED")
    assert (world.crops.decoded, world.calls, enriched.retries) == (0, Counter(), [])
