"""Jobs of services that were given up: listed, tried again, thrown away."""

import asyncio
from collections.abc import Iterable

from gateway.context import Context, Gateway, Who
from gateway.failed.naming import named_failure
from gateway.failed.shapes import (
    FailedFilter,
    FailedList,
    FailedQuery,
    HearBody,
    MuteBody,
    MutedList,
    MutedShape,
    SweepAnswer,
    SweepBody,
)
from gateway.guard import Operator, Viewer, noun_router
from gateway.hiding import hide_paths_within
from windmill.core.errors import WindmillError
from windmill.operate.dead_letters.codes import checked_codes
from windmill.operate.dead_letters.dead_letter import DeadLetterFilter
from windmill.operate.dead_letters.listing import list_dead_letters
from windmill.operate.dead_letters.muting import Muting, hear_failure, mute_failure, read_muted
from windmill.operate.dead_letters.render import render_listing_json, render_sweep_json
from windmill.operate.dead_letters.serving import SCANNED, SweepRequest, sweep_dead_letters
from windmill.operate.dead_letters.sweep import SweepAction

router = noun_router("failed")


@router.get("/failed")
async def list_failed(gateway: Context, _: Viewer, query: FailedFilter) -> FailedList:
    """Parked jobs, with a summary by service and code."""
    found = await list_dead_letters(
        gateway.settings,
        await _services(gateway, query.services.split(",")),
        _listed(query),
        asyncio.Event(),
        scan=SCANNED,
        keep=query.limit,
    )
    document = hide_paths_within(render_listing_json(found, found.jobs))
    return FailedList.model_validate({**document, "count": len(found.jobs)})


@router.post("/failed/redrive")
async def redrive(gateway: Context, _: Operator, who: Who, body: SweepBody) -> SweepAnswer:
    """Send jobs back to their queues; their tries start again."""
    return await _sweep(gateway, who, body, "redrive")


@router.post("/failed/purge")
async def purge(gateway: Context, _: Operator, who: Who, body: SweepBody) -> SweepAnswer:
    """Throw jobs away for good. `expect` says how many, as a `dry_run` has told."""
    if body.expect is None and not body.dry_run:
        said = "to throw jobs away, say in expect how many"
        raise WindmillError("USAGE", said, "ask with dry_run first: it counts them")
    return await _sweep(gateway, who, body, "purge")


@router.get("/failed/muted")
async def list_muted(gateway: Context, _: Viewer) -> MutedList:
    """Failures that somebody knows of, with who did it, why, and until when."""
    return await _muted(gateway)


@router.post("/failed/mute")
async def mute(gateway: Context, _: Operator, who: Who, body: MuteBody) -> MutedList:
    """List failures of a service with one code apart from the others. Nothing happens to their jobs."""
    service, code = await named_failure(gateway, body.service, body.code or "")
    wanted = Muting(service, code, body.reason, body.until)
    await mute_failure(gateway.access.pool, gateway.settings, who, wanted)
    return await _muted(gateway)


@router.post("/failed/hear")
async def hear(gateway: Context, _: Operator, who: Who, body: HearBody) -> MutedList:
    """List them among the others again."""
    service, code = await named_failure(gateway, body.service, body.code or "")
    await hear_failure(gateway.access.pool, gateway.settings, who, service, code)
    return await _muted(gateway)


async def _muted(gateway: Gateway) -> MutedList:
    found = await read_muted(gateway.access.pool, gateway.settings)
    shapes = [MutedShape.model_validate({**vars(one), "code": one.code or None}) for one in found]
    return MutedList(muted=shapes, count=len(shapes))


async def _sweep(gateway: Gateway, who: Who, body: SweepBody, action: SweepAction) -> SweepAnswer:
    services = await _services(gateway, body.services)
    request = SweepRequest(action, services, _selected(body), body.limit, body.expect, body.dry_run)
    outcome = await sweep_dead_letters(gateway.access.pool, gateway.settings, who, request)
    return SweepAnswer.model_validate(render_sweep_json(outcome))


async def _services(gateway: Gateway, named: Iterable[str]) -> list[str]:
    return [service.name for service in (await gateway.image_fleet.fleet()).select(named)]


def _listed(query: FailedQuery) -> DeadLetterFilter:
    codes = checked_codes(query.code.split(",")) if query.code else None
    images = frozenset([query.image_id]) if query.image_id else None
    return DeadLetterFilter(codes, images, query.before, query.after)


def _selected(body: SweepBody) -> DeadLetterFilter:
    codes = None if body.codes is None else checked_codes(body.codes)
    images = None if body.image_ids is None else frozenset(body.image_ids)
    return DeadLetterFilter(codes, images, body.before, body.after)
