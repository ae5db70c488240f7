"""A thread pool that reads files for the event loop. It grows while reads are slow, and shrinks when they no longer
are."""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue

START_DEADLINE_SECONDS = 0.01
MAX_THREADS = 32
QUIET_SECONDS = 10.0
"""When no read has had to wait for a thread for so long, half of the threads that are free go."""

Question = tuple["asyncio.Future[bytes]", str]
Answer = tuple["asyncio.Future[bytes]", bytes | Exception]


class ReaderThreads:
    """Runs `read` off the loop: in one thread while it keeps up, and in one more whenever a read did not start in time.

    One thread is cheapest while files come from the page cache; slow disks and hung shares get more. The threads are
    daemons, because a hung thread of an executor would keep the process from exiting. One wake-up of the loop delivers
    all results that are ready.
    """

    def __init__(self, read: Callable[[str], bytes], *, quiet_seconds: float = QUIET_SECONDS) -> None:
        self._read = read
        self._quiet_seconds = quiet_seconds
        self._questions: SimpleQueue[Question | None] = SimpleQueue()
        self._answers: deque[Answer] = deque()
        self._asked = 0
        self._answered = 0
        self._threads = 0
        self._woken = False
        self._look: asyncio.TimerHandle | None = None
        self._retire: asyncio.TimerHandle | None = None

    @property
    def size(self) -> int:
        """How many threads there are."""
        return self._threads

    def __enter__(self) -> "ReaderThreads":
        self._loop = asyncio.get_running_loop()
        self._add_thread()
        return self

    def __exit__(self, *_: object) -> None:
        """Let idle threads end; one that hangs ends when its read does, or with the process."""
        for timer in (self._look, self._retire):
            if timer:
                timer.cancel()
        for _thread in range(self._threads):
            self._questions.put(None)

    def read(self, path: str) -> "asyncio.Future[bytes]":
        """A future of what `read` returns or raises for the path."""
        future = self._loop.create_future()
        self._questions.put((future, path))
        self._asked += 1
        if self._look is None:
            self._look_soon()
        return future

    def _look_soon(self) -> None:
        self._look = self._loop.call_later(START_DEADLINE_SECONDS, self._add_thread_if_late, self._asked)

    def _add_thread_if_late(self, asked: int) -> None:
        """Add a thread unless all reads requested before the last check have started."""
        self._look = None
        begun = self._asked - self._questions.qsize()
        if begun < asked and self._threads < MAX_THREADS:
            self._add_thread()
        if begun < self._asked:
            self._look_soon()

    def _add_thread(self) -> None:
        self._threads += 1
        threading.Thread(target=self._work, name=f"reader-{self._threads}", daemon=True).start()
        self._retire_later()

    def _retire_later(self) -> None:
        if self._retire:
            self._retire.cancel()
            self._retire = None
        if self._threads > 1:
            self._retire = self._loop.call_later(self._quiet_seconds, self._retire_half)

    def _retire_half(self) -> None:
        """Let half of the free threads end. One that hangs is not free: who ended in its place would be missed."""
        free = self._threads - (self._asked - self._questions.qsize() - self._answered)
        for _thread in range(free // 2):
            self._threads -= 1
            self._questions.put(None)
        self._retire_later()

    def _work(self) -> None:
        while question := self._questions.get():
            self._answer(*question)
            del question  # frees the last image before the next one arrives

    def _answer(self, future: "asyncio.Future[bytes]", path: str) -> None:
        try:
            self._answers.append((future, b"" if future.cancelled() else self._read(path)))
        except Exception as error:  # noqa: BLE001 - raised where the read is awaited
            self._answers.append((future, error))
        if not self._woken:
            self._woken = True
            with contextlib.suppress(RuntimeError):  # the loop was closed while this read hung
                self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        # Before taking results: a thread that adds one from now on wakes the loop again.
        self._woken = False
        while self._answers:
            future, answer = self._answers.popleft()
            self._answered += 1
            if future.done():
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)
