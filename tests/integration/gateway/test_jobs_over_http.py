"""Jobs over HTTP, with key and database."""

import asyncio
import shutil
import uuid
from pathlib import Path

import pytest

from tests.integration.gateway_scene import PRESET, GatewayScene, problem
from windmill.jobs.outcomes import TaskSucceeded
from windmill.storage.artifacts.folder import FolderStore
from windmill.storage.jobs.rows import StoredArtifact

pytestmark = pytest.mark.database


async def test_a_job_is_checked_made_and_changed_by_whoever_has_seen_it_as_it_is(scene: GatewayScene) -> None:
    await scene.start()
    ann = await scene.user("operator")
    plan = (await ann.post("/jobs?validate_only=true", json=PRESET)).json()
    assert (plan["valid"], plan["quality"]) == (True, "standard")
    assert "name others in `engines`, of audio, default, fleet" in plan["warnings"][0]
    named = (await ann.post("/jobs?validate_only=true", json={**PRESET, "engines": ["default"]})).json()
    assert named["warnings"] == []
    assert (await ann.get("/jobs")).json()["count"] == 0
    made = await ann.post("/jobs", json={**PRESET, "priority": 3})
    assert made.status_code == 201, made.text
    job, path = made.json()["job"], made.headers["location"]
    assert job["warnings"] == plan["warnings"]
    assert (job["progress"], {step["status"] for step in job["steps"]}) == (0, {"pending", "skipped"})
    assert (job["status"], job["principal"], job["priority"], path) == ("queued", "ann", 3, f"/jobs/{job['public_id']}")
    seen = {"If-Match": (await ann.get(path)).headers["etag"]}
    assert (await ann.get(path, headers={"If-None-Match": seen["If-Match"]})).status_code == 304
    problem(await ann.patch(path, json={"priority": 1}), 428, "PRECONDITION_REQUIRED")
    assert (await ann.patch(path, json={"priority": 1}, headers=seen)).json()["job"]["priority"] == 1
    problem(await ann.patch(path, json={"priority": 2}, headers=seen), 412, "PRECONDITION_FAILED")


async def test_what_is_asked_of_a_job_is_done_and_told_by_the_audit_log(scene: GatewayScene) -> None:
    await scene.start()
    ann, admin = await scene.user("operator"), await scene.user("admin", "root")
    path = (await ann.post("/jobs", json=PRESET)).headers["location"]
    await ann.patch(path, json={"priority": 1}, headers={"If-Match": "*"})
    problem(await ann.delete(path), 409, "CONFLICT")
    asked = {"pause": "paused", "resume": "queued", "cancel": "cancelled", "retry": "queued"}
    for action, status in [*asked.items(), ("cancel", "cancelled")]:
        answered = await ann.post(f"{path}/{action}")
        assert (answered.status_code, answered.json()["job"]["status"]) == (202, status), action
    events = (await ann.get(f"{path}/events?limit=2")).json()
    assert [event["seq"] for event in events["events"]] == [1, 2]
    assert (await ann.get(f"{path}/events?after=2&limit=1")).json()["events"][0]["seq"] == 3
    assert (await ann.get(path, headers={"Prefer": "wait=30"})).headers["preference-applied"] == "wait=30"
    assert (await ann.delete(path)).status_code == 204
    problem(await ann.get(path), 404, "NOT_FOUND")
    entries = (await admin.get(f"/audit?subject={path.removeprefix('/jobs/')}")).json()["entries"][::-1]
    actions = ("create", "priority", *asked, "cancel", "delete")
    assert [(one["action"], one["principal"]) for one in entries] == [(f"jobs.{action}", "ann") for action in actions]
    assert (entries[0]["before"], entries[0]["after"]["priority"]) == (None, 0)
    assert (entries[1]["before"]["priority"], entries[1]["after"]["priority"]) == (0, 1)


async def test_jobs_of_another_principal_are_not_there(scene: GatewayScene) -> None:
    await scene.start()
    ann, bob, admin = (
        await scene.user("operator"),
        await scene.user("operator", "bob"),
        await scene.user("admin", "root"),
    )
    path = (await ann.post("/jobs", json=PRESET)).headers["location"]
    for method, where, body in (
        ("GET", path, None), ("GET", f"{path}/events", None), ("GET", f"{path}/artifacts", None),
        ("POST", f"{path}/cancel", None), ("POST", f"{path}/pause", {}), ("POST", f"{path}/resume", None),
        ("POST", f"{path}/retry", {}), ("POST", f"{path}/fork", {"from_step": "x"}), ("DELETE", path, None),
    ):  # fmt: skip
        problem(await bob.request(method, where, json=body), 404, "NOT_FOUND")
    problem(await bob.patch(path, json={"priority": 1}, headers={"If-Match": "*"}), 404, "NOT_FOUND")
    assert (await bob.get("/jobs")).json()["jobs"] == []
    assert (await admin.get(path)).status_code == 200
    assert (await admin.get("/jobs")).json()["count"] == 1


