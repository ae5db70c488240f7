"""The queue of a step holds a token for each task that can be claimed, whatever became of the ones before."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.integration.fleet import Fleet
from tests.job_scene import CATALOG, JobScene
from windmill import broker
from windmill.core.settings import Settings
from windmill.jobs.requests import pause_job
from windmill.jobs.tokens import MOST_TOKENS, publish_tokens, top_up
from windmill.storage import database

pytestmark = [pytest.mark.database, pytest.mark.broker]

STEPS = [step.name for step in CATALOG]


class TokenScene:
    """Jobs, and the queues of their steps."""

    def __init__(self, jobs: JobScene, opened: broker.Connection, publisher: broker.Publisher, fleet: Fleet) -> None:
        self.jobs = jobs
        self.publisher = publisher
        self._opened = opened
        self._fleet = fleet
        self.settings = fleet.settings

    async def top_up(self) -> None:
        await top_up(self.jobs.access, self._opened, self.publisher, self.settings, STEPS)

    async def tokens(self, step: str = "cut") -> int:
        return await self._fleet.depth(step)

    async def purge(self, step: str = "cut") -> int:
        return len(await self._fleet.take_all(step))


@pytest.fixture
async def scene(fleet: Fleet, settings: Settings) -> AsyncIterator[TokenScene]:
    async with (
        database.pool(settings, "test", max_size=16) as pool,
        broker.connection(settings, "test") as opened,
        broker.publisher(opened, settings) as publisher,
    ):
        await broker.declare_step_queues(opened, settings, STEPS)
        yield TokenScene(JobScene(pool, settings, fleet.rows), opened, publisher, fleet)
        await broker.delete_step_queues(opened, settings, STEPS)


async def test_each_task_that_can_be_claimed_has_a_token_and_no_more(scene: TokenScene) -> None:
    await scene.jobs.submit(cut=3)
    await scene.top_up()
    await scene.top_up()
    assert (await scene.tokens("cut"), await scene.tokens("join")) == (3, 0)


async def test_tokens_that_were_purged_come_back(scene: TokenScene) -> None:
    await scene.jobs.submit(cut=3)
    await scene.top_up()
    assert await scene.purge() == 3
    await scene.top_up()
    assert await scene.tokens() == 3


async def test_work_that_is_paused_has_no_tokens(scene: TokenScene) -> None:
    job = await scene.jobs.submit(cut=3)
    await pause_job(scene.jobs.access, job, "me")
    await scene.top_up()
    assert await scene.tokens() == 0


async def test_any_number_of_tasks_are_a_thousand_tokens(scene: TokenScene) -> None:
    await publish_tokens(scene.publisher, scene.settings, {"cut": MOST_TOKENS + 500})
    assert await scene.tokens() == MOST_TOKENS


async def test_processes_that_top_up_at_once_publish_each_token_once(scene: TokenScene) -> None:
    await scene.jobs.submit(cut=20)
    await asyncio.gather(*(scene.top_up() for _ in range(5)))
    assert await scene.tokens() == 20
