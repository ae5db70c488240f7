"""Threads that read files for the event loop, as many as the storage needs and no more."""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue

PATIENCE_SECONDS = 0.01
MOST_THREADS = 32

Question = tuple["asyncio.Future[bytes]", str]
Answer = tuple["asyncio.Future[bytes]", bytes | Exception]


class ReaderThreads:
    """Runs `read` off the loop: one thread while it keeps up, another whenever a read was not begun in time.

    One thread costs the least, as long as files come from memory; reads that wait for a disk or hang with a share get
    others beside them. The threads are daemons: a hung one must not keep the process from its end, as the threads of
    an executor would. All answers that are there go to the loop by one wake-up.
    """

    def __init__(self, read: Callable[[str], bytes]) -> None:
        self._read = read
        self._questions: SimpleQueue[Question | None] = SimpleQueue()
        self._answers: deque[Answer] = deque()
        self._asked = 0
        self._threads = 0
        self._woken = False
        self._look: asyncio.TimerHandle | None = None

    def __enter__(self) -> "ReaderThreads":
        self._loop = asyncio.get_running_loop()
        self._add_thread()
        return self

    def __exit__(self, *_: object) -> None:
        """Let idle threads end; one that hangs ends when its read does, or with the process."""
        if self._look:
            self._look.cancel()
        for _thread in range(self._threads):
            self._questions.put(None)

    def read(self, path: str) -> "asyncio.Future[bytes]":
        """What `read` returns or raises for the path."""
        future = self._loop.create_future()
        self._questions.put((future, path))
        self._asked += 1
        if self._look is None:
            self._look_soon()
        return future

    def _look_soon(self) -> None:
        self._look = self._loop.call_later(PATIENCE_SECONDS, self._add_thread_if_late, self._asked)

    def _add_thread_if_late(self, asked: int) -> None:
        """One more thread if what was `asked` at the last look has not all been begun."""
        self._look = None
        begun = self._asked - self._questions.qsize()
        if begun < asked and self._threads < MOST_THREADS:
            self._add_thread()
        if begun < self._asked:
            self._look_soon()

    def _add_thread(self) -> None:
        self._threads += 1
        threading.Thread(target=self._work, name=f"reader-{self._threads}", daemon=True).start()

    def _work(self) -> None:
        while question := self._questions.get():
            self._answer(*question)
            del question  # so that the last image does not stay in memory until the next one

    def _answer(self, future: "asyncio.Future[bytes]", path: str) -> None:
        if future.cancelled():
            return
        try:
            self._answers.append((future, self._read(path)))
        except Exception as error:  # noqa: BLE001 - it is raised where the read is awaited
            self._answers.append((future, error))
        if not self._woken:
            self._woken = True
            with contextlib.suppress(RuntimeError):  # the loop has ended while this read hung
                self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        # Before the first answer is taken: a thread that adds one from now on wakes the loop again.
        self._woken = False
        while self._answers:
            future, answer = self._answers.popleft()
            if future.done():
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)
