"""The end of a run or a batch, told once over HTTP, and what was found in its images."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

import httpx
import pytest

from tests.integration.gateway.test_webhooks_over_http import receiving
from tests.integration.gateway_scene import GatewayScene
from tests.integration.sent_events import SentEvent, streaming
from tests.waiting import until
from windmill.operate.ends import EndWatcher
from windmill.operate.show.reading import read_findings
from windmill.storage.database import Connection

pytestmark = [pytest.mark.database, pytest.mark.broker]

FIND = """
INSERT INTO merged_boxes (image_id, box_key, source_result_ids, merged_data)
SELECT image_id, box_key, '{}', jsonb_build_object('label', label, 'emoji', '🐶', 'confidence', confidence,
           'merged_bbox', '{"x": 1, "y": 2, "width": 3, "height": 4}'::jsonb,
           'contributing_services', '["yolov8"]'::jsonb)
FROM unnest($1::bigint[]) AS image_id, (VALUES ('a', 'dog', 0.4), ('b', 'cat', 0.9)) AS box (box_key, label, confidence)
"""
VOTE = """
INSERT INTO consensus (image_id, consensus_data, source_result_ids)
SELECT image_id, '{"votes": {"consensus":
           [{"emoji": "🐱", "probability": 0.9, "why": {"sentence": "Said by clip, see /srv/secret/log."}}]}}', '{}'
