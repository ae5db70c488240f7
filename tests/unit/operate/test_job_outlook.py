"""When a job will be done: by what is left of it, what is ahead, and how many tasks run at once."""

from dataclasses import replace

import pytest

from windmill.jobs.measured_times import MeasuredStep
from windmill.operate.jobs.outlook import StepOutlook, missing_worker, seconds_left, tasks_ahead

CUT = StepOutlook("cut", "running", False, planned=8, settled=2, planned_whole=True, ahead=0, slots=2)
JOIN = StepOutlook("join", "pending", False, planned=0, settled=0, planned_whole=False, ahead=0, slots=1)
DRAW = replace(JOIN, step="draw", streams=True, status="running", slots=4)
DONE = replace(CUT, status="succeeded", settled=8, slots=0)
TIMES = {"cut": MeasuredStep(10, 8), "join": MeasuredStep(5, 3), "draw": MeasuredStep(1, 8)}


@pytest.mark.parametrize(
    ("steps", "seconds"),
    [
        ([CUT], 30.0),
        ([replace(CUT, ahead=4)], 50.0),
        ([replace(CUT, slots=100)], 10.0),
        ([CUT, JOIN], 45.0),
        ([DONE, JOIN], 15.0),
        ([DONE, replace(JOIN, status="skipped")], 0.0),
        ([CUT, DRAW], 31.0),
        ([CUT, replace(DRAW, slots=1), JOIN], 46.0),
    ],
)
def test_what_is_left_takes_as_long_as_it_took_lately(steps: list[StepOutlook], seconds: float) -> None:
    assert seconds_left(steps, TIMES) == seconds


def test_nothing_is_said_of_a_step_that_was_never_measured_or_that_nobody_runs() -> None:
    assert seconds_left([CUT, JOIN], {"cut": TIMES["cut"]}) is None
    assert seconds_left([CUT, replace(JOIN, slots=0)], TIMES) is None


def test_the_position_is_that_of_the_next_task() -> None:
    assert tasks_ahead([DONE, replace(CUT, ahead=7), replace(JOIN, ahead=9)]) == 7
    assert tasks_ahead([CUT, JOIN]) is None


@pytest.mark.parametrize(
    ("step", "named"),
    [
        (CUT, None),
        (replace(CUT, slots=0), "cut"),
        (replace(CUT, slots=0, settled=8), None),
        (replace(JOIN, slots=0), None),
        (replace(JOIN, slots=0, status="running"), "join"),
        (replace(DRAW, slots=0), None),
        (replace(DRAW, slots=0, planned=2, settled=1), "draw"),
    ],
)
def test_a_job_says_that_nobody_runs_what_it_waits_for(step: StepOutlook, named: str | None) -> None:
    error = missing_worker([DONE, step])
    assert (error and (error.code, error.message.rpartition(" ")[2])) == (named and ("NO_WORKER", named))
