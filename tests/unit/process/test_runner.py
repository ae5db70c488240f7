"""Running a program: exit codes, signals and background tasks."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.waiting import forever, settled, turns
from windmill.core.settings import ROOT, defaults
from windmill.process.runner import background, pause

HEAD = """
import asyncio, sys
from windmill.core.errors import WindmillError
from windmill.process.runner import DONE, background, command, pause, run

async def forever(settings, stop):
    print("ready", flush=True)
    try:
        await stop.wait()
        print("asked to stop", flush=True)
        if "stubborn" in sys.argv:
            await asyncio.Event().wait()
    finally:
        print("cleaned up", flush=True)
    return DONE

def fail(error):
    def main(settings):
        raise error
    return main
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A process environment without settings of the developer's own."""
    empty = tmp_path / "empty.env"
    empty.touch()
    kept = {name: value for name, value in os.environ.items() if name not in defaults()}
    return {**kept, "ENV_FILE": str(empty), "PYTHONPATH": str(ROOT)}


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(environ: dict[str, str]) -> Start:
    def starting(code: str, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", HEAD + code, *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=environ | variables, cwd=ROOT, stdout=pipe, stderr=pipe, text=True)

    return starting


def finished(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    with process:
        out, err = process.communicate(timeout=20)
    return process.returncode, out, err


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("sys.exit(command(lambda settings: 0))", 0),
        ("sys.exit(command(lambda settings: 1))", 1),
        ("sys.exit(command(fail(WindmillError('SERVICE_ERROR', 'it broke'))))", 1),
        ("sys.exit(command(fail(WindmillError('DATABASE_UNAVAILABLE', 'it broke'))))", 1),
        ("sys.exit(command(fail(WindmillError('CONFIG_INVALID', 'it broke'))))", 2),
        ("sys.exit(command(fail(WindmillError('NOT_FOUND', 'it broke'))))", 2),
        ("sys.exit(command(fail(WindmillError('BUSY', 'it broke'))))", 75),
        ("sys.exit(command(fail(KeyboardInterrupt())))", 130),
    ],
)
def test_the_exit_code_shows_how_the_program_ended(start: Start, code: str, expected: int) -> None:
    status, out, err = finished(start(code))
    assert status == expected
    assert out == ""
    assert "Traceback" not in err
    assert ("it broke. Remedy: " in err) == ("it broke" in code)


def test_a_defect_ends_with_exit_code_70_a_stack_trace_and_a_remedy(start: Start) -> None:
    status, out, err = finished(start("sys.exit(command(fail(ZeroDivisionError('oops'))))"))
    assert (status, out) == (70, "")
    assert "Traceback" in err
    assert "ZeroDivisionError: oops" in err
    assert "code=DEFECT" in err
    assert "report the traceback" in err


def test_an_os_error_is_no_defect(start: Start) -> None:
    status, _, err = finished(start("sys.exit(command(fail(OSError(28, 'the disk is full'))))"))
    assert status == 1
    assert "the disk is full" in err
    assert "DEFECT" not in err


def test_wrong_settings_are_reported_at_once_without_a_stack_trace(start: Start) -> None:
    status, _, err = finished(start("sys.exit(run(forever))", QUEUE_PORT="rabbit", DB_PORT="-1"))
    assert status == 2
    assert err.splitlines() == [
        "CONFIG_INVALID: 2 problem(s) in the configuration",
        "  QUEUE_PORT='rabbit': must be a whole number from 1 to 65535",
        "  DB_PORT='-1': must be a whole number from 1 to 65535",
    ]


def test_a_misspelt_name_in_env_is_reported_before_anything_starts(start: Start, tmp_path: Path) -> None:
    mine = tmp_path / "mine.env"
    mine.write_text("QUEUE_HOTS=mq.example\n")
    status, out, err = finished(start("sys.exit(run(forever))", ENV_FILE=str(mine)))
    assert (status, out) == (2, "")
    assert "did you mean QUEUE_HOST?" in err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_program_finish(start: Start, number: signal.Signals) -> None:
    process = start("sys.exit(run(forever))")
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    status, out, err = finished(process)
    assert (status, out) == (0, "asked to stop\ncleaned up\n")
    assert number.name in err


def test_a_second_signal_stops_at_once_and_still_cleans_up(start: Start) -> None:
    process = start("sys.exit(run(forever))", "stubborn")
    assert process.stdout
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "asked to stop\n"
    process.send_signal(signal.SIGTERM)
    status, out, err = finished(process)
    assert (status, out) == (130, "cleaned up\n")
    assert "second signal" in err
    assert "Traceback" not in err


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


async def test_a_pause_lasts_its_time_but_ends_at_once_on_stop() -> None:
    stop = asyncio.Event()
    started = asyncio.get_running_loop().time()
    await pause(stop, 0.03)
    assert asyncio.get_running_loop().time() - started >= 0.025
    asyncio.get_running_loop().call_later(0.01, stop.set)
    await asyncio.wait_for(pause(stop, 60), 1)