FROM unnest($1::bigint[]) AS image_id
"""
QUIET_SECONDS = 2.5
"""Longer than two looks of a gateway."""


async def ends(events: AsyncIterator[SentEvent], number: int) -> list[SentEvent]:
    """The next ends in a stream that tells of nothing else."""
    found = [await anext(events) for _ in range(number)]
    assert {one.name.partition(".")[0] for one in found} <= {"run", "batch"}
    return found


async def is_quiet(events: AsyncIterator[SentEvent]) -> bool:
    try:
        async with asyncio.timeout(QUIET_SECONDS):
            await anext(events)
    except TimeoutError:
        return True
    return False


async def begun(client: httpx.AsyncClient, body: dict[str, Any]) -> str:
    """The path of a run that is published whole."""
    path = str((await client.post("/runs", json=body)).headers["location"])

    async def is_published() -> bool:
        return (await client.get(path)).json()["run"]["finished_at"] is not None

    await until(is_published, 30)
    return path


async def test_the_end_of_a_run_is_told_once_also_if_its_last_image_failed(scene: GatewayScene) -> None:
    gateways = [await scene.start() for _ in range(2)]
    ann, bob = await scene.user("operator"), await scene.user("viewer", "bob")
    images = await scene.fleet.register(3, "today")
    path = await begun(ann, {"services": ["clip", "ocr"], "group": "today"})
    run = int(path.rpartition("/")[2])
    await scene.fleet.answer("clip", images)
    await scene.fleet.answer("ocr", images[:2])
    async with streaming(ann, "/events?after=0-0") as own:
        assert await is_quiet(own), "an answer is missing"
    await scene.fleet.answer("ocr", images[2:], "IMAGE_UNREADABLE")
    async with streaming(ann, "/events?after=0-0") as own:
        [told] = await ends(own, 1)
        assert (told.name, told.data["run"], told.data["batch"]) == ("run.succeeded", run, None)
        figures = {"services": ["clip", "ocr"], "group": "today", "images": 3, "jobs": 6, "failed": 1}
        assert told.data["data"] == figures
        assert await is_quiet(own)
    async with streaming(ann, "/events", Last_Event_ID=str(told.id)) as again:
        assert await is_quiet(again), "it was told before"
    [listed] = (await ann.get("/events")).json()["events"]
    assert datetime.fromisoformat(listed.pop("at")) == datetime.fromisoformat(told.data.pop("at"))
    assert listed == {"id": told.id, **told.data}
    assert (await bob.get("/events")).json()["count"] == 0
    shown = (await ann.get(path)).json()["run"]
    assert (shown["status"], shown["ended_at"] is None) == ("succeeded", False)
    assert [(await gateway.stop()).code for gateway in gateways] == [0, 0]


async def test_a_webhook_hears_of_runs_and_batches_that_end(scene: GatewayScene) -> None:
    await scene.start(WEBHOOK_URL_ALLOW="127.0.0.1")
    ann = await scene.user("operator")
    images = await scene.fleet.register(1, "today")
    async with receiving() as receiver:
        hook = {"url": f"http://127.0.0.1:{receiver.port}/hook", "events": ["run.succeeded", "batch.completed"]}
        secret = (await ann.post("/webhooks", json=hook)).json()["secret"]
        batch = {"images": {"services": ["clip"], "group": "today"}}
        batch_path = (await ann.post("/batches", json=batch)).headers["location"]
        await until(lambda: scene.fleet.depth("clip"), 30)
        run_path = await begun(ann, {"services": ["clip"], "group": "today"})
        await scene.fleet.answer("clip", images, "IMAGE_UNREADABLE")
        await until(lambda: len(receiver.messages) == 2, 30)
        told = {(one := receiver.verified(number, secret))["type"]: one["data"] for number in range(2)}
    assert (told["run.succeeded"]["run"], told["run.succeeded"]["failed"]) == (int(run_path.rpartition("/")[2]), 1)
    assert (told["batch.completed"]["batch"], told["batch.completed"]["failed"]) == (batch_path.rpartition("/")[2], 1)


async def test_a_run_that_is_cancelled_or_has_nothing_to_do_ends_as_well(scene: GatewayScene) -> None:
    rows = scene.fleet.rows
    await rows.fetchval("SELECT pg_advisory_lock(hashtextextended('windmill producer', 0))")
    await scene.start()
    ann = await scene.user("operator")
    empty = int((await ann.post("/runs", json={"services": ["clip"]})).headers["location"].rpartition("/")[2])
    await scene.fleet.register(2)
    path = (await ann.post("/runs", json={"services": ["clip"]})).headers["location"]
    for _ in range(2):
        await ann.post(f"{path}/cancel")
    async with streaming(ann, "/events?after=0-0") as events:
        told = {one.data["run"]: one.name for one in await ends(events, 2)}
        assert await is_quiet(events)
    assert told == {empty: "run.succeeded", int(path.rpartition("/")[2]): "run.cancelled"}
    await rows.fetchval("SELECT pg_advisory_unlock(hashtextextended('windmill producer', 0))")


async def test_watchers_that_look_at_once_tell_an_end_once(scene: GatewayScene) -> None:
    rows, access = scene.fleet.rows, scene.jobs.access
    await rows.execute("""
        INSERT INTO runs (services, selection, first_image_id, until_image_id, last_image_id, principal, finished_at)
        SELECT '{clip}', 'new', 0, 0, 0, 'ann', now() FROM generate_series(1, 20)
    """)
    await asyncio.gather(*(EndWatcher(access.pool, access.settings).look() for _ in range(4)))
    assert await rows.fetchval("SELECT count(*) FROM ends") == 20


async def test_results_of_a_run_and_of_a_batch_have_the_boxes_and_votes_of_each_image(scene: GatewayScene) -> None:
    await scene.start()
    ann = await scene.user("operator")
    images = await scene.fleet.register(3, "today")
    path = await begun(ann, {"services": ["clip"], "group": "today"})
    await scene.fleet.answer("clip", images)
    await scene.fleet.rows.execute(FIND, images[:2])
    await scene.fleet.rows.execute(VOTE, images[:1])
    results = (await ann.get(f"{path}/results")).json()["results"]
    assert [[box["label"] for box in one["boxes"]] for one in results] == [["cat", "dog"], ["cat", "dog"], []]
    assert [one["votes"] is None for one in results] == [False, True, True]
    for one in results:
        known = (await ann.get(f"/images/{one['image_id']}")).json()
        assert {name: one[name] for name in ("boxes", "votes", "open_stages")} == {
            name: known[name] for name in ("boxes", "votes", "open_stages")
        }
    assert "/srv/secret" not in str(results)
    batch = {"images": {"services": ["clip"], "image_ids": images}}
    batch_path = (await ann.post("/batches", json=batch)).headers["location"]
    told = ("answers", "boxes", "votes", "open_stages")
    items = (await ann.get(f"{batch_path}/results")).json()["results"]
    assert [{name: one[name] for name in told} for one in items] == [
        {name: one[name] for name in told} for one in results
    ]


class Counting:
    """A connection that counts what it is asked."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self.statements = connection, 0

    async def fetch(self, *arguments: Any) -> Sequence[Any]:  # noqa: ANN401 - whatever the driver takes
        self.statements += 1
        found: Sequence[Any] = await self._connection.fetch(*arguments)
        return found


async def test_a_page_of_images_takes_as_many_statements_as_one_image(scene: GatewayScene) -> None:
    images = await scene.fleet.register(30)
    await scene.fleet.rows.execute(FIND, images)
    await scene.fleet.rows.execute(VOTE, images)
    asked = []
    for some in (images[:1], images):
        counting = Counting(scene.fleet.rows)
        found = await read_findings(counting, some)  # type: ignore[arg-type]
        assert [(len(one.boxes), len(one.votes or ())) for one in found.values()] == [(2, 1)] * len(some)
        asked.append(counting.statements)
    assert asked[0] == asked[1]
