"""A step may take longer than the broker lets anybody hold a message."""

import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from dev import servers as private_servers
from dev.servers import rabbitmq_node, rabbitmq_programs
from tests.chaos.telling import tell
from tests.e2e.worker_scene import WorkerScene, worker_scene
from tests.integration.fleet import Fleet, unavailable
from tests.waiting import forever, until
from windmill import broker
from windmill.core.settings import Settings
from windmill.jobs.submitting import NewStep
from windmill.jobs.tokens import publish_tokens

pytestmark = [pytest.mark.database, pytest.mark.broker]

LONG = NewStep("long", 1)
STEP_SECONDS = 90
"""RabbitMQ looks once a minute who holds a message for too long."""
HELD_MILLISECONDS = 30_000
NEXT_TASKS = 9
AT_ONCE_SECONDS = 0.5
"""Without a token it would be a second."""
WAITED = "SELECT extract(epoch FROM claimed_at - queued_at)::float8 FROM tasks WHERE worker = 'second' ORDER BY 1"


@pytest.fixture
def environ(environ: dict[str, str], tmp_path: Path) -> Iterator[dict[str, str]]:
    """With a broker of its own, which takes back what anybody holds for 30 s."""
    state = tmp_path / "servers"
    variables = private_servers.up(state, {}, report=lambda _: None, only=["rabbitmq"])
    try:
        evaluate(state / "rabbitmq", f"application:set_env(rabbit, consumer_timeout, {HELD_MILLISECONDS}).")
        yield {**environ, **variables}
    finally:
        private_servers.down(state, only=["rabbitmq"])


def evaluate(home: Path, expression: str) -> None:
    """Change a running node as its operator does."""
    settings = rabbitmq_node.load(home)
    programs = rabbitmq_programs.at(Path(settings.script))
    if programs is None:
        unavailable("the private RabbitMQ runs in Docker")
    assert programs is not None
    subprocess.run(
        [programs.script.parent / "rabbitmqctl", "eval", expression],
        env=programs.environment() | rabbitmq_node.environment(home, settings),
        check=True,
        timeout=120,
        stdout=subprocess.DEVNULL,
    )


@pytest.fixture
async def scene(fleet: Fleet, settings: Settings) -> AsyncIterator[WorkerScene]:
    async with worker_scene(fleet, settings, TASK_LEASE_SECONDS="30") as opened:
        yield opened


async def hold(_: broker.Delivery) -> None:
    await forever()


@pytest.mark.slow(reason="110 s: a step takes 90 s, and a broker is started")
async def test_a_step_longer_than_a_message_may_be_held_is_run_once_and_another_worker_takes_the_next_task(
    scene: WorkerScene, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    await scene.fleet.declare("clip")
    await scene.fleet.put("clip", b"a message that is held for as long as the step takes")
    async with (
        broker.connection(settings, "test") as opened,
        broker.queue_consumer(opened, settings, broker.work_queue(settings, "clip")) as holder,
        broker.publisher(opened, settings) as publisher,
    ):
        await holder.start(hold, 1)
        first = await scene.worker("long", WORKER_ID="first")
        long = await scene.submit(LONG, inputs={"seconds": STEP_SECONDS})
        await scene.started(1)
        await scene.worker("long", WORKER_ID="second")
        folder = scene.folder / "next"
        folder.mkdir()
        for _ in range(NEXT_TASKS):
            job = await scene.submit(LONG, folder=folder, inputs={"seconds": 0})
            await publish_tokens(publisher, settings, {"long": 1})
            await scene.becomes(job, "succeeded")
        await scene.becomes(long, "succeeded", STEP_SECONDS + 60)
        await until(holder.lost, 60, "the broker takes back what is held")
    waited = [row[0] for row in await scene.jobs.rows.fetch(WAITED)]
    middle, longest = waited[len(waited) // 2], waited[-1]
    tell(capsys, f"beside a step of {STEP_SECONDS} s the next {len(waited)} tasks waited {middle:.2f} s (p50), at most "
                 f"{longest:.2f} s; the long step ran {scene.runs().total()} time")  # fmt: skip
    assert scene.runs() == {"long 0": 1}
    assert await scene.jobs.rows.fetchval("SELECT attempt FROM tasks WHERE job_id = $1", long) == 1
    assert len(waited) == NEXT_TASKS
    assert "unavailable" not in first.log
    assert middle <= AT_ONCE_SECONDS
