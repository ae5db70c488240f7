"""The engine that is the fleet of image services, with a test in the place of the workers that answer."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.integration.fleet import Fleet
from windmill.core.errors import Code, WindmillError
from windmill.core.settings import Settings
from windmill.engines.engine import EngineOutput, EngineRequest, EngineResult, EngineWaits
from windmill.engines.entries import FleetEntry
from windmill.engines.fleet.engine import FleetEngine
from windmill.engines.fleet.submission import Submission
from windmill.storage import database
from windmill.storage.jobs.rows import TaskKey
from windmill.storage.queries import queries
from windmill.storage.result_writer import ResultRow
from windmill.submit.selection import image_jobs

pytestmark = [pytest.mark.database, pytest.mark.broker]

TASK = TaskKey(7, 0, 3)
BOX = {"label": "person", "confidence": 0.9, "bbox": {"x": 10, "y": 10, "width": 40, "height": 80}, "emoji": "🧑"}


class EngineScene:
    """One request, and what comes of it."""

    def __init__(self, fleet: Fleet, settings: Settings, folder: Path) -> None:
        self.fleet, self.settings, self.folder = fleet, settings, folder
        self.engines: list[FleetEngine] = []
        self.state: Any = None
        self.told: list[float] = []
        self.pictures: list[str] = []

    def request(self, number: int, **parameters: Any) -> EngineRequest:  # noqa: ANN401 - any JSON
        """For so many pictures; the same one for one that goes on, without its files."""
        inputs = {f"picture_{one}": self.folder / f"{one}.jpg" for one in range(number)} if self.state is None else {}
        for one, path in enumerate(inputs.values()):
            path.write_bytes(b"\xff\xd8\xff picture %d" % one)
        self.pictures = [hashlib.sha256(path.read_bytes()).hexdigest() for path in inputs.values()] or self.pictures
        given = {"services": "yolov8", **parameters}
        return EngineRequest("job-1-0-3", inputs, given, self.folder / "scratch", None, TASK, "job-1", self.state)

    async def run(self, number: int, entry: FleetEntry | None = None, **parameters: Any) -> EngineResult:  # noqa: ANN401
        """As one of several processes that run the task one after the other."""
        engine = FleetEngine("fleet", entry or FleetEntry(), self.settings)
        try:
            result = await engine.run(self.request(number, **parameters), self.told.append, asyncio.Event())
        finally:
            await engine.close()
        self.state = result.state if isinstance(result, EngineWaits) else None
        return result

    async def asked(self, service: str = "yolov8") -> list[int]:
        """The images whose urgent jobs wait for the service, taken off its queue."""
        return sorted(message.image_id for message in await self.fleet.take_all(service, "_urgent"))

    async def answer(self, image_ids: Sequence[int], service: str = "yolov8", code: Code | None = None) -> None:
        data = None if code else orjson.dumps({"predictions": [BOX]}).decode()
        soon = datetime.now(UTC) + timedelta(seconds=1)
        rows = [ResultRow(one, service, data, code, code, 0.1, "test", 1, None, soon) for one in image_ids]
        await self.fleet.rows.execute(queries()["save_results"], *map(list, zip(*rows, strict=True)))

    def submission(self, entry: FleetEntry, pool: database.Pool) -> Submission:
        return Submission(pool, self.settings, entry, TASK, ["yolov8"])


@pytest.fixture
def scene(fleet: Fleet, settings: Settings, tmp_path: Path) -> EngineScene:
    return EngineScene(fleet, settings, tmp_path)


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[database.Pool]:
    async with database.pool(settings, "test") as opened:
        yield opened


def document(result: EngineResult) -> Any:  # noqa: ANN401 - any JSON
    assert isinstance(result, EngineOutput)
    (file,) = result.files
    assert (file.name, file.media_type) == ("answers.json", "application/json")
    return orjson.loads(file.path.read_bytes())


async def test_a_request_goes_window_by_window_and_asks_nothing_twice(scene: EngineScene) -> None:
    entry, asked = FleetEntry(window=2), Counter[int]()
    result: EngineResult = EngineWaits({}, 0, 0)
    for _ in range(20):
        result = await scene.run(5, entry)
        if isinstance(result, EngineOutput):
            break
        again = await scene.run(5, entry)
        assert isinstance(again, EngineWaits)
        assert again.done == result.done
        now = await scene.asked()
        assert len(now) <= 2
        asked.update(now)
        await scene.answer(now)
    assert sorted(asked.values()) == [1] * 5
    found = document(result)
    assert [one["sha256"] for one in found["images"]] == scene.pictures
    assert [one["name"] for one in found["images"]] == [f"picture_{number}" for number in range(5)]
    assert found["images"][0]["answers"] == {"yolov8": {"predictions": [BOX]}}
    assert (found["services"], found["failed"], found["images"][0]["failures"]) == (["yolov8"], {}, {})
    assert scene.told[-1] == 1


async def test_its_pictures_are_images_of_a_group_that_was_submitted(scene: EngineScene) -> None:
    await scene.run(2)
    rows = await scene.fleet.rows.fetch("SELECT * FROM images ORDER BY image_id")
    assert [row["image_url"] for row in rows] == [f"artifact:{one}" for one in scene.pictures]
    assert {row["image_group"] for row in rows} == {"job-1"}
    assert await scene.fleet.rows.fetchval(queries()["count_unsubmitted_images"], 10) == 0
    (message, _) = await scene.fleet.take_all("yolov8", "_urgent")
    assert message.headers["windmill-urgent"] is True


async def test_what_is_answered_already_is_not_asked_again(scene: EngineScene) -> None:
    await scene.run(2)
    first = await scene.asked()
    await scene.answer(first)
    document(await scene.run(2))
    scene.state = None
    await scene.run(3)
    assert len(set(await scene.asked()) - set(first)) == 1


async def test_failures_are_counted_and_named_by_image(scene: EngineScene) -> None:
    await scene.run(2)
    one, other = await scene.asked()
    await scene.answer([one])
    await scene.answer([other], code="SERVICE_ERROR")
    result = await scene.run(2)
    found = document(result)
    assert found["failed"] == {"yolov8": {"SERVICE_ERROR": 1}}
    assert found["images"][1]["failures"] == {"yolov8": {"code": "SERVICE_ERROR", "message": "SERVICE_ERROR"}}
    assert isinstance(result, EngineOutput)
    assert result.warnings == ["yolov8 failed with 1 images: SERVICE_ERROR"]


async def test_a_service_that_never_answers_has_failed_after_its_time(scene: EngineScene) -> None:
    await scene.run(1, services="yolov8,clip")
    await scene.answer(await scene.asked())
    await scene.fleet.rows.execute("UPDATE awaited_results SET submitted_at = now() - interval '2 hours'")
    found = document(await scene.run(1, services="yolov8,clip"))
    assert found["failed"] == {"clip": {"SERVICE_TIMEOUT": 1}}
    assert found["images"][0]["answers"].keys() == {"yolov8"}


async def test_a_request_that_nobody_answered_fails_and_the_next_try_asks_again(scene: EngineScene) -> None:
    await scene.run(1)
    await scene.answer(await scene.asked(), code="SERVICE_ERROR")
    with pytest.raises(WindmillError, match="no service has answered any image: yolov8 failed with 1 images") as failed:
        await scene.run(1)
    assert (failed.value.code, failed.value.retry) == ("SERVICE_ERROR", "later")
    assert isinstance(await scene.run(1), EngineWaits)
    assert len(await scene.asked()) == 1


async def test_what_was_lost_with_a_queue_is_submitted_again_and_what_waits_there_is_not(scene: EngineScene) -> None:
    entry = FleetEntry(resubmit_seconds=0)
    await scene.run(2, entry)
    await scene.run(2, entry)
    lost = await scene.asked()
    assert len(lost) == 2
    await scene.run(2, entry)
    assert await scene.asked() == lost


async def test_what_the_broker_did_not_confirm_is_submitted_by_the_next_run(
    scene: EngineScene, pool: database.Pool
) -> None:
    await scene.run(1)
    image_ids = await scene.asked()
    submission = scene.submission(FleetEntry(), pool)
    assert (await submission.next_round(image_ids, {"yolov8": 0})).jobs == []
    row = await scene.fleet.rows.fetchrow("SELECT *, ARRAY['yolov8'] AS services, now() AS submitted_at FROM images")
    await submission.note_unsent(image_jobs([row]))
    (again,) = (await submission.next_round(image_ids, {"yolov8": 5})).jobs
    assert (again.job.image_id, again.services) == (image_ids[0], ("yolov8",))


async def test_nothing_more_is_submitted_while_the_queues_are_full(scene: EngineScene, pool: database.Pool) -> None:
    submission = scene.submission(FleetEntry(), pool)
    image_ids = await scene.fleet.register(2)
    full = await submission.next_round(image_ids, {"yolov8": 10_000})
    assert (full.jobs, full.over) == ([], False)
    assert not await scene.fleet.rows.fetchval("SELECT awaited <= wakes_at FROM result_waits")
    assert len((await submission.next_round(image_ids, {"yolov8": 0})).jobs) == 2


async def test_the_boxes_of_detectors_are_merged_where_that_is_asked_for(scene: EngineScene) -> None:
    asked: dict[str, Any] = {"services": ["yolov8", "rtdetr", "clip"], "answer": "merged"}
    await scene.run(1, **asked)
    (image_id,) = await scene.asked()
    for service in ("yolov8", "rtdetr", "clip"):
        await scene.answer([image_id], service)
    (image,) = document(await scene.run(1, **asked))["images"]
    assert [(box["label"], box["contributing_services"]) for box in image["boxes"]] == [
        ("person", ["rtdetr", "yolov8"])
    ]
    assert image["answers"].keys() == {"clip"}


@pytest.mark.parametrize(
    "parameters", [{"services": "nobody"}, {"services": 5}, {"answer": "all"}, {"answer": "merged", "services": "clip"}]
)
async def test_what_cannot_be_asked_is_the_mistake_of_who_asks(scene: EngineScene, parameters: dict[str, Any]) -> None:
    with pytest.raises(WindmillError) as failed:
        await scene.run(1, **parameters)
    assert failed.value.code in ("USAGE", "NOT_FOUND")


async def test_it_is_well_while_database_and_broker_answer(scene: EngineScene, settings: Settings) -> None:
    await scene.fleet.worker("yolov8")
    engine = FleetEngine("fleet", FleetEntry(), settings)
    health = await engine.check()
    await engine.close()
    assert (health.ok, health.facts) == (True, {"served": ["yolov8"]})
    away = FleetEngine("fleet", FleetEntry(), Settings.from_env({**scene.fleet.environ, "QUEUE_PORT": "1"}))
    assert not (await away.check()).ok
    await away.close()
