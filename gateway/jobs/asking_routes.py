"""What is asked of a job: cancel, pause, resume, retry, fork, another priority. All may be asked again."""

import uuid

from fastapi import Request, Response

from gateway.conditions import required_version
from gateway.context import Context, Who
from gateway.errors import PRECONDITIONS
from gateway.guard import Operator, noun_router
from gateway.jobs.answering import answer_job
from gateway.jobs.forking import plain_parameters, preset_fork
from gateway.jobs.shapes import ForkBody, JobAnswer, JobPatch, PauseBody, RetryBody
from windmill.jobs.forking import Changes, fork_job
from windmill.jobs.requests import cancel_job, change_priority, pause_job, resume_job
from windmill.jobs.rerunning import rerun_job
from windmill.operate.jobs.given_files import GivenFiles
from windmill.operate.jobs.preset_forks import fork_preset
from windmill.operate.jobs.recorded_change import RecordedChange
from windmill.operate.jobs.serving import ask, is_of_preset

router = noun_router("jobs")


@router.post("/jobs/{job_id}/cancel", status_code=202, response_model=JobAnswer)
async def cancel(request: Request, gateway: Context, caller: Operator, who: Who, job_id: uuid.UUID) -> Response:
    """Cancel what waits now; what runs is stopped by its worker within seconds."""
    access = gateway.watched(RecordedChange(who, "jobs.cancel"))
    await ask(
        access, job_id, caller.sees, lambda access, job: cancel_job(access, job, who.principal or "somebody here")
    )
    return await answer_job(request, gateway, caller, job_id, 202)


@router.post("/jobs/{job_id}/pause", status_code=202, response_model=JobAnswer)
async def pause(
    request: Request, gateway: Context, caller: Operator, who: Who, job_id: uuid.UUID, body: PauseBody | None = None
) -> Response:
    """Start nothing more of the job until it is resumed, or until the time has come."""
    given, by = body or PauseBody(), who.principal or "somebody here"
    access = gateway.watched(RecordedChange(who, "jobs.pause"))
    await ask(access, job_id, caller.sees, lambda access, job: pause_job(access, job, by, given.reason, given.until))
    return await answer_job(request, gateway, caller, job_id, 202)


@router.post("/jobs/{job_id}/resume", status_code=202, response_model=JobAnswer)
async def resume(request: Request, gateway: Context, caller: Operator, who: Who, job_id: uuid.UUID) -> Response:
    """Let a paused job go on."""
    access = gateway.watched(RecordedChange(who, "jobs.resume"))
    await ask(
        access, job_id, caller.sees, lambda access, job: resume_job(access, job, who.principal or "somebody here")
    )
    return await answer_job(request, gateway, caller, job_id, 202)


@router.post("/jobs/{job_id}/retry", status_code=202, response_model=JobAnswer)
async def retry(
    request: Request, gateway: Context, caller: Operator, who: Who, job_id: uuid.UUID, body: RetryBody | None = None
) -> Response:
    """Run a job again that has ended, from the step that failed or from the one that is named."""
    step = body.from_step if body else None
    access = gateway.watched(RecordedChange(who, "jobs.retry"))
    await ask(access, job_id, caller.sees, lambda access, job: rerun_job(access, job, step))
    return await answer_job(request, gateway, caller, job_id, 202)


@router.post("/jobs/{job_id}/fork", status_code=201, response_model=JobAnswer)
async def fork(
    request: Request, gateway: Context, caller: Operator, who: Who, job_id: uuid.UUID, body: ForkBody
) -> Response:
    """A new job with the finished steps before one; the others run anew, with other inputs if they are given. Inputs of
    a preset may be files, named by the ids of artifacts; one that a step before was made of cannot change (409)."""
    access = gateway.watched(RecordedChange(who, "jobs.fork", key=caller.key))
    if not body.is_as_it_was and await is_of_preset(gateway.access, job_id, caller.sees):
        given = GivenFiles(access, gateway.store, caller.sees)
        change = await fork_preset(given, await gateway.presets.library(), job_id, preset_fork(caller, body))
        return await answer_job(request, gateway, caller, change.public_id, 201)
    changes = Changes(inputs=body.inputs, parameters=plain_parameters(body), principal=caller.principal)
    change = await ask(access, job_id, caller.sees, lambda access, job: fork_job(access, job, body.from_step, changes))
    return await answer_job(request, gateway, caller, change.public_id, 201)


@router.patch("/jobs/{job_id}", response_model=JobAnswer, responses=PRECONDITIONS)
async def change(
    request: Request, gateway: Context, caller: Operator, who: Who, job_id: uuid.UUID, body: JobPatch
) -> Response:
    """Let a job go before or behind others. If-Match names the job as you saw it: its progress may have risen since,
    but what people have asked of it may not have changed."""
    priority, version = caller.priority(body.priority), required_version(request)
    access = gateway.watched(RecordedChange(who, "jobs.priority", version))
    await ask(access, job_id, caller.sees, lambda access, job: change_priority(access, job, priority))
    return await answer_job(request, gateway, caller, job_id)
