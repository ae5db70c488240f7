"""A RabbitMQ that is short of memory takes no publishes: a worker waits with what it cannot publish."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from dev.servers import databases, rabbitmq_node, rabbitmq_programs
from tests.conftest import STATE
from tests.e2e.conftest import Farm
from tests.e2e.metered_broker import MeteredBroker
from tests.integration.fleet import Fleet, unavailable
from tests.parallel import RETRY_DELAYS
from tests.waiting import until
from windmill import broker
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings

pytestmark = [pytest.mark.database, pytest.mark.broker]

TIME_OUTS = 3


@pytest.fixture
def own_broker(servers: Mapping[str, str], tmp_path: Path) -> Iterator[MeteredBroker]:
    """Run by the programs of the private broker."""
    programs = rabbitmq_programs.at(Path(rabbitmq_node.load(STATE / "rabbitmq").script))
    if programs is None:
        unavailable("the private RabbitMQ's programs are not on this machine")
    assert programs is not None
    started = MeteredBroker(tmp_path / "broker", programs)
    try:
        started.start()
        yield started
    finally:
        started.stop()


@pytest.fixture
def environ(own_broker: MeteredBroker, servers: Mapping[str, str], template: str) -> Iterator[dict[str, str]]:
    name = f"{template}_alarm"
    found = {**servers, **own_broker.variables(), "DB_NAME": name, "RETRY_DELAYS": RETRY_DELAYS}
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


async def beyond_time_outs(settings: Settings) -> None:
    """Time out as often as the worker would, one after the other."""
    async with broker.connection(settings, "test") as opened, broker.publisher(opened, settings) as publisher:
        for _ in range(TIME_OUTS):
            with pytest.raises(WindmillError):
                await publisher.to_failed("ocr", b"{}", {})
