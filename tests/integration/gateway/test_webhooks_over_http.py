"""Webhooks over HTTP: signed messages to a real receiver, tried out, rotated, sent again, and seen by their owner."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook

from tests.integration.gateway_scene import GatewayScene, problem
from tests.waiting import until
from windmill.jobs.requests import cancel_job

pytestmark = pytest.mark.database


class Receiver:
    """Keeps every message that it gets."""

    def __init__(self) -> None:
        self.port = 0
        self.messages: list[tuple[str, dict[str, str]]] = []

    async def take(self, request: web.Request) -> web.Response:
        self.messages.append((await request.text(), dict(request.headers)))
        return web.Response(status=204)

    def verified(self, number: int, secret: str) -> dict[str, Any]:
        """The message, if its signature is good."""
        body, headers = self.messages[number]
        lower = {name.lower(): value for name, value in headers.items()}
        found: dict[str, Any] = Webhook(secret).verify(body, lower)
        return found


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.port = int(runner.addresses[0][1])
    try:
        yield receiver
    finally:
        await runner.cleanup()


async def test_a_receiver_is_told_of_the_end_of_a_job_by_a_signed_message(scene: GatewayScene) -> None:
    await scene.start(WEBHOOK_URL_ALLOW="127.0.0.1")
    ann = await scene.user("operator")
    async with receiving() as receiver:
        made = (await ann.post("/webhooks", json={"url": f"http://127.0.0.1:{receiver.port}/hook"})).json()
        path, secret = f"/webhooks/{made['webhook']['id']}", made["secret"]
        job = await scene.jobs.submit(principal="ann")
        await cancel_job(scene.jobs.access, await scene.jobs.submit(principal="bob"), "bob")
        await cancel_job(scene.jobs.access, job, "ann")
        await until(lambda: len(receiver.messages) == 1)
        told = receiver.verified(0, secret)
        assert (told["type"], told["data"]["job"]) == ("job.cancelled", str(await scene.jobs.public_id(job)))
        assert (told["data"]["status"], told["data"]["error_code"]) == ("cancelled", "CANCELLED")
        tried = (await ann.post(f"{path}/test")).json()["delivery"]
        await until(lambda: len(receiver.messages) == 2)
        assert (receiver.verified(1, secret)["type"], tried["status"]) == ("webhook.test", "pending")

        async def settled() -> bool:
            listed = (await ann.get(f"{path}/deliveries?status=delivered")).json()
            return [one["type"] for one in listed["deliveries"]] == ["webhook.test", "job.cancelled"]

        await until(settled)
        rotated = (await ann.post(f"{path}/rotate", json={"grace_seconds": 60})).json()["secret"]
        again = await ann.post(f"{path}/replay", json={"since": "2020-01-01T00:00:00Z", "status": "delivered"})
        assert again.json() == {"replayed": 2}
        await until(lambda: len(receiver.messages) == 4)
        assert receiver.verified(2, secret) == receiver.verified(2, rotated) == told
        assert receiver.messages[2][1]["webhook-id"] == receiver.messages[0][1]["webhook-id"]
        await until(settled)
    first = (await ann.get(f"{path}/deliveries?limit=1")).json()
    second = (await ann.get(f"{path}/deliveries", params={"limit": 1, "cursor": first["next_cursor"]})).json()
    assert [one["deliveries"][0]["http_status"] for one in (first, second)] == [204, 204]


async def test_a_webhook_is_seen_and_changed_by_its_owner_and_every_change_is_recorded(scene: GatewayScene) -> None:
    await scene.start()
    ann, bob, admin = (
        await scene.user("operator"),
        await scene.user("operator", "bob"),
        await scene.user("admin", "root"),
    )
    made = (await ann.post("/webhooks", json={"url": "https://hooks.example/"})).json()["webhook"]
    path = f"/webhooks/{made['id']}"
    for method, where in (
        ("GET", path), ("DELETE", path), ("POST", f"{path}/test"), ("POST", f"{path}/rotate"),
        ("GET", f"{path}/deliveries"),
    ):  # fmt: skip
        problem(await bob.request(method, where), 404, "NOT_FOUND")
    problem(await bob.patch(path, json={"enabled": False}), 404, "NOT_FOUND")
    problem(await bob.post(f"{path}/replay", json={"since": "2020-01-01T00:00:00Z"}), 404, "NOT_FOUND")
    off = (await ann.patch(path, json={"enabled": False, "events": ["job.failed"]})).json()["webhook"]
    assert (off["disabled_reason"], off["events"]) == ("by hand", ["job.failed"])
    assert (await ann.get(path)).json()["webhook"] == off
    assert [one["id"] for one in (await admin.get("/webhooks")).json()["webhooks"]] == [off["id"]]
    assert (await bob.get("/webhooks")).json()["count"] == 0
    assert (await ann.delete(path)).status_code == 204
    actions = [one["action"] for one in (await admin.get(f"/audit?subject={off['id']}")).json()["entries"]]
    assert actions == [f"webhooks.{verb}" for verb in ("delete", "change", "create")]


async def test_a_receiver_that_may_not_be_is_refused(scene: GatewayScene) -> None:
    await scene.start()
    ann, admin = await scene.user("operator"), await scene.user("admin", "root")
    for url in ("http://127.0.0.1/x", "http://169.254.169.254/latest", "http://[::1]/", "http://localhost:9/"):
        problem(await ann.post("/webhooks", json={"url": url}), 400, "USAGE")
    for body in ({"url": "ftp://example.com"}, {"url": "https://example.com", "events": ["job.eaten"]}, {}):
        problem(await ann.post("/webhooks", json=body), 422, "CONTRACT_MISMATCH")
    everybody = {"url": "https://example.com/", "all_principals": True}
    problem(await ann.post("/webhooks", json=everybody), 403, "PERMISSION_DENIED")
    assert (await admin.post("/webhooks", json=everybody)).status_code == 201
    made = (await ann.post("/webhooks", json={"url": "https://name.example/"})).json()["webhook"]
    problem(await ann.patch(f"/webhooks/{made['id']}", json={"url": "http://10.0.0.1/"}), 400, "USAGE")
    problem(await ann.post(f"/webhooks/{made['id']}/replay", json={}), 422, "CONTRACT_MISMATCH")
