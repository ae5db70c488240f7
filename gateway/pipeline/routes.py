"""The pipeline manager: what can be asked for, asking for it, and what has become of it."""

import time
import uuid
from dataclasses import replace
from typing import Annotated, Any

from fastapi import Path, Query, Request

from gateway.caller import Caller
from gateway.context import Context, Gateway, Who
from gateway.guard import Operator, Viewer, noun_router
from gateway.idempotency import IdempotencyKey, digest_of
from gateway.pipeline.shapes import (
    GenerateRequest,
    GenerateResponse,
    GenerateVideoRequest,
    LogQuery,
    PipelineArtifacts,
    PipelineJob,
    PipelineLogs,
    WorkflowPresetAnswer,
    WorkflowPresets,
    WorkflowQuery,
)
from gateway.pipeline.words import file_input, generated, pipeline_artifact, pipeline_job, pipeline_log, workflow
from gateway.rate_limits import join_limits
from gateway.request_state import state_of
from windmill.jobs.requests import cancel_job
from windmill.jobs.submitting import NewJob, submit_job
from windmill.operate.jobs.outlines import list_made_files, show_outline
from windmill.operate.jobs.preset_requests import PresetAsk, job_of_preset
from windmill.operate.jobs.recorded_change import RecordedChange
from windmill.operate.jobs.serving import ask, list_visible_events
from windmill.operate.presets import select_presets

router = noun_router("pipeline")
PresetId = Annotated[str, Path(max_length=200)]


@router.get("/api/pipeline/presets")
async def list_workflows(gateway: Context, _: Viewer, query: Annotated[WorkflowQuery, Query()]) -> WorkflowPresets:
    """All presets, or those of a category or that can use an engine."""
    found = select_presets(await gateway.presets.library(), query.category, query.engine)
    return WorkflowPresets(presets=[workflow(one.preset) for one in found])


@router.get("/api/pipeline/presets/{preset_id}")
async def show_workflow(gateway: Context, _: Viewer, preset_id: PresetId) -> WorkflowPresetAnswer:
    """One preset."""
    return WorkflowPresetAnswer(preset=workflow((await gateway.presets.library()).get(preset_id).preset))


@router.post("/api/pipeline/generate/image")
async def generate(
    request: Request, gateway: Context, caller: Operator, who: Who, body: GenerateRequest, key: IdempotencyKey = None
) -> GenerateResponse:
    """Make a picture by a preset. The answer comes at once; ask for the job until it is completed. Few of these are
    taken in a minute, as `RateLimit` tells."""
    _take_turn(request, gateway, caller)
    inputs = body.model_dump(include=INPUTS, exclude_none=True)
    job = await _new_job(gateway, caller, body, inputs)
    digest = digest_of("POST /api/pipeline/generate/image", body)
    return await _submitted(gateway, caller, who, replace(job, idempotency_key=key, request_digest=key and digest))


@router.post("/api/pipeline/generate/video")
async def generate_video(
    request: Request,
    gateway: Context,
    caller: Operator,
    who: Who,
    body: GenerateVideoRequest,
    key: IdempotencyKey = None,
) -> GenerateResponse:
    """Make a video by a preset, of a video, a picture or words; as few are taken in a minute as of pictures."""
    _take_turn(request, gateway, caller)
    preset = (await gateway.presets.library()).get(body.preset_id).preset
    inputs = body.model_dump(include=VIDEO_INPUTS, exclude_none=True)
    if body.file:
        inputs[file_input(preset)] = body.file
    job = await _new_job(gateway, caller, body, inputs)
    digest = digest_of("POST /api/pipeline/generate/video", body)
    return await _submitted(gateway, caller, who, replace(job, idempotency_key=key, request_digest=key and digest))


def _take_turn(request: Request, gateway: Gateway, caller: Caller) -> None:
    limits = gateway.generates.take(caller.key.prefix if caller.key else "", time.monotonic())
    join_limits(state_of(request).headers, limits)


async def _submitted(gateway: Gateway, caller: Caller, who: Who, job: NewJob) -> GenerateResponse:
    made = (await submit_job(gateway.watched(RecordedChange(who, "jobs.create", key=caller.key)), job)).change
    outline = await show_outline(gateway.access, made.public_id, caller.sees)
    return generated(outline, await gateway.presets.library())


async def _new_job(
    gateway: Gateway, caller: Caller, body: GenerateRequest | GenerateVideoRequest, inputs: dict[str, Any]
) -> NewJob:
    priority, by = caller.priority(None), caller.principal or "somebody here"
    library = await gateway.presets.library()
    preset = library.get(body.preset_id).preset
    wanted = PresetAsk(inputs, body.quality_level, consent_given=body.consent_given)
    job = await job_of_preset(gateway.access, library, preset, wanted, caller.sees, by)
    return replace(job, priority=priority, principal=caller.principal)


INPUTS = {"prompt", "negative_prompt", "seed", "identity_reference"}
VIDEO_INPUTS = {"prompt", "style", "services", "seed"}


@router.get("/api/pipeline/jobs/{job_id}")
async def show_pipeline_job(gateway: Context, caller: Viewer, job_id: uuid.UUID) -> PipelineJob:
    """Where a job stands."""
    outline = await show_outline(gateway.access, job_id, caller.sees)
    return pipeline_job(outline, await gateway.presets.library())


@router.get("/api/pipeline/jobs/{job_id}/artifacts")
async def list_pipeline_artifacts(gateway: Context, caller: Viewer, job_id: uuid.UUID) -> PipelineArtifacts:
    """What a job has made, the newest first."""
    outline = await show_outline(gateway.access, job_id, caller.sees)
    files = await list_made_files(gateway.access, job_id, caller.sees)
    return PipelineArtifacts(job_id=str(job_id), artifacts=[pipeline_artifact(outline, file) for file in files])


@router.post("/api/pipeline/jobs/{job_id}/cancel")
async def cancel_pipeline_job(gateway: Context, caller: Operator, who: Who, job_id: uuid.UUID) -> PipelineJob:
    """Cancel a job; what runs is stopped by its worker within seconds."""
    by = who.principal or "somebody here"
    access = gateway.watched(RecordedChange(who, "jobs.cancel"))
    await ask(access, job_id, caller.sees, lambda access, job: cancel_job(access, job, by))
    outline = await show_outline(gateway.access, job_id, caller.sees)
    return pipeline_job(outline, await gateway.presets.library())


@router.get("/api/pipeline/jobs/{job_id}/logs")
async def list_pipeline_logs(
    gateway: Context, caller: Viewer, job_id: uuid.UUID, query: Annotated[LogQuery, Query()]
) -> PipelineLogs:
    """What has happened to a job after the event `after`, in order."""
    events = await list_visible_events(gateway.access, job_id, query.after, query.limit, caller.sees)
    return PipelineLogs(job_id=str(job_id), logs=[pipeline_log(event) for event in events])