async def test_a_list_is_walked_by_cursors_that_are_good_for_that_list_alone(scene: GatewayScene) -> None:
    await scene.start()
    ann, bob = await scene.user("operator"), await scene.user("operator", "bob")
    made = [(await ann.post("/jobs", json=PRESET)).json()["job"]["public_id"] for _ in range(5)]
    seen, cursor = [], ""
    while cursor is not None:
        page = (
            await ann.get(
                "/jobs", params={"limit": 2, "status": "queued,running", **({"cursor": cursor} if cursor else {})}
            )
        ).json()
        seen += [job["public_id"] for job in page["jobs"]]
        cursor, last = page["next_cursor"], cursor or page["next_cursor"]
    assert seen == made[::-1]
    problem(await ann.get("/jobs", params={"limit": 2, "cursor": last}), 400, "USAGE")
    problem(await bob.get("/jobs", params={"limit": 2, "status": "queued,running", "cursor": last}), 400, "USAGE")
    problem(await ann.get("/jobs?status=lost"), 400, "USAGE")


async def test_the_same_request_makes_one_job_and_another_body_is_refused(scene: GatewayScene) -> None:
    await scene.start()
    ann = await scene.user("operator")
    key = {"Idempotency-Key": "once"}
    answers = await asyncio.gather(*(ann.post("/jobs", json=PRESET, headers=key) for _ in range(40)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["job"]["public_id"] for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    other = {**PRESET, "inputs": {"prompt": "another"}}
    problem(await ann.post("/jobs", json=other, headers=key), 422, "IDEMPOTENCY_MISMATCH")
    assert await scene.fleet.rows.fetchval("SELECT count(*) FROM jobs") == 1


async def saved_by_curl(url: str, authorization: str, folder: Path) -> None:
    """Where curl is installed, it saves the file under the name that is told in ASCII."""
    if shutil.which("curl"):
        sent = ("--header", f"Authorization: {authorization}")
        curl = await asyncio.create_subprocess_exec("curl", "-sfOJ", "--noproxy", "*", *sent, url, cwd=folder)
        assert await curl.wait() == 0
        assert (folder / "page __.html").read_bytes() == b"<script>0123456789</script>"


async def test_a_file_is_fetched_whole_or_in_part_and_acts_for_nobody(scene: GatewayScene) -> None:
    await scene.start()
    ann, bob = await scene.user("operator"), await scene.user("operator", "bob")
    (scene.fleet.folder / "page.html").write_bytes(b"<script>0123456789</script>")
    blob = await FolderStore(scene.store).put(scene.fleet.folder / "page.html", "text/html")
    job = await scene.jobs.submit(principal="ann")
    made = StoredArtifact('out/page ü".html', blob.media_type, blob.size, blob.sha256, blob.key)
    await scene.jobs.end(await scene.jobs.claimed(), TaskSucceeded({}, [made]))
    files = (await ann.get(f"/jobs/{await scene.jobs.public_id(job)}/artifacts")).json()
    assert [(one["id"], one["step"], one["bytes"]) for one in files["artifacts"]] == [(blob.sha256, "cut", blob.size)]
    path = f"/artifacts/{blob.sha256}"
    assert (await ann.get(path)).json()["artifact"]["media_type"] == "text/html"
    whole = await ann.get(f"{path}/content")
    assert whole.content == b"<script>0123456789</script>"
    assert (
        whole.headers["content-disposition"]
        == "attachment; filename=\"page __.html\"; filename*=UTF-8''page%20%C3%BC%22.html"
    )
    await saved_by_curl(f"{scene.url}{path}/content", whole.request.headers["authorization"], scene.fleet.folder)
    assert whole.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert whole.headers["x-content-type-options"] == "nosniff"
    tag = {"If-None-Match": whole.headers["etag"]}
    assert (await ann.get(f"{path}/content", headers=tag)).status_code == 304
    part = await ann.get(f"{path}/content", headers={"Range": "bytes=8-12"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"01234", f"bytes 8-12/{blob.size}")
    beyond = await ann.get(f"{path}/content", headers={"Range": "bytes=999-"})
    problem(beyond, 416, "RANGE_NOT_SATISFIABLE")
    assert beyond.headers["content-range"] == f"bytes */{blob.size}"
    for client, where in ((bob, path), (bob, f"{path}/content"), (ann, f"/artifacts/{'0' * 64}")):
        problem(await client.get(where), 404, "NOT_FOUND")
    order = {"preset": "upscale_denoise_image_v1", "inputs": {"image": blob.sha256}}
    problem(await bob.post("/jobs", json=order), 404, "NOT_FOUND")
    assert (await ann.post("/jobs", json=order)).status_code == 201


async def test_an_unknown_job_is_not_found_and_an_impossible_id_is_refused(scene: GatewayScene) -> None:
    await scene.start()
    ann = await scene.user("operator")
    problem(await ann.get(f"/jobs/{uuid.uuid4()}"), 404, "NOT_FOUND")
    problem(await ann.get("/jobs/1"), 422, "CONTRACT_MISMATCH")
