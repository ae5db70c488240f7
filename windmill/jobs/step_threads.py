"""Threads that run tasks, each with an event loop of its own. Starting one takes longer than a short task, so a thread
takes the next task when it has done one."""

import asyncio
import threading
from collections.abc import Callable


class StepThread:
    """One thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="step", daemon=True).start()

    def call(self, callback: Callable[[], object]) -> None:
        """Call it in the thread."""
        self._loop.call_soon_threadsafe(callback)

    async def clear(self) -> None:
        """Called in the thread: cancel what a task has left behind, and wait until it has ended."""
        left = asyncio.all_tasks(self._loop) - {asyncio.current_task(self._loop)}
        for one in left:
            one.cancel()
        await asyncio.gather(*left, return_exceptions=True)


class StepThreads:
    """Those of a process. Only its own event loop takes them and gives them back."""

    def __init__(self) -> None:
        self._idle: list[StepThread] = []

    @property
    def idle(self) -> int:
        """Threads that wait for a task."""
        return len(self._idle)

    def take(self) -> StepThread:
        return self._idle.pop() if self._idle else StepThread()

    def give_back(self, thread: StepThread) -> None:
        """Nothing runs in it any more."""
        self._idle.append(thread)
