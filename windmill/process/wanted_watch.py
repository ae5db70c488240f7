"""Watching what people want of the services or steps of this process, so that it pauses and goes on without a restart.

A table of a few rows is read every two seconds. While the database is away, what was wanted last is still wanted.
"""

import asyncio
import logging
import random
from collections.abc import Iterable
from typing import Protocol

from windmill.core.errors import WindmillError
from windmill.core.outages import Outage
from windmill.core.setting_parts import DatabaseSettings
from windmill.core.wanted_states import WantedStates
from windmill.process.lifecycle import Program, retry_until_stopped
from windmill.storage.database import CONNECT_SECONDS, Pool, translate_errors
from windmill.storage.wanted_states import read_wanted_states

logger = logging.getLogger(__name__)

LOOK_SECONDS = 2.0


class Wantable(Protocol):
    """What pauses and goes on: the state of a service or of a step in this process."""

    @property
    def name(self) -> str: ...

    @property
    def paused(self) -> bool: ...

    def want(self, wanted: WantedStates) -> None: ...


class WantedWatch:
    """Tells each of the states what is wanted of it."""

    def __init__(
        self, pool: Pool, settings: DatabaseSettings, states: Iterable[Wantable], *, seconds: float = LOOK_SECONDS
    ) -> None:
        self._pool, self._settings = pool, settings
        self._states = list(states)
        self._seconds = seconds

    async def begin(self, program: Program, outage: Outage) -> bool:
        """Look once before any work begins, waiting for the database; False if the program stops before that."""
        return await retry_until_stopped(program, outage, self.look)

    async def look(self) -> None:
        with translate_errors(self._settings):
            async with self._pool.acquire(timeout=CONNECT_SECONDS) as connection:
                wanted = await read_wanted_states(connection)
        for state in self._states:
            self._tell(state, wanted)

    async def watch_for_ever(self) -> None:
        """Look again and again; at once done if nothing here can be paused."""
        while self._states:
            await asyncio.sleep(self._seconds * random.uniform(0.8, 1.2))
            try:
                await self.look()
            except WindmillError as error:
                logger.debug("what is wanted cannot be read", extra={"reason": str(error)})

    def _tell(self, state: Wantable, wanted: WantedStates) -> None:
        before = state.paused
        state.want(wanted)
        if pause := wanted.pause_of(state.name):
            if not before:
                told = {"service": state.name, "owner": pause.owner, "reason": pause.reason}
                logger.warning("paused: what is begun is finished, and nothing else is", extra=told)
        elif before:
            logger.info("goes on after a pause", extra={"service": state.name})
