"""Who is let in without keys, what a body may be, and the one form of all errors."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.integration.gateway_scene import PRESET, GatewayScene, problem
from tests.waiting import until

pytestmark = pytest.mark.database


async def test_without_keys_only_programs_of_this_machine_are_served(scene: GatewayScene) -> None:
    gateway = await scene.start()
    assert "no keys: everybody on this machine may do all" in gateway.log
    assert "python -m windmill keys create NAME --scope admin" in gateway.log
    client = await scene.client()
    own = scene.url
    port = own.rpartition(":")[2]
    for headers in ({}, {"Host": f"localhost:{port}"}, {"Origin": own}, {"Sec-Fetch-Site": "same-origin"}):
        assert (await client.get("/jobs", headers=headers)).status_code == 200, headers
    foreign = (
        {"Host": f"rebound.example:{port}"},
        {"Host": f"localhost.rebound.example:{port}"},
        {"Origin": "https://other.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site"},
    )
    for headers in foreign:
        problem(await client.get("/jobs", headers=headers), 403, "PERMISSION_DENIED")
        problem(await client.get("/health", headers=headers), 403, "PERMISSION_DENIED")
    form = {"file": b"x"}
    problem(await client.post("/jobs", files=form), 403, "PERMISSION_DENIED")
    problem(await client.post("/jobs", headers={"Windmill-Request": "1"}, files=form), 422, "CONTRACT_MISMATCH")
    await scene.key("viewer")
    problem(await _once_required(client), 401, "AUTH_MISSING")


async def _once_required(client: httpx.AsyncClient) -> httpx.Response:
    """A gateway notices within a second that there are keys."""

    async def asked() -> bool:
        return (await client.get("/jobs")).status_code == 401

    await until(asked, 10)
    return await client.get("/jobs")


async def test_on_any_other_address_it_does_not_start_without_keys(scene: GatewayScene) -> None:
    refused = await scene.fleet.run("gateway", GATEWAY_HOST="0.0.0.0", GATEWAY_PORT="0")
    assert refused.code == 2
    assert "GATEWAY_HOST='0.0.0.0': is reached from elsewhere" in refused.err
    key = await scene.key("viewer")
    await scene.start(GATEWAY_HOST="0.0.0.0")
    scene.url = scene.url.replace("0.0.0.0", "127.0.0.1")
    assert (await (await scene.client(key)).get("/jobs", headers={"Host": "any.example"})).status_code == 200


async def test_every_error_has_one_form(scene: GatewayScene) -> None:
    await scene.start(GATEWAY_MAX_UPLOAD_BYTES="2048")
    client = await scene.user("operator")
    problem(await client.get("/nowhere"), 404, "NOT_FOUND")
    wrong = await client.put("/jobs")
    problem(wrong, 405, "METHOD_NOT_ALLOWED")
    assert wrong.headers["allow"] == "GET, POST"
    problem(
        await client.post("/jobs", content=b"x", headers={"Content-Type": "text/plain"}), 415, "MEDIA_TYPE_UNSUPPORTED"
    )
    problem(await client.post("/jobs", json={"preset": "x" * 5_000}), 413, "PAYLOAD_TOO_LARGE")

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b'{"preset": "' + b"x" * 1_000

    problem(
        await client.post("/jobs", content=pieces(), headers={"Content-Type": "application/json"}),
        413,
        "PAYLOAD_TOO_LARGE",
    )
    body = problem(
        await client.post(
            "/jobs",
            json={"inputs": {"n": 10**400}, "priority": "5", "colour": "red"},
            headers={"X-Request-ID": "mine-1"},
        ),
        422,
        "CONTRACT_MISMATCH",
    )
    assert body["request_id"] == "mine-1"
    assert {one["pointer"] for one in body["errors"]} == {"/preset", "/inputs", "/priority", "/colour"}
    problem(
        await client.post("/jobs", content=b"{", headers={"Content-Type": "application/json"}), 422, "CONTRACT_MISMATCH"
    )
    problem(await client.get("/jobs?limit=0"), 422, "CONTRACT_MISMATCH")
    problem(await client.get("/jobs?colour=red"), 422, "CONTRACT_MISMATCH")
    problem(await client.post("/jobs", json={**PRESET, "inputs": {}}), 400, "USAGE")
    problem(await client.post("/jobs", json={**PRESET, "preset": "cinematic"}), 404, "NOT_FOUND")
    problem(await client.post("/jobs", json={**PRESET, "dedupe_key": "a\0b"}), 422, "CONTRACT_MISMATCH")


async def test_the_health_and_the_description_are_for_everybody(scene: GatewayScene) -> None:
    gateway = await scene.start()
    client = await scene.client()
    health = (await client.get("/health")).json()
    assert (health["status"], health["worker_running"]) == ("ok", False)
    assert health.keys() == {"status", "service", "version", "worker_running"}
    words = await client.get("/health", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (words.status_code, words.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert [line.split()[:2] for line in words.text.splitlines()[2:]] == [
        ["up", "gateway"], ["up", "PostgreSQL"], ["up", "RabbitMQ"], ["down", "worker"],
    ]  # fmt: skip
    assert (await client.get("/openapi.json")).json()["openapi"] == "3.1.0"
    assert (await client.get("/errors/NOT_FOUND")).json()["status"] == 404
    answer = await client.get("/health", headers={"X-Request-ID": "seen"})
    assert answer.headers["x-content-type-options"] == "nosniff"
    await gateway.says("request_id=seen")
    assert (await gateway.stop()).code == 0
