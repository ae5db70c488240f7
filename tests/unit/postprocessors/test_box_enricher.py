"""Sending boxes to services over HTTP: the calls, their outcomes, and how often an image is read."""

import asyncio
import contextlib
import io
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pytest
from PIL import Image

from postprocessors.box_calls import EnrichmentResult, PendingBox
from postprocessors.box_enricher import Enricher
from tests.fake_canary_table import FakeCanaryTable
from tests.fake_slot_table import FakeSlotTable
from tests.unit.imaging import NOON
from tests.unit.loopback import Site, reply, serving
from tests.unit.world import Clock
from tests.waiting import until
from windmill.calling.canaries import image_for_probes
from windmill.calling.service_client import ServiceClient
from windmill.core.errors import Code, Retry, WindmillError
from windmill.core.messages import Job
from windmill.core.outcomes import MAX_OUTAGES
from windmill.core.services import Service, load_fleet
from windmill.core.settings import ROOT, Settings
from windmill.core.wanted_states import WantedState, WantedStates
from windmill.media.image.change import KnownImage
from windmill.media.image.crops import Crop, cut_crops

SETTINGS = Settings.from_env(
    {"CANARY_SECONDS": "0", "MAX_RETRIES": "3", "RETRY_DELAYS": "5,10,20", "WORKER_CONCURRENCY": "8"}
)
FLEET = load_fleet(ROOT / "service_config.json").services
JOB = Job(17, "17.png", "17.png", None, NOON)
PERSON = {"label": "person", "merged_bbox": {"x": 20, "y": 10, "width": 40, "height": 60}}
DOG = {"label": "dog", "merged_bbox": {"x": 0, "y": 0, "width": 30, "height": 30}}
BESIDE = {"label": "person", "merged_bbox": {"x": 900, "y": 0, "width": 30, "height": 30}}
ALL = ("colors", "face", "pose")
PREDICTIONS: dict[str, list[dict[str, Any]]] = {
    "colors": [{"primary": {"hex": "#c81e28"}, "palette": {"colors": []}}],
    "face": [{"label": "face", "bbox": [1, 2, 3, 4], "keypoints": {"nose_tip": [5, 6]}}],
    "pose": [{"landmarks": {"nose": {"x": 0.5, "y": 0.5, "visibility": 0.9}}}],
}


def picture(width: int = 100, height: int = 80) -> bytes:
    file = io.BytesIO()
    Image.effect_noise((width, height), 50).convert("RGB").save(file, "PNG")
    return file.getvalue()


def answering(predictions: object) -> bytes:
    envelope = {"status": "success", "predictions": predictions, "metadata": {"processing_time": 0.25}}
    return reply(orjson.dumps(envelope))


HANGS_UP = b""
SAYS_500 = reply(b'{"status": "error", "error": {"message": "boom"}}', "500 Internal Server Error")


@dataclass
class Counting:
    """Cuts crops in this process, and counts how often an image was decoded."""

    most_bytes: int = 10_000_000
    decoded: int = 0

    async def crop(self, image: bytes, boxes: Sequence[object]) -> list[Crop | None]:
        self.decoded += 1
        return cut_crops(image, boxes, max_pixels=10_000_000, max_bytes=self.most_bytes)


class Watched(Clock):
    """Knows how often it was looked at."""

    looks = 0

    def __call__(self) -> float:
        self.looks += 1
        return super().__call__()


@dataclass
class World:
    """Three services behind one server, an image, and an enricher. `says` is what each answers to a crop, in turn
    and the last for ever; `of_canary` what it answers to our own picture."""

    enricher: Enricher = field(init=False)
    site: Site = field(init=False)
    clock: Watched = field(default_factory=Watched)
    crops: Counting = field(default_factory=Counting)
    image: bytes = field(default_factory=picture)
    read_error: WindmillError | None = None
    reads: int = 0
    says: dict[str, list[bytes]] = field(default_factory=dict)
    of_canary: dict[str, bytes] = field(default_factory=dict)
    seconds: float = 0.0
    calls: Counter[str] = field(default_factory=Counter)
    canaries: Counter[str] = field(default_factory=Counter)
    sizes: list[tuple[str, tuple[int, int]]] = field(default_factory=list)
    under_way: Counter[str] = field(default_factory=Counter)
    most_under_way: Counter[str] = field(default_factory=Counter)

    async def read(self, job: Job) -> bytes:
        self.reads += 1
        if self.read_error:
            raise self.read_error
        return self.image

    async def answer(self, path: str, writer: asyncio.StreamWriter) -> None:
        name, request = path[1:], self.site.requests[-1]
        self.under_way[name] += 1
        self.most_under_way[name] = max(self.most_under_way[name], self.under_way[name])
        try:
            if self.seconds:
                await asyncio.sleep(self.seconds)  # the service is at work, so that calls can meet
            writer.write(self._said(name, request))
            await writer.drain()
        finally:
            self.under_way[name] -= 1

    def _said(self, name: str, request: bytes) -> bytes:
        if image_for_probes(FLEET[name]) in request:
            self.canaries[name] += 1
            return self.of_canary.get(name, answering(PREDICTIONS[name]))
        self.calls[name] += 1
        self.sizes.append((name, sent_size(request)))
        says = self.says.get(name, [answering(PREDICTIONS[name])])
        return says.pop(0) if len(says) > 1 else says[0]

    def service(self, name: str) -> Service:
        return replace(FLEET[name], host="127.0.0.1", port=self.site.port, path=f"/{name}")

    async def show(self, *boxes: PendingBox, known: KnownImage | None = None) -> EnrichmentResult:
        async with asyncio.timeout(10):
            return await self.enricher.enrich(JOB, boxes, known or KnownImage())

    async def later(self, seconds: float, then: Callable[[], object]) -> None:
        """Let time pass, and wait for what the next probe of the services brings about."""
        self.clock.now += seconds
        await until(then, 5)


def sent_size(request: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(request[request.index(b"\xff\xd8") :])) as image:
        assert image.format == "JPEG"
        return image.size


@contextlib.asynccontextmanager
async def world_of(change: Callable[[Service], Service] = lambda one: one, **given: Any) -> AsyncIterator[World]:  # noqa: ANN401
    world = World(**given)
    async with serving(world.answer) as world.site, ServiceClient(SETTINGS) as client:
        services = [change(world.service(name)) for name in ALL] + [FLEET["yolov8"]]
        world.enricher = Enricher(
            services,
            SETTINGS,
            world.read,
            client,
            FakeSlotTable(world.clock),
            FakeCanaryTable(),
            world.crops,
            clock=world.clock,
            probe_seconds=0.005,
        )
        async with world.enricher:
            yield world


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with world_of() as made:
        yield made


def box(data: object = PERSON, key: str = "one", tries: Mapping[str, int] | None = None) -> PendingBox:
    return PendingBox(key, data, dict.fromkeys(ALL, 0) if tries is None else tries)


def failing(code: Code, retry: Retry | None = None) -> WindmillError:
    return WindmillError(code, "because", retry=retry)


def trip(world: World, *services: str) -> None:
    for service in services:
        world.enricher.states[service].breaker.trip(failing("SERVICE_UNREACHABLE"))


def codes(enriched: EnrichmentResult) -> dict[str, str | None]:
    return {row.service: row.error_code for row in enriched.rows}


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
