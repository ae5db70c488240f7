import asyncio

import pytest

from tests.waiting import settled
from windmill.core.errors import WindmillError
from windmill.engines.cancelling import to_the_end, until_cancelled


class Work:
    """Work that takes as long as it is told, and so does its cleaning up."""

    def __init__(self) -> None:
        self.go_on, self.clean = asyncio.Event(), asyncio.Event()
        self.cleaned = False

    async def __call__(self) -> str:
        try:
            await self.go_on.wait()
            return "done"
        finally:
            await self.clean.wait()
            self.cleaned = True


async def test_the_result_is_that_of_the_work() -> None:
    work = Work()
    work.go_on.set()
    work.clean.set()
    assert await until_cancelled(work(), asyncio.Event()) == "done"


async def test_a_failure_of_the_work_is_its_own() -> None:
    async def fail() -> None:
        raise WindmillError("SERVICE_ERROR", "it broke")

    with pytest.raises(WindmillError, match="it broke"):
        await until_cancelled(fail(), asyncio.Event())


async def test_the_cancelled_job_ends_only_when_its_work_has_cleaned_up() -> None:
    work, cancelled = Work(), asyncio.Event()
    task = asyncio.create_task(until_cancelled(work(), cancelled))
    await settled()
    cancelled.set()
    await settled()
    assert not task.done()
    work.clean.set()
    with pytest.raises(WindmillError, match="CANCELLED"):
        await task
    assert work.cleaned


async def test_a_task_that_is_cancelled_twice_waits_for_the_cleaning_too_and_is_cancelled() -> None:
    work, cancelled = Work(), asyncio.Event()
    task = asyncio.create_task(until_cancelled(work(), cancelled))
    await settled()
    cancelled.set()
    for _ in range(2):
        await settled()
        task.cancel()
    await settled()
    assert not task.done()
    work.clean.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert work.cleaned


async def test_what_goes_to_the_end_does_so_before_the_cancellation_takes_effect() -> None:
    work = Work()
    work.clean.set()
    inner = asyncio.ensure_future(work())
    task = asyncio.create_task(to_the_end(inner))
    await settled()
    task.cancel()
    await settled()
    assert not task.done()
    work.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert inner.result() == "done"


async def test_what_is_cancelled_before_it_begins_does_not_begin() -> None:
    begun = False

    async def begin() -> None:
        nonlocal begun
        begun = True

    cancelled = asyncio.Event()
    cancelled.set()
    with pytest.raises(WindmillError, match="CANCELLED"):
        await until_cancelled(begin(), cancelled)
    assert not begun
