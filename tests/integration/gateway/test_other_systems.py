"""Literal clients of three other systems: what they send, and what they look at in the answers."""

import uuid
from datetime import datetime

import httpx
import pytest

from tests.integration.gateway.step_hand import picture, work_off
from tests.integration.gateway_scene import GatewayScene, problem

pytestmark = pytest.mark.database

UPSCALE = ("denoise", "upscale", "sharpen")
STILL = ("video_plan", "video_encode", "video_verify", "video_stitch", "video_thumbnails")
PORTRAIT = ("engine", "film_grain", "tone_map")


async def send(client: httpx.AsyncClient, data: bytes = picture()) -> str:
    sent = await client.post("/assets", files={"file": ("../../etc/passwd.txt", data)})
    assert sent.status_code == 201, sent.text
    assert sent.json()["asset"]["name"] == "passwd.txt"
    return str(sent.json()["asset"]["id"])


async def test_a_client_of_the_video_service(scene: GatewayScene) -> None:
    await scene.start()
    ann, bob = await scene.user("operator"), await scene.user("operator", "bob")
    health = (await ann.get("/health")).json()
    assert (health["status"], health["service"], health["worker_running"]) == ("ok", "ml-pipeline", False)
    video = (await send(ann))[:24]
    missing = await ann.post("/jobs", json={})
    assert (missing.status_code, missing.json()["error"]) == (400, "video_id required")
    for client, wrong in ((ann, "0" * 24), (ann, "nonsense"), (bob, video)):
        unknown = await client.post("/jobs", json={"video_id": wrong})
        assert (unknown.status_code, unknown.json()["error"]) == (404, "Video not found"), wrong
    made = await ann.post("/jobs", json={"video_id": video})
    assert made.status_code == 201, made.text
    job = made.json()["job"]
    assert {name: job[name] for name in ("video_id", "status", "progress")} == {
        "video_id": video, "status": "pending", "progress": 0,
    }  # fmt: skip
    assert len(bytes.fromhex(job["_id"])) == 12
    datetime.fromisoformat(job["created_at"])
    datetime.fromisoformat(job["updated_at"])
    assert (await ann.get(f"/jobs/{job['_id']}")).json() == {"job": job}
    listed = (await ann.get("/jobs?status=pending")).json()
    assert listed == {"jobs": [job], "count": 1}
    assert (await bob.get("/jobs?status=pending")).json() == {"jobs": [], "count": 0}
    for client, unknown_id in ((ann, "0" * 24), (bob, job["_id"])):
        gone = await client.get(f"/jobs/{unknown_id}")
        assert (gone.status_code, gone.json()["error"]) == (404, "Job not found")
    await work_off(scene, *UPSCALE)
    done = (await ann.get(f"/jobs/{job['_id']}")).json()["job"]
    assert (done["status"], done["progress"], done["error"]) == ("completed", 100, None)
    assert (await ann.get(done["result"]["annotated_video_url"])).content.startswith(b"\x89PNG")
    assert (await ann.get("/jobs?status=completed")).json()["count"] == 1
    assert (await ann.get("/jobs?status=")).json()["jobs"][0]["_id"] == job["_id"]


async def test_each_state_has_a_word_of_the_video_service(scene: GatewayScene) -> None:
    await scene.start()
    ann = await scene.user("operator")
    video = await send(ann)
    path = f"/jobs/{(await ann.post('/jobs', json={'video_id': video})).json()['job']['_id']}"
    told = []
    for status, progress in (("running", 0.0), ("running", 0.319), ("waiting", 0.5), ("paused", 0.5)):
        await scene.fleet.rows.execute("UPDATE jobs SET status = $1, progress = $2", status, progress)
        job = (await ann.get(path)).json()["job"]
        listed = (await ann.get(f"/jobs?status={job['status']}")).json()
        assert listed["jobs"] == [job]
        told.append((job["status"], job["progress"], job["paused"]))
    assert told == [("claimed", 0, False), ("processing", 31, False), ("processing", 50, False), ("pending", 50, True)]
    assert (await ann.get("/jobs?status=claimed")).json()["count"] == 0
    assert (await ann.post(f"{path}/cancel")).status_code == 202
    job = (await ann.get(path)).json()["job"]
    assert (job["status"], job["error_code"]) == ("failed", "CANCELLED")
    ours = (await ann.get("/jobs?status=cancelled")).json()["jobs"]
    assert (ours[0]["status"], ours[0]["public_id"][:8]) == ("cancelled", job["_id"][:8])


