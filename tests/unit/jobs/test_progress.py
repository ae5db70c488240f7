"""How much of a job is done."""

from dataclasses import replace

import pytest

from windmill.jobs.progress import MOST_BEFORE_THE_END, job_progress
from windmill.storage.jobs.rows import StepRow

STEP = StepRow(0, "cut", 1, False, {}, "running", None, 4, None, 0, 0, 1.0, 1.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("changes", "running", "done"),
    [
        ({}, 0.0, 0.0),
        ({"settled": 1}, 0.0, 0.25),
        ({"settled": 1, "failed": 1}, 0.0, 0.25),
        ({"settled": 1}, 0.5, 0.375),
        ({"status": "pending", "planned": 0, "plan_cursor": 0}, 0.0, 0.0),
        ({"status": "running", "planned": 4, "settled": 4, "plan_cursor": 4}, 0.0, 0.8),
        ({"status": "succeeded", "planned": 0}, 0.0, MOST_BEFORE_THE_END),
        ({"status": "skipped", "planned": 0}, 0.0, 0.0),
        ({"settled": 4}, 0.0, MOST_BEFORE_THE_END),
    ],
)
def test_a_step_counts_what_has_settled_and_what_runs(changes: dict[str, object], running: float, done: float) -> None:
    step = replace(STEP, **changes)  # type: ignore[arg-type]
    assert job_progress([step], {0: running}) == pytest.approx(done)


def test_a_share_that_is_too_small_for_the_database_is_none() -> None:
    assert job_progress([STEP], {0: 1.4e-45}) == 0.0


def test_steps_count_by_their_weight() -> None:
    steps = [replace(STEP, status="succeeded", weight=3.0), replace(STEP, position=1, status="pending", planned=0)]
    assert job_progress(steps, {}) == 0.75
    skipped = replace(STEP, position=2, status="skipped", planned=0, weight=4.0)
    assert job_progress([*steps, skipped], {}) == 0.75, "what is skipped is no work"


def test_a_step_that_streams_gets_as_many_shards_as_the_step_before_has() -> None:
    streaming = replace(STEP, position=1, streams=True, planned=1, settled=1, plan_cursor=1, weight=1.0)
    assert job_progress([replace(STEP, weight=0.0), streaming], {}) == 0.25


def test_steps_without_weight_make_no_progress() -> None:
    assert job_progress([replace(STEP, weight=0.0)], {}) == 0.0
