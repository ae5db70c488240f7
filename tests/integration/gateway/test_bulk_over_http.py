"""One action on many jobs over HTTP: counted, done by the server, undone."""

import asyncio
import contextlib
import uuid
from typing import Any

import httpx
import pytest

from tests.integration.gateway_scene import PRESET, GatewayScene, problem
from tests.waiting import until
from windmill.jobs.requests import change_priority
from windmill.operate.bulk.asking import BulkAsk, begin_bulk, show_bulk
from windmill.operate.bulk.running import run_bulk
from windmill.operate.bulk.wanted import BulkRequest
from windmill.operate.bulk.work import lease_bulk
from windmill.storage.artifacts.folder import FolderStore
from windmill.storage.audit_log import Actor

pytestmark = pytest.mark.database


async def ended(client: httpx.AsyncClient, path: str) -> dict[str, Any]:
    """The action, once the server is done with it."""

    async def over() -> bool:
        return (await client.get(path)).json()["bulk"]["status"] in ("done", "undone")

    await until(over)
    found: dict[str, Any] = (await client.get(path)).json()["bulk"]
    return found


async def test_many_jobs_are_counted_changed_and_changed_back(scene: GatewayScene) -> None:
    await scene.start()
    ann, bob, admin = (
        await scene.user("operator", highest_priority=5),
        await scene.user("operator", "bob"),
        await scene.user("admin", "root"),
    )
    jobs = [await scene.jobs.submit(principal="ann", priority=number) for number in range(4)]
    other = await scene.jobs.submit(principal="bob")
    await scene.jobs.claimed()
    every = {"action": "priority", "priority": 5, "filter": {"statuses": ["queued", "running"]}}
    assert (await ann.post("/jobs:bulk", json={**every, "dry_run": True})).json()["matched"] == 4
    problem(await ann.post("/jobs:bulk", json={**every, "expect": 5}), 409, "CONFLICT")
    key = {"Idempotency-Key": "once"}
    begun, again = [await ann.post("/jobs:bulk", json={**every, "expect": 4}, headers=key) for _ in range(2)]
    path = begun.headers["location"]
    assert (again.headers["location"], again.headers["idempotency-replayed"]) == (path, "true")
    problem(await ann.post("/jobs:bulk", json={**every, "expect": 3}, headers=key), 422, "IDEMPOTENCY_MISMATCH")
    assert (begun.status_code, begun.json()["bulk"]["matched"]) == (202, 4)
    done = await ended(ann, path)
    assert (done["done"], done["refused"], done["undone"]) == (4, 0, 0)
    assert [(await scene.jobs.job(job))["priority"] for job in [*jobs, other]] == [5, 5, 5, 5, 0]
    for method, where in (("GET", path), ("POST", f"{path}/undo")):
        problem(await bob.request(method, where), 404, "NOT_FOUND")
    await change_priority(scene.jobs.access, jobs[3], 1)
    assert (await ann.post(f"{path}/undo")).status_code == 202
    undone = await ended(ann, path)
    assert (undone["undone"], undone["kept"], undone["told"][0]["error_code"]) == (3, 1, "CONFLICT")
    assert [(await scene.jobs.job(job))["priority"] for job in jobs] == [0, 1, 2, 1]
    subject = await scene.jobs.public_id(jobs[0])
    entries = (await admin.get(f"/audit?subject={subject}")).json()["entries"]
    assert [(one["action"], one["principal"]) for one in entries] == [
        ("jobs.bulk_undo", "ann"),
        ("jobs.priority", "ann"),
    ]


async def test_work_that_had_not_begun_is_cancelled_and_runs_again_when_that_is_undone(scene: GatewayScene) -> None:
    await scene.start()
    ann = await scene.user("operator")
    made = [(await ann.post("/jobs", json=PRESET)).json()["job"]["public_id"] for _ in range(3)]
    await ann.post(f"/jobs/{made[1]}/pause", json={"reason": "later"})
    await ann.post(f"/jobs/{made[2]}/cancel")
    path = (await ann.post("/jobs:bulk", json={"action": "cancel", "ids": made})).headers["location"]
    assert (await ended(ann, path))["done"] == 3
    await ann.post(f"{path}/undo")
    undone = await ended(ann, path)
    states = [(await ann.get(f"/jobs/{job}")).json()["job"]["status"] for job in made]
    assert (states, undone["undone"], undone["kept"]) == (["queued", "paused", "cancelled"], 2, 1)
    gone = {"action": "delete", "filter": {"statuses": ["cancelled"]}, "expect": 1}
    path = (await ann.post("/jobs:bulk", json=gone)).headers["location"]
    assert (await ended(ann, path))["undo_until"] is None
    problem(await ann.post(f"{path}/undo"), 409, "CONFLICT")
    assert (await ann.get("/jobs")).json()["count"] == 2


async def test_what_cannot_be_meant_is_refused(scene: GatewayScene) -> None:
    await scene.start()
    ann = await scene.user("operator", highest_priority=3)
    other = await scene.jobs.public_id(await scene.jobs.submit(principal="bob"))
    for body in (
        {"action": "cancel"},
        {"action": "cancel", "filter": {}, "ids": [str(other)]},
        {"action": "priority", "filter": {}},
        {"action": "cancel", "filter": {}, "priority": 1},
        {"action": "eat", "filter": {}},
    ):
        problem(await ann.post("/jobs:bulk", json=body), 422, "CONTRACT_MISMATCH")
    problem(await ann.post("/jobs:bulk", json={"action": "cancel", "ids": [str(other)]}), 404, "NOT_FOUND")
    bobs = {"action": "cancel", "filter": {"principals": ["bob"]}}
    problem(await ann.post("/jobs:bulk", json=bobs), 403, "PERMISSION_DENIED")
    high = {"action": "priority", "priority": 9, "filter": {}}
    problem(await ann.post("/jobs:bulk", json=high), 403, "PERMISSION_DENIED")
    ended_ones = {"action": "cancel", "filter": {"statuses": ["succeeded"]}}
    problem(await ann.post("/jobs:bulk", json=ended_ones), 400, "USAGE")


async def test_a_server_that_is_killed_leaves_the_rest_to_another_and_nothing_is_done_twice(
    scene: GatewayScene,
) -> None:
    access, store = scene.jobs.access, FolderStore(scene.store)
    for _ in range(40):
        await scene.jobs.submit(principal="ann")
    ask = BulkAsk(Actor("ann"), "ann", BulkRequest("priority", priority=4))
    bulk = (await begin_bulk(access, store, ask)).bulk_id
    later = await scene.jobs.submit(principal="ann")
    token = uuid.uuid4()
    work = await lease_bulk(access, token)
    assert work
    assert await lease_bulk(access, uuid.uuid4()) is None
    running = asyncio.create_task(run_bulk(access, store, work, token))
    changed = "SELECT count(*) FROM bulk_items"

    async def some() -> bool:
        return int(await scene.fleet.rows.fetchval(changed)) >= 5

    await until(some)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert await scene.fleet.rows.fetchval(changed) < 40
    await scene.fleet.rows.execute("UPDATE bulk_actions SET lease_until = '-infinity'")
    token = uuid.uuid4()
    again = await lease_bulk(access, token)
    assert again
    await run_bulk(access, store, again, token)
    assert (await show_bulk(access, bulk, "ann")).done == 40
    twice = "SELECT count(*), count(DISTINCT job_id) FROM job_events WHERE kind = 'priority'"
    assert tuple(await scene.fleet.rows.fetchrow(twice) or ()) == (40, 40)
    assert (await scene.jobs.job(later))["priority"] == 0
