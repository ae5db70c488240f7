"""Runs over HTTP: asked for, published by a gateway, followed, cancelled, and their answers fetched."""

import asyncio

import httpx
import pytest

from tests.integration.gateway_scene import GatewayScene, problem
from tests.waiting import until

pytestmark = [pytest.mark.database, pytest.mark.broker]


async def run_of(client: httpx.AsyncClient, path: str, status: str) -> dict[str, object]:
    """The run once it has this status."""
    found: dict[str, object] = {}

    async def has_come() -> bool:
        found.update((await client.get(path)).json()["run"])
        return found["status"] == status

    await until(has_come, 30, lambda: f"{status}, not {found}")
    return found


async def test_a_group_is_submitted_once_published_and_followed_to_its_answers(scene: GatewayScene) -> None:
    gateway = await scene.start()
    ann, bob = await scene.user("operator"), await scene.user("operator", "bob")
    images = await scene.fleet.register(3, "today")
    await scene.fleet.register(2)
    body = {"services": ["clip", "ocr"], "group": "today"}
    plan = (await ann.post("/runs?validate_only=true", json=body)).json()
    assert (plan["services"], plan["images_at_most"]) == (["clip", "ocr"], 3)
    key = {"Idempotency-Key": "once"}
    answers = await asyncio.gather(*(ann.post("/runs", json=body, headers=key) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    problem(await ann.post("/runs", json={**body, "urgent": True}, headers=key), 422, "IDEMPOTENCY_MISMATCH")
    path = answers[0].headers["location"]
    published = await run_of(ann, path, "running")
    assert [published[name] for name in ("images", "jobs", "answered", "published")] == [3, 6, 0, 1.0]
    assert await scene.fleet.image_ids("clip") == images
    await scene.fleet.answer("clip", images)
    await scene.fleet.answer("ocr", images[:2], "IMAGE_TOO_LARGE")
    half = (await ann.get(path)).json()["run"]
    assert [half[name] for name in ("answered", "failed", "exact", "progress")] == [5, 2, True, 0.8333]
    await scene.fleet.answer("ocr", images[2:])
    waited = await ann.get(path, headers={"Prefer": "wait=30"})
    assert (waited.json()["run"]["status"], waited.headers["preference-applied"]) == ("succeeded", "wait=30")
    await fetch_answers(ann, path, images)
    await refuse(scene, ann, bob, path)
    assert (await gateway.stop()).code == 0


async def fetch_answers(ann: httpx.AsyncClient, path: str, images: list[int]) -> None:
    first = (await ann.get(f"{path}/results?limit=2")).json()
    assert [one["image_id"] for one in first["results"]] == images[:2]
    assert [(one["service"], one["error_code"]) for one in first["results"][0]["answers"]] == [
        ("clip", None),
        ("ocr", "IMAGE_TOO_LARGE"),
    ]
    last = (await ann.get(f"{path}/results", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert ([one["image_id"] for one in last["results"]], last["next_cursor"]) == (images[2:], None)


async def refuse(scene: GatewayScene, ann: httpx.AsyncClient, bob: httpx.AsyncClient, path: str) -> None:
    """What is of others, what cannot be any more, and what there is not."""
    body = {"services": ["clip", "ocr"], "group": "today"}
    for where in (path, f"{path}/results"):
        problem(await bob.get(where), 404, "NOT_FOUND")
    problem(await bob.post(f"{path}/cancel"), 404, "NOT_FOUND")
    problem(await ann.post(f"{path}/cancel"), 409, "CONFLICT")
    nothing = await run_of(ann, (await ann.post("/runs", json=body)).headers["location"], "succeeded")
    assert [nothing[name] for name in ("status", "jobs", "progress", "eta_seconds")] == ["succeeded", 0, 1.0, 0.0]
    assert "the selection all asks again" in str(nothing["note"])
    assert [(await client.get("/runs")).json()["count"] for client in (ann, bob)] == [2, 0]
    for wrong in ({"services": ["clipp"]}, {"services": ["clip"], "group": "nowhere"}):
        problem(await ann.post("/runs", json=wrong), 404, "NOT_FOUND")
    low = await scene.user("operator", "eve", highest_priority=0, quota_jobs=1)
    problem(await low.post("/runs", json={**body, "urgent": True}), 403, "PERMISSION_DENIED")
    assert (await low.post("/runs", json=body)).status_code == 202
    problem(await low.post("/runs", json=body), 402, "INSUFFICIENT_FUNDS")


@pytest.mark.slow(reason="8 s: two gateways, one after the other")
async def test_a_run_waits_for_a_producer_is_cancelled_and_gone_on_with_by_another_gateway(scene: GatewayScene) -> None:
    rows = scene.fleet.rows
    await rows.fetchval("SELECT pg_advisory_lock(hashtextextended('windmill producer', 0))")
    first = await scene.start()
    ann = await scene.user("operator")
    images = await scene.fleet.register(3)
    asked = [(await ann.post("/runs", json={"services": [one]})).headers["location"] for one in ("clip", "ocr")]
    assert (await ann.get(asked[0])).json()["run"]["status"] == "queued"
    for _ in range(2):
        cancelled = await ann.post(f"{asked[0]}/cancel")
        assert (cancelled.status_code, cancelled.json()["run"]["status"]) == (202, "cancelled")
    await first.kill()
    await rows.fetchval("SELECT pg_advisory_unlock(hashtextextended('windmill producer', 0))")
    await scene.start()
    again = await scene.client(ann.headers["authorization"].removeprefix("Bearer "))
    assert (await run_of(again, asked[1], "running"))["jobs"] == 3
    assert await scene.fleet.image_ids("ocr") == images
    assert await scene.fleet.depth("clip") == 0
    actions = await rows.fetch("SELECT action FROM audit_log WHERE action <> 'keys.create' ORDER BY audit_id")
    assert [one["action"] for one in actions] == ["runs.create", "runs.create", "runs.cancel"]
    # What was not published counts as never submitted.
    assert (await scene.fleet.produce("--services", "clip", "--dry-run", "--json")).json()["jobs"] == 3


async def test_one_image_is_tried_and_answered_as_services_answer(scene: GatewayScene) -> None:
    await scene.start()
    ann = await scene.user("operator")
    [image] = await scene.fleet.register(1)
    await scene.fleet.answer("clip", [image])

    async def answer(service: str) -> None:
        await until(lambda: scene.fleet.depth(service, "_urgent"), 30)
        await scene.fleet.answer(service, [image])

    asked = ann.post(f"/images/{image}/try", json={"services": ["clip", "ocr"]}, headers={"Prefer": "wait=1"})
    partly, _ = await asyncio.gather(asked, answer("clip"))
    assert partly.status_code == 202, partly.text
    told = partly.json()
    assert ([one["service"] for one in told["image"]["answers"]], told["awaited"]) == (["clip"], ["ocr"])
    await answer("ocr")
    path = partly.headers["location"]
    assert (await ann.get(path)).json()["run"]["status"] == "succeeded"
    asked = ann.post(f"/images/{image}/try", json={"services": ["ocr"]}, headers={"Prefer": "wait=30"})
    await scene.fleet.take_all("ocr", "_urgent")
    fully, _ = await asyncio.gather(asked, answer("ocr"))
    assert (fully.status_code, fully.json()["awaited"]) == (200, [])
    problem(await ann.post("/images/99/try", json={"services": ["ocr"]}), 404, "NOT_FOUND")
