"""Services that answer nothing sensible, and messages that are no jobs."""

import pytest

from tests.e2e.conftest import Farm
from tests.e2e.submitting import submitted
from tests.integration.fleet import Fleet

pytestmark = [pytest.mark.database, pytest.mark.broker]
HOSTILE = ["html", "wrong-type", "reset"]
MORE_HOSTILE = ["cut-json", "empty", "binary", "nesting", "status-error", "crash", "cut-reply"]
SLOW = pytest.mark.slow(reason="4 s each: ever more ways to answer nonsense")


@pytest.mark.parametrize("fault", [*HOSTILE, *(pytest.param(fault, marks=SLOW) for fault in MORE_HOSTILE)])
async def test_a_service_that_answers_nothing_sensible_to_anyone_is_away_and_costs_no_job_a_try(
    fault: str, fleet: Fleet, farm: Farm, picture: bytes
) -> None:
    farm.misbehave("yolov8", **{f"{fault}-rate": 1})
    images = await submitted(fleet, "yolov8", picture, 3)
    worker = await fleet.worker("yolov8", MAX_RETRIES="0")
    await worker.says("service yolov8 is unavailable")
    farm.behave("yolov8")
    await fleet.stored(len(images))
    assert {row["attempt"] for row in await fleet.results()} == {1}
    assert await fleet.depth("yolov8", ".failed") == 0
    assert "Traceback" not in worker.log


async def test_a_service_of_which_a_third_of_the_answers_is_garbage_loses_no_image(
    fleet: Fleet, farm: Farm, picture: bytes
) -> None:
    farm.misbehave("yolov8", **{f"{fault}-rate": 0.03 for fault in [*HOSTILE, *MORE_HOSTILE]})
    images = await submitted(fleet, "yolov8", picture, 150)
    worker = await fleet.worker("yolov8")
    await fleet.stored(len(images))
    assert await fleet.depth("yolov8", ".failed") == 0
    assert "Traceback" not in worker.log


@pytest.mark.parametrize("fault", ["nan", "nul", "surrogate"])
async def test_a_reply_that_postgresql_would_refuse_is_mended_and_stored(
    fault: str, fleet: Fleet, farm: Farm, picture: bytes
) -> None:
    farm.misbehave("yolov8", **{f"{fault}-rate": 1})
    await submitted(fleet, "yolov8", picture, 1)
    await fleet.worker("yolov8")
    await fleet.stored(1)


@pytest.mark.slow(reason="6 s: replies of many megabytes")
async def test_a_service_that_gives_everything_a_giant_reply_gets_no_job_parked(
    fleet: Fleet, farm: Farm, picture: bytes
) -> None:
    farm.misbehave("yolov8", giant_rate=1)
    images = await submitted(fleet, "yolov8", picture, 5)
    worker = await fleet.fresh_worker("yolov8")
    await worker.says("service yolov8 is unavailable: RESPONSE_TOO_LARGE")
    assert worker.resident_mb() < 80
    farm.behave("yolov8")
    await fleet.stored(len(images))
    assert await fleet.depth("yolov8", ".failed") == 0


class NotUtf8(str):
    """Text as a program writes it into a header that does not think of encodings."""

    def encode(self, *_: object) -> bytes:
        return super().encode("latin-1")


GARBAGE = [
    b"",
    b"\xff\xfe",
    b"[]",
    b"17",
    b'{"image_id": 1}',
    b'{"image_id": "1", "image_path": "/a.jpg"}',
    b"{" * 2000,
]


async def test_what_is_not_a_job_is_parked_with_its_bytes_and_the_others_are_done(
    fleet: Fleet, farm: Farm, picture: bytes
) -> None:
    await fleet.declare("yolov8")
    odd = {
        "windmill-attempt": "many",
        "none": None,
        "nested": {"list": [1, 2.5]},
        "latin": NotUtf8("é"),
        "x-odd": 1,
        "mine": "kept",
    }
    for body in GARBAGE:
        await fleet.put("yolov8", body, odd)
    images = await submitted(fleet, "yolov8", picture)
    worker = await fleet.worker("yolov8")
    failed = await fleet.failed("yolov8", len(GARBAGE))
    await fleet.stored(len(images))
    assert sorted(message.body for message in failed) == sorted(GARBAGE)
    assert {message.headers["windmill-code"] for message in failed} == {"BAD_MESSAGE"}
    assert {message.headers["mine"] for message in failed} == {"kept"}
    assert await fleet.count() == len(images)
    assert (await worker.stop()).code == 0
    assert await fleet.depth("yolov8") == 0
