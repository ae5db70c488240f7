"""The ComfyUI engine against the stand-in: what is interrupted, vanishes, is cancelled or found again."""

import asyncio
from pathlib import Path

import pytest
import requests

from tests.unit.engines.comfyui_scene import Server, asking, server
from tests.waiting import until
from windmill.core.errors import WindmillError


async def test_a_prompt_that_somebody_interrupts_has_failed_for_now(tmp_path: Path) -> None:
    async with server(tmp_path) as it:
        it.stand_in.faults.hangs = True
        task = it.start(asking(tmp_path))
        await it.works()
        await asyncio.to_thread(requests.post, f"{it.url}/interrupt", json={})
        with pytest.raises(WindmillError, match="interrupted") as raised:
            await task
        assert raised.value.retry == "later"


async def test_a_prompt_that_vanishes_is_missed_soon(tmp_path: Path) -> None:
    async with server(tmp_path) as it:
        it.stand_in.faults.forget = True
        async with asyncio.timeout(10):
            error = await it.failure(asking(tmp_path))
        assert (error.code, error.retry) == ("SERVICE_ERROR", "later")


async def test_without_its_socket_it_ends_all_the_same(tmp_path: Path) -> None:
    async with server(tmp_path) as it:
        it.stand_in.faults.node_seconds = 0.2
        task = it.start(asking(tmp_path))
        await it.works()
        await it.stand_in.drop_sockets()
        assert (await task).files


async def test_progress_comes_from_the_socket(tmp_path: Path) -> None:
    told: list[float] = []
    async with server(tmp_path) as it:
        it.stand_in.faults.node_seconds = 0.1
        await it.start(asking(tmp_path), told=told)
    assert told[0] == 0
    assert told[-1] == 1
    assert len(told) > 3


async def test_cancelling_stops_its_own_prompt_and_no_other(tmp_path: Path) -> None:
    async with server(tmp_path) as it:
        it.stand_in.faults.hangs = True
        first = it.start(asking(tmp_path, name="job-1"))
        await it.works()
        cancelled = asyncio.Event()
        second = it.start(asking(tmp_path, name="job-2"), cancelled)
        await until(lambda: len(it.stand_in.prompts.pending) == 1)
        cancelled.set()
        with pytest.raises(WindmillError, match="CANCELLED"):
            await second
        assert it.stand_in.prompts.running
        assert (it.stand_in.prompts.running.id, it.stand_in.prompts.running.interrupted) == ("job-1", False)
        assert it.stand_in.prompts.pending == []
        it.stand_in.faults.hangs = False
        assert (await first).files


async def test_after_a_lost_worker_the_prompt_is_found_again_and_not_made_twice(tmp_path: Path) -> None:
    async with server(tmp_path) as it:
        first = await it.start(asking(tmp_path))
        before = [path.stat().st_mtime_ns for path in sorted((tmp_path / "comfyui/output/job-7").iterdir())]
        again = await it.start(asking(tmp_path))
        after = [path.stat().st_mtime_ns for path in sorted((tmp_path / "comfyui/output/job-7").iterdir())]
        assert before == after
        assert [file.name for file in again.files] == [file.name for file in first.files]


async def test_a_prompt_that_still_runs_is_followed_and_not_queued_twice(tmp_path: Path) -> None:
    async with server(tmp_path) as it:
        it.stand_in.faults.hangs = True
        first = it.start(asking(tmp_path))
        await it.works()
        other = Server(it.stand_in, it.url)
        second = other.start(asking(tmp_path / "other"))
        await asyncio.wait((second,), timeout=0.3)
        assert it.stand_in.prompts.remaining == 1
        it.stand_in.faults.hangs = False
        assert [file.name for file in (await first).files] == [file.name for file in (await second).files]
        await other.engine.close()


async def test_a_failure_in_the_history_is_not_taken_for_the_new_try(tmp_path: Path) -> None:
    async with server(tmp_path) as it:
        it.stand_in.faults.crash = "ImageAddNoise"
        await it.failure(asking(tmp_path))
        it.stand_in.faults.crash = ""
        assert (await it.start(asking(tmp_path))).files