async def test_a_client_of_the_pipeline_manager(scene: GatewayScene) -> None:
    await scene.start()
    ann, bob = await scene.user("operator"), await scene.user("operator", "bob")
    listed = (await ann.get("/api/pipeline/presets?category=image_generation")).json()
    assert (listed["ok"], {one["category"] for one in listed["presets"]}) == (True, {"image_generation"})
    preset = (await ann.get("/api/pipeline/presets/identity_lock_portrait_v1")).json()["preset"]
    assert (preset["required_inputs"], preset["requires_consent"]) == (
        {"prompt": "str", "identity_reference": "list[str]"}, True,
    )  # fmt: skip
    unknown = problem(await ann.get("/api/pipeline/presets/nothing"), 404, "FILE_NOT_FOUND")
    assert unknown["type"] == "/errors/NOT_FOUND"
    order = {"preset_id": "cinematic_portrait_v1", "prompt": "a lighthouse", "quality_level": "standard", "seed": 7}
    made = await ann.post("/api/pipeline/generate/image", json=order)
    assert made.status_code == 200, made.text
    job = made.json()
    assert job == {
        "job_id": str(uuid.UUID(job["job_id"])), "status": "queued", "preset_id": order["preset_id"],
        "estimated_time_seconds": 120.0, "output_url": None, "error": None,
    }  # fmt: skip
    path = f"/api/pipeline/jobs/{job['job_id']}"
    for where in (path, f"{path}/artifacts", f"{path}/logs"):
        problem(await bob.get(where), 404, "FILE_NOT_FOUND")
    assert (await ann.get(f"{path}/artifacts")).json() == {"ok": True, "job_id": job["job_id"], "artifacts": []}
    await work_off(scene, *PORTRAIT)
    done = (await ann.get(path)).json()
    assert (done["status"], done["progress"], done["error_code"]) == ("completed", 1.0, None)
    assert done["finished_at"] >= done["started_at"] >= done["created_at"]
    files = (await ann.get(f"{path}/artifacts")).json()["artifacts"]
    assert [(one["type"], one["filename"], one["quality_level"]) for one in files] == [
        ("image", "picture.png", "standard")
    ] * 3
    assert files[0]["path"] == done["output_url"]
    assert (await ann.get(files[0]["path"])).content.startswith(b"\x89PNG")
    assert (await ann.get(f"{path}/logs?limit=2")).json()["logs"][0]["message"] == "queued"


async def test_few_pictures_are_made_in_a_minute_and_the_headers_tell_how_many(scene: GatewayScene) -> None:
    await scene.start(GATEWAY_GENERATES_PER_MINUTE="2")
    ann, bob = await scene.user("operator"), await scene.user("operator", "bob")
    order = {"preset_id": "cinematic_portrait_v1", "prompt": "a lighthouse"}
    for left in (1, 0):
        made = await ann.post("/api/pipeline/generate/image", json=order)
        assert made.status_code == 200, made.text
        assert made.headers["ratelimit"].endswith(f'"generate";r={left};t={30 * (2 - left)}')
        assert made.headers["ratelimit-policy"] == '"requests";q=600;w=60, "generate";q=2;w=60'
    refused = await ann.post("/api/pipeline/generate/image", json=order)
    problem(refused, 429, "RATE_LIMIT_EXCEEDED")
    assert 0 < int(refused.headers["retry-after"]) <= 30
    assert (await ann.get("/api/pipeline/presets")).status_code == 200
    assert (await bob.post("/api/pipeline/generate/image", json=order)).status_code == 200


