"""A cluster of three RabbitMQ nodes of which one after another dies under load."""

import asyncio
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from dev.servers import databases, rabbitmq_node, rabbitmq_programs
from tests.chaos.cluster import Cluster, Node
from tests.chaos.conftest import STATE, create_with_tables
from tests.chaos.telling import tell
from tests.integration.fleet import Fleet, running_fleet, unavailable
from tests.integration.interruptions import SERVICE, loaded_worker, rows_reach, standstills
from tests.waiting import until
from windmill.broker import work_queue
from windmill.core.settings import Settings

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

JOBS = 16_000
STANDSTILL = 20
Capsys = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def cluster(servers: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Run by the programs of the private broker."""
    programs = rabbitmq_programs.at(Path(rabbitmq_node.load(STATE / "rabbitmq").script))
    if programs is None:
        unavailable("the private RabbitMQ runs in Docker, whose nodes do not see each other")
    assert programs is not None
    started = Cluster(tmp_path_factory.mktemp("cluster"), programs)
    try:
        started.start()
        yield started
    finally:
        started.stop()


@pytest.fixture
def environ(cluster: Cluster, servers: Mapping[str, str]) -> Iterator[dict[str, str]]:
    unique = uuid.uuid4().hex[:8]
    found = {**servers, **cluster.variables(), "DB_NAME": f"windmill_{unique}", "QUEUE_PREFIX": f"cluster_{unique}_"}
    settings = Settings.from_env(found)
    asyncio.run(create_with_tables(settings))
    yield found
    asyncio.run(databases.drop(settings, settings.db_name))


async def test_nothing_is_lost_when_each_node_of_a_cluster_dies_once_under_load(
    fleet: Fleet, cluster: Cluster, capsys: Capsys
) -> None:
    queue = work_queue(fleet.settings, SERVICE)
    worker = await loaded_worker(fleet, JOBS, seconds=0.01, concurrency=4)
    assert len(_members(cluster.nodes[0], queue, "members")) == len(cluster.nodes)
    deaths = []
    for turn, node in enumerate(cluster.nodes):
        there = await rows_reach(fleet.rows, JOBS * (2 * turn + 1) // 8, worker)
        assert there < JOBS, "all was done before the fault"
        deaths.append(datetime.now(UTC))
        cluster.kill(node)
        await rows_reach(fleet.rows, there + 100, worker)  # the others go on
        await cluster.bring_back(node)
        await until(lambda: len(_members(cluster.nodes[0], queue, "online")) == len(cluster.nodes), 60)
    await rows_reach(fleet.rows, JOBS, worker, 300)
    stood = await standstills(fleet.rows, deaths)
    left = await _left(fleet)
    assert (await worker.stop(seconds=60)).code == 0
    tries = await fleet.count("attempt > 1")
    tell(
        capsys,
        f"3 nodes of which each died once: {JOBS:,} jobs, {await fleet.count():,} rows, {left} left, {tries} later "
        f"tries; stood still for {', '.join(f'{seconds:.1f} s' for seconds in stood)}",
    )
    assert (await fleet.count("status = 'success'"), await fleet.count(), left, tries) == (JOBS, JOBS, (0, 0), 0)
    assert max(stood) < STANDSTILL


def _members(asked: Node, queue: str, kind: str) -> list[str]:
    """The nodes that hold the queue, or those of them that are there."""
    settings = asked.settings
    url = f"http://127.0.0.1:{settings.port['management']}/api/queues/%2F/{queue}"
    found = requests.get(url, auth=(settings.user, settings.password), timeout=10)
    return list(found.json().get(kind, [])) if found.ok else []


async def _left(fleet: Fleet) -> tuple[int, int]:
    """What is still in the work queue and in the failed one, seen through new connections."""
    async with running_fleet(fleet.environ, fleet.settings, fleet.folder) as eyes:
        return await eyes.depth(SERVICE), await eyes.depth(SERVICE, ".failed")
