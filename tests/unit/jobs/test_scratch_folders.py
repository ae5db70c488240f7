"""Each task works in an empty folder of its own, and nothing is left of a process."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from windmill.jobs.scratch_folders import PREFIX, ScratchFolders, scratch_of_process

HOLDS_ONE = """
import sys, time
from pathlib import Path
from windmill.jobs.scratch_folders import scratch_of_process
with scratch_of_process(Path(sys.argv[1])) as folder:
    (folder / "half a video").write_bytes(b"x")
    print(folder, flush=True)
    time.sleep(600)  # until it is killed
"""


async def test_no_two_tasks_share_a_folder(tmp_path: Path) -> None:
    folders = ScratchFolders(tmp_path / "scratch")
    taken = [await folders.take() for _ in range(3)]
    assert len(set(taken)) == 3
    assert all(one.is_dir() for one in taken)


async def test_a_folder_that_was_left_empty_is_given_to_the_next_task(tmp_path: Path) -> None:
    folders = ScratchFolders(tmp_path)
    first = await folders.take()
    await folders.give_back(first)
    assert await folders.take() == first
    assert await folders.take() != first


async def test_what_a_task_has_left_behind_goes_with_its_folder(tmp_path: Path) -> None:
    folders = ScratchFolders(tmp_path)
    first = await folders.take()
    (first / "inputs").mkdir()
    (first / "inputs" / "picture.jpg").write_bytes(b"x")
    await folders.give_back(first)
    assert not first.exists()
    assert not any((await folders.take()).iterdir())


async def test_a_folder_that_a_task_has_removed_is_not_given_again(tmp_path: Path) -> None:
    folders = ScratchFolders(tmp_path)
    first = await folders.take()
    first.rmdir()
    await folders.give_back(first)
    assert (await folders.take()).is_dir()


def test_a_process_that_ends_leaves_no_folder(tmp_path: Path) -> None:
    with scratch_of_process(tmp_path) as folder:
        (folder / "half a video").write_bytes(b"x")
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_has_left_is_removed_by_the_next_and_what_a_living_one_has_is_not(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDS_ONE, str(tmp_path)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as second,
    ):
        try:
            killed, living = (Path(one.stdout.readline().strip()) for one in (first, second) if one.stdout)
            first.send_signal(signal.SIGKILL)
            first.wait()
            assert (killed / "half a video").exists(), "it could not remove it"
            with scratch_of_process(tmp_path) as own:
                assert set(tmp_path.iterdir()) == {living, own}
                assert (living / "half a video").exists()
        finally:
            second.kill()
            first.kill()


def test_only_folders_of_workers_are_removed(tmp_path: Path) -> None:
    (tmp_path / "windmill-bench-1").mkdir()
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (elsewhere / "kept").write_bytes(b"x")
    (tmp_path / f"{PREFIX}link").symlink_to(elsewhere)
    with scratch_of_process(tmp_path):
        pass
    assert (tmp_path / "windmill-bench-1").is_dir()
    assert (elsewhere / "kept").exists()


def test_a_folder_that_is_removed_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, make = [], tempfile.mkdtemp

    def removed_once(**options: str) -> str:
        made.append(make(**options))
        if len(made) == 1:
            Path(made[0]).rmdir()
        return str(made[-1])

    monkeypatch.setattr(tempfile, "mkdtemp", removed_once)
    with scratch_of_process(tmp_path) as folder:
        assert folder.is_dir()
    assert len(made) == 2
