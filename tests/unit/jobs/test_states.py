"""In whatever order events come, jobs and tasks stay in states of their tables, and each can be brought to an end."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windmill.core.errors import WindmillError
from windmill.core.settings import ROOT
from windmill.jobs.states import (
    ENDED_JOBS,
    ENDS_AS,
    JOB_MOVES,
    OPEN_TASKS,
    TASK_MOVES,
    JobEnd,
    JobEvent,
    JobStatus,
    Moves,
    TaskEvent,
    TaskStatus,
    job_may,
    next_job_status,
    sources,
)

TABLES = [(JOB_MOVES, JobStatus, JobEvent), (TASK_MOVES, TaskStatus, TaskEvent)]


@pytest.mark.parametrize(("moves", "statuses", "events"), TABLES)
def test_each_state_has_a_row_and_each_event_is_possible(moves: Moves, statuses: object, events: object) -> None:
    assert moves.keys() == {*get_args(statuses)}
    assert {event for row in moves.values() for event in row} == {*get_args(events)}


@pytest.mark.parametrize(("moves", "statuses", "events"), TABLES)
def test_each_state_is_reached_from_queued(moves: Moves, statuses: object, events: object) -> None:
    reached = _reached(moves, "queued")
    assert reached >= {*get_args(statuses)}


@given(st.lists(st.sampled_from(get_args(JobEvent))), st.sampled_from(get_args(JobEnd)))
def test_no_order_of_events_leads_a_job_out_of_its_table(events: list[JobEvent], end: JobEnd) -> None:
    status: str = "queued"
    for event in events:
        if job_may(status, event):
            status = next_job_status(status, event, end)
        else:
            with pytest.raises(WindmillError, match="CONFLICT"):
                next_job_status(status, event, end)
        assert status in JOB_MOVES


@pytest.mark.parametrize("status", sorted(set(JOB_MOVES) - ENDED_JOBS))
def test_a_job_that_has_not_ended_can_be_ended(status: str) -> None:
    assert _reached(JOB_MOVES, status) & ENDED_JOBS


@pytest.mark.parametrize("status", sorted(ENDED_JOBS))
def test_a_job_that_has_ended_can_be_rerun_or_deleted_and_nothing_else(status: str) -> None:
    assert dict(JOB_MOVES[status]) == ({} if status == "deleting" else {"rerun": "queued", "delete": "deleting"})


@pytest.mark.parametrize("status", sorted(set(TASK_MOVES) - OPEN_TASKS))
def test_a_task_that_has_ended_can_be_rerun_and_nothing_else(status: str) -> None:
    assert dict(TASK_MOVES[status]) == {"rerun": "queued"}


@pytest.mark.parametrize("status", sorted(OPEN_TASKS))
def test_an_open_task_can_be_cancelled(status: str) -> None:
    assert TASK_MOVES[status]["cancel"] == "cancelled"


@pytest.mark.parametrize(("event", "end"), sorted(ENDS_AS.items()))
def test_a_job_that_is_cancelling_ends_as_it_was_asked_to(event: JobEvent, end: JobEnd) -> None:
    assert next_job_status("running", event) == "cancelling"
    assert next_job_status("cancelling", "confirm", end) == end


@pytest.mark.parametrize("moves", [JOB_MOVES, TASK_MOVES])
def test_the_document_draws_the_tables(moves: Moves) -> None:
    page = (ROOT / "docs" / "jobs.md").read_text(encoding="utf-8")
    for state, events in moves.items():
        assert f"| `{state}` | {', '.join(f'{event} → `{target}`' for event, target in events.items())} |" in page


def test_a_job_that_is_cancelling_cannot_be_rerun() -> None:
    with pytest.raises(WindmillError, match="the job is cancelling; only one that has ended can run again"):
        next_job_status("cancelling", "rerun")


def test_the_sources_of_an_event_are_the_states_that_list_it() -> None:
    assert sources(TASK_MOVES, "cancel") == ["queued", "running", "waiting"]
    assert sources(JOB_MOVES, "resume") == ["paused"]


def _reached(moves: Moves, start: str) -> set[str]:
    found, todo = set[str](), [start]
    while todo:
        status = todo.pop()
        for one in {*get_args(JobEnd)} if status == "ended" else {status}:
            if one not in found:
                found.add(one)
                todo += moves.get(one, {}).values()
    return found
