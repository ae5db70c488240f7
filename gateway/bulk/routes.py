"""One action on many jobs: counted, done by the servers, and undone."""

import uuid
from dataclasses import asdict, replace

from fastapi import Response

from gateway.bulk.shapes import BulkAnswer, BulkBody, BulkPreview, BulkShape
from gateway.context import Context, Who
from gateway.errors import hide_paths
from gateway.guard import Operator, Viewer, noun_router
from gateway.idempotency import REPLAYED, IdempotencyKey, digest_of
from windmill.operate.bulk.asking import BulkAction, BulkAsk, begin_bulk, preview_bulk, show_bulk, undo_bulk

router = noun_router("bulk")


def _shape(bulk: BulkAction) -> BulkAnswer:
    values = asdict(bulk)
    told = [{**one, "message": hide_paths(one["message"])} for one in values.pop("told")]
    shape = {"id": values.pop("bulk_id"), "action": values.pop("verb"), "told": told, **values}
    return BulkAnswer(bulk=BulkShape.model_validate(shape))


@router.post(
    "/jobs:bulk",
    status_code=202,
    response_model=BulkAnswer,
    responses={200: {"model": BulkPreview, "description": "It was only counted."}},
)
async def begin(
    gateway: Context,
    caller: Operator,
    who: Who,
    body: BulkBody,
    response: Response,
    key: IdempotencyKey = None,
) -> BulkAnswer | Response:
    """Cancel, pause, resume, retry, delete, or let go before others: many jobs, by their ids or all that match. The
    servers do it, job by job; look at `/bulk/{id}`."""
    if body.priority is not None:
        caller.priority(body.priority)
    ask = BulkAsk(who, caller.sees, body.wanted(), body.ids, body.expect)
    if body.dry_run:
        preview = BulkPreview(action=body.action, matched=await preview_bulk(gateway.access, gateway.store, ask))
        return Response(preview.model_dump_json(), media_type="application/json")
    named = replace(ask, idempotency_key=key, request_digest=digest_of("POST /jobs:bulk", body) if key else None)
    begun = await begin_bulk(gateway.access, gateway.store, named)
    gateway.work.bulk.hurry()
    response.headers["Location"] = f"/bulk/{begun.bulk_id}"
    if begun.replayed:
        response.headers[REPLAYED] = "true"
    return _shape(await show_bulk(gateway.access, begun.bulk_id, caller.sees))


@router.get("/bulk/{bulk_id}")
async def show(gateway: Context, caller: Viewer, bulk_id: uuid.UUID) -> BulkAnswer:
    """How far an action on many jobs is, and the first jobs that it was refused by."""
    return _shape(await show_bulk(gateway.access, bulk_id, caller.sees))


@router.post("/bulk/{bulk_id}/undo", status_code=202)
async def undo(gateway: Context, caller: Operator, who: Who, bulk_id: uuid.UUID) -> BulkAnswer:
    """Change back what an action has changed, within an hour of its end: jobs that were cancelled before they began run
    again, paused ones go on, resumed ones pause, and priorities are as before. What was changed since stays."""
    answer = _shape(await undo_bulk(gateway.access, who, bulk_id, caller.sees))
    gateway.work.bulk.hurry()
    return answer
