"""Batches: many jobs that are asked for at once, counted, cancelled, and listed with what became of each."""

import uuid
from datetime import datetime
from typing import Annotated

from fastapi import Query, Request, Response

from gateway.batches.lines import items_of_lines
from gateway.batches.shapes import (
    BatchAnswer,
    BatchCounts,
    BatchItemBody,
    BatchList,
    BatchQuery,
    BatchResult,
    BatchResultList,
    BatchShape,
    NewBatchBody,
)
from gateway.caller import Caller
from gateway.context import Context, Who
from gateway.errors import hide_paths
from gateway.guard import Operator, Viewer, noun_router
from windmill.jobs.states import JOB_MOVES, sources
from windmill.operate.batches.asking import (
    Batch,
    BatchItem,
    ItemResult,
    begin_batch,
    cancel_batch,
    page_of_batches,
    page_of_results,
    show_batch,
)

router = noun_router("batches")


def _shape(batch: Batch) -> BatchShape:
    names = ("principal", "name", "status", "created_at", "cancelled_at")
    return BatchShape(
        id=batch.batch_id, request_counts=_counts(batch), **{name: getattr(batch, name) for name in names}
    )


def _counts(batch: Batch) -> BatchCounts:
    def number(*states: str) -> int:
        return sum(batch.counts.get(state, 0) for state in states)

    return BatchCounts(
        total=batch.items,
        pending=number("pending"),
        open=number(*sources(JOB_MOVES, "cancel"), "cancelling"),
        completed=number("succeeded"),
        failed=number("failed", "expired"),
        cancelled=number("cancelled"),
        rejected=number("rejected"),
        removed=number("removed", "deleting"),
    )


def _item(caller: Caller, body: BatchItemBody) -> BatchItem:
    request = body.model_dump(mode="json", exclude={"custom_id"})
    return BatchItem({**request, "priority": caller.priority(body.priority)}, body.custom_id)


@router.post("/batches", status_code=202)
async def begin(gateway: Context, caller: Operator, who: Who, body: NewBatchBody, response: Response) -> BatchAnswer:
    """Ask for many jobs at once. The servers make them; what is wrong with one of them keeps only that one from being
    made."""
    items = [_item(caller, one) for one in body.jobs]
    batch = await begin_batch(gateway.access, who, caller.sees, items, body.name)
    gateway.work.batches.hurry()
    response.headers["Location"] = f"/batches/{batch.batch_id}"
    return BatchAnswer(batch=_shape(batch))


@router.post(
    "/batches:lines",
    status_code=202,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
        }
    },
)
async def begin_lines(
    request: Request,
    gateway: Context,
    caller: Operator,
    who: Who,
    response: Response,
    name: Annotated[str, Query(max_length=200)] = "",
) -> BatchAnswer:
    """The same from JSON lines, each an item as in `jobs` of POST /batches: for what is larger than a body of JSON."""
    items = [_item(caller, one) async for one in items_of_lines(request)]
    batch = await begin_batch(gateway.access, who, caller.sees, items, name)
    gateway.work.batches.hurry()
    response.headers["Location"] = f"/batches/{batch.batch_id}"
    return BatchAnswer(batch=_shape(batch))


@router.get("/batches")
async def list_batches(gateway: Context, caller: Viewer, query: Annotated[BatchQuery, Query()]) -> BatchList:
    """Your batches, the newest first."""
    wanted = {"list": "batches", "sees": caller.sees}
    found = gateway.cursors.open(wanted, query.cursor)
    before = (datetime.fromisoformat(found[0]), uuid.UUID(found[1])) if found else None
    page = await page_of_batches(gateway.access, caller.sees, before, query.limit)
    last = [page[-1].created_at.isoformat(), str(page[-1].batch_id)] if len(page) == query.limit else None
    shapes = [_shape(one) for one in page]
    return BatchList(batches=shapes, count=len(shapes), next_cursor=gateway.cursors.seal_next(wanted, last))


@router.get("/batches/{batch_id}")
async def show(gateway: Context, caller: Viewer, batch_id: uuid.UUID) -> BatchAnswer:
    """A batch, with the number of its items in each state."""
    return BatchAnswer(batch=_shape(await show_batch(gateway.access, batch_id, caller.sees)))


@router.post("/batches/{batch_id}/cancel", status_code=202)
async def cancel(gateway: Context, caller: Operator, who: Who, batch_id: uuid.UUID) -> BatchAnswer:
    """Make no more of its jobs, and cancel those that have not ended."""
    batch = await cancel_batch(gateway.access, who, batch_id, caller.sees)
    gateway.work.batches.hurry()
    return BatchAnswer(batch=_shape(batch))


@router.get("/batches/{batch_id}/results")
async def list_results(
    gateway: Context, caller: Viewer, batch_id: uuid.UUID, query: Annotated[BatchQuery, Query()]
) -> BatchResultList:
    """What became of each item so far, in their order."""
    wanted = {"list": "results", "batch": batch_id, "sees": caller.sees}
    after = gateway.cursors.open(wanted, query.cursor) or 0
    page = await page_of_results(gateway.access, batch_id, caller.sees, after, query.limit)
    last = page[-1].number if len(page) == query.limit else None
    results = [_result(one) for one in page]
    return BatchResultList(results=results, count=len(results), next_cursor=gateway.cursors.seal_next(wanted, last))


def _result(item: ItemResult) -> BatchResult:
    values = {**vars(item), "message": hide_paths(item.message) if item.message else None}
    return BatchResult(job=values.pop("public_id"), **values)
