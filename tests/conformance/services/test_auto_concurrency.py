"""Concurrency `auto` against a stand-in over real HTTP, whose capacity is known."""

import asyncio
import time
from dataclasses import replace
from statistics import median
from urllib.parse import urlsplit

import pytest

from dev.farm.server import Farm, StandInAddress
from windmill.calling.probe_image import PROBE_IMAGE
from windmill.calling.service_client import ServiceClient
from windmill.calling.service_state import ServiceState
from windmill.core.services import Service, load_fleet
from windmill.core.settings import ROOT, Settings

COLORS = load_fleet(ROOT / "service_config.json").services["colors"]
SETTINGS = Settings.from_env({"WORKER_CONCURRENCY": "auto"})
SECONDS = {1: 0.015, 4: 0.1, 12: 0.12}  # the more at a time, the more this machine's own noise would count


async def sizes(client: ServiceClient, service: Service, answers: int, callers: int = 40) -> list[int]:
    """How many calls at a time the state allowed when each of its calls began, of more callers than it lets in."""
    state = ServiceState(service, SETTINGS, lambda one: client.upload(one, PROBE_IMAGE))
    seen: list[int] = []

    async def call_on() -> None:
        while len(seen) < answers:
            async with state.slots:
                seen.append(state.slots.size)
                began, calls = time.monotonic(), state.slots.taken
                await client.upload(service, PROBE_IMAGE)
                state.answered(began, calls, first_try=True)

    await asyncio.gather(*(call_on() for _ in range(callers)))
    return seen


@pytest.mark.parametrize(
    ("capacity", "answers"),
    [
        (1, 240),
        pytest.param(4, 600, marks=pytest.mark.slow(reason="20 s: so slow that a busy machine hardly counts")),
        pytest.param(
            12, 1200, marks=pytest.mark.slow(reason="20 s: the higher the limit, the more answers lead to it")
        ),
    ],
)
async def test_calls_at_a_time_settle_where_the_service_stops_getting_faster(capacity: int, answers: int) -> None:
    async with Farm([StandInAddress("colors", 0)], seed=1) as farm, ServiceClient(SETTINGS) as client:
        await farm.set_faults(["colors"], {"capacity": capacity, "slowness": SECONDS[capacity]})
        port = urlsplit(farm.url("colors")).port or 0
        seen = await sizes(client, replace(COLORS, host="127.0.0.1", port=port), answers)
    assert capacity <= median(seen[answers // 2 :]) <= 2 * capacity + 2
