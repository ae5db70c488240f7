"""A job as an answer; what it says of files and folders of the server is left out."""

import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway.caller import Caller
from gateway.conditions import answer
from gateway.context import Gateway
from gateway.errors import hide_paths
from gateway.jobs.shapes import JobAnswer, JobDetails, JobSummary, NamedWebhookShape, ToldJobAnswer
from gateway.shape import Shape
from windmill.operate.jobs.serving import show_visible_job
from windmill.operate.jobs.shown import Shown
from windmill.operate.webhooks.named import NamedWebhook

_INNER = ("last_event",)


async def answer_job(
    request: Request,
    gateway: Gateway,
    caller: Caller,
    public_id: uuid.UUID,
    status: int = 200,
    webhook: NamedWebhook | None = None,
) -> Response:
    """The job as it is now, with its ETag."""
    shown = await show_visible_job(gateway.access, public_id, caller.sees)
    response = answer(request, _shape(details(shown), webhook), shown["last_event"], status)
    if status in (201, 202):
        response.headers["Location"] = f"/jobs/{public_id}"
    return response


def _shape(job: JobDetails, webhook: NamedWebhook | None) -> JobAnswer:
    if webhook is None:
        return JobAnswer(job=job)
    return ToldJobAnswer(job=job, webhook=NamedWebhookShape(id=webhook.webhook_id, secret=webhook.secret))


def details(shown: Shown) -> JobDetails:
    return JobDetails.model_validate(_told(shown))


def summary(shown: Shown) -> JobSummary:
    return JobSummary.model_validate(_told(shown))


def _told(shown: Shown) -> dict[str, Any]:
    told = {name: value for name, value in shown.items() if name not in _INNER}
    if told["message"]:
        told["message"] = hide_paths(told["message"])
    return told


def worded(answer: Shape, status: int) -> Response:
    """An answer under the names that another system has for its members."""
    return Response(answer.model_dump_json(by_alias=True), status, media_type="application/json")
