"""A thousand equal requests under one Idempotency-Key, while gateways are killed: one job."""

import asyncio
import random

import httpx
import pytest

from tests.integration.gateway_scene import PRESET, GatewayScene, problem
from tests.waiting import until

pytestmark = pytest.mark.database

REQUESTS, CONNECTIONS = 1_000, 50
KEY = {"Idempotency-Key": "the same"}


@pytest.mark.timeout(400)
@pytest.mark.slow(reason="70 s: a thousand requests, and four starts of a gateway")
async def test_a_thousand_equal_requests_make_one_job_though_gateways_are_killed(scene: GatewayScene) -> None:
    secret = await scene.key("operator")
    many = {"GATEWAY_REQUESTS_PER_MINUTE": "1000000"}
    gateways = [await scene.start(**many) for _ in range(2)]
    urls = [gateway.log.partition("address=")[2].split()[0] for gateway in gateways]
    left, answers = list(range(REQUESTS)), []
    headers = {"Authorization": f"Bearer {secret}", **KEY}

    async def send(client: httpx.AsyncClient) -> None:
        while left:
            left.pop()
            while True:
                try:
                    answers.append(await client.post(f"{random.choice(urls)}/jobs", json=PRESET))
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.05)  # as a client does before it tries again

    async def kill_twice() -> None:
        for number, gateway in enumerate(gateways):
            await until(lambda number=number: len(answers) >= REQUESTS * (number + 1) / 4, 100)  # type: ignore[misc]
            await gateway.kill()
            await scene.start(**many)
            urls[number] = scene.url

    limits = httpx.Limits(max_connections=CONNECTIONS)
    async with httpx.AsyncClient(headers=headers, timeout=60, limits=limits) as client:
        await asyncio.gather(kill_twice(), *(send(client) for _ in range(CONNECTIONS)))
        assert len(answers) == REQUESTS
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.json()["job"]["public_id"] for answer in answers}) == 1
        assert await scene.fleet.rows.fetchval("SELECT count(*) FROM jobs") == 1
        other = {**PRESET, "inputs": {"prompt": "another"}}
        problem(await client.post(f"{scene.url}/jobs", json=other), 422, "IDEMPOTENCY_MISMATCH")
