"""Asking a service that is away, gently, until a job may try it."""

import asyncio
from collections.abc import Callable

from windmill.calling.service_state import ServiceState


class Prober:
    """Asks one service; `on_answer` is called whenever something was found out."""

    def __init__(self, state: ServiceState, on_answer: Callable[[], None] = lambda: None) -> None:
        self._state = state
        self._on_answer = on_answer
        self._question: asyncio.Task[None] | None = None

    def ask_when_due(self) -> None:
        """Begin a question if the breaker is open and its time is over; one at a time."""
        breaker = self._state.breaker
        due = breaker.state == "open" and not breaker.seconds_left()
        if due and (self._question is None or self._question.done()):
            self._question = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        """Before a job is spent on it, the service has to answer a picture of ours."""
        async with self._state.slots:
            met = await self._state.ask(1)
        if met and met.code != "SERVICE_REJECTED":
            self._state.breaker.wait_longer(met)
        else:
            self._state.breaker.let_one_try()
        self._on_answer()

    def close(self) -> None:
        """Whoever wanted to know does so no more."""
        if self._question:
            self._question.cancel()
