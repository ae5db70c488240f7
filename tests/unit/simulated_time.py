"""An event loop whose time passes in leaps: whenever all tasks wait for a time, it is that time. An hour takes as long
as what happens in it."""

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any


class _LeapingSelector(selectors.DefaultSelector):
    """Reports a wait as over at once, and how long it would have been."""

    def __init__(self) -> None:
        super().__init__()
        self.waited = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(None if timeout is None else 0)
        if not ready and timeout:
            self.waited += timeout
        return ready


class SimulatedTimeLoop(asyncio.SelectorEventLoop):
    """Starts at 0."""

    def __init__(self) -> None:
        self._leaping = _LeapingSelector()
        super().__init__(self._leaping)

    def time(self) -> float:
        return self._leaping.waited


async def pass_time(seconds: float) -> None:
    """Let simulated time pass; in a loop of real time it fails."""
    assert isinstance(asyncio.get_running_loop(), SimulatedTimeLoop)
    await asyncio.sleep(seconds)  # no real time passes


def in_simulated_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test in a loop of this kind."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the test's
        with asyncio.Runner(loop_factory=SimulatedTimeLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run
