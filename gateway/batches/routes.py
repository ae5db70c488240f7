"""Batches: many jobs or images that are asked for at once, counted, cancelled, and listed with what became of each."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated

from fastapi import Query, Request, Response

from gateway.batches.lines import items_of_lines
from gateway.batches.shapes import (
    BatchAnswer,
    BatchCounts,
    BatchImagesBody,
    BatchItemBody,
    BatchList,
    BatchQuery,
    BatchResult,
    BatchResultList,
    BatchShape,
    NewBatchBody,
)
from gateway.caller import Caller
from gateway.context import Context, Gateway, Who
from gateway.errors import hide_paths
from gateway.guard import Operator, Viewer, noun_router
from gateway.idempotency import REPLAYED, IdempotencyKey, digest_of
from gateway.runs.answering import result_of
from gateway.runs.shapes import ImageResultShape
from windmill.jobs.states import JOB_MOVES, sources
from windmill.operate.batches.asking import (
    AskedServices,
    Batch,
    BatchAsk,
    BatchItem,
    ItemResult,
    begin_batch,
    cancel_batch,
    page_of_batches,
    page_of_results,
    show_batch,
)
from windmill.operate.batches.images import image_items
from windmill.operate.runs.reading import read_results

router = noun_router("batches")


def _shape(batch: Batch) -> BatchShape:
    names = ("principal", "name", "status", "created_at", "cancelled_at")
    told = {name: getattr(batch, name) for name in names}
    return BatchShape(id=batch.batch_id, request_counts=_counts(batch), services=list(batch.services), **told)


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
async def begin(
    gateway: Context,
    caller: Operator,
    who: Who,
    body: NewBatchBody,
    response: Response,
    key: IdempotencyKey = None,
) -> BatchAnswer:
    """Ask for many jobs at once, or for the answers of services about many images. The servers make them; what is wrong
    with one job keeps only that one from being made. A batch of images counts as one job against a quota."""
    digest = digest_of("POST /batches", body) if key else None
    ask = BatchAsk(
        who, caller.sees, [_item(caller, one) for one in body.jobs], body.name, None, caller.key, key, digest
    )
    if body.images:
        ask = await _of_images(gateway, ask, body.images)
    return await _begun(gateway, ask, response)


async def _of_images(gateway: Gateway, ask: BatchAsk, body: BatchImagesBody) -> BatchAsk:
    services = (await gateway.image_fleet.fleet()).select(body.services)
    asked = AskedServices(tuple(one.name for one in services), body.selection)
    items = await image_items(gateway.access.pool, gateway.settings, body.image_ids, body.group)
    return replace(ask, items=items, services=asked)


async def _begun(gateway: Gateway, ask: BatchAsk, response: Response) -> BatchAnswer:
    begun = await begin_batch(gateway.access, ask)
    gateway.work.batches.hurry()
    response.headers["Location"] = f"/batches/{begun.batch.batch_id}"
    if begun.replayed:
        response.headers[REPLAYED] = "true"
    return BatchAnswer(batch=_shape(begun.batch))


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
    key: IdempotencyKey = None,
) -> BatchAnswer:
    """The same from JSON lines, each an item as in `jobs` of POST /batches: for what is larger than a body of JSON."""
    lines = [one async for one in items_of_lines(request)]
    digest = digest_of(f"POST /batches:lines {name}", *lines) if key else None
    items = [_item(caller, one) for one in lines]
    return await _begun(gateway, BatchAsk(who, caller.sees, items, name, None, caller.key, key, digest), response)


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
    known = await _image_results(gateway, [one.image_id for one in page if one.image_id is not None], batch_id, caller)
    results = [_result(one, known) for one in page]
    return BatchResultList(results=results, count=len(results), next_cursor=gateway.cursors.seal_next(wanted, last))


async def _image_results(
    gateway: Gateway, image_ids: Sequence[int], batch_id: uuid.UUID, caller: Caller
) -> dict[int, ImageResultShape]:
    """By image."""
    if not image_ids:
        return {}
    services = (await show_batch(gateway.access, batch_id, caller.sees)).services
    found = await read_results(gateway.access.pool, gateway.settings, image_ids, services)
    return {one.image.image_id: result_of(one) for one in found}


def _result(item: ItemResult, images: Mapping[int, ImageResultShape]) -> BatchResult:
    values = {**vars(item), "message": hide_paths(item.message) if item.message else None}
    result = BatchResult(job=values.pop("public_id"), **values)
    if item.image_id is None:
        return result
    if (found := images.get(item.image_id)) is None:  # its image was removed
        return result.model_copy(update={"answers": [], "boxes": [], "open_stages": []})
    told = {name: getattr(found, name) for name in ("answers", "boxes", "votes", "open_stages")}
    return result.model_copy(update=told)
