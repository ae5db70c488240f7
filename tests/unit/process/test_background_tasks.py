"""Background tasks of a block: how they end, fail and are cancelled."""

import asyncio
import contextlib

import pytest

from tests.waiting import forever, settled, turns
from windmill.process.runner import background


async def test_a_background_task_ends_with_its_block() -> None:
    seen: list[str] = []

    async def work() -> None:
        try:
            seen.append("begun")
            await forever()
        finally:
            seen.append("ended")

    async with background(work()):
        await settled()
        assert seen == ["begun"]
    assert seen == ["begun", "ended"]


async def test_a_failing_background_task_ends_the_block_with_its_exception() -> None:
    left = []

    async def work() -> None:
        await turns(1)  # so that the block has begun
        raise ValueError("beside")

    async def block() -> None:
        async with background(work()):
            try:
                await forever()
            finally:
                left.append(True)

    done, _ = await asyncio.wait([asyncio.create_task(block())], timeout=2)
    assert left, "the block would have lasted a minute"
    with pytest.raises(ValueError, match="beside"):
        await done.pop()


async def test_a_block_that_fails_keeps_its_own_failure() -> None:
    with pytest.raises(KeyError):
        async with background(forever()):
            raise KeyError("block")


async def test_a_background_task_that_returns_leaves_the_block_running() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        ended.set()

    async with background(work()):
        await ended.wait()
        await turns(5)
    assert cancels() == 0


async def test_a_cancellation_while_the_block_exits_is_not_lost() -> None:
    """It comes while the task still cleans up."""
    cleaning, cleaned, went_on = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        try:
            await forever()
        finally:
            cleaning.set()
            with contextlib.suppress(asyncio.CancelledError):
                await forever()
            cleaned.set()

    async def program() -> None:
        async with background(work()):
            await turns(2)
        went_on.set()

    task = asyncio.create_task(program())
    await cleaning.wait()
    task.cancel()
    await asyncio.wait([task], timeout=2)
    assert task.cancelled()
    assert cleaned.is_set(), "nothing is left running"
    assert not went_on.is_set()


async def test_a_background_task_that_lost_its_cancellation_is_cancelled_again() -> None:
    """As asyncio.wait_for of Python 3.11 loses it when what it waits for ends at the same moment."""
    lost = []

    async def work() -> None:
        try:
            await forever()
        except asyncio.CancelledError:
            lost.append(True)
        await forever()

    async def program() -> None:
        async with background(work(), cancel_again_seconds=0.01):
            await turns(2)

    await asyncio.wait_for(program(), 5)
    assert lost == [True]


async def test_a_cancellation_while_a_failed_block_exits_precedes_its_failure() -> None:
    """A caller that catches the failure would retry and never notice the cancellation."""
    cleaning = asyncio.Event()

    async def work() -> None:
        try:
            await forever()
        finally:
            cleaning.set()
            await forever()

    async def program() -> None:
        with contextlib.suppress(KeyError):
            async with background(work()):
                await turns(2)
                raise KeyError("block")

    task = asyncio.create_task(program())
    await cleaning.wait()
    task.cancel()
    await asyncio.wait([task], timeout=2)
    assert task.cancelled()


async def test_a_cancellation_in_the_same_step_as_a_failure_is_not_lost() -> None:
    fail = asyncio.Event()

    async def work() -> None:
        await fail.wait()
        raise ValueError("beside")

    async def program() -> None:
        with contextlib.suppress(ValueError):
            async with background(work()):
                await forever()

    task = asyncio.create_task(program())
    await turns(3)
    fail.set()
    await turns(1)
    task.cancel()
    await asyncio.wait([task], timeout=2)
    assert task.cancelled()


async def test_after_a_failure_the_task_does_not_count_as_cancelling() -> None:
    with pytest.raises(ValueError, match="beside"):
        async with background(failing(ValueError("beside"))):
            await forever()
    assert cancels() == 0
    async with asyncio.timeout(2):
        await turns(3)


async def test_a_failure_in_the_step_in_which_the_block_ends_is_raised_once() -> None:
    together = asyncio.Event()

    async def work() -> None:
        await together.wait()
        raise ValueError("beside")

    async def program() -> None:
        async with background(work()):
            await turns(2)  # so that the work waits first, and is woken first
            asyncio.get_running_loop().call_soon(together.set)
            await together.wait()

    with pytest.raises(ValueError, match="beside"):
        await program()
    await turns(3)
    assert cancels() == 0


async def test_a_failure_in_two_backgrounds_at_once_is_raised_once() -> None:
    with pytest.raises(ValueError, match="outer"):
        async with background(failing(ValueError("outer"))), background(failing(KeyError("inner"))):
            await forever()
    await turns(3)
    assert cancels() == 0


async def test_a_block_that_fails_first_keeps_its_failure_and_notes_the_other() -> None:
    async def work() -> None:
        try:
            await forever()
        finally:
            raise ValueError("beside")

    async def program() -> None:
        async with background(work()):
            await turns(2)
            raise KeyError("block")

    with pytest.raises(KeyError) as met:
        await program()
    assert met.value.__notes__ == ["The background task also failed: ValueError('beside')"]


async def test_a_block_that_fails_as_it_is_interrupted_does_not_hide_why() -> None:
    async def program() -> None:
        async with background(failing(ValueError("beside"))):
            try:
                await forever()
            finally:
                raise KeyError("cleaning up")

    with pytest.raises(ValueError, match="beside") as met:
        await program()
    assert isinstance(met.value.__context__, KeyError)


async def failing(error: Exception) -> None:
    raise error


def cancels() -> int:
    task = asyncio.current_task()
    assert task
    return task.cancelling()
