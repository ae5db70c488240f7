"""The first page: how the fleet is."""

from fastapi import Request, Response

from gateway.context import Context, Gateway
from gateway.guard import Viewer
from gateway.pages.overview.views import overview_view
from gateway.pages.page_route import page_router
from gateway.pages.rendering import Shown, changes, page
from windmill.operate.status.reading import read_all_workers

router = page_router()


async def _shown(gateway: Gateway) -> Shown:
    fleet, status = gateway.image_fleet, await gateway.image_fleet.recent_status()
    workers = await read_all_workers(gateway.access.pool, gateway.settings, [one.service for one in status.services])
    fleet.history.look()
    view = overview_view(status, workers, fleet.history.rates)
    return Shown("overview/page.html", "Overview", "overview", view, live="/ui/live/overview", json="/status")


@router.get("/ui/")
async def overview(request: Request, gateway: Context, _: Viewer) -> Response:
    """How far all is, what stands still, and who works."""
    return page(request, await _shown(gateway))


@router.get("/ui/live/overview")
async def overview_changes(request: Request, gateway: Context, _: Viewer) -> Response:
    """What has changed of it."""
    return changes(request, await _shown(gateway))
