"""Sending boxes to services that are away, overloaded or paused: no try is lost."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.unit.loopback import reply
from tests.unit.postprocessors.enricher_scene import ALL, DOG, HANGS_UP, World, box, codes, trip, world_of
from windmill.core.outcomes import MAX_OUTAGES
from windmill.core.wanted_states import WantedState, WantedStates


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with world_of() as made:
        yield made


async def test_while_no_service_is_available_no_image_is_read_and_no_call_is_made(world: World) -> None:
    trip(world, *ALL)
    enriched = await world.show(box(), box(DOG, "two", {"colors": 2}))
    assert (world.reads, world.crops.decoded, world.calls) == (0, 0, Counter())
    assert (enriched.rows, enriched.retries, set(enriched.unavailable)) == ([], [], set(ALL))
    assert enriched.wait == min(enriched.unavailable.values())
    assert all(1 <= seconds <= 1.2 for seconds in enriched.unavailable.values())
    assert world.enricher.seconds_until_any_available() == enriched.wait


async def test_one_unavailable_service_does_not_block_the_others(world: World) -> None:
    trip(world, "pose")
    enriched = await world.show(box())
    assert codes(enriched) == {"colors": None, "face": None}
    assert set(enriched.unavailable) == {"pose"}
    assert (world.calls["pose"], world.enricher.seconds_until_any_available()) == (0, 0)


async def test_a_paused_service_gets_no_crop_and_is_waited_for(world: World) -> None:
    world.enricher.states["face"].want(WantedStates.of([WantedState("face", paused=True)]))
    enriched = await world.show(box())
    assert (set(codes(enriched)), set(enriched.unavailable)) == ({"pose", "colors"}, {"face"})
    assert world.calls["face"] == 0


async def test_an_outage_costs_no_try_and_stops_the_calls(world: World) -> None:
    world.says["colors"] = [HANGS_UP]
    world.of_canary["colors"] = HANGS_UP
    enriched = await world.show(*(box(DOG, str(number), {"colors": 0}) for number in range(50)))
    assert (enriched.rows, enriched.retries, set(enriched.unavailable)) == ([], [], {"colors"})
    assert world.calls["colors"] <= 4
    assert world.enricher.states["colors"].breaker.state == "open"


async def test_a_recovering_service_gets_the_canary_then_one_crop_and_then_all(world: World) -> None:
    colors = world.enricher.states["colors"]
    world.of_canary["colors"] = HANGS_UP
    trip(world, "colors")
    looks = world.clock.looks
    await world.later(0.5, lambda: world.clock.looks > looks + 3 * len(ALL))
    assert world.canaries["colors"] == 0, "its time has not come"
    await world.later(1, lambda: colors.breaker.seconds_left() > 0)
    assert (world.canaries["colors"], colors.breaker.state) == (1, "open")
    del world.of_canary["colors"]
    await world.later(3, lambda: colors.breaker.state == "half-open")
    assert (world.canaries["colors"], world.calls["colors"]) == (2, 0)

    world.seconds = 0.02
    boxes = [box(DOG, str(number), {"colors": 0}) for number in range(4)]
    enriched = await world.show(*boxes)
    assert (len(enriched.rows), world.calls["colors"], colors.breaker.state) == (1, 1, "closed")
    assert enriched.unavailable == {"colors": 1}

    enriched = await world.show(*boxes[1:])
    assert (len(enriched.rows), enriched.unavailable) == (3, {})


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        (reply(b"", "503 Unavailable"), 1),
        (reply(b"", "429 Too Many", "Retry-After: 120"), 120),
        (reply(b"", "404 Not Found"), 1),
        (reply(b'{"service": "yolo", "status": "success", "predictions": []}'), 1),
    ],
)
async def test_an_overloaded_service_is_waited_for_and_no_try_is_counted(
    world: World, said: bytes, wait: float
) -> None:
    world.says["face"], world.of_canary["face"] = [said], said
    enriched = await world.show(box(tries={"face": 3}))
    assert (enriched.rows, enriched.retries) == ([], [])
    assert wait <= enriched.unavailable["face"] <= 1.2 * wait


async def test_a_crop_that_alone_is_turned_away_comes_again_and_finally_fails(world: World) -> None:
    world.says["face"] = [reply(b"", "403 Forbidden")]
    for _ in range(MAX_OUTAGES - 1):
        enriched = await world.show(box(tries={"face": 0}))
        assert [retry.error_code for retry in enriched.retries] == ["SERVICE_UNREACHABLE"]
        assert enriched.unavailable == {}
    assert codes(await world.show(box(tries={"face": 0}))) == {"face": "SERVICE_REJECTED"}


async def test_a_refused_connection_is_waited_for(world: World) -> None:
    async with world_of(lambda one: replace(one, port=9)) as world:
        enriched = await world.show(box())
        assert (enriched.rows, set(enriched.unavailable)) == ([], set(ALL))


async def take_away(world: World, times: int) -> None:
    """Let face crash on a crop that many times, and recover."""
    world.says["face"] = [HANGS_UP]
    for _ in range(times):
        world.of_canary["face"] = HANGS_UP
        assert set((await world.show(box(tries={"face": 0}))).unavailable) == {"face"}
        del world.of_canary["face"]
        await world.later(60, lambda: world.enricher.states["face"].breaker.state == "half-open")


async def test_a_crop_that_causes_an_outage_each_time_finally_fails(world: World) -> None:
    await take_away(world, MAX_OUTAGES - 1)
    world.of_canary["face"] = HANGS_UP
    assert codes(await world.show(box(tries={"face": 0}))) == {"face": "BAD_RESPONSE"}
    assert world.enricher.states["face"].breaker.state == "open"


async def test_a_reply_resets_the_outages_of_a_crop(world: World) -> None:
    await take_away(world, MAX_OUTAGES - 1)
    del world.says["face"]
    assert codes(await world.show(box(tries={"face": 0}))) == {"face": None}
    await take_away(world, 1)
