"""Jobs: made from presets, listed, shown and deleted."""

import uuid
from dataclasses import replace
from typing import Annotated, Literal, get_args

from fastapi import Query, Request, Response

from gateway.conditions import preferred_wait
from gateway.context import Context, Gateway, Who
from gateway.events.frames import visible
from gateway.events.opening import JOB_STREAMS, LastEventId, open_job_stream, wants_stream
from gateway.guard import Operator, Viewer, noun_router
from gateway.hiding import hide_paths_within
from gateway.idempotency import IdempotencyKey, digest_of
from gateway.jobs.answering import answer_job, answer_jobs, answer_submitted, worded
from gateway.jobs.making import engine_warnings, new_job, plan_of
from gateway.jobs.shapes import (
    AnyJobBody,
    EventList,
    EventQuery,
    JobAnswer,
    JobEvent,
    JobList,
    JobPlan,
    JobQuery,
    JobReport,
    JobWebhookBody,
    ToldJobAnswer,
)
from gateway.request_state import state_of
from gateway.video_jobs.serving import VideoAsk, in_its_words, list_video_jobs, make_video_job
from gateway.video_jobs.shapes import VideoJobAnswer, VideoJobBody, VideoJobList
from gateway.video_jobs.words import video_job
from windmill.core.errors import WindmillError
from windmill.jobs.states import JobStatus
from windmill.jobs.submitting import find_job
from windmill.operate.jobs.details import read_details
from windmill.operate.jobs.outlines import show_outline
from windmill.operate.jobs.recorded_change import RecordedChange
from windmill.operate.jobs.serving import (
    VisibleJobs,
    list_visible_events,
    page_of_jobs,
    remove,
    submit_and_show,
    wait_for_end,
)
from windmill.operate.webhooks.endpoints import WebhookAccess
from windmill.operate.webhooks.named import NamedWebhook, name_webhook
from windmill.storage.audit_log import Actor
from windmill.storage.transactions import transaction

router = noun_router("jobs")


@router.post(
    "/jobs",
    status_code=201,
    response_model=ToldJobAnswer | JobAnswer | VideoJobAnswer,
    responses={
        200: {
            "model": ToldJobAnswer | JobAnswer | JobPlan,
            "description": "It has ended already, was there, or was only checked.",
        }
    },
)
async def make_job(
    request: Request,
    gateway: Context,
    caller: Operator,
    who: Who,
    body: AnyJobBody,
    key: IdempotencyKey = None,
    validate_only: Annotated[Literal["true", "false"], Query()] = "false",
) -> Response:
    """Make a job of a preset. `?validate_only=true` only says what it would be; `Prefer: wait=10` answers 200 if it
    ends so soon. A body with `video_id` alone is one of the video service, and answered in its words."""
    digest = digest_of("POST /jobs", body) if key else ""
    if isinstance(body, VideoJobBody):
        ask = VideoAsk(body.video_id, key, digest)
        return worded(await make_video_job(gateway, caller, who, ask), 201)
    job = await new_job(gateway, caller, body, key, digest)
    warnings = engine_warnings(job, await gateway.presets.engines())
    if validate_only == "true":
        plan = plan_of(job, await gateway.presets.library(), warnings)
        return Response(plan.model_dump_json(), media_type="application/json")
    webhook = await _webhook(gateway, who, body.webhook) if body.webhook else None
    job = replace(job, webhook_id=webhook.webhook_id) if webhook else job
    access = gateway.watched(RecordedChange(who, "jobs.create", key=caller.key))
    submitted, shown = await submit_and_show(access, job, caller.sees)
    return await answer_submitted(request, gateway, caller, submitted, shown, webhook, warnings)


async def _webhook(gateway: Gateway, who: Actor, body: JobWebhookBody) -> NamedWebhook:
    return await name_webhook(WebhookAccess(gateway.access.pool, gateway.settings), who, body.url, body.events)


