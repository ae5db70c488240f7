"""What holds for an engine of any kind: how it ends when all goes well, and when something does not."""

import asyncio
import contextlib
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from tests.conformance.engines.rigs import (
    Behaviour,
    BuiltinRig,
    ComfyUiRig,
    HttpRig,
    ProcessRig,
    Rig,
    one_engine,
    request_in,
)
from tests.waiting import until
from windmill.core.errors import WindmillError
from windmill.engines.engine import EngineOutput, EngineRequest, EngineWaits
from windmill.engines.guard import GuardedEngine, RisingProgress

CANCEL_SECONDS = 2.0
LOOK_SECONDS = 0.1
PATIENCE = 120.0


def needs(rig: Rig, behaviour: Behaviour) -> None:
    """A server cannot eat this machine's memory, and the built-in engine cannot be made to fail: each rig lists what it
    can show, and the next test holds that every behaviour is shown by some rig."""
    if behaviour not in rig.behaviours:
        pytest.skip(f"an engine of the kind {rig.kind} cannot do that")


def test_every_behaviour_is_shown_by_some_kind() -> None:
    shown = {one for rig in (BuiltinRig, ProcessRig, HttpRig, ComfyUiRig) for one in rig.behaviours}
    assert shown == set(get_args(Behaviour))


class Run:
    """One request to an engine, however often it waits, with what was told."""

    def __init__(self, engine: GuardedEngine, request: EngineRequest) -> None:
        self.told: list[float] = []
        self.cancelled = asyncio.Event()
        self.task = asyncio.create_task(self._to_the_end(engine, request))

    async def _to_the_end(self, engine: GuardedEngine, request: EngineRequest) -> EngineOutput:
        """Ask again and again, where a job would wait until it is woken."""
        tell = RisingProgress(self.told.append)
        while isinstance(result := await engine.run(request, tell, self.cancelled), EngineWaits):
            request = replace(request, inputs={}, resumed=result.state)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self.cancelled.wait()
        return result

    async def failure(self) -> WindmillError:
        with pytest.raises(WindmillError) as raised:
            await self.task
        return raised.value


async def failure(rig: Rig, behaviour: Behaviour, folder: Path, seconds: float = PATIENCE) -> WindmillError:
    needs(rig, behaviour)
    async with one_engine(await rig.entry(behaviour, seconds), rig.environ) as engines:
        return await Run(engines["it"], request_in(folder)).failure()


async def painted(
    rig: Rig, request: EngineRequest, behaviour: Behaviour = "paints"
) -> tuple[EngineOutput, list[float]]:
    needs(rig, behaviour)
    async with one_engine(await rig.entry(behaviour, PATIENCE), rig.environ) as engines:
        run = Run(engines["it"], request)
        return await run.task, run.told


async def test_what_it_makes_lies_whole_below_the_folder_of_outputs(rig: Rig, tmp_path: Path) -> None:
    request = request_in(tmp_path)
    output, _ = await painted(rig, request)
    assert output.files
    for file in output.files:
        assert file.path.is_relative_to(request.out.resolve())
        assert file.path.stat().st_size
    assert rig.makes in {file.media_type for file in output.files}
    assert output.facts["engine"] == "it"


async def test_its_progress_rises_and_stays_between_0_and_1(rig: Rig, tmp_path: Path) -> None:
    _, told = await painted(rig, request_in(tmp_path))
    assert told == sorted(set(told))
    assert told[0] == 0
    assert told[-1] == 1


async def test_what_an_earlier_try_left_is_not_taken_for_its_own(rig: Rig, tmp_path: Path) -> None:
    request = request_in(tmp_path)
    request.out.mkdir(parents=True)
    (request.out / "old.png").write_bytes(b"old")
    output, _ = await painted(rig, request)
    assert "old.png" not in {file.name for file in output.files}


async def test_a_request_that_comes_again_is_done_again(rig: Rig, tmp_path: Path) -> None:
    async with one_engine(await rig.entry("paints", PATIENCE), rig.environ) as engines:
        first = await Run(engines["it"], request_in(tmp_path)).task
        before = [file.path.read_bytes() for file in first.files]
        second = await Run(engines["it"], request_in(tmp_path)).task
    assert [file.path.read_bytes() for file in second.files] == before


def runs(rig: Rig) -> None:
    """Jobs show how a request is cancelled that waits outside."""
    if rig.waits:
        pytest.skip(f"nothing runs while an engine of the kind {rig.kind} waits")


