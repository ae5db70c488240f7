"""Batches over HTTP: many jobs that are asked for at once."""

from typing import Any

import httpx
import orjson
import pytest

from tests.integration.gateway_scene import PRESET, GatewayScene, problem
from tests.waiting import until

pytestmark = pytest.mark.database


async def counted(client: httpx.AsyncClient, path: str, **expected: int) -> dict[str, Any]:
    """The batch, once it has these counts."""
    seen: list[dict[str, Any]] = [{}]

    async def so() -> bool:
        seen[0] = (await client.get(path)).json()["batch"]
        return all(seen[0]["request_counts"][name] == number for name, number in expected.items())

    await until(so, 30, lambda: f"{expected}, but {seen[0]}")
    return seen[0]


async def test_a_batch_makes_its_jobs_and_tells_what_became_of_each(scene: GatewayScene) -> None:
    await scene.start()
    ann, bob, admin = (
        await scene.user("operator", default_priority=2),
        await scene.user("operator", "bob"),
        await scene.user("admin", "root"),
    )
    good = [{**PRESET, "custom_id": f"n{number}"} for number in range(3)]
    bad = [{**PRESET, "custom_id": "none", "preset": "nothing"}, {**PRESET, "custom_id": "bare", "inputs": {}}]
    begun = await ann.post("/batches", json={"name": "three", "jobs": [*good, *bad]})
    path = begun.headers["location"]
    assert (begun.status_code, begun.json()["batch"]["request_counts"]["total"]) == (202, 5)
    batch = await counted(ann, path, open=3, rejected=2, pending=0)
    assert (batch["status"], batch["name"]) == ("in_progress", "three")
    first = (await ann.get(f"{path}/results?limit=3")).json()
    rest = (await ann.get(f"{path}/results", params={"limit": 3, "cursor": first["next_cursor"]})).json()
    results = [*first["results"], *rest["results"]]
    assert [one["custom_id"] for one in results] == ["n0", "n1", "n2", "none", "bare"]
    assert [one["error_code"] for one in results] == [None, None, None, "NOT_FOUND", "USAGE"]
    job = (await ann.get(f"/jobs/{results[0]['job']}")).json()["job"]
    assert (job["principal"], job["priority"], job["status"]) == ("ann", 2, "queued")
    entries = (await admin.get(f"/audit?subject={job['public_id']}")).json()["entries"]
    assert [(one["action"], one["principal"]) for one in entries] == [("jobs.create", "ann")]
    for method, where in (("GET", path), ("GET", f"{path}/results"), ("POST", f"{path}/cancel")):
        problem(await bob.request(method, where), 404, "NOT_FOUND")
    assert (await bob.get("/batches")).json()["count"] == 0
    assert (await ann.post(f"{path}/cancel")).status_code == 202
    assert (await counted(ann, path, cancelled=3, rejected=2, open=0))["cancelled_at"]

    async def over() -> bool:
        return bool((await ann.get(path)).json()["batch"]["status"] == "cancelled")

    await until(over)
    assert [one["name"] for one in (await ann.get("/batches?limit=1")).json()["batches"]] == ["three"]


async def test_a_batch_is_sent_as_lines_of_which_each_is_checked(scene: GatewayScene) -> None:
    await scene.start()
    ann = await scene.user("operator", quota_jobs=150)
    kind = {"Content-Type": "application/x-ndjson"}

    async def sent(*lines: object, **headers: str) -> httpx.Response:
        body = b"\n".join(orjson.dumps(line) for line in lines)
        return await ann.post("/batches:lines?name=many", content=body, headers={**kind, **headers})

    wrong = problem(await sent(PRESET, {**PRESET, "colour": "red"}), 422, "CONTRACT_MISMATCH")
    assert wrong["errors"][0]["pointer"] == "/2/colour"
    problem(await sent({**PRESET, "custom_id": "a"}, {**PRESET, "custom_id": "a"}), 400, "USAGE")
    problem(await sent(**{"Content-Type": "application/json"}), 415, "MEDIA_TYPE_UNSUPPORTED")
    problem(await sent(), 400, "USAGE")
    begun = await sent(*({**PRESET, "custom_id": str(number)} for number in range(160)))
    path = begun.headers["location"]
    batch = await counted(ann, path, open=150, rejected=10)
    assert batch["request_counts"]["total"] == 160
    last = (await ann.get(f"{path}/results?limit=500")).json()["results"][-1]
    assert last["error_code"] in (None, "INSUFFICIENT_FUNDS")


