"""Running a program: settings, log, signals, event loop and exit code.

Exit codes; windmill.core.errors.ERROR_CODES has the exit code of each error code:

    0    done
    1    the work failed, or something it needs is unavailable
    2    a mistake that a retry would repeat: wrong usage, a wrong setting, something that does not exist
    70   a bug of Windmill; the traceback is in the log
    75   another process is at work, or a limit applies: try again later
    130  stopped by Ctrl-C, or by a second signal
"""

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import uvloop

from windmill.core.errors import DataRefused, WindmillError, unexpected
from windmill.core.settings import Settings, load_settings
from windmill.process import logs

logger = logging.getLogger(__name__)

DONE, FAILED, INTERRUPTED = 0, 1, 130
CANCEL_AGAIN_SECONDS = 10.0
"""Longer than a task takes to close its connections, which a second cancellation would cut short."""
Main = Callable[[Settings, asyncio.Event], Awaitable[int]]


def run(main: Main) -> int:
    """Run an asynchronous main; it has to return soon after the event is set by SIGTERM or Ctrl-C."""
    return command(lambda settings: uvloop.run(_until_done(main, settings)))


def command(main: Callable[[Settings], int]) -> int:
    """Run a main with the settings; a known error becomes one message on standard error and an exit code."""
    try:
        settings = load_settings()
        logs.configure(settings.log_level, settings.log_format, settings.secrets())
        return main(settings)
    except WindmillError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except DataRefused as error:
        sys.stderr.write(f"PostgreSQL rejects the data: {error}\n")
        return FAILED
    except (KeyboardInterrupt, asyncio.CancelledError):
        return INTERRUPTED
    except OSError:
        raise  # a full disk or a closed pipe is no bug, and its own message is clearest
    except Exception as error:
        defect = unexpected(error)
        logger.exception("unexpected fault", extra={"code": defect.code, "remedy": defect.remedy})
        return defect.exit_code


async def _until_done(main: Main, settings: Settings) -> int:
    stop = asyncio.Event()
    task = asyncio.ensure_future(main(settings, stop))
    loop = asyncio.get_running_loop()

    def on_signal(name: str) -> None:
        if stop.is_set():
            logger.warning("second signal, stopping at once", extra={"signal": name})
            task.cancel()
        else:
            logger.info("stopping", extra={"signal": name})
            stop.set()

    def on_unhandled(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        # Tasks that a driver left when its server hung fail while we stop, and no code awaits them.
        if stop.is_set():
            logger.debug("unhandled error while stopping", extra={"reason": repr(context.get("exception"))})
        else:
            loop.default_exception_handler(context)

    loop.set_exception_handler(on_unhandled)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number.name)
    return await task


def background(
    work: Coroutine[None, None, None], cancel_again_seconds: float = CANCEL_AGAIN_SECONDS
) -> contextlib.AbstractAsyncContextManager[None]:
    """Run a coroutine as a task while the block runs; the end of the block cancels it. If it fails, the block is
    cancelled and its exception raised. If it returns, the block continues.

    An asyncio.TaskGroup would wait for the task, and raise exception groups."""
    return _Background(work, cancel_again_seconds)


class _Background:
    """Of two failures the first is raised. A cancellation from outside precedes both, as it comes only once."""

    def __init__(self, work: Coroutine[None, None, None], cancel_again_seconds: float) -> None:
        self._work = work
        self._cancel_again_seconds = cancel_again_seconds
        self._interrupted = self._leaving = False

    async def __aenter__(self) -> None:
        block = asyncio.current_task()
        assert block
        self._block = block
        self._cancels_before = block.cancelling()
        self._task = asyncio.create_task(self._work)
        self._task.add_done_callback(self._on_end)

    def _on_end(self, ended: "asyncio.Task[None]") -> None:
        # Called one loop iteration later. A block that was left meanwhile sees the failure in __aexit__; cancelling
        # then would hit the code after it.
        if not self._leaving and not ended.cancelled() and ended.exception():
            self._interrupted = True
            self._block.cancel()

    async def __aexit__(self, _kind: object, own: BaseException | None, _traceback: object) -> None:
        self._leaving = True
        if self._interrupted:
            self._block.uncancel()
        cancelled = await self._ended()
        failure = None if self._task.cancelled() else self._task.exception()
        raised = cancelled or self._first(own, failure)
        if raised and failure and raised is not failure:
            raised.add_note(f"The background task also failed: {failure!r}")
        if raised and raised is not own:
            raise raised

    async def _ended(self) -> asyncio.CancelledError | None:
        """Cancel the task and wait for it, and cancel again while it works on: a library that waits for an end just as
        it comes loses a cancellation (asyncio.wait_for did until Python 3.12). A cancellation from outside meanwhile is
        returned."""
        cancelled = None
        while not self._task.done():
            self._task.cancel()
            try:
                await asyncio.wait([self._task], timeout=self._cancel_again_seconds)
            except asyncio.CancelledError as error:
                cancelled = error
        return cancelled

    def _first(self, own: BaseException | None, failure: BaseException | None) -> BaseException | None:
        if not self._interrupted:
            return own or failure
        if self._block.cancelling() > self._cancels_before:
            # Cancelled from outside as well, before the block noticed either.
            return own if isinstance(own, asyncio.CancelledError) else asyncio.CancelledError()
        return failure


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, but return at once when `stop` is set."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
