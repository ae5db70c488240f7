"""What a process counts of its steps, and what the metrics and heartbeats make of it."""

import uuid

import pytest

from tests.job_scene import CUT
from windmill.jobs.access import Change
from windmill.jobs.outcomes import TaskEnding
from windmill.jobs.step_state import StepState
from windmill.process.heartbeat import HeartbeatRow, WatchedService
from windmill.process.step_metrics import STEP_TASKS, step_samples


def ended(ending: TaskEnding) -> Change:
    return Change(1, uuid.UUID(int=1), "running", ending=ending)


@pytest.mark.parametrize(
    ("ending", "outcome"),
    [
        (TaskEnding("succeed"), ("succeeded", "")),
        (TaskEnding("fail", code="USAGE"), ("failed", "USAGE")),
        (TaskEnding("requeue", counts_as_try=True, code="SERVICE_ERROR"), ("retried", "SERVICE_ERROR")),
        (TaskEnding("requeue", delay=10, code="SERVICE_UNREACHABLE"), ("returned", "SERVICE_UNREACHABLE")),
        (TaskEnding("wait"), ("waiting", "")),
        (TaskEnding("cancel"), ("cancelled", "")),
    ],
)
def test_a_task_is_counted_by_what_became_of_it(ending: TaskEnding, outcome: tuple[str, str]) -> None:
    state = StepState(CUT)
    state.ended(ended(ending))
    assert state.outcomes == {outcome: 1}


def test_a_task_whose_lease_is_lost_is_counted_as_lost() -> None:
    state = StepState(CUT)
    state.ended(None)
    assert state.outcomes == {("lost", ""): 1}


def test_successes_are_sampled_before_the_first_one() -> None:
    state = StepState(CUT)
    state.ended(ended(TaskEnding("fail", code="USAGE")))
    tasks = {one.labels: one.value for one in step_samples(state) if one.metric is STEP_TASKS}
    assert tasks == {("cut", "failed", "USAGE"): 1, ("cut", "succeeded", ""): 0}


def test_a_heartbeat_tells_of_a_step_as_of_a_service() -> None:
    state = StepState(CUT)
    watched = WatchedService(state, 0.0)
    for ending in (TaskEnding("succeed"), TaskEnding("succeed"), TaskEnding("fail", code="USAGE")):
        state.ended(ended(ending))
    state.in_progress = 1
    assert watched.row(10.0) == HeartbeatRow("cut", 0.0, 2, 1, 0, 0, 0.3, 0.0, 1, 1, False, "closed", None)
