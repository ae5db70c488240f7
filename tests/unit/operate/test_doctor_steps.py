"""What the doctor says of steps of jobs, by rows of what there is to do."""

from typing import Any

from windmill.operate.doctor.database.judge_steps import judge_steps


def work(step: str, **given: Any) -> dict[str, Any]:  # noqa: ANN401 - columns of the view
    return {"step": step, "claimable": 0, "running": 0, "unplanned": 0, "workers": 0, **given}


def told(*rows: dict[str, Any], late: tuple[dict[str, Any], ...] = ()) -> list[tuple[str, str]]:
    return [(one.state, one.found) for one in judge_steps(rows, late)]


def test_a_fleet_without_work_is_well_also_without_workers() -> None:
    assert told(work("cut")) == [("ok", "nothing waits for a worker")]


def test_steps_whose_workers_are_at_it_are_well() -> None:
    assert told(work("cut", claimable=9, workers=1), work("join", running=2)) == [("ok", "cut, join: in work")]


def test_work_that_no_worker_does_is_told_with_its_numbers() -> None:
    found = told(work("cut", claimable=1_200), work("join", unplanned=2, claimable=1), work("draw", unplanned=3))
    assert found == [
        ("warning", "NO_WORKER: no worker that is alive runs cut: 1,200 tasks wait"),
        ("warning", "NO_WORKER: no worker that is alive runs join: 1 tasks wait and 2 jobs wait to be planned"),
        ("warning", "NO_WORKER: no worker that is alive runs draw: 3 jobs wait to be planned"),
    ]


def test_tasks_that_nobody_takes_over_are_a_problem() -> None:
    (found,) = told(work("cut", workers=1), late=({"step": "cut", "tasks": 2, "seconds": 300.4},))
    assert found == (
        "problem",
        "2 tasks of the step cut lost their worker, the first 300 s ago, and nobody takes them over",
    )
