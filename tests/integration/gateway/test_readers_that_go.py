"""Hundreds of readers that come and go at once: the gateway answers others meanwhile, and nothing is left of them."""

import asyncio
import contextlib
import random

import httpx
import pytest

from tests.integration.gateway_scene import GatewayScene
from tests.integration.raw_event_reader import RawEventReader
from tests.waiting import until
from windmill.process.runner import background

pytestmark = pytest.mark.database

READERS, ROUNDS = 120, 3
HELD = """
SELECT count(*) FILTER (WHERE state <> 'idle') FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'windmill-gateway%'
"""


async def come_and_go(port: int, path: str, key: str) -> None:
    for _ in range(ROUNDS):
        reader = RawEventReader([port], path, key, 1_000_000, gap_free=False)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(random.uniform(0.001, 0.5)):
                await reader.follow()


async def keep_asking(client: httpx.AsyncClient, path: str) -> None:
    """No request waits for connections that readers hold: those time out after ten seconds."""
    while True:
        answer = await client.get(path)
        assert answer.status_code == 200, answer.text


async def test_readers_that_come_and_go_leave_nothing_behind_and_hold_up_nobody(scene: GatewayScene) -> None:
    gateway = await scene.start(GATEWAY_REQUESTS_PER_MINUTE="1000000", GATEWAY_STREAMS_PER_KEY="1000")
    port, key = int(scene.url.rpartition(":")[2]), await scene.key("viewer")
    client = await scene.client(key)
    job = await scene.jobs.submit(principal="ann")
    path = f"/jobs/{await scene.jobs.public_id(job)}/events"

    async with background(keep_asking(client, path.removesuffix("/events"))):
        await asyncio.gather(*(come_and_go(port, random.choice((path, "/events")), key) for _ in range(READERS)))

    async def nothing_is_held() -> bool:
        return not await scene.fleet.rows.fetchval(HELD)

    await until(nothing_is_held, 20)
    limits = httpx.Limits(max_connections=50)
    async with httpx.AsyncClient(base_url=scene.url, headers=client.headers, limits=limits, timeout=20) as many:
        answers = await asyncio.gather(*(many.get(path) for _ in range(50)))
    assert {one.status_code for one in answers} == {200}, "a connection of the pool was lost"
    for said in ("Traceback", "unexpected fault", "Task exception"):
        assert said not in gateway.log
