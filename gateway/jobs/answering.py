"""A job as an answer; what it says of files and folders of the server is left out."""

import uuid
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway.caller import Caller
from gateway.conditions import answer_json, preferred_wait
from gateway.context import Gateway
from gateway.errors import hide_paths
from gateway.idempotency import REPLAYED
from gateway.jobs.shapes import JobDetails, JobStep, JobSummary
from gateway.row_answers import answer_rows, as_json, must_have_shape
from gateway.shape import Shape
from windmill.jobs.submitting import Submitted
from windmill.operate.jobs.serving import show_visible_job, wait_for_end
from windmill.operate.jobs.shown import Shown
from windmill.operate.webhooks.named import NamedWebhook


async def answer_job(
    request: Request,
    gateway: Gateway,
    caller: Caller,
    public_id: uuid.UUID,
    status: int = 200,
) -> Response:
    """The job as it is now, with its ETag."""
    return answer_shown(request, await show_visible_job(gateway.access, public_id, caller.sees), status)


def answer_shown(request: Request, job: Shown, status: int, webhook: NamedWebhook | None = None) -> Response:
    """The same of one that was read."""
    response = answer_json(request, job_document(job, webhook), job["last_event"], status)
    if status in (201, 202):
        response.headers["Location"] = f"/jobs/{job['public_id']}"
    return response


async def answer_submitted(
    request: Request,
    gateway: Gateway,
    caller: Caller,
    submitted: Submitted,
    job: Shown,
    webhook: NamedWebhook | None = None,
    warnings: Sequence[str] = (),
) -> Response:
    """What came of a request for a job: as it was read, or as it has ended if the client waits and that was soon.
    `warnings` are those of the request."""
    status, waited = 201 if submitted.new or submitted.replayed else 200, preferred_wait(request)
    if waited is not None:
        status = 200 if await wait_for_end(gateway.access, submitted.change.job_id, waited) else status
        job = await show_visible_job(gateway.access, submitted.change.public_id, caller.sees)
    response = answer_shown(request, {**job, "warnings": [*warnings, *job["warnings"]]}, status, webhook)
    if submitted.replayed:
        response.headers[REPLAYED] = "true"
    if waited is not None:
        response.headers["Preference-Applied"] = f"wait={waited:g}"
    return response


def job_document(job: Shown, webhook: NamedWebhook | None = None) -> bytes:
    """A JobAnswer, or a ToldJobAnswer."""
    must_have_shape(JobStep, job["steps"])
    told = {**_NOT_KNOWN, **told_of_job(job)}
    answered: dict[str, Any] = {"job": {name: told[name] for name in JobDetails.model_fields}}
    if webhook:
        answered["webhook"] = {"id": webhook.webhook_id, "secret": webhook.secret}
    return as_json(answered)


_NOT_KNOWN = {name: None for name, field in JobDetails.model_fields.items() if not field.is_required()}


def answer_jobs(jobs: Sequence[Shown], next_cursor: str | None) -> Response:
    """A JobList."""
    return answer_rows("jobs", JobSummary, [told_of_job(job) for job in jobs], next_cursor)


def told_of_job(job: Shown) -> dict[str, Any]:
    """What the gateway tells of all that was read."""
    message = job["message"]
    return {**job, "public_id": str(job["public_id"]), "message": hide_paths(message) if message else message}


def worded(answer: Shape, status: int) -> Response:
    """An answer under the names that another system has for its members."""
    return Response(answer.model_dump_json(by_alias=True), status, media_type="application/json")
