"""The life of a process: settings, log, signals, event loop and exit code.

Exit codes: 0 done, 1 the work failed, 2 a mistake of the user's, 130 stopped by a second signal.
"""

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import uvloop

from windmill import logs
from windmill.errors import DataRefused, WindmillError
from windmill.settings import Settings, load_settings

logger = logging.getLogger(__name__)

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
Main = Callable[[Settings, asyncio.Event], Awaitable[int]]


def run(main: Main) -> int:
    """Run an asynchronous main with the settings of this process; `main` ends soon after the event is set."""
    return command(lambda settings: uvloop.run(_until_done(main, settings)))


def command(main: Callable[[Settings], int]) -> int:
    """Run a main with the settings of this process; a known failure becomes one message and an exit code."""
    try:
        settings = load_settings()
        logs.configure(settings.log_level, settings.log_format, settings.secrets())
        return main(settings)
    except WindmillError as error:
        sys.stderr.write(f"{error}\n")
        return USAGE if error.code == "CONFIG_INVALID" else FAILED
    except DataRefused as error:
        sys.stderr.write(f"PostgreSQL does not take the data: {error}\n")
        return FAILED
    except (KeyboardInterrupt, asyncio.CancelledError):
        return INTERRUPTED


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

    def on_stray(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        # What a driver still had under way when its server hung ends somehow, and nobody waits for it any more.
        if stop.is_set():
            logger.debug("left behind while stopping", extra={"reason": repr(context.get("exception"))})
        else:
            loop.default_exception_handler(context)

    loop.set_exception_handler(on_stray)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number.name)
    return await task


@contextlib.asynccontextmanager
async def background(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Let something run beside the block; should it fail, the block is cancelled and the failure raised."""
    block = asyncio.current_task()
    task = asyncio.create_task(work)

    def on_end(ended: "asyncio.Task[None]") -> None:
        if block and not ended.cancelled() and ended.exception():
            block.cancel()

    task.add_done_callback(on_end)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, but wake at once when the process is to stop."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
