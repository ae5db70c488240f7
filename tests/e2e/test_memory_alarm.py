"""A RabbitMQ that is short of memory takes no publishes: a worker waits with what it cannot publish."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from dev.servers import databases
from tests.e2e.conftest import Farm
from tests.e2e.metered_broker import MeteredBroker, running_metered_broker
from tests.integration.fleet import Fleet
from tests.integration.proxy import LOOPBACK, Proxy
from tests.parallel import RETRY_DELAYS
from tests.waiting import until
from windmill import broker
from windmill.broker.management import activity
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings

pytestmark = [pytest.mark.database, pytest.mark.broker]

TIME_OUTS = 3
DELIVERIES = 3
"""After so many a worker gives a job up; RabbitMQ itself does later."""


@pytest.fixture
def own_broker(servers: Mapping[str, str], tmp_path: Path) -> Iterator[MeteredBroker]:
    with running_metered_broker(tmp_path / "broker") as started:
        yield started


@pytest.fixture
def environ(
    own_broker: MeteredBroker, servers: Mapping[str, str], template: str, request: pytest.FixtureRequest
) -> Iterator[dict[str, str]]:
    name = f"{template}_alarm"
    kind = getattr(request, "param", "quorum")
    own = {"DB_NAME": name, "RETRY_DELAYS": RETRY_DELAYS, "QUEUE_TYPE": kind}
    found = {**servers, **own_broker.variables(), **own}
    settings = Settings.from_env(found)
    asyncio.run(databases.create(settings, name, template=template))
    yield found
    asyncio.run(databases.drop(settings, name))


@pytest.mark.slow(reason="starts a RabbitMQ of its own and waits for time-outs")
async def test_a_memory_alarm_ends_no_session_and_no_job_is_delivered_twice(
    fleet: Fleet, farm: Farm, own_broker: MeteredBroker
) -> None:
    images = await fleet.register_pictures(1)  # a file that nobody can decode, so its job is to be parked
    await fleet.declare("ocr")
    await fleet.produce("--services", "clip")
    await asyncio.to_thread(own_broker.limit_memory, 0.0)
    worker = await fleet.worker("clip", PUBLISH_TIMEOUT="1")
    await until(lambda: fleet.count("status = 'error'"), 60, fleet.logs)
    await beyond_time_outs(replace(fleet.settings, publish_timeout=1.0))
    assert await fleet.depth("clip", ".failed") == 0
    assert "is unavailable" not in worker.log, "the session goes on"
    await asyncio.to_thread(own_broker.limit_memory, 0.4)
    [parked] = await fleet.failed("clip")
    assert parked.image_id == images[0]
    assert "windmill-handed-out" not in parked.headers
    assert await fleet.depth("clip") == 0


@pytest.mark.slow(reason="starts a RabbitMQ of its own and loses one session after the other")
@pytest.mark.parametrize("environ", ["classic", "quorum"], indirect=True)
async def test_sessions_that_are_lost_during_an_alarm_make_no_job_look_deadly(
    fleet: Fleet, farm: Farm, own_broker: MeteredBroker, queue_proxy: Proxy, picture: bytes
) -> None:
    broken = await fleet.register_pictures(3)  # to be parked, which takes a publish
    good = await fleet.register_pictures(3, picture)
    await fleet.produce("--services", "clip")
    await asyncio.to_thread(own_broker.limit_memory, 0.0)
    proxy = {"QUEUE_HOST": LOOPBACK, "QUEUE_PORT": str(queue_proxy.port)}
    worker = await fleet.worker("clip", DELIVERY_LIMIT=str(DELIVERIES), **proxy)
    for session in range(1, 2 * DELIVERIES + 1):
        await worker.says(" consuming ", times=session, seconds=60)
        await until(partial(in_hand, fleet), 60, fleet.logs)
        await queue_proxy.cut()
        await queue_proxy.mend()
    await worker.says(" consuming ", times=2 * DELIVERIES + 1, seconds=60)
    await asyncio.to_thread(own_broker.limit_memory, 0.4)
    await fleet.stored(len(good), 60)
    await until(partial(emptied, fleet), 60, fleet.logs)
    assert (await worker.stop()).code == 0
    parked = await fleet.take_all("clip", ".failed")
    assert {one.headers["windmill-code"] for one in parked} == {"IMAGE_UNREADABLE"}
    assert {one.image_id for one in parked} == set(broken)
    assert await fleet.count("error_code = 'WORKER_LOST'") == 0


async def emptied(fleet: Fleet) -> bool:
    return await fleet.depth("clip") == 0 and not await in_hand(fleet)


async def in_hand(fleet: Fleet) -> bool:
    """Whether RabbitMQ waits for an acknowledgement. How many jobs are ready tells less: it takes the first publish of
    each connection in spite of the alarm, so there may be copies."""
    queues = await asyncio.to_thread(activity, fleet.settings)
    return bool(queues[broker.work_queue(fleet.settings, "clip")].unacknowledged)


async def beyond_time_outs(settings: Settings) -> None:
    """Time out as often as the worker would, one after the other."""
    async with broker.connection(settings, "test") as opened, broker.publisher(opened, settings) as publisher:
        for _ in range(TIME_OUTS):
            with pytest.raises(WindmillError):
                await publisher.to_failed("ocr", b"{}", {})
