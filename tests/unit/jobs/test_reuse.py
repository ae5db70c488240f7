"""What makes two tasks equal, so that the result of one is used for the other."""

import uuid
from dataclasses import replace
from typing import Any

import pytest

from windmill.jobs.reuse import digest_of_work, may_reuse
from windmill.storage.artifacts.table import ArtifactRow
from windmill.storage.jobs.rows import ClaimedTask

TASK = ClaimedTask(
    job_id=1,
    position=2,
    shard=3,
    step="video_encode",
    step_version=1,
    attempt=1,
    tries=0,
    lost=0,
    input={"parameters": {"crf": 20}, "segment": {"number": 3}},
    lease=uuid.UUID(int=1),
    public_id=uuid.UUID(int=2),
    kind="preset",
    inputs={"clip": "a"},
    parameters={},
    principal="ann",
    step_parameters={"name": "restyle"},
)


def row(name: str = "clip/1.mp4", key: str = "ab/ab") -> ArtifactRow:
    return ArtifactRow(1, 0, name, "video/mp4", 7, key)


def digest(task: ClaimedTask = TASK, made_with: str = "ffmpeg 7", **given: Any) -> str:  # noqa: ANN401 - rows
    return digest_of_work(task, [made_with], {"segments": [given.get("file", row())]})


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"job_id": 9, "public_id": uuid.UUID(int=9), "position": 1, "shard": 8},
        {"attempt": 4, "lost": 2, "lease": uuid.UUID(int=9)},
        {"inputs": {"video": "b"}, "step_parameters": {"name": "draw"}, "kind": "other"},
    ],
)
def test_the_job_and_the_place_in_it_make_no_difference(elsewhere: dict[str, Any]) -> None:
    assert digest(replace(TASK, **elsewhere)) == digest()


@pytest.mark.parametrize(
    "other",
    [
        {"step": "video_draw"},
        {"step_version": 2},
        {"input": {"parameters": {"crf": 21}, "segment": {"number": 3}}},
        {"principal": "bob"},
    ],
)
def test_another_step_version_input_or_principal_does(other: dict[str, Any]) -> None:
    assert digest(replace(TASK, **other)) != digest()


def test_files_count_by_their_bytes_and_kind_and_not_by_their_names() -> None:
    assert digest(file=row("video/7.mp4")) == digest()
    assert digest(file=row(key="cd/cd")) != digest()
    assert digest(file=row("clip/1.mkv")) != digest()


def test_other_versions_of_what_works_on_it_make_something_else() -> None:
    assert digest(made_with="ffmpeg 8") != digest()


@pytest.mark.parametrize(("changed", "may"), [({}, True), ({"lost": 1}, True), ({"tries": 1}, False)])
def test_a_task_that_has_failed_runs_itself(changed: dict[str, int], may: bool) -> None:
    assert may_reuse(replace(TASK, **changed)) is may  # type: ignore[arg-type]
