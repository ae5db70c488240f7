"""What `windmill status`, `queues`, `show` and `presets` print, for commands elsewhere."""

from typing import Annotated

from fastapi import Query

from gateway.context import Context
from gateway.errors import hide_paths
from gateway.guard import Viewer, noun_router
from gateway.views.shapes import ImageQuery, PresetQuery, PresetsQuery, QueuesQuery, StatusQuery, ViewShape
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


@router.get("/views/image")
async def image(gateway: Context, _: Viewer, query: Annotated[ImageQuery, Query()]) -> ViewShape:
    """What is known of one image: its id, path or URL names it."""
    return _shape(await view_image(gateway.settings, query.image))


@router.get("/views/presets")
async def presets(gateway: Context, _: Viewer, query: Annotated[PresetsQuery, Query()]) -> ViewShape:
    """What can be asked for."""
    wanted = {"everything": query.everything, "measured": query.measured}
    return _shape(await view_presets(gateway.settings, query.category, query.engine, **wanted))


@router.get("/views/preset")
async def preset(gateway: Context, _: Viewer, query: Annotated[PresetQuery, Query()]) -> ViewShape:
    """One preset in full."""
    return _shape(await view_preset(gateway.settings, query.preset, measured=query.measured))
