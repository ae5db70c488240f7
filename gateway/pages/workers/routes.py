"""Who works: every process, by machine."""

from fastapi import Request, Response

from gateway.context import Context, Gateway
from gateway.guard import Viewer
from gateway.pages.page_route import page_router
from gateway.pages.rendering import Shown, changes, page
from gateway.pages.workers.views import workers_view
from windmill.operate.status.reading import read_all_workers

router = page_router()


async def _shown(gateway: Gateway) -> Shown:
    services = list((await gateway.image_fleet.fleet()).services)
    view = workers_view(await read_all_workers(gateway.access.pool, gateway.settings, services))
    return Shown("workers/page.html", "Workers", "overview", view, live="/ui/live/workers", json="/workers")


@router.get("/ui/workers")
async def workers(request: Request, gateway: Context, _: Viewer) -> Response:
    """All of them, and those that were lost within the hour."""
    return page(request, await _shown(gateway))


@router.get("/ui/live/workers")
async def worker_changes(request: Request, gateway: Context, _: Viewer) -> Response:
    """What has changed of it."""
    return changes(request, await _shown(gateway))
