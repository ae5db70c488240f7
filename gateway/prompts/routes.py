"""The stylising service: an upload or a prompt becomes a job, which is polled and whose result is fetched."""

import uuid
from typing import Annotated

from fastapi import Request, Response

from gateway.artifacts.serving import FILE_ANSWERS, serve_file
from gateway.assets.uploads import FILE_FORM, keep_upload
from gateway.context import Context, Who
from gateway.guard import Operator, Viewer, noun_router
from gateway.idempotency import IdempotencyKey, digest_of
from gateway.jobs.file_jobs import FileAsk, job_of_file
from gateway.prompts.shapes import MadeJob, PromptBody, PromptJob, UploadForm
from gateway.prompts.words import prompt_job
from windmill.core.errors import WindmillError
from windmill.operate.jobs.outlines import show_outline
from windmill.operate.jobs.recorded_change import RecordedChange
from windmill.operate.jobs.serving_artifacts import find_visible_artifact
from windmill.operate.jobs.usual_presets import Wish
from windmill.operate.thumbnails import THUMBNAIL_TYPE, thumbnail_of

router = noun_router("prompts")


@router.post("/api/upload", status_code=202)
async def upload(gateway: Context, caller: Operator, who: Who, form: Annotated[UploadForm, FILE_FORM]) -> MadeJob:
    """Send a picture or a video; a job makes something of it."""
    kept = await keep_upload(gateway, who, form.file)
    watched = gateway.watched(RecordedChange(who, "jobs.create", key=caller.key))
    wish = Wish(form.prompt, form.style, form.seed)
    return MadeJob(jobId=str(await job_of_file(gateway, watched, caller, FileAsk("stylize", kept.asset, wish))))


@router.post("/api/generate-from-prompt", status_code=202)
async def generate_from_prompt(
    gateway: Context, caller: Operator, who: Who, body: PromptBody, key: IdempotencyKey = None
) -> MadeJob:
    """Make something of words alone."""
    watched = gateway.watched(RecordedChange(who, "jobs.create", key=caller.key))
    digest = digest_of("POST /api/generate-from-prompt", body)
    ask = FileAsk("imagine", wish=Wish(body.prompt, body.style, body.seed), key=key, digest=digest)
    return MadeJob(jobId=str(await job_of_file(gateway, watched, caller, ask)))


@router.get("/api/status/{job_id}", response_model_exclude_unset=True)
async def job_status(gateway: Context, caller: Viewer, job_id: uuid.UUID) -> PromptJob:
    """Where a job stands."""
    return prompt_job(await show_outline(gateway.access, job_id, caller.sees))


@router.get("/api/jobs/{job_id}/download", response_class=Response, responses=FILE_ANSWERS)
async def download(request: Request, gateway: Context, caller: Viewer, job_id: uuid.UUID) -> Response:
    """What the job has made."""
    made = (await show_outline(gateway.access, job_id, caller.sees)).made
    if made is None:
        raise WindmillError("NOT_FOUND", "the job has made no file yet")
    return await serve_file(request, gateway, await find_visible_artifact(gateway.access, made, caller.sees), made)


@router.get(
    "/api/jobs/{job_id}/thumbnail",
    response_class=Response,
    responses={200: {"content": {THUMBNAIL_TYPE: {}}, "description": "A small picture."}},
)
async def thumbnail(gateway: Context, caller: Viewer, job_id: uuid.UUID) -> Response:
    """A small picture of what the job has made."""
    found = await thumbnail_of(gateway.access, gateway.store, job_id, caller.sees)
    return Response(found, media_type=THUMBNAIL_TYPE, headers={"Cache-Control": "private, max-age=3600"})
