"""The video of a job, watched while it is made and afterwards."""

import uuid
from typing import Annotated

from fastapi import Query, Request, Response

from gateway.caller import Caller
from gateway.context import Context, Gateway
from gateway.guard import Viewer
from gateway.pages.page_route import page_router
from gateway.pages.rendering import Shown, changes, page
from gateway.pages.videos.views import WatchView, watch_view
from windmill.operate.jobs.watched_video import read_watched_video

router = page_router()
Play = Annotated[str, Query(pattern="^(source|result|growing|)$")]
At = Annotated[float, Query(ge=0, le=1_000_000)]


async def _shown(gateway: Gateway, caller: Caller, job_id: uuid.UUID, play: str, at: float = 0) -> Shown:
    video = await read_watched_video(gateway.access, gateway.store, job_id, caller.sees)
    view: WatchView = watch_view(video, play, at)
    live = f"/ui/live/jobs/{job_id}/watch?play={play}"
    return Shown("videos/watch.html", f"{view.line.title}, watched", "jobs", view, live=live, json=f"/jobs/{job_id}")


@router.get("/ui/jobs/{job_id}/watch")
async def watch(
    request: Request, gateway: Context, caller: Viewer, job_id: uuid.UUID, play: Play = "", at: At = 0
) -> Response:
    """The player, segments by their state, and what is seen when. It begins `at` this second."""
    return page(request, await _shown(gateway, caller, job_id, play, at))


@router.get("/ui/live/jobs/{job_id}/watch")
async def watch_changes(
    request: Request, gateway: Context, caller: Viewer, job_id: uuid.UUID, play: Play = ""
) -> Response:
    """What has changed; the player is left alone."""
    return changes(request, await _shown(gateway, caller, job_id, play))
