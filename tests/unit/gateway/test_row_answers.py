"""Rows are answered as the shapes would write them."""

import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from asyncpg.pgproto import pgproto

from gateway.jobs.answering import job_document, told_of_job
from gateway.jobs.shapes import JobAnswer, JobDetails, JobList, JobSummary, NamedWebhookShape, ToldJobAnswer
from gateway.row_answers import page_of
from windmill.operate.webhooks.named import NamedWebhook

AT = datetime(2026, 11, 29, 1, 2, 3, 456, UTC)


def row(**other: Any) -> dict[str, Any]:  # noqa: ANN401 - columns of any type
    """As a statement finds it."""
    found: dict[str, Any] = {"public_id": uuid.UUID(int=7), "kind": "preset", "preset": None, "status": "running"}
    found |= {"priority": -3, "principal": "änn", "progress": 0.3333333432674408, "error_code": None, "message": None}
    return {**found, "created_at": AT, "started_at": AT.replace(microsecond=0), "ended_at": None, **other}


def test_a_page_is_written_as_its_shape_would_be() -> None:
    rows = [row(), row(progress=1.0, preset='a "b"\n\u2028', message="lost /data/secret/a.jpg"), row(progress=1e-7)]
    jobs = [told_of_job(one) for one in rows]
    shape = JobList(jobs=[JobSummary.model_validate(one) for one in jobs], count=3, next_cursor="abc")
    assert page_of("jobs", JobSummary, jobs, "abc") == shape.model_dump_json().encode()
    assert (
        page_of("jobs", JobSummary, [], None) == JobList(jobs=[], count=0, next_cursor=None).model_dump_json().encode()
    )


STEP: dict[str, Any] = {"name": "draw", "step": "engine", "version": 1, "status": "pending", "skip_reason": None}
STEP |= {"planned": 1, "settled": 0, "failed": 0, "waited": 0.0, "ran": 1.25, "started_at": AT, "ended_at": None}
ID = pgproto.UUID(str(uuid.UUID(int=9)))
"""As the driver has it."""


def job(**other: Any) -> dict[str, Any]:  # noqa: ANN401 - columns of any type
    """As all of it is read."""
    found = row(job_id=1, last_event=2, attempt=1, warnings=["a"], deadline=AT, failure_budget=0, paused_by=None)
    found |= {"pause_reason": None, "paused_until": None, "forked_from": None, "cost_seconds": 1.25}
    return {**found, "steps": [STEP, STEP], **other}


@pytest.mark.parametrize("other", [{}, {"forked_from": ID}, {"tasks_ahead": 3, "eta_seconds": 2.5, "waits_for": "x"}])
def test_a_job_is_written_as_its_shape_would_be(other: dict[str, Any]) -> None:
    told = {**told_of_job(job(**other)), "forked_from": str(ID) if "forked_from" in other else None}
    shape = JobDetails.model_validate({name: value for name, value in told.items() if name in JobDetails.model_fields})
    assert job_document(job(**other)) == JobAnswer(job=shape).model_dump_json().encode()
    named = NamedWebhook(ID, None)
    both = ToldJobAnswer(job=shape, webhook=NamedWebhookShape(id=ID, secret=None))
    assert job_document(job(**other), named) == both.model_dump_json().encode()


def test_a_job_whose_steps_say_something_else_is_a_defect() -> None:
    with pytest.raises(TypeError):
        job_document(job(steps=[{**STEP, "secret": 1}]))


def test_times_are_told_with_their_zone() -> None:
    elsewhere = AT.astimezone(timezone(timedelta(hours=2)))
    jobs = [told_of_job(row(created_at=elsewhere))]
    shape = JobList(jobs=[JobSummary.model_validate(one) for one in jobs], count=1, next_cursor=None)
    assert JobList.model_validate_json(page_of("jobs", JobSummary, jobs, None)) == shape


@pytest.mark.parametrize("other", [{"secret": 1}, None])
def test_rows_that_are_not_what_the_shape_says_are_not_answered(other: dict[str, Any] | None) -> None:
    job = {**told_of_job(row()), **other} if other else {"public_id": "7"}
    with pytest.raises(TypeError, match="JobSummary says something else"):
        page_of("jobs", JobSummary, [job], None)
