"""Which files a task is given."""

from windmill.jobs.task_files import select_files, select_part
from windmill.storage.artifacts.table import GIVEN, ArtifactRow


def row(position: int, shard: int, name: str) -> ArtifactRow:
    return ArtifactRow(position, shard, name, "image/png", 1, "key")


def test_what_a_step_has_made_comes_shard_by_shard_and_as_people_count() -> None:
    rows = [row(2, 10, "a.png"), row(2, 9, "frame_10.png"), row(2, 9, "frame_9.png"), row(1, 0, "b.png")]
    found = [(one.shard, one.name) for one in select_files(rows, {"step": 2})]
    assert found == [(9, "frame_9.png"), (9, "frame_10.png"), (10, "a.png")]


def test_what_the_job_was_given_is_told_apart_by_input() -> None:
    rows = [row(GIVEN, 0, f"face/{number}.png") for number in (1, 10, 2)] + [row(GIVEN, 0, "face_mask/1.png")]
    assert [one.name for one in select_files(rows, {"input": "face"})] == ["face/1.png", "face/2.png", "face/10.png"]


def test_a_task_may_get_a_part_of_the_files_of_one_input() -> None:
    rows = [row(2, 0, f"{number}.png") for number in range(5)]
    part = {"input": "frames", "first": 4, "count": 4}
    assert [one.name for one in select_part(rows, "frames", part)] == ["4.png"]
    assert select_part(rows, "mask", part) == select_part(rows, "frames", None) == rows