async def test_mistakes_have_the_codes_of_the_pipeline_manager(scene: GatewayScene) -> None:
    await scene.start()
    ann = await scene.user("operator")

    async def asked(status: int, code: str, **given: object) -> dict[str, object]:
        body = {"preset_id": "cinematic_portrait_v1", "prompt": "a lighthouse", **given}
        return problem(await ann.post("/api/pipeline/generate/image", json=body), status, code)

    await asked(422, "CONTRACT_MISMATCH", colour="red")
    await asked(422, "CONTRACT_MISMATCH", prompt="x" * 2_001)
    await asked(422, "CONTRACT_MISMATCH", seed=True)
    await asked(400, "CONTRACT_MISMATCH", preset_id="upscale_denoise_image_v1")
    await asked(404, "FILE_NOT_FOUND", preset_id="nothing")
    face = await send(ann)
    given = {"preset_id": "identity_lock_portrait_v1", "identity_reference": [face]}
    assert (await asked(400, "CONSENT_MISSING", **given))["remediation"]
    await asked(404, "FILE_NOT_FOUND", **{**given, "consent_given": True, "identity_reference": ["f" * 64]})
    told = problem(await ann.post("/api/pipeline/generate/image", json={}), 422, "CONTRACT_MISMATCH")
    assert told["missing_fields"] == ["preset_id", "prompt"]
    body = {"preset_id": "cinematic_portrait_v1", "prompt": "a lighthouse"}
    made = (await ann.post("/api/pipeline/generate/image", json=body)).json()["job_id"]
    assert (await ann.post(f"/api/pipeline/jobs/{made}/cancel")).json()["status"] == "cancelled"


async def test_a_client_of_the_stylising_service(scene: GatewayScene) -> None:
    await scene.start(GATEWAY_MAX_UPLOAD_BYTES="100000")
    ann, bob = await scene.user("operator"), await scene.user("operator", "bob")
    sent = await ann.post("/api/upload", files={"file": ("a.png", picture())}, data={"prompt": "as a manga"})
    assert (sent.status_code, list(sent.json())) == (202, ["jobId"])
    job = sent.json()["jobId"]
    status = (await ann.get(f"/api/status/{job}")).json()
    assert {**status, "createdAt": 0, "updatedAt": 0} == {
        "jobId": job, "status": "queued", "progress": 0, "error": None, "createdAt": 0, "updatedAt": 0,
    }  # fmt: skip
    for where in (f"/api/jobs/{job}/download", f"/api/jobs/{job}/thumbnail", f"/api/status/{uuid.UUID(int=1)}"):
        assert ((refused := await ann.get(where)).status_code, refused.json()["error"]) == (404, "not_found")
    await work_off(scene, *STILL)
    done = (await ann.get(f"/api/status/{job}")).json()
    assert (done["status"], done["progress"], done["resultUrl"]) == ("completed", 100, f"/api/jobs/{job}/download")
    result = await ann.get(done["resultUrl"])
    assert result.content.startswith(b"\x89PNG")
    assert result.headers["content-disposition"].startswith('attachment; filename="picture.png"; ')
    small = await ann.get(f"/api/jobs/{job}/thumbnail")
    assert (small.headers["content-type"], small.content[:2]) == ("image/jpeg", b"\xff\xd8")
    for where in (f"/api/status/{job}", done["resultUrl"], f"/api/jobs/{job}/thumbnail"):
        assert (await bob.get(where)).status_code == 404
    refusals = (
        ({"files": {"prompt": (None, "x")}}, 400, "file_required"),
        ({"files": {"file": ("a.png", b"<script>")}}, 400, "invalid_file_type"),
        ({"files": {"file": ("a.png", b"\x89PNG\r\n\x1a\n" + b"0" * 200_000)}}, 413, "file_too_large"),
    )
    for request, code, word in refusals:
        refused = await ann.post("/api/upload", **request)
        assert (refused.status_code, refused.json()["error"]) == (code, word)


async def test_words_alone_make_a_job_and_a_quota_is_told_in_its_word(scene: GatewayScene) -> None:
    await scene.start()
    ann = await scene.user("operator", quota_jobs=1)
    path = "/api/generate-from-prompt"
    for prompt in ("", "   ", "x" * 2_001, 7, None):
        refused = await ann.post(path, json={"prompt": prompt})
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_prompt"), prompt
    made = await ann.post(path, json={"prompt": " a lighthouse ", "style": "anime", "seed": 0})
    assert made.status_code == 202, made.text
    assert await scene.fleet.rows.fetchval("SELECT inputs ->> 'prompt' FROM jobs") == "a lighthouse"
    assert await scene.fleet.rows.fetchval("SELECT inputs ->> 'style' FROM jobs") == "anime"
    assert await scene.fleet.rows.fetchval("SELECT inputs ->> 'seed' FROM jobs") == "0"
    spent = await ann.post(path, json={"prompt": "another"})
    assert (spent.status_code, spent.json()["error"]) == (402, "insufficient_credits")
