"""The database of histories of jobs, with the processes that work on them."""

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import AsyncExitStack
from typing import Any

from tests.integration.claimants import ClaimantProcess
from tests.job_scene import CATALOG, JobScene
from windmill import broker
from windmill.core.settings import Settings
from windmill.storage import database

NAMES = tuple(step.name for step in CATALOG)


class HistoryDatabase:
    """One database, one event loop and two processes for all histories, as each has hundreds of turns."""

    def __init__(self, settings: Settings, claimants: Sequence[ClaimantProcess]) -> None:
        self._settings = settings
        self.claimants = claimants
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self.run(self._open())

    async def _open(self) -> None:
        pool = await self._stack.enter_async_context(database.pool(self._settings, "test"))
        self.rows = await self._stack.enter_async_context(database.connection(self._settings, "test"))
        self.scene = JobScene(pool, self._settings, self.rows)

    def run(self, work: Awaitable[Any]) -> Any:  # noqa: ANN401 - what it gives
        async def within() -> Any:  # noqa: ANN401
            return await work

        return self._runner.run(within())

    async def _close(self) -> None:
        await self._stack.aclose()
        async with broker.connection(self._settings, "test") as opened:
            await broker.delete_step_queues(opened, self._settings, NAMES)

    def close(self) -> None:
        self.run(self._close())
        self._runner.close()
