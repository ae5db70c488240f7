"""How often a job was delivered and tried: counted, carried along in copies, and bounded."""

import asyncio

import pytest

from tests.unit.edge.delivery.delivery_scene import SETTINGS, failing
from tests.unit.world import JOB, World, take
from tests.waiting import settled
from windmill.calling.service_state import ServiceState
from windmill.core.errors import WindmillError
from windmill.core.messages import (
    ATTEMPT_HEADER,
    HANDED_OUT_HEADER,
    TRIES_HEADER,
    encode,
)
from windmill.edge.delivery_processor import DeliveryProcessor


@pytest.mark.parametrize(
    ("redelivered", "headers", "events"),
    [
        (False, {}, ["call", "write", "ack"]),
        (True, {"x-delivery-count": 1}, ["call", "write", "ack"]),
        (False, {"x-delivery-count": 2}, ["call", "write", "ack"]),
        (True, {"x-delivery-count": 3}, ["write", "park", "ack"]),
        (False, {HANDED_OUT_HEADER: 2}, ["call", "write", "ack"]),
        (False, {HANDED_OUT_HEADER: 3}, ["write", "park", "ack"]),
        (True, {HANDED_OUT_HEADER: 2, "x-delivery-count": 1}, ["write", "park", "ack"]),
        (True, {}, ["back", "ack"]),
        (True, {HANDED_OUT_HEADER: 1}, ["back", "ack"]),
    ],
)
async def test_a_job_that_reached_the_delivery_limit_is_parked(
    world: World, processor: DeliveryProcessor, redelivered: bool, headers: dict[str, int], events: list[str]
) -> None:
    await take(processor, (world.redelivery if redelivered else world.delivery)(**headers))
    assert world.events == events
    if "park" in events:
        assert world.rows[0].error_code == world.sent[0][3]["windmill-code"] == "WORKER_LOST"
        assert "3 times" in (world.rows[0].error_message or "")


async def test_a_classic_queue_s_job_is_counted_in_its_own_header_until_it_is_parked(
    world: World, processor: DeliveryProcessor
) -> None:
    headers: dict[str, object] = {"mine": "kept"}
    for times in (1, 2, 3):
        world.sent.clear()
        await take(processor, world.redelivery(**headers))
        [(event, _, body, copied)] = world.sent
        assert (event, body, copied) == ("back", encode(JOB), {"mine": "kept", HANDED_OUT_HEADER: times})
        headers = dict(copied)
    await take(processor, world.delivery(**headers))
    assert world.sent[-1][0] == "park"
    assert "call" not in world.events


async def test_a_redelivered_job_that_cannot_be_counted_is_not_begun_and_not_acknowledged(
    world: World, processor: DeliveryProcessor
) -> None:
    world.send_error = WindmillError("BROKER_UNAVAILABLE", "no confirm")
    await take(processor, world.redelivery())
    assert world.events == []
    assert world.broken == [world.send_error]


@pytest.mark.parametrize("how", ["not begun", "refused", "in hand"])
async def test_a_copy_keeps_the_delivery_count(
    world: World, processor: DeliveryProcessor, state: ServiceState, how: str
) -> None:
    """The broker restarts the count for a copy, so a poison job would never reach the limit."""
    if how == "not begun":
        state.breaker.trip(failing("SERVICE_UNREACHABLE"))
    elif how == "refused":
        world.call_error = failing("SERVICE_UNREACHABLE")
    else:
        world.call_error = world.canary_error = failing("SERVICE_TIMEOUT")
    await take(processor, world.redelivery(**{"x-delivery-count": 1, HANDED_OUT_HEADER: 1}))
    assert world.sent[0][0] == "back"
    assert world.sent[0][3][HANDED_OUT_HEADER] == 2


async def test_a_job_carries_the_number_of_tries_it_was_granted(
    world: World, processor: DeliveryProcessor, state: ServiceState
) -> None:
    for _ in range(200):
        state.failed(first_try=True)
    world.call_error = failing("SERVICE_ERROR")
    await take(processor, world.delivery(**{ATTEMPT_HEADER: 4}))
    headers = world.sent[0][3]
    assert headers[ATTEMPT_HEADER] == 5
    assert headers[TRIES_HEADER] > 10


async def test_granted_tries_hold_in_a_process_that_has_seen_no_failure(
    world: World, processor: DeliveryProcessor
) -> None:
    world.call_error = failing("SERVICE_ERROR")
    await take(processor, world.delivery(**{ATTEMPT_HEADER: 9, TRIES_HEADER: 12}))
    assert world.sent[0][3][ATTEMPT_HEADER] == 10
    await take(processor, world.delivery(**{ATTEMPT_HEADER: 12, TRIES_HEADER: 12}))
    assert world.events[-2:] == ["park", "ack"]


@pytest.mark.parametrize("urgent", [False, True])
async def test_delivery_limit_and_suspicion_hold_for_jobs_of_both_queues(
    world: World, state: ServiceState, urgent: bool
) -> None:
    processor = world.processor(state, SETTINGS, urgent=urgent)
    await take(processor, world.delivery(**{"x-delivery-count": 2}))
    assert processor.has_suspects
    await take(processor, world.delivery(**{"x-delivery-count": 3}))
    assert [row.error_code for row in world.rows] == [None, "WORKER_LOST"]


async def test_sessions_that_were_given_up_do_not_make_a_job_look_deadly(world: World, state: ServiceState) -> None:
    """Each session ends with the job in hand: its copy could not be published, although the worker is well."""
    delivered = 0
    for _ in range(3 * SETTINGS.delivery_limit):
        processor = world.processor(state, SETTINGS)
        world.call_error, world.send_error = failing("SERVICE_ERROR"), WindmillError("BROKER_UNAVAILABLE", "no confirm")
        await take(processor, world.delivery(**({"x-delivery-count": delivered} if delivered else {})))
        processor.close()
        delivered += 1
        if delivered == SETTINGS.delivery_limit:  # the broker would not deliver it again without parking it
            break
    world.send_error = None
    await take(world.processor(state, SETTINGS), world.delivery(**{"x-delivery-count": delivered}))
    [(event, _, _, headers)] = world.sent
    assert (event, headers) == ("back", {}), "the broker counts a copy from the start"
    assert world.rows == [], "it is not given up as WORKER_LOST"


async def test_a_job_in_hand_when_the_session_is_lost_is_not_counted_and_a_crash_before_it_is(
    world: World, state: ServiceState
) -> None:
    world.gate.clear()
    processor = world.processor(state, SETTINGS)
    under_way = asyncio.create_task(take(processor, world.delivery(**{"x-delivery-count": 1})))
    await settled()
    processor.close()
    await take(world.processor(state, SETTINGS), world.delivery(**{"x-delivery-count": 2}))
    [(event, _, _, headers)] = world.sent
    assert (event, headers) == ("back", {HANDED_OUT_HEADER: 1})
    world.gate.set()
    await under_way
