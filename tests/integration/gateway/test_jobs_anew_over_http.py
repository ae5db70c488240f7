"""Jobs made from others, and told of, over HTTP."""

import pytest

from tests.integration.gateway.step_hand import picture, work_off
from tests.integration.gateway.test_webhooks_over_http import receiving
from tests.integration.gateway_scene import PRESET, GatewayScene, problem
from tests.waiting import until
from windmill.jobs.requests import cancel_job

pytestmark = pytest.mark.database


async def test_a_job_of_a_preset_is_forked_with_other_inputs(scene: GatewayScene) -> None:
    await scene.start()
    ann, bob, admin = (
        await scene.user("operator"),
        await scene.user("operator", "bob"),
        await scene.user("admin", "root"),
    )
    sent = [await ann.post("/assets", files={"file": ("a.png", picture(colour=colour))}) for colour in ("red", "blue")]
    red, blue = [one.json()["asset"]["id"] for one in sent]
    made = await ann.post("/jobs", json={"preset": "upscale_denoise_image_v1", "inputs": {"image": red}})
    path = f"/jobs/{made.json()['job']['public_id']}"
    await work_off(scene, "denoise")
    problem(await bob.post(f"{path}/fork", json={"from_step": "upscale", "quality": "low"}), 404, "NOT_FOUND")
    refused = await ann.post(f"{path}/fork", json={"from_step": "upscale", "inputs": {"image": blue}})
    assert "denoise before upscale would change" in problem(refused, 409, "CONFLICT")["message"]
    body = {"from_step": "denoise", "inputs": {"image": blue}, "quality": "low"}
    fork = await ann.post(f"{path}/fork", json=body)
    assert (fork.status_code, fork.json()["job"]["forked_from"]) == (201, path.removeprefix("/jobs/")), fork.text
    report = (await ann.get(f"{fork.headers['location']}/report")).json()["report"]
    assert (report["inputs"]["image"], report["parameters"]["quality"], report["principal"]) == (blue, "low", "ann")
    entries = (await admin.get(f"/audit?subject={fork.json()['job']['public_id']}")).json()["entries"]
    assert [(one["action"], one["principal"]) for one in entries] == [("jobs.fork", "ann")]
    for wrong, status, code in (
        ({"from_step": "denoise", "parameters": {"x": 1}}, 400, "USAGE"),
        ({"from_step": "denoise", "inputs": {"image": "f" * 64}}, 404, "NOT_FOUND"),
        ({"from_step": "polish", "quality": "low"}, 404, "NOT_FOUND"),
    ):
        problem(await ann.post(f"{path}/fork", json=wrong), status, code)


async def test_a_job_names_who_is_told_of_it_and_of_no_other(scene: GatewayScene) -> None:
    await scene.start(WEBHOOK_URL_ALLOW="127.0.0.1")
    ann, bob = await scene.user("operator"), await scene.user("operator", "bob")
    async with receiving() as receiver:
        webhook = {"url": f"http://127.0.0.1:{receiver.port}/hook", "events": ["job.queued", "job.cancelled"]}
        first = (await ann.post("/jobs", json={**PRESET, "webhook": webhook})).json()
        secret, hook = first["webhook"]["secret"], first["webhook"]["id"]
        await until(lambda: len(receiver.messages) == 1)
        told = receiver.verified(0, secret)
        assert (told["type"], told["data"]["job"]) == ("job.queued", first["job"]["public_id"])
        other = await scene.jobs.submit(principal="ann")
        second = (await ann.post("/jobs", json={**PRESET, "webhook": {"url": webhook["url"]}})).json()
        assert second["webhook"] == {"id": hook, "secret": None}
        await cancel_job(scene.jobs.access, other, "ann")
        assert (await ann.post(f"/jobs/{second['job']['public_id']}/cancel")).status_code == 202
        await until(lambda: len(receiver.messages) == 3)
        kinds = [receiver.verified(number, secret) for number in (1, 2)]
        assert [(one["type"], one["data"]["job"]) for one in kinds] == [
            ("job.queued", second["job"]["public_id"]),
            ("job.cancelled", second["job"]["public_id"]),
        ]
        [listed] = (await ann.get("/webhooks")).json()["webhooks"]
        assert (listed["id"], listed["named_only"], "secret" in listed) == (hook, True, False)
        its = (await bob.post("/jobs", json={**PRESET, "webhook": {"url": webhook["url"]}})).json()
        assert its["webhook"]["id"] != hook
    fewer = {**PRESET, "webhook": {**webhook, "events": ["job.failed"]}}
    problem(await ann.post("/jobs", json=fewer), 409, "CONFLICT")
    problem(await ann.post("/jobs", json={**PRESET, "webhook": {"url": "http://10.0.0.1/"}}), 400, "USAGE")
    await ann.patch(f"/webhooks/{hook}", json={"enabled": False})
    problem(await ann.post("/jobs", json={**PRESET, "webhook": {"url": webhook["url"]}}), 409, "CONFLICT")
