"""What a task in a child process is given, and what its worker says of a child that dies."""

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.jobs.child_steps import CATALOG, EndingStep
from windmill.core.errors import WindmillError
from windmill.jobs.child_run import ChildRun
from windmill.jobs.step import JobView, Suspended, TaskResult
from windmill.jobs.task_run import TaskWork
from windmill.storage.jobs.rows import Document, TaskKey

GIBIBYTE = 2**30


def started(end: str, scratch: Path, kills: Callable[[], int] = lambda: 0, resumed: Document | None = None) -> ChildRun:
    job = JobView(uuid.UUID(int=1), "test", {}, {}, "")
    files = {"picture": [scratch / "1.png"]}
    work = TaskWork("1-0-0", job, {"end": end}, {}, files, scratch, key=TaskKey(1, 2, 3), resumed=resumed)
    return ChildRun(EndingStep(), CATALOG.source, work, GIBIBYTE, kills=kills)


async def test_a_child_has_the_files_of_its_task_and_hands_on_its_warnings(tmp_path: Path) -> None:
    result = await started("well", tmp_path).result()
    assert isinstance(result, TaskResult)
    assert result.output == {"name": "1-0-0", "files": {"picture": [str(tmp_path / "1.png")]}}
    assert result.warnings == ["told"]


async def test_a_step_that_takes_more_memory_than_it_may_is_not_tried_again(tmp_path: Path) -> None:
    with pytest.raises(WindmillError, match="STEP_MEMORY_BYTES") as failed:
        await started("memory", tmp_path).result()
    assert (failed.value.code, failed.value.retry) == ("OUT_OF_MEMORY", "never")


async def test_a_child_that_the_kernel_ends_for_memory_is_told_from_one_that_somebody_kills(tmp_path: Path) -> None:
    with pytest.raises(WindmillError, match="was ended by SIGKILL") as killed:
        await started("killed", tmp_path).result()
    assert killed.value.code == "PROCESS_FAILED"
    counts = iter((4, 5))
    with pytest.raises(WindmillError, match="no memory left") as ended:
        await started("killed", tmp_path, lambda: next(counts)).result()
    assert (ended.value.code, ended.value.retry) == ("OUT_OF_MEMORY", "later")


async def test_a_child_that_ends_without_a_word_says_with_which_exit_code(tmp_path: Path) -> None:
    with pytest.raises(WindmillError, match=r"PROCESS_FAILED: .* exit code 3"):
        await started("exit", tmp_path).result()


async def test_a_task_in_a_child_may_be_suspended_and_goes_on_in_another(tmp_path: Path) -> None:
    suspended = await started("waits", tmp_path).result()
    assert suspended == Suspended({"key": [1, 2, 3]}, 60, 0.5, needs_files=False)
    resumed = await started("waits", tmp_path, resumed=suspended.state).result()
    assert isinstance(resumed, TaskResult)
    assert resumed.output == {"key": [1, 2, 3]}
