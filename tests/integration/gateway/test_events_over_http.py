"""Events of jobs over HTTP: as a list, live, and from where a reader left off."""

import signal
import uuid

import pytest

from tests.integration.gateway_scene import GatewayScene, problem
from tests.integration.sent_events import streaming, take
from windmill.jobs.requests import cancel_job, change_priority, pause_job

pytestmark = pytest.mark.database


async def test_the_events_of_a_job_are_followed_live_and_go_on_where_a_reader_left_off(scene: GatewayScene) -> None:
    await scene.start()
    ann = await scene.user("operator")
    job = await scene.jobs.submit(principal="ann")
    path = f"/jobs/{await scene.jobs.public_id(job)}/events"
    async with streaming(ann, path) as events:
        told = await take(events, 2)
        await change_priority(scene.jobs.access, job, 2)
        told += await take(events, 1)
    assert [(one.id, one.name) for one in told] == [("1", "queued"), ("2", "step_started"), ("3", "priority")]
    assert told[2].data["data"] == {"priority": 2}
    await pause_job(scene.jobs.access, job, "ann")
    async with streaming(ann, path, Last_Event_ID="2") as events:
        assert [one.id for one in await take(events, 2)] == ["3", "4"]
    async with streaming(ann, f"{path}?after=3") as events:
        assert (await anext(events)).name == "paused"
    async with streaming(ann, path, Last_Event_ID="from another server") as events:
        first = await take(events, 2)
    assert [(one.id, one.name) for one in first] == [(None, "resync"), ("1", "queued")]
    await cancel_job(scene.jobs.access, job, "ann")
    async with streaming(ann, f"{path}?after=4") as events:
        assert [one.name async for one in events] == ["cancelling", "cancelled", "ended"]
    seen = await ann.get(path, headers={"Accept": "text/event-stream", "Last-Event-ID": "6"})
    assert seen.status_code == 204, "a browser that reconnects gives up"
    problem(
        await ann.get(f"/jobs/{uuid.UUID(int=5)}/events", headers={"Accept": "text/event-stream"}), 404, "NOT_FOUND"
    )


async def test_the_events_of_all_jobs_are_followed_by_whoever_may_see_them(scene: GatewayScene) -> None:
    gateway = await scene.start(GATEWAY_STREAMS_PER_KEY="2")
    ann, admin = await scene.user("viewer"), await scene.user("admin", "root")
    before = await scene.jobs.submit(principal="ann")
    mine = str(await scene.jobs.public_id(before))
    async with streaming(ann, "/events") as own, streaming(admin, "/events") as all_of_them:
        other = await scene.jobs.submit(principal="bob")
        await cancel_job(scene.jobs.access, before, "ann")
        told = await take(own, 2)
        while told[0].name != "cancelling":  # what came just before is told by a gateway that had not seen it yet
            told = [*told[1:], *await take(own, 1)]
        assert [(one.name, one.data["job"]) for one in told] == [("cancelling", mine), ("cancelled", mine)]
        seen = await take(all_of_them, 4)
        assert {one.data["job"] for one in seen} == {mine, str(await scene.jobs.public_id(other))}
        async with streaming(ann, "/events", Last_Event_ID=str(told[0].id)) as again:
            assert await anext(again) == told[1]
            refused = await ann.get("/events", headers={"Accept": "text/event-stream"})
            problem(refused, 429, "RATE_LIMIT_EXCEEDED")
        listed = (await ann.get("/events?limit=3")).json()
        assert [one["kind"] for one in listed["events"]] == ["queued", "step_started", "cancelling"]
        assert listed["last"] == told[0].id
        rest = (await ann.get("/events", params={"after": listed["last"]})).json()
        assert ([one["id"] for one in rest["events"]], rest["count"]) == ([told[1].id], 1)
        async with streaming(ann, "/events", Last_Event_ID="yesterday") as lost:
            assert (await anext(lost)).name == "resync"
        gateway.process.send_signal(signal.SIGTERM)
        end = await anext(own)
        assert (end.id, end.name) == (None, "reconnect")
    assert (await gateway.finished()).code == 0
    assert "unexpected fault" not in gateway.log
