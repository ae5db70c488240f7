"""How many jobs of a service run at once, which come first, and what is left when a processor is closed."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.unit.edge.delivery.delivery_scene import SETTINGS, failing
from tests.unit.world import JOB, World, take
from tests.waiting import settled
from windmill.calling.service_state import ServiceState
from windmill.core.errors import Code
from windmill.core.messages import (
    URGENT_HEADER,
    encode,
)
from windmill.edge.delivery_processor import DeliveryProcessor


async def test_jobs_run_up_to_the_concurrency_of_the_service(
    world: World, processor: DeliveryProcessor, state: ServiceState
) -> None:
    world.gate.clear()
    takes = [asyncio.create_task(take(processor, world.delivery())) for _ in range(6)]
    await settled()
    assert (world.calling, state.in_progress) == (2, 6)
    world.gate.set()
    await asyncio.gather(*takes)
    assert world.most_calling == 2
    assert world.events.count("ack") == 6


async def test_two_sessions_of_one_process_share_the_concurrency_of_the_service(
    world: World, processor: DeliveryProcessor, state: ServiceState
) -> None:
    world.gate.clear()
    following = world.processor(state, SETTINGS)
    old = [asyncio.create_task(take(processor, world.delivery())) for _ in range(3)]
    await settled()
    processor.close()
    new = [asyncio.create_task(take(following, world.delivery())) for _ in range(3)]
    await settled()
    assert (world.calling, state.in_progress) == (2, 6)
    drained = asyncio.create_task(processor.drained())
    world.gate.set()
    await asyncio.gather(*old, *new, drained)
    assert world.most_calling == 2
    assert (world.events.count("call"), world.events.count("back"), world.events.count("ack")) == (5, 1, 6)


async def test_a_closed_processor_requeues_waiting_jobs_and_finishes_running_ones(
    world: World, processor: DeliveryProcessor
) -> None:
    world.gate.clear()
    takes = [asyncio.create_task(take(processor, world.delivery())) for _ in range(5)]
    await settled()
    processor.close()
    world.gate.set()
    await asyncio.gather(*takes, take(processor, world.delivery()))
    assert world.events.count("call") == 2
    assert world.events.count("write") == 2
    assert world.events.count("back") == 4
    assert world.events.count("ack") == 6


async def test_a_processor_is_drained_when_the_last_delivery_is_settled(
    world: World, processor: DeliveryProcessor
) -> None:
    await asyncio.wait_for(processor.drained(), 1)
    world.gate.clear()
    takes = [asyncio.create_task(take(processor, world.delivery())) for _ in range(3)]
    await settled()
    drained = asyncio.create_task(processor.drained())
    await settled()
    assert not drained.done()
    world.gate.set()
    await asyncio.wait_for(drained, 1)
    assert world.events.count("ack") == 3
    await asyncio.gather(*takes)


def while_calling(world: World) -> None:
    world.gate.clear()


def while_asking(world: World) -> None:
    world.call_error = failing("SERVICE_ERROR")
    world.canary_gate.clear()


@pytest.mark.parametrize("busy", [while_calling, while_asking])
async def test_cancelled_jobs_are_neither_written_nor_acknowledged_and_leave_nothing_behind(
    world: World, processor: DeliveryProcessor, state: ServiceState, busy: Callable[[World], None]
) -> None:
    before = asyncio.all_tasks()
    busy(world)
    tasks = [asyncio.create_task(take(processor, world.delivery())) for _ in range(5)]
    await settled()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await settled()
    assert {"write", "ack", "back", "retry"}.isdisjoint(world.events)
    assert (state.in_progress, state.slots.taken) == (0, 0)
    assert asyncio.all_tasks() == before
    await asyncio.wait_for(processor.drained(), 1)


@pytest.mark.parametrize("headers", [{}, {URGENT_HEADER: True}], ids=["published by others", "published by a producer"])
@pytest.mark.parametrize(("code", "attempt", "event"), [("SERVICE_ERROR", 1, "retry"), ("SERVICE_REJECTED", 1, "park")])
async def test_an_urgent_job_stays_urgent_wherever_its_copy_goes(
    world: World, state: ServiceState, headers: dict[str, object], code: Code, attempt: int, event: str
) -> None:
    world.call_error = failing(code)
    await take(world.processor(state, SETTINGS, urgent=True), world.delivery(**headers))
    [(sent, _, _, kept)] = world.sent
    assert (sent, kept[URGENT_HEADER]) == (event, True)
    assert state.urgent_jobs == 1


async def test_an_urgent_job_that_has_not_begun_goes_back_to_the_urgent_queue(
    world: World, state: ServiceState
) -> None:
    processor = world.processor(state, SETTINGS, urgent=True)
    processor.close()
    await take(processor, world.delivery())
    assert [len(world.broker.queues[name].messages) for name in ("clip", "clip_urgent")] == [0, 1]


async def test_an_urgent_job_overtakes_the_ordinary_ones_that_fill_the_prefetch(
    world: World, state: ServiceState, processor: DeliveryProcessor
) -> None:
    world.gate.clear()
    bodies = {number: encode(replace(JOB, image_id=number)) for number in range(1, 7)}
    ordinary = [asyncio.create_task(take(processor, world.delivery(bodies[number]))) for number in range(1, 6)]
    await settled()
    urgent = asyncio.create_task(take(world.processor(state, SETTINGS, urgent=True), world.delivery(bodies[6])))
    await settled()
    world.gate.set()
    await asyncio.gather(*ordinary, urgent)
    assert [row.image_id for row in world.rows] == [1, 2, 6, 3, 4, 5]