async def test_a_batch_is_begun_once_under_one_key(scene: GatewayScene) -> None:
    await scene.start()
    ann, bob = await scene.user("operator"), await scene.user("operator", "bob")
    key, kind = {"Idempotency-Key": "once"}, {"Content-Type": "application/x-ndjson"}
    first, again = [await ann.post("/batches", json={"jobs": [PRESET]}, headers=key) for _ in range(2)]
    assert (first.status_code, again.status_code, again.headers["location"]) == (202, 202, first.headers["location"])
    assert ("idempotency-replayed" in first.headers, again.headers["idempotency-replayed"]) == (False, "true")
    problem(await ann.post("/batches", json={"jobs": [PRESET] * 2}, headers=key), 422, "IDEMPOTENCY_MISMATCH")
    lines = {**kind, "Idempotency-Key": "lines"}
    sent = [await ann.post("/batches:lines", content=orjson.dumps(PRESET), headers=lines) for _ in range(2)]
    assert sent[0].headers["location"] == sent[1].headers["location"]
    other = await ann.post("/batches:lines?name=x", content=orjson.dumps(PRESET), headers=lines)
    problem(other, 422, "IDEMPOTENCY_MISMATCH")
    assert (await bob.post("/batches", json={"jobs": [PRESET]}, headers=key)).headers["location"] not in (
        first.headers["location"],
        sent[0].headers["location"],
    )
    assert (await ann.get("/batches")).json()["count"] == 2


@pytest.mark.broker
async def test_a_batch_of_images_is_submitted_and_its_answers_are_fetched(scene: GatewayScene) -> None:
    await scene.start()
    ann, bob = await scene.user("operator", quota_jobs=2), await scene.user("operator", "bob")
    images = await scene.fleet.register(3, "today")
    body = {"images": {"services": ["clip", "ocr"], "group": "today"}, "name": "all of today"}
    begun = await ann.post("/batches", json=body)
    path = begun.headers["location"]
    assert (begun.status_code, begun.json()["batch"]["services"]) == (202, ["clip", "ocr"])
    await counted(ann, path, open=3, pending=0)
    assert [await scene.fleet.image_ids(service) for service in ("clip", "ocr")] == [images, images]
    await scene.fleet.answer("clip", images)
    await scene.fleet.answer("ocr", images[:1])
    await scene.fleet.answer("ocr", images[1:2], "IMAGE_TOO_LARGE")
    batch = await counted(ann, path, completed=1, failed=1, open=1)
    assert (batch["status"], batch["request_counts"]["total"]) == ("in_progress", 3)
    results = (await ann.get(f"{path}/results")).json()["results"]
    assert [(one["image_id"], one["status"], one["job"]) for one in results] == [
        (images[0], "succeeded", None),
        (images[1], "failed", None),
        (images[2], "running", None),
    ]
    assert [(one["service"], one["error_code"]) for one in results[1]["answers"]] == [
        ("clip", None),
        ("ocr", "IMAGE_TOO_LARGE"),
    ]
    assert results[2]["progress"] == 0.5
    await scene.fleet.answer("ocr", images[2:])
    assert (await counted(ann, path, completed=2, failed=1))["status"] == "completed"
    anew = {"images": {"services": ["clip"], "image_ids": images[:1], "selection": "all"}}
    second = (await ann.post("/batches", json=anew)).headers["location"]
    await counted(ann, second, open=1)
    known = {"images": {"services": ["clip"], "image_ids": images[:1]}}
    problem(await ann.post("/batches", json=known), 402, "INSUFFICIENT_FUNDS")
    assert (await bob.post("/batches", json=known)).status_code == 202
    problem(await bob.get(path), 404, "NOT_FOUND")
    for wrong, status, code in (
        ({"images": {"services": ["clip"], "image_ids": [2**40]}}, 404, "NOT_FOUND"),
        ({"images": {"services": ["clip"], "group": "nowhere"}}, 404, "NOT_FOUND"),
        ({"images": {"services": ["nothing"], "group": "today"}}, 404, "NOT_FOUND"),
        ({"images": {"services": ["clip"]}}, 422, "CONTRACT_MISMATCH"),
        ({"jobs": [PRESET], **known}, 422, "CONTRACT_MISMATCH"),
    ):
        problem(await bob.post("/batches", json=wrong), status, code)
