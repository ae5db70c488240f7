"""Work that ends when its job is cancelled."""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

from windmill.core.errors import WindmillError

V = TypeVar("V")


async def until_cancelled(work: Coroutine[None, None, V], cancelled: asyncio.Event) -> V:
    """The result of the work; raises CANCELLED, once the work has been stopped, if the event is set first."""
    if cancelled.is_set():
        work.close()
        raise WindmillError("CANCELLED", "the job was cancelled")
    task = asyncio.ensure_future(work)
    told = asyncio.ensure_future(cancelled.wait())
    try:
        await asyncio.wait((task, told), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise WindmillError("CANCELLED", "the job was cancelled")
        return task.result()
    finally:
        told.cancel()
        await _stopped(task)


async def to_the_end(task: "asyncio.Future[V]") -> V:
    """The result of what must not be interrupted; being cancelled meanwhile takes effect afterwards."""
    interrupted = None
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as error:
            interrupted = error
    if interrupted:
        raise interrupted
    return task.result()


async def _stopped(task: "asyncio.Future[V]") -> None:
    """Cancel it, and wait until it has cleaned up, whatever it then raises."""
    task.cancel()
    await to_the_end(asyncio.ensure_future(asyncio.wait((task,))))
    if not task.cancelled():
        task.exception()  # has been looked at
