"""Exports: what a query finds, as the files of a job."""

from dataclasses import replace

from fastapi import Request, Response

from gateway.context import Context, Who
from gateway.exports.shapes import ExportBody
from gateway.guard import Operator, noun_router
from gateway.idempotency import IdempotencyKey, digest_of
from gateway.jobs.answering import answer_submitted
from gateway.jobs.shapes import JobAnswer
from windmill.operate.jobs.recorded_change import RecordedChange
from windmill.operate.jobs.serving import submit_and_show
from windmill.operate.search.exporting import export_job

router = noun_router("exports")


@router.post(
    "/exports",
    status_code=201,
    response_model=JobAnswer,
    responses={200: {"model": JobAnswer, "description": "It has ended already."}},
)
async def export(
    request: Request, gateway: Context, caller: Operator, who: Who, body: ExportBody, key: IdempotencyKey = None
) -> Response:
    """Export what a query finds: JSON lines, CSV, Parquet, COCO, webdataset or Label Studio. The files are at
    `/jobs/{id}/artifacts`, one for each range of image ids. `Prefer: wait=10` answers 200 if it ends so soon."""
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
    access = gateway.watched(RecordedChange(who, "jobs.create", key=caller.key))
    submitted, shown = await submit_and_show(access, new, caller.sees)
    return await answer_submitted(request, gateway, caller, submitted, shown)
