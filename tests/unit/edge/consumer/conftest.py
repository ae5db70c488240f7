"""A consumer for each test."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.unit.edge.consumer.consumer_scene import CLIP, SETTINGS, Bench, Queue, bench_of, leaving_nothing_behind
from tests.unit.world import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def bench(world: World) -> AsyncIterator[Bench]:
    async with leaving_nothing_behind():
        one = bench_of(world, Queue(world), world.state(CLIP, SETTINGS))
        await one.settle()
        yield one
        one.running.cancel()
        await asyncio.gather(one.running, return_exceptions=True)
