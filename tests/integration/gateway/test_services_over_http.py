"""Services over HTTP: how they are, paused and changed; their workers; and jobs that were given up."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.gateway_scene import GatewayScene, problem
from tests.unit.world import JOB
from windmill.client import AsyncClient
from windmill.core.messages import CODE_HEADER, REASON_HEADER, encode

pytestmark = [pytest.mark.database, pytest.mark.broker]

CHANGES = "FROM audit_log WHERE action <> 'keys.create' ORDER BY audit_id"
WORKER = """
INSERT INTO workers (process, service, worker_id, host, pid, started_at, done, failed, retried, unavailable, rate,
                     retry_rate, in_progress, concurrency, concurrency_auto, breaker, breaker_reason)
VALUES (gen_random_uuid(), 'clip', 'w', 'pi', 7, now(), 1, 0, 0, 0, 1, 0, 0, 2, false, 'open', '/srv/a/b.sock')
"""


async def test_a_service_is_paused_changed_and_let_go_on_by_whoever_has_seen_it(scene: GatewayScene) -> None:
    await scene.start()
    ann, viewer = await scene.user("operator"), await scene.user("viewer", "eve")
    await scene.fleet.declare("clip")
    await scene.fleet.put("clip", encode(JOB))
    listed = (await viewer.get("/services")).json()
    clip = next(one for one in listed["services"] if one["name"] == "clip")
    assert (clip["queued"], clip["paused"], clip["workers"], listed["broker"]) == (1, False, 0, None)
    paused = (await ann.post("/services/clip/pause", json={"reason": "new cards"})).json()["service"]
    assert (paused["paused"], paused["pause"]["owner"], paused["pause"]["reason"]) == (True, "ann", "new cards")
    seen = {"If-Match": (await viewer.get("/services/clip")).headers["etag"]}
    problem(await ann.patch("/services/clip", json={"concurrency": 3}), 428, "PRECONDITION_REQUIRED")
    changed = await ann.patch("/services/clip", json={"concurrency": 3}, headers=seen)
    assert (changed.json()["service"]["wanted_concurrency"], changed.status_code) == (3, 200)
    problem(await ann.patch("/services/clip", json={"concurrency": None}, headers=seen), 412, "PRECONDITION_FAILED")
    assert (await ann.post("/services/clip/resume")).json()["service"]["paused"] is False
    for where, body in (("nothing/pause", {}), ("all/pause", {}), ("nothing/resume", None)):
        problem(await ann.post(f"/services/{where}", json=body), 404, "NOT_FOUND")
    problem(await ann.post("/services/clip/pause", json={"until": "2020-01-01T00:00:00Z"}), 400, "USAGE")
    problem(
        await ann.patch("/services/clip", json={"concurrency": 0}, headers={"If-Match": "*"}), 422, "CONTRACT_MISMATCH"
    )
    status = (await viewer.get("/status")).json()
    told = (await scene.fleet.run("windmill", "status", "--json")).json()
    assert (set(status), status["wanted"][0]["concurrency"]) == (set(told), 3)
    assert [set(one) for one in status["services"]] == [set(one) for one in told["services"]]
    actions = await scene.fleet.rows.fetch(f"SELECT action, subject, principal {CHANGES}")
    assert [tuple(one.values()) for one in actions] == [
        (f"services.{action}", "clip", "ann") for action in ("pause", "concurrency", "resume")
    ]
    await scene.fleet.rows.execute(WORKER)
    workers = (await viewer.get("/workers")).json()
    told_of = [(one["service"], one["breaker_reason"]) for one in workers["workers"]]
    assert told_of == [("clip", "…/b.sock"), ("gateway", None)]


async def test_all_workers_are_stopped_and_started_by_one_request(scene: GatewayScene) -> None:
    await scene.start()
    ann, viewer = await scene.user("operator"), await scene.user("viewer", "eve")
    assert (await ann.post("/worker/start")).json() == {"message": "already running", "worker_running": False}
    until = "2999-01-01T00:00:00+00:00"
    stopped = await ann.post("/worker/stop", json={"reason": "new disks", "until": until})
    assert (stopped.status_code, stopped.json()["message"]) == (200, "stopping")
    assert all(one["paused"] for one in (await viewer.get("/services")).json()["services"])
    assert (await ann.post("/worker/start")).json()["message"] == "started"
    assert not any(one["paused"] for one in (await viewer.get("/services")).json()["services"])
    await ann.post("/worker/stop", json={"services": ["clip"]})
    paused = [one["name"] for one in (await viewer.get("/services")).json()["services"] if one["paused"]]
    assert paused == ["clip"]
    problem(await ann.post("/worker/stop", json={"services": ["nothing"]}), 404, "NOT_FOUND")
    problem(await viewer.post("/worker/stop"), 403, "PERMISSION_DENIED")
    actions = await scene.fleet.rows.fetch(f"SELECT action, subject {CHANGES}")
    assert [tuple(one.values()) for one in actions] == [
        ("services.pause", "*"),
        ("services.resume", "*"),
        ("services.pause", "clip"),
    ]


async def test_parked_jobs_are_listed_redriven_and_purged_as_they_were_counted(scene: GatewayScene) -> None:
    await scene.start()
    ann, viewer = await scene.user("operator"), await scene.user("viewer", "eve")
    await scene.fleet.declare("clip")
    for code in ("SERVICE_ERROR", "SERVICE_ERROR", "IMAGE_UNREADABLE"):
        headers = {CODE_HEADER: code, REASON_HEADER: "cannot read /srv/pictures/17.jpg"}
        await scene.fleet.put("clip.failed", encode(JOB), headers)
    found = (await viewer.get("/failed?services=clip&limit=2")).json()
    assert (found["count"], found["images"], found["queues"]) == (
        2,
        1,
        [{"service": "clip", "held": 3, "looked_at": 3}],
    )
    assert {one["code"]: one["jobs"] for one in found["summary"]} == {"SERVICE_ERROR": 2, "IMAGE_UNREADABLE": 1}
    assert "/srv" not in str(found)
    body = {"services": ["clip"], "codes": ["SERVICE_ERROR"]}
    counted = (await ann.post("/failed/redrive", json={**body, "dry_run": True})).json()
    assert (counted["jobs"], counted["dry_run"], await scene.fleet.depth("clip", ".failed")) == (2, True, 3)
    problem(await ann.post("/failed/redrive", json={**body, "expect": 7}), 409, "CONFLICT")
    assert (await ann.post("/failed/redrive", json={**body, "expect": 2})).json()["jobs"] == 2
    assert (await scene.fleet.depth("clip"), await scene.fleet.depth("clip", ".failed")) == (2, 1)
    problem(await ann.post("/failed/purge", json={"services": ["clip"]}), 400, "USAGE")
    problem(await ann.post("/failed/purge", json={**body, "codes": ["NONSENSE"], "expect": 1}), 400, "USAGE")
    problem(await viewer.post("/failed/purge", json={"services": ["clip"], "expect": 1}), 403, "PERMISSION_DENIED")
    assert (await ann.post("/failed/purge", json={"services": ["clip"], "expect": 1})).json()["jobs"] == 1
    assert await scene.fleet.depth("clip", ".failed") == 0
    entries = await scene.fleet.rows.fetch(f"SELECT action, before->>'jobs' AS jobs {CHANGES}")
    assert [(one["action"], one["jobs"]) for one in entries] == [("failed.redrive", "2"), ("failed.purge", "1")]


async def test_failures_are_muted_and_heard_again_over_http_and_by_the_client(scene: GatewayScene) -> None:
    await scene.start()
    until = datetime.now(UTC) + timedelta(hours=1)
    async with AsyncClient(scene.url, await scene.key("operator", "bob")) as bob:
        [muted] = await bob.mute("clip", "SERVICE_TIMEOUT", "a slow card", until)
        told = (muted["service"], muted["code"], muted["reason"], muted["principal"])
        assert told == ("clip", "SERVICE_TIMEOUT", "a slow card", "bob")
        assert datetime.fromisoformat(muted["muted_until"] or "") == until
        assert [one["code"] for one in await bob.mute("clip", None)] == [None, "SERVICE_TIMEOUT"]
        assert await bob.hear("clip", None) == [muted] == await bob.muted()
    ann, viewer = await scene.user("operator"), await scene.user("viewer", "eve")
    assert (await viewer.get("/failed/muted")).json()["count"] == 1
    problem(await viewer.post("/failed/mute", json={"service": "clip"}), 403, "PERMISSION_DENIED")
    problem(await ann.post("/failed/mute", json={"service": "clip", "code": "NONSENSE"}), 400, "USAGE")
    problem(await ann.post("/failed/mute", json={"service": "nobody"}), 404, "NOT_FOUND")
    problem(await ann.post("/failed/hear", json={"service": "clip"}), 404, "NOT_FOUND")
    assert (await ann.post("/failed/hear", json={"service": "clip", "code": "SERVICE_TIMEOUT"})).json()["muted"] == []
    rows = await scene.fleet.rows.fetch(f"SELECT action {CHANGES}")
    assert [one["action"] for one in rows] == ["failed.mute", "failed.mute", "failed.hear", "failed.hear"]