async def test_cancelled_in_the_middle_it_ends_in_time_and_leaves_nothing_at_work(rig: Rig, tmp_path: Path) -> None:
    needs(rig, "hangs")
    runs(rig)
    request, loop = request_in(tmp_path), asyncio.get_running_loop()
    async with one_engine(await rig.entry("hangs", PATIENCE), rig.environ) as engines:
        run = Run(engines["it"], request)
        await until(lambda: rig.left_over(request))
        began = loop.time()
        run.cancelled.set()
        error = await run.failure()
        spent = loop.time() - began
        assert error.code == "CANCELLED"
        assert spent < CANCEL_SECONDS
        await until(lambda: not rig.left_over(request), CANCEL_SECONDS)


async def test_when_its_task_is_cancelled_nothing_goes_on_either(rig: Rig, tmp_path: Path) -> None:
    needs(rig, "hangs")
    runs(rig)
    request = request_in(tmp_path)
    async with one_engine(await rig.entry("hangs", PATIENCE), rig.environ) as engines:
        run = Run(engines["it"], request)
        await until(lambda: rig.left_over(request))
        run.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run.task
        await until(lambda: not rig.left_over(request), CANCEL_SECONDS)


async def test_a_request_that_was_cancelled_before_it_began_does_nothing(rig: Rig, tmp_path: Path) -> None:
    async with one_engine(await rig.entry("paints", PATIENCE), rig.environ) as engines:
        run = Run(engines["it"], request_in(tmp_path))
        run.cancelled.set()
        assert (await run.failure()).code == "CANCELLED"


async def test_one_that_takes_too_long_is_ended(rig: Rig, tmp_path: Path) -> None:
    error = await failure(rig, "hangs", tmp_path, 1.5)
    # A look of the engine fleet may itself take too long on a busy machine.
    assert error.code in (("SERVICE_TIMEOUT", "ENGINE_TIMEOUT") if rig.kind == "fleet" else ("ENGINE_TIMEOUT",))
    if rig.kind == "process":
        await until(lambda: not rig.left_over(request_in(tmp_path)), CANCEL_SECONDS)


async def test_one_that_dies_in_the_middle_has_failed_and_may_be_tried_again(rig: Rig, tmp_path: Path) -> None:
    error = await failure(rig, "dies", tmp_path)
    assert error.code in ("PROCESS_FAILED", "SERVICE_ERROR")
    assert error.retry == "later"


@pytest.mark.parametrize("behaviour", ["lies", "says nothing", "writes a page"])
async def test_one_that_says_it_is_done_and_is_not_has_failed(rig: Rig, behaviour: Behaviour, tmp_path: Path) -> None:
    assert (await failure(rig, behaviour, tmp_path)).code == "BAD_RESPONSE"


async def test_half_a_picture_is_none(rig: Rig, tmp_path: Path) -> None:
    error = await failure(rig, "writes half", tmp_path)
    assert error.code in ("BAD_RESPONSE", "SERVICE_ERROR")


async def test_a_log_of_15_megabytes_leaves_its_last_lines(rig: Rig, tmp_path: Path) -> None:
    error = await failure(rig, "logs", tmp_path)
    assert error.code == "PROCESS_FAILED"
    assert "exit code 4" in error.message
    assert "9999 x" in error.message or "yyy" in error.message
    assert len(error.message) < 8_000


async def test_lines_that_arrive_in_pieces_are_understood(rig: Rig, tmp_path: Path) -> None:
    output, told = await painted(rig, request_in(tmp_path), "paints in pieces")
    assert told[-1] == 1
    assert [file.name for file in output.files] == ["frames/frame_0001.png", "frames/frame_0002.png", "frames/seed.txt"]


async def test_one_that_eats_the_memory_is_ended_and_the_worker_is_not(rig: Rig, tmp_path: Path) -> None:
    assert (await failure(rig, "eats", tmp_path)).code == "OUT_OF_MEMORY"


async def test_a_failure_does_not_spoil_the_next_request(rig: Rig, tmp_path: Path) -> None:
    needs(rig, "dies")
    async with one_engine(await rig.entry("dies", PATIENCE), rig.environ) as engines:
        assert [(await Run(engines["it"], request_in(tmp_path)).failure()).retry for _ in range(2)] == ["later"] * 2
        assert engines["it"].breaker.state == "closed"


async def test_it_says_that_it_is_well(rig: Rig) -> None:
    async with one_engine(await rig.entry("paints", PATIENCE), rig.environ) as engines:
        health = await engines["it"].check()
    assert health.ok, health.says
    assert health.says
