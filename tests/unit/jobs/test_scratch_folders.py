"""Each task works in an empty folder of its own."""

from pathlib import Path

from windmill.jobs.scratch_folders import ScratchFolders


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
