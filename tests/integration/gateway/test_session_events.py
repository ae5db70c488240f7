"""What happens to the job of a talk, told live to whoever may see the talk."""

import pytest

from tests.integration.gateway_scene import GatewayScene, problem
from tests.integration.sent_events import streaming, take
from tests.integration.talk_scene import PLAYED, send
from tests.job_scene import JobScene

pytestmark = pytest.mark.database
LIVE = {"Accept": "text/event-stream"}


async def test_members_of_the_group_follow_a_talk_live_and_strangers_do_not(scene: GatewayScene) -> None:
    await scene.start()
    ann, bob, carl = [await scene.user("operator", name) for name in ("ann", "bob", "carl")]
    group = (await ann.post("/groups", json={"name": "lunch"})).json()
    await bob.post("/groups/join", json={"invite_code": group["invite_code"]})
    session = (await ann.post("/sessions", json={"group_id": group["id"]})).json()["id"]
    path = f"/sessions/{session}/events"
    problem(await ann.get(path, headers=LIVE), 409, "CONFLICT")  # it is still recorded
    await send(ann, session, 0)
    await ann.post(f"/sessions/{session}/end")
    hand = JobScene(scene.jobs.access.pool, scene.jobs.access.settings, scene.fleet.rows, PLAYED)
    async with streaming(bob, path) as events:
        told = await take(events, 2)
        assert [one.name for one in told] == ["queued", "step_started"]
        await hand.succeed(await hand.claimed("audio_join"))
        told += await take(events, 2)
    assert [one.id for one in told] == ["1", "2", "3", "4"]
    async with streaming(ann, path, Last_Event_ID="2") as events:
        assert [one.id for one in await take(events, 2)] == ["3", "4"]
    listed = (await bob.get(f"{path}?after=1&limit=2")).json()
    assert ([one["seq"] for one in listed["events"]], listed["last"]) == ([2, 3], 3)
    problem(await carl.get(path, headers=LIVE), 403, "PERMISSION_DENIED")
    problem(await carl.get(path), 403, "PERMISSION_DENIED")
