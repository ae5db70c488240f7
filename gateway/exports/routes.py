"""Exports: what a query finds, as the files of a job."""

from dataclasses import replace

from fastapi import Request, Response

from gateway.context import Context, Who
from gateway.exports.shapes import ExportBody
from gateway.guard import Operator, noun_router
from gateway.idempotency import REPLAYED, IdempotencyKey, digest_of
from gateway.jobs.answering import answer_job
from gateway.jobs.shapes import JobAnswer
from windmill.jobs.submitting import submit_job
from windmill.operate.jobs.recorded_change import RecordedChange
from windmill.operate.search.exporting import export_job

router = noun_router("exports")


@router.post("/exports", status_code=201, response_model=JobAnswer)
async def export(
    request: Request, gateway: Context, caller: Operator, who: Who, body: ExportBody, key: IdempotencyKey = None
) -> Response:
    """Export what a query finds: JSON lines, CSV, Parquet, COCO, webdataset or Label Studio. The files are at
    `/jobs/{id}/artifacts`, one for each range of image ids."""
    by, library = caller.principal or "somebody here", await gateway.presets.library()
    job = await export_job(gateway.access, library, body.wanted(), caller.sees, by)
    digest = digest_of("POST /exports", body) if key else None
    new = replace(
        job,
        priority=caller.priority(None),
        principal=caller.principal,
        idempotency_key=key,
        request_digest=digest,
    )
    submitted = await submit_job(gateway.watched(RecordedChange(who, "jobs.create", key=caller.key)), new)
    response = await answer_job(request, gateway, caller, submitted.change.public_id, 201)
    if submitted.replayed:
        response.headers[REPLAYED] = "true"
    return response
