"""When the tasks of a job waited and ran, and what is said of what happened to it."""

from datetime import UTC, datetime, timedelta

import pytest

from windmill.operate.jobs.event_words import event_words
from windmill.operate.jobs.timeline import Bar, FailedTry, Span, StepRow, TaskRow, TimelineTask, timeline

MADE = datetime(2026, 11, 28, 9, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return MADE + timedelta(seconds=seconds)


def task(shard: int, status: str, queued: float, claimed: float | None = None, ended: float | None = None) -> TaskRow:
    moments = at(queued), None if claimed is None else at(claimed), None if ended is None else at(ended)
    return TaskRow(0, shard, status, *moments, 0.0, 0.0, 1, "k1", 0.5, None)


def shown(row: TaskRow, *tries: FailedTry, ended: float | None = None, now: float = 10) -> TimelineTask:
    step = StepRow("cut", "running", None, 2, 0, 0, 0, 0, at(0), None)
    span = Span.of(MADE, None if ended is None else at(ended), at(now))
    return timeline(span, [step], [row], tries).steps[0].tasks[0]


def test_a_task_waits_until_it_is_claimed_and_runs_until_it_has_ended() -> None:
    assert shown(task(0, "succeeded", 1, 3, 7), ended=8).bars == (Bar("waiting", 1, 3), Bar("running", 3, 7))


def test_a_task_that_runs_goes_up_to_now_and_one_in_the_queue_waits_up_to_now() -> None:
    assert shown(task(0, "running", 1, 3), now=20).bars == (Bar("waiting", 1, 3), Bar("running", 3, 19.8))
    waiting = shown(task(0, "queued", 1), now=20)
    assert waiting.bars == (Bar("waiting", 1, 19.8),)
    assert waiting.waited == pytest.approx(18.8)


def test_a_try_that_failed_is_a_mark_after_what_it_ran() -> None:
    retried = shown(task(0, "succeeded", 5, 6, 8), FailedTry(0, 0, at(4), 2.0), ended=8)
    assert retried.bars == (Bar("running", 2, 4), Bar("waiting", 4, 6), Bar("running", 6, 8))
    assert retried.failures == (4,)


def test_a_cancelled_task_that_never_ran_waited_until_it_was_cancelled() -> None:
    assert shown(task(0, "cancelled", 1, None, 5), ended=8).bars == (Bar("waiting", 1, 5),)


def test_the_last_of_several_tasks_to_end_is_what_the_next_step_waited_for() -> None:
    step = StepRow("cut", "succeeded", None, 3, 3, 0, 0, 0, at(0), at(7))
    tasks = [task(0, "succeeded", 0, 1, 5), task(1, "succeeded", 0, 1, 7)]
    (found,) = timeline(Span.of(MADE, at(8), at(9)), [step], tasks, []).steps
    assert [one.last for one in found.tasks] == [False, True]
    assert (found.bar, found.hidden) == (Bar("running", 0, 7), 1)


def test_a_step_that_has_not_begun_has_no_bar() -> None:
    step = StepRow("join", "pending", None, 0, 0, 0, 0, 0, None, None)
    assert timeline(Span.of(MADE, None, at(5)), [step], [], []).steps[0].bar is None


@pytest.mark.parametrize(("now", "axis"), [(1, 10), (9.4, 10), (9.9, 30), (700, 1_200), (1_000_000, 1_500_000)])
def test_the_axis_grows_in_large_steps_while_a_job_goes_on(now: float, axis: float) -> None:
    assert Span.of(MADE, None, at(now)).axis == axis


def test_the_time_of_a_job_that_goes_on_moves_by_hundredths_of_the_axis_so_that_little_changes() -> None:
    first, second = Span.of(MADE, None, at(700.0)), Span.of(MADE, None, at(703.0))
    assert first == second
    assert Span.of(MADE, at(700), at(9_000)).axis == 700


@pytest.mark.parametrize(
    ("kind", "data", "said"),
    [
        ("queued", {}, "made, and waits"),
        ("task_succeeded", {"ran": 2.5}, "done in 2.5 s"),
        ("task_requeued", {"attempt": 1, "error_code": "SERVICE_ERROR", "message": "500"},
         "try 1 failed: SERVICE_ERROR: 500; it waits again"),
        ("task_requeued", {"lost": True}, "its worker was lost; it waits again"),
        ("step_succeeded", {"shards": 1, "failed": 0}, "done: 1 shard"),
        ("step_succeeded", {"shards": 3, "failed": 1}, "done: 3 shards, 1 failed"),
        ("progress", {"progress": 0.25}, "25% done"),
        ("paused", {"by": "ada", "reason": "later"}, "paused by ada: later"),
        ("failed", {"error_code": "USAGE", "message": "no"}, "failed: USAGE: no"),
        ("something_new", {"a": 1, "b": None}, "something new: a 1"),
    ],
)  # fmt: skip
def test_events_are_told_in_words(kind: str, data: dict[str, object], said: str) -> None:
    assert event_words(kind, data) == said
