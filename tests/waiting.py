"""Waiting for what a test expects, in place of guessing how long a busy machine takes."""

import asyncio
import time
from collections.abc import Awaitable, Callable

PAUSE_SECONDS = 0.01
TURNS = 50
"""More than any chain of tasks that wake each other in these tests."""


async def until(condition: Callable[[], object], seconds: float = 30, what: object = "it") -> None:
    """Return once the condition, awaited if need be, is true; fails when that takes too long.

    `what` may be called to tell more.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        found = condition()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return
        assert loop.time() < deadline, _too_late(seconds, what)
        await asyncio.sleep(PAUSE_SECONDS)  # between two looks


def wait_until(condition: Callable[[], object], seconds: float = 30, what: object = "it") -> None:
    """The same where there is no event loop."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, _too_late(seconds, what)
        time.sleep(PAUSE_SECONDS)  # between two looks


async def turns(number: int) -> None:
    """Let the event loop go round so often."""
    for _ in range(number):
        await asyncio.sleep(0)  # one turn, which takes no time


async def settled() -> None:
    """Let all other tasks go on until each waits for something that only the test, the clock or a socket can give."""
    await turns(TURNS)


async def at_work(seconds: float) -> None:
    """What a stand-in does for so long: the time that its work takes, in which others can meet it."""
    await asyncio.sleep(seconds)  # how long it takes is what the test gives


async def forever() -> None:
    """What never comes to an end by itself."""
    await asyncio.Event().wait()


def _too_late(seconds: float, what: object) -> str:
    return f"not within {seconds} s: {what() if callable(what) else what}"
