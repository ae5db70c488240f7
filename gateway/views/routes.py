"""What `windmill status`, `queues`, `failed`, `show` and `presets` print, for commands elsewhere."""

import asyncio
from dataclasses import replace
from typing import Annotated

from fastapi import Query

from gateway.context import Context
from gateway.errors import hide_paths
from gateway.guard import Viewer, noun_router
from gateway.hiding import hide_paths_within
from gateway.views.shapes import (
    FailedImageQuery,
    FailedViewQuery,
    ImageQuery,
    PresetQuery,
    PresetsQuery,
    QueuesQuery,
    StatusQuery,
    ViewShape,
)
from windmill.operate.dead_letters.codes import checked_codes
from windmill.operate.dead_letters.dead_letter import DeadLetterFilter
from windmill.operate.dead_letters.serving_commands import FailedAsk, view_failed, view_failed_image
from windmill.operate.view import View
from windmill.operate.views import view_image, view_preset, view_presets, view_queues, view_status

router = noun_router("views")


def _shape(view: View) -> ViewShape:
    notes = [hide_paths(one) for one in view.notes]
    return ViewShape(document=view.document, text=view.text, notes=notes, exit_code=view.exit_code)


@router.get("/views/status")
async def status(gateway: Context, _: Viewer, query: Annotated[StatusQuery, Query()]) -> ViewShape:
    """The status of the fleet."""
    return _shape(await view_status(gateway.settings, query.services, query.lost_after, workers=query.workers))


@router.get("/views/queues")
async def queues(gateway: Context, _: Viewer, query: Annotated[QueuesQuery, Query()]) -> ViewShape:
    """The length and the rates of each queue."""
    return _shape(await view_queues(gateway.settings, query.services))


@router.get("/views/failed")
async def failed(gateway: Context, _: Viewer, query: Annotated[FailedViewQuery, Query()]) -> ViewShape:
    """Jobs of services that were given up."""
    codes = checked_codes(query.codes.split(",")) if query.codes else None
    images = frozenset(map(int, query.image_ids.split(","))) if query.image_ids else None
    selected = DeadLetterFilter(codes, images, query.before, query.after)
    ask = FailedAsk(query.services, selected, query.scan, query.limit, query.form)
    return _hidden(await view_failed(gateway.settings, ask, asyncio.Event()))


@router.get("/views/failed_image")
async def failed_image(gateway: Context, _: Viewer, query: Annotated[FailedImageQuery, Query()]) -> ViewShape:
    """All that is known of the parked jobs of one image."""
    settings, stop = gateway.settings, asyncio.Event()
    return _hidden(await view_failed_image(settings, query.services, query.image_id, query.scan, stop))


def _hidden(view: View) -> ViewShape:
    """What workers and services have said, and where images lie, may name folders of theirs."""
    return _shape(replace(view, document=hide_paths_within(view.document), text=hide_paths(view.text)))


@router.get("/views/image")
async def image(gateway: Context, _: Viewer, query: Annotated[ImageQuery, Query()]) -> ViewShape:
    """What is known of one image: its id, path or URL names it."""
    return _hidden(await view_image(gateway.settings, query.image))


@router.get("/views/presets")
async def presets(gateway: Context, _: Viewer, query: Annotated[PresetsQuery, Query()]) -> ViewShape:
    """What can be asked for."""
    wanted = {"everything": query.everything, "measured": query.measured}
    return _shape(await view_presets(gateway.settings, query.category, query.engine, **wanted))


@router.get("/views/preset")
async def preset(gateway: Context, _: Viewer, query: Annotated[PresetQuery, Query()]) -> ViewShape:
    """One preset in full."""
    return _shape(await view_preset(gateway.settings, query.preset, measured=query.measured))
