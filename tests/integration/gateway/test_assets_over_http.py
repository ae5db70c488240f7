"""Files that are sent before a job needs them."""

from datetime import timedelta

import pytest

from tests.integration.gateway.step_hand import picture
from tests.integration.gateway_scene import GatewayScene, problem
from windmill.core.settings import Settings
from windmill.operate.artifacts import sweep_artifacts, verify_artifacts

pytestmark = pytest.mark.database


async def test_a_file_is_sent_once_seen_by_its_owner_and_kept_from_the_sweep(
    scene: GatewayScene, settings: Settings
) -> None:
    await scene.start()
    ann, bob, admin = [await scene.user("operator"), await scene.user("operator", "bob"), await scene.user("admin")]
    sent = await ann.post("/assets", files={"file": ("a.png", picture())})
    asset = sent.json()["asset"]
    assert (sent.status_code, sent.headers["location"], asset["media_type"]) == (
        201,
        f"/assets/{asset['id']}",
        "image/png",
    )
    assert (await ann.post("/assets", files={"file": ("b.png", picture())})).status_code == 200
    path = f"/assets/{asset['id']}"
    assert (await ann.get(path)).json()["asset"] == asset
    assert (await ann.get(f"/artifacts/{asset['id']}/content")).content == picture()
    for where in (path, f"/artifacts/{asset['id']}/content"):
        problem(await bob.get(where), 404, "NOT_FOUND")
    problem(await bob.delete(path), 404, "NOT_FOUND")
    order = {"preset": "upscale_denoise_image_v1", "inputs": {"image": asset["id"]}}
    problem(await bob.post("/jobs", json=order), 404, "NOT_FOUND")
    here = settings.__class__.from_env({**scene.fleet.environ, "ARTIFACTS_URL": str(scene.store)})
    swept = await sweep_artifacts(here, timedelta(0), delete=True)
    assert (swept.stored, swept.deleted) == (1, 0)
    assert await verify_artifacts(here, content=True) == []
    job = (await ann.post("/jobs", json=order)).json()["job"]["public_id"]
    assert (await ann.delete(path)).status_code == 204
    problem(await ann.get(path), 404, "NOT_FOUND")
    assert (await ann.get(f"/artifacts/{asset['id']}/content")).status_code == 200
    await ann.post(f"/jobs/{job}/cancel")
    await ann.delete(f"/jobs/{job}")
    assert (await sweep_artifacts(here, timedelta(0), delete=True)).deleted == 1
    entries = (await admin.get(f"/audit?subject={asset['id']}")).json()["entries"]
    assert [one["action"] for one in entries] == ["assets.delete", "assets.create"]


async def test_what_is_no_picture_video_or_recording_is_refused_whatever_it_is_called(scene: GatewayScene) -> None:
    await scene.start()
    ann = await scene.user("operator")
    for data in (b"", b"#!/bin/sh", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"RIFF0000PAL "):
        problem(await ann.post("/assets", files={"file": ("a.png", data)}), 415, "MEDIA_TYPE_UNSUPPORTED")
    problem(await ann.post("/assets", files={"file": (None, "text")}), 422, "CONTRACT_MISMATCH")
    two = await ann.post("/assets", files={"file": ("a.png", picture()), "other": ("b.png", picture())})
    problem(two, 422, "CONTRACT_MISMATCH")