@router.get("/jobs", response_model=JobList | VideoJobList)
async def list_jobs(gateway: Context, caller: Viewer, query: Annotated[JobQuery, Query()]) -> Response | VideoJobList:
    """Your jobs, the newest first. `status=pending`, `claimed`, `processing` or `completed` is answered in the words of
    the video service, and so is `status=`."""
    if in_its_words(query.status):
        return await list_video_jobs(gateway, caller, query.status)
    wanted = {"list": "jobs", "sees": caller.sees, "status": query.status, "preset": query.preset, "code": query.code}
    chosen = VisibleJobs(_statuses(query.status), query.preset, query.code)
    before = gateway.cursors.open(wanted, query.cursor)
    page = await page_of_jobs(gateway.access, chosen, before, query.limit, caller.sees)
    return answer_jobs(page.jobs, gateway.cursors.seal_next(wanted, page.last))


def _statuses(text: str | None) -> list[str] | None:
    if text is None:
        return None
    named = [one.strip() for one in text.split(",") if one.strip()]
    for one in named:
        if one not in get_args(JobStatus):
            raise WindmillError("USAGE", f"{one:.40} is no state of a job; there are {', '.join(get_args(JobStatus))}")
    return named


@router.get(
    "/jobs/{job_id}",
    response_model=JobAnswer | VideoJobAnswer,
    responses={304: {"description": "It is as you know it."}},
)
async def show_job(request: Request, gateway: Context, caller: Viewer, job_id: uuid.UUID) -> Response:
    """All of a job. `Prefer: wait=10` answers once it has ended, or after so long. The first 24 digits of its id name a
    job, too, and are answered in the words of the video service."""
    waited = preferred_wait(request)
    if waited is not None:
        await _wait(gateway, job_id, caller.sees, waited)
    if state_of(request).short:
        outline = await show_outline(gateway.access, job_id, caller.sees)
        return worded(VideoJobAnswer(job=video_job(outline)), 200)
    response = await answer_job(request, gateway, caller, job_id)
    if waited is not None:
        response.headers["Preference-Applied"] = f"wait={waited:g}"
    return response


async def _wait(gateway: Gateway, job_id: uuid.UUID, sees: str | None, seconds: float) -> None:
    await wait_for_end(gateway.access, await find_job(gateway.access, job_id, sees), seconds)


@router.get("/jobs/{job_id}/report")
async def report_job(gateway: Context, caller: Viewer, job_id: uuid.UUID) -> JobReport:
    """A job with its request, consents, parameters and engines of its steps, failed shards, files and last events."""
    async with transaction(gateway.access.pool, gateway.access.settings) as rows:
        found = await read_details(rows, job_id, caller.sees)
    return JobReport(report=hide_paths_within(found))


@router.delete("/jobs/{job_id}", status_code=204)
async def delete_job(gateway: Context, caller: Operator, who: Who, job_id: uuid.UUID) -> None:
    """Delete a job that has ended, with its files; 409 for any other."""
    await remove(gateway.watched(RecordedChange(who, "jobs.delete")), job_id, caller.sees, gateway.store)


@router.get("/jobs/{job_id}/events", response_model=EventList, responses=JOB_STREAMS)
async def list_events(
    request: Request,
    gateway: Context,
    caller: Viewer,
    job_id: uuid.UUID,
    query: Annotated[EventQuery, Query()],
    last_event_id: LastEventId = None,
) -> Response | EventList:
    """What has happened to a job after the event `after`, in order. With `Accept: text/event-stream` it goes on live,
    from `Last-Event-ID` or from `after`."""
    if wants_stream(request):
        return await open_job_stream(request, gateway, caller, job_id, query.after, last_event_id)
    rows = await list_visible_events(gateway.access, job_id, query.after, query.limit, caller.sees)
    events = [JobEvent.model_validate(visible(row)) for row in rows]
    return EventList(events=events, count=len(events), last=events[-1].seq if events else query.after)
